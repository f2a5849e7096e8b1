#include "unit/platforms/mattermost/wire.h"

#include <boost/json.hpp>
#include <fstream>
#include <map>
#include <stdexcept>

namespace shipmate::tests {

namespace {

std::map<std::string, std::string> ReadRecords() {
  std::map<std::string, std::string> records;
  std::ifstream file(WIRE_DIR "/mattermost.jsonl");
  for (std::string line; std::getline(file, line);) {
    const boost::json::object record = boost::json::parse(line).as_object();
    records[std::string(record.at("name").as_string())] = std::string(record.at("text").as_string());
  }
  if (records.empty()) throw std::runtime_error("no records in " WIRE_DIR "/mattermost.jsonl");
  return records;
}

}  // namespace

const std::string& MattermostWire(const std::string& name) {
  static const std::map<std::string, std::string> records = ReadRecords();
  return records.at(name);
}

}  // namespace shipmate::tests
