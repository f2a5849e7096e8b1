#include "history/schema.h"

namespace shipmate::history {

const std::vector<std::string>& Migrations() {
  // Times are nanoseconds since the epoch. A command without a result has not been answered yet.
  static const std::vector<std::string> migrations = {
      "CREATE TABLE command ("
      " id INTEGER PRIMARY KEY,"
      " platform TEXT NOT NULL,"
      " message_id TEXT NOT NULL,"
      " channel TEXT NOT NULL,"
      " actor_id TEXT NOT NULL,"
      " actor_name TEXT NOT NULL,"
      " text TEXT NOT NULL,"
      " decision TEXT NOT NULL,"
      " result TEXT,"
      " at INTEGER NOT NULL,"
      " UNIQUE (platform, message_id));"
      "CREATE INDEX command_unanswered ON command(id) WHERE result IS NULL",
      // The newest message that was read in a channel.
      "CREATE TABLE last_seen ("
      " platform TEXT NOT NULL,"
      " channel TEXT NOT NULL,"
      " message_id TEXT NOT NULL,"
      " PRIMARY KEY (platform, channel)) WITHOUT ROWID",
      "CREATE TABLE deploy ("
      " id INTEGER PRIMARY KEY,"
      " service TEXT NOT NULL,"
      " trigger_word TEXT NOT NULL,"
      " actor TEXT NOT NULL,"
      " branch TEXT NOT NULL,"
      " commit_id TEXT NOT NULL,"
      " previous TEXT NOT NULL,"
      " subject TEXT NOT NULL,"
      " began INTEGER NOT NULL,"
      " ended INTEGER NOT NULL,"
      " planned INTEGER NOT NULL,"
      " result TEXT NOT NULL,"
      " failed_step TEXT NOT NULL,"
      " note TEXT NOT NULL,"
      " log_file TEXT NOT NULL);"
      "CREATE INDEX deploy_of_service ON deploy(service, id);"
      "CREATE TABLE deploy_step ("
      " deploy INTEGER NOT NULL REFERENCES deploy(id) ON DELETE CASCADE,"
      " number INTEGER NOT NULL,"
      " text TEXT NOT NULL,"
      " began INTEGER NOT NULL,"
      " milliseconds INTEGER NOT NULL,"
      " failure TEXT NOT NULL,"
      " PRIMARY KEY (deploy, number))",
  };
  return migrations;
}

}  // namespace shipmate::history
