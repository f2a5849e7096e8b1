#include "os/cgroup.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "unit/os/support.h"

using namespace shipmate::os;
using shipmate::os::internal::ParseHierarchies;
using shipmate::os::internal::ServiceIn;
using shipmate::tests::Eventually;
using shipmate::tests::TestChild;

namespace {

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool Enter(const std::string& dir, pid_t pid) {
  std::ofstream file(dir + "/cgroup.procs");
  file << pid << std::flush;
  return file.good();
}

// A group of this test's own, removed at the end.
struct Ours {
  explicit Ours(const std::string& name) : groups(Cgroups::Detect(name + std::to_string(OwnPid()))) {}
  ~Ours() {
    CHECK(Eventually([&] {
      groups.Remove("web");
      const auto left = groups.Prepare("web", {});
      groups.Remove("web");
      return !left.populated;
    }));
  }
  Cgroups groups;
};

}  // namespace

TEST_CASE("Where we are: version 2 alone, both versions, a container, nothing") {
  CHECK(ParseHierarchies("30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
                         "0::/system.slice/shipmate.service\n") ==
        std::vector<Hierarchy>{{.version2 = true, .dir = "/sys/fs/cgroup/system.slice/shipmate.service"}});
  const std::string mounts =
      "25 24 0:22 / /sys rw - sysfs sysfs rw\n"
      "31 25 0:27 / /sys/fs/cgroup/unified rw shared:4 - cgroup2 cgroup2 rw\n"
      "33 25 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:6 master:1 - cgroup cgroup rw,cpu,cpuacct\n"
      "34 25 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "35 25 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n";
  const auto both = ParseHierarchies(mounts, "5:memory:/jobs/7\n4:cpu,cpuacct:/\n1:name=systemd:/x\n0::/\n");
  CHECK(both == std::vector<Hierarchy>{
                    {.version2 = true, .dir = "/sys/fs/cgroup/unified"},
                    {.controllers = {"cpu", "cpuacct"}, .dir = "/sys/fs/cgroup/cpu,cpuacct"},
                    {.controllers = {"memory"}, .dir = "/sys/fs/cgroup/memory/jobs/7"},
                    {.controllers = {"name=systemd"}, .dir = "/sys/fs/cgroup/systemd/x"},
                });
  // A mount of a part of the hierarchy; and a place outside of what our name space shows.
  CHECK(ParseHierarchies("9 8 0:9 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n", "0::/docker/abc/sub\n") ==
        std::vector<Hierarchy>{{.version2 = true, .dir = "/sys/fs/cgroup/sub"}});
  CHECK(ParseHierarchies("9 8 0:9 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n", "0::/../other\n").empty());
  CHECK(ParseHierarchies("", "").empty());
  CHECK(ParseHierarchies("damaged - cgroup2\n- - -", "::::\n0\n").empty());
}

TEST_CASE("Which service a process is in the group of") {
  CHECK(ServiceIn("5:pids:/\n0::/a/shipmate-12ab/web\n", "shipmate-12ab") == "web");
  CHECK(ServiceIn("4:memory:/x/shipmate-12ab/my.web-2\n0::/\n", "shipmate-12ab") == "my.web-2");
  CHECK(ServiceIn("0::/shipmate-12ab/web\n", "shipmate-34") == std::nullopt);
  // A group that the service made itself below its own.
  CHECK(ServiceIn("0::/shipmate-12ab/web/shipmate-34/api\n", "shipmate-12ab") == std::nullopt);
  CHECK(ServiceIn("0::/shipmate-12ab/web/shipmate-34/api\n", "shipmate-34") == "api");
  CHECK(ServiceIn("0::/shipmate-12ab\n0::/shipmate-12ab/\n", "shipmate-12ab") == std::nullopt);
  CHECK(ServiceIn("", "shipmate-12ab") == std::nullopt);
}

TEST_CASE("A group is made, shows who is in it, kills them all, and is removed") {
  Ours ours("feed");
  if (!ours.groups.Usable()) {
    MESSAGE(std::string("skipped: " + ours.groups.Why()));
    return;
  }
  const auto group = ours.groups.Prepare("web", {});
  REQUIRE(group.dirs.size() == 1);
  CHECK_FALSE(group.populated);
  CHECK(group.no_memory_limit == "");
  const TestChild child({"/bin/sleep", "600"});
  const TestChild other({"/bin/sleep", "600"});
  CHECK(ours.groups.ServiceOf(child.Pid()) == std::nullopt);
  REQUIRE(Enter(group.dirs[0], child.Pid()));
  CHECK(ours.groups.ServiceOf(child.Pid()) == "web");
  CHECK(ours.groups.Prepare("web", {}).populated);
  ours.groups.Remove("web");
  CHECK(std::filesystem::exists(group.dirs[0]));
  if (std::filesystem::exists(group.dirs[0] + "/cgroup.kill")) {
    ours.groups.Kill("web");
    CHECK(child.Wait() == ExitStatus{.signal = SIGKILL});
    CHECK(ReadStat(other.Pid())->Lives());
    CHECK(Eventually([&] {
      ours.groups.Remove("web");
      return !std::filesystem::exists(group.dirs[0]);
    }));
    CHECK_FALSE(std::filesystem::exists(std::filesystem::path(group.dirs[0]).parent_path()));
  }
}

TEST_CASE("Limits are set where a controller is, or it is said why not") {
  Ours ours("beef");
  if (!ours.groups.Usable()) {
    MESSAGE(std::string("skipped: " + ours.groups.Why()));
    return;
  }
  const auto group = ours.groups.Prepare("web", {.memory = 64U << 20U, .processes = 20});
  const auto value_in = [&](const std::vector<std::string>& names) -> std::string {
    for (const std::string& dir : group.dirs) {
      for (const std::string& name : names) {
        if (std::filesystem::exists(dir + "/" + name)) return FirstLine(dir + "/" + name);
      }
    }
    return "";
  };
  if (group.no_memory_limit.empty()) {
    CHECK(value_in({"memory.max", "memory.limit_in_bytes"}) == "67108864");
  } else {
    MESSAGE(group.no_memory_limit);
  }
  if (group.no_process_limit.empty()) {
    CHECK(value_in({"pids.max"}) == "20");
  } else {
    MESSAGE(group.no_process_limit);
  }
}

TEST_CASE("A name that the kernel has for a file of its own makes no group, and no harm") {
  Ours ours("cafe");
  const auto group = ours.groups.Prepare("cgroup.procs", {});
  CHECK(group.dirs.empty());
  ours.groups.Remove("cgroup.procs");
}
