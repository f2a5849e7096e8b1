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
  };
  return migrations;
}

}  // namespace shipmate::history
