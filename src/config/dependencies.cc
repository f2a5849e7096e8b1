#include "config/dependencies.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "base/text.h"
#include "config/fields.h"

namespace shipmate::config {

namespace {

std::string Say(const Declared& service, const Dependency& dependency, std::string_view text) {
  return fmt::format("{}:{}:{}: {}: {}", service.path, dependency.mark.line, dependency.mark.column,
                     dependency.relation == Relation::kAfter ? "after" : "requires", text);
}

// A walk in depth over the services; what closes a circle is a problem.
class Walk {
 public:
  Walk(const std::vector<Declared>& services, Problems& problems) : problems_(problems) {
    for (const Declared& service : services) services_.emplace(service.name, &service);
    for (const Declared& service : services) Visit(service);
  }

 private:
  enum class Mark { kNew, kOpen, kDone };
  struct Frame {
    const Declared* service;
    std::size_t next = 0;
  };

  // With a stack of its own: a thousand files may stand in one chain.
  void Visit(const Declared& first) {
    if (marks_[first.name] != Mark::kNew) return;
    std::vector<Frame> path;
    Open(path, first);
    while (!path.empty()) {
      Frame& top = path.back();
      if (top.next == top.service->dependencies.size()) {
        marks_[top.service->name] = Mark::kDone;
        path.pop_back();
        continue;
      }
      const Dependency& dependency = top.service->dependencies[top.next++];
      const auto on = services_.find(dependency.on);
      if (on == services_.end()) continue;
      const Mark mark = marks_[dependency.on];
      if (mark == Mark::kOpen) Tell(path, dependency);
      if (mark == Mark::kNew) Open(path, *on->second);
    }
  }

  void Open(std::vector<Frame>& path, const Declared& service) {
    marks_[service.name] = Mark::kOpen;
    path.push_back({.service = &service});
  }

  void Tell(const std::vector<Frame>& path, const Dependency& closing) {
    std::string text;
    const auto start = std::ranges::find(path, closing.on, [](const Frame& frame) { return frame.service->name; });
    for (auto frame = start; frame != path.end(); ++frame) text += frame->service->name + " -> ";
    problems_.push_back(Say(*path.back().service, closing,
                            fmt::format("goes round in a circle: {}{}; remove one of these", text, closing.on)));
  }

  Problems& problems_;
  std::map<std::string_view, const Declared*> services_;
  std::map<std::string_view, Mark> marks_;
};

}  // namespace

Problems CheckDependencies(const std::vector<Declared>& services, const std::vector<std::string>& names) {
  Problems problems;
  for (const Declared& service : services) {
    for (const Dependency& dependency : service.dependencies) {
      if (std::ranges::find(names, dependency.on) == names.end()) {
        problems.push_back(
            Say(service, dependency,
                fmt::format("no service is called {}{}", Shown(dependency.on), Suggestion(dependency.on, names))));
        continue;
      }
      const auto on = std::ranges::find(services, dependency.on, &Declared::name);
      if (on != services.end() && !on->runs) {
        problems.push_back(
            Say(service, dependency, fmt::format("{} runs nothing (`type: none`)", Shown(dependency.on))));
      }
    }
  }
  const Walk walk(services, problems);
  return problems;
}

}  // namespace shipmate::config
