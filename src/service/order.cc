#include "service/order.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

namespace shipmate::service {

namespace {

using config::ServiceConfig;

bool Names(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

// After a service come those it waits for: each walk goes down one service, with a stack of its own, since a thousand
// may stand in one chain.
class Sorter {
 public:
  explicit Sorter(const std::vector<ServiceConfig>& services) {
    for (const ServiceConfig& service : services) services_.emplace(service.name, &service);
    for (const ServiceConfig& service : services) Visit(service);
  }
  std::vector<Step> Take() { return std::move(steps_); }

 private:
  struct Frame {
    const ServiceConfig* service;
    std::vector<std::string> first;
    std::size_t next = 0;
  };

  void Visit(const ServiceConfig& service) {
    if (seen_.contains(service.name)) return;
    std::vector<Frame> path;
    Open(path, service);
    while (!path.empty()) {
      Frame& top = path.back();
      if (top.next == top.first.size()) {
        Close(top);
        path.pop_back();
        continue;
      }
      const auto found = services_.find(top.first[top.next++]);
      if (found != services_.end() && !seen_.contains(found->first)) Open(path, *found->second);
    }
  }

  void Open(std::vector<Frame>& path, const ServiceConfig& service) {
    seen_.insert(service.name);
    Frame frame{.service = &service, .first = service.after};
    frame.first.insert(frame.first.end(), service.requires_services.begin(), service.requires_services.end());
    path.push_back(std::move(frame));
  }

  void Close(const Frame& frame) {
    Step step{.name = frame.service->name};
    std::set<std::size_t> wait_for;
    for (const std::string& name : frame.first) {
      // One that is not placed yet closes a circle.
      if (const auto place = places_.find(name); place != places_.end()) wait_for.insert(place->second);
    }
    step.wait_for.assign(wait_for.begin(), wait_for.end());
    for (const std::size_t place : step.wait_for) {
      if (Names(frame.service->requires_services, steps_[place].name)) step.needs.push_back(place);
    }
    places_.emplace(step.name, steps_.size());
    steps_.push_back(std::move(step));
  }

  std::map<std::string_view, const ServiceConfig*> services_;
  std::set<std::string_view> seen_;
  std::map<std::string, std::size_t> places_;
  std::vector<Step> steps_;
};

}  // namespace

std::vector<Step> StartOrder(const std::vector<ServiceConfig>& services) {
  return Sorter(services).Take();
}

std::vector<Step> StopOrder(const std::vector<ServiceConfig>& services) {
  const std::vector<Step> start = StartOrder(services);
  const std::size_t last = start.size() - 1;
  std::vector<Step> stop(start.size());
  for (std::size_t i = start.size(); i-- > 0;) {
    stop[last - i].name = start[i].name;
    for (const std::size_t earlier : start[i].wait_for) stop[last - earlier].wait_for.push_back(last - i);
  }
  return stop;
}

std::vector<std::string> WithRequired(const std::vector<ServiceConfig>& services, const std::string& name) {
  std::set<std::string> found{name};
  std::vector<std::string> open{name};
  while (!open.empty()) {
    const std::string next = std::move(open.back());
    open.pop_back();
    const auto service = std::ranges::find(services, next, &ServiceConfig::name);
    if (service == services.end()) continue;
    for (const std::string& required : service->requires_services) {
      if (found.insert(required).second) open.push_back(required);
    }
  }
  return {found.begin(), found.end()};
}

std::vector<std::string> Dependants(const std::vector<ServiceConfig>& services, const std::string& name) {
  std::vector<std::string> names;
  for (const ServiceConfig& service : services) {
    if (Names(service.requires_services, name)) names.push_back(service.name);
  }
  return names;
}

}  // namespace shipmate::service
