#pragma once

// StandIns: a folder of small shell programs that take the place of systemctl and the like on PATH. Each call is
// recorded with its arguments before the program's own lines run; those find their folder in $here.

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace shipmate::tests {

class StandIns {
 public:
  StandIns() {
    std::string pattern = (std::filesystem::temp_directory_path() / "shipmate-stand-in-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder for the stand-ins");
    folder_ = pattern;
    std::filesystem::create_directory(folder_ / "bin");
  }
  ~StandIns() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  StandIns(const StandIns&) = delete;
  StandIns& operator=(const StandIns&) = delete;

  void Add(const std::string& name, const std::string& lines) {
    const std::string path = "bin/" + name;
    Write(path,
          "#!/bin/sh\nhere='" + folder_.string() + "'\necho \"" + name + " $*\" >>\"$here/calls\"\n" + lines + "\n");
    ::chmod((folder_ / path).c_str(), 0755);
  }
  void Remove(const std::string& name) { std::filesystem::remove(folder_ / "bin" / name); }

  void Write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }
  std::string Read(const std::string& name) const {
    std::ifstream file(folder_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  /// One line a call: the program's name and its arguments.
  std::vector<std::string> Calls() const {
    std::vector<std::string> calls;
    std::ifstream file(folder_ / "calls");
    for (std::string line; std::getline(file, line);) calls.push_back(line);
    return calls;
  }
  void ForgetCalls() { std::filesystem::remove(folder_ / "calls"); }
  std::vector<std::string> TakeCalls() {
    auto calls = Calls();
    ForgetCalls();
    return calls;
  }

  /// An environment whose PATH has the stand-ins and the plain tools of the shell, and nothing else: the machine's own
  /// systemctl must not be reached by a test.
  std::vector<std::string> Environment() {
    for (const char* tool : {"cat", "cp", "echo", "rm", "mv"}) {
      const auto link = folder_ / "bin" / tool;
      if (!std::filesystem::exists(link)) std::filesystem::create_symlink(std::string("/bin/") + tool, link);
    }
    return {"PATH=" + (folder_ / "bin").string()};
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace shipmate::tests
