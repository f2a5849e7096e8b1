#include "service/backends/unit_cache.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <set>
#include <utility>

#include "async/deadline.h"
#include "base/log.h"

namespace shipmate::service::backends {

namespace {

constexpr std::chrono::seconds kEndLimit{5};

bool IsUp(const UnitLook& look) {
  return look.active_state == "active" || look.active_state == "reloading" || look.active_state == "refreshing";
}
// Between a failure and the next try.
bool WaitsToRestart(const UnitLook& look) {
  return look.active_state == "activating" && look.sub_state.starts_with("auto-restart");
}
bool IsDown(const UnitLook& look) {
  return look.active_state == "inactive" || look.active_state == "failed";
}
bool IsSettled(const UnitLook& look) {
  return IsUp(look) || IsDown(look) || WaitsToRestart(look);
}

UnitChange Ended(const UnitLook& before, const UnitLook& now) {
  UnitChange change;
  change.event = now.active_state == "inactive" ? "exited" : "failed";
  change.reason = now.result;
  if (now.main_code == CLD_EXITED) change.status.code = now.main_status;
  if (now.main_code == CLD_KILLED || now.main_code == CLD_DUMPED) {
    change.status.signal = now.main_status;
    change.status.core_dumped = now.main_code == CLD_DUMPED;
  }
  const auto since = before.active_since.count() > 0 ? before.active_since : now.active_since;
  if (IsUp(before) && now.inactive_since > since) {
    change.uptime = std::chrono::duration_cast<std::chrono::milliseconds>(now.inactive_since - since);
  }
  return change;
}

}  // namespace

std::optional<UnitChange> ChangeBetween(const UnitLook& before, const UnitLook& now) {
  if (!IsSettled(now)) return std::nullopt;
  if (IsUp(now)) {
    if (!IsUp(before)) return UnitChange{.event = "started"};
    if (before.active_since != now.active_since) return UnitChange{.event = "restarted"};
    return std::nullopt;
  }
  if (IsUp(before)) return Ended(before, now);
  // It was started and failed while nobody looked, or was given up after its tries.
  const bool failed_now = now.active_state == "failed" && before.active_state != "failed";
  return failed_now ? std::optional(Ended(before, now)) : std::nullopt;
}

UnitCache::UnitCache(Executor executor, UnitScope scope, std::vector<std::string> environment, const base::Clock& clock)
    : executor_(std::move(executor)),
      scope_(scope),
      environment_(std::move(environment)),
      clock_(clock),
      work_(executor_) {}

void UnitCache::Join(UnitSeat& seat) {
  const bool first = seats_.empty();
  seats_.push_back(&seat);
  Forget();
  if (first) work_.Spawn("watch of units", Poll());
}

Task<void> UnitCache::Leave(UnitSeat& seat) {
  std::erase(seats_, &seat);
  if (!seats_.empty()) co_return;
  work_.Cancel();
  if (!co_await work_.Join(kEndLimit)) LogError("the watch of units did not end");
}

bool UnitCache::IsFresh(const std::string& unit) const {
  return looked_epoch_ == epoch_ && clock_.Now() - taken_ < kFresh && looks_.contains(unit);
}

Task<Result<UnitLook>> UnitCache::Look(std::string unit) {
  // A change of ours overtakes a look at most once; twice is somebody else's, and its answer will do.
  constexpr int kTurns = 3;
  for (int turn = 0; turn < kTurns && !IsFresh(unit); ++turn) {
    const auto looking = looking_ ? looking_ : BeginLook();
    co_await looking->Wait();
  }
  const auto look = looks_.find(unit);
  if (look == looks_.end()) co_return Fail(Errc::kCancelled, "the look at unit " + unit + " was given up");
  co_return look->second;
}

Task<void> UnitCache::Poll() {
  // The backends of one start are made in one go: the first look is for all of them.
  co_await boost::asio::post(boost::asio::use_awaitable);
  for (;;) {
    const auto looking = looking_ ? looking_ : BeginLook();
    co_await looking->Wait();
    co_await async::Sleep(kPoll);
  }
}

// Not by the one who asks: he may be cancelled, and the others still want to know.
std::shared_ptr<async::Event> UnitCache::BeginLook() {
  // It may have ended when Spawn returns.
  const auto done = std::make_shared<async::Event>(executor_);
  looking_ = done;
  work_.Spawn("look at units", TakeLook(done));
  return done;
}

Task<void> UnitCache::TakeLook(std::shared_ptr<async::Event> done) {
  const auto end = [this](async::Event* event) {
    looking_.reset();
    event->Set();
  };
  const std::unique_ptr<async::Event, decltype(end)> scope(done.get(), end);
  std::set<std::string> names;
  for (const UnitSeat* seat : seats_) names.insert(seat->unit_);
  if (names.empty()) co_return;
  const std::uint64_t epoch = epoch_;
  const base::SteadyTime began = clock_.Now();
  const std::vector<std::string> units(names.begin(), names.end());
  auto looks = co_await LookAtUnits(units, scope_, environment_);
  looks_.clear();
  for (std::size_t i = 0; i < units.size(); ++i) {
    looks_.emplace(units[i], looks ? Result<UnitLook>(looks->at(i)) : Result<UnitLook>(Fail(looks.error())));
  }
  taken_ = clock_.Now();
  looked_epoch_ = epoch;
  if (!looks) co_return;
  for (UnitSeat* seat : seats_) {
    const auto look = looks_.find(seat->unit_);
    if (look != looks_.end() && look->second) seat->Observe(*look->second, began);
  }
}

UnitSeat::UnitSeat(std::shared_ptr<UnitCache> cache, std::string unit)
    : cache_(std::move(cache)), unit_(std::move(unit)) {
  cache_->Join(*this);
}

Task<Result<UnitLook>> UnitSeat::Look() {
  return cache_->Look(unit_);
}

void UnitSeat::Watch(std::function<void(UnitChange)> seen) {
  sink_ = std::move(seen);
  for (UnitChange& change : std::exchange(early_, {})) sink_(std::move(change));
}

void UnitSeat::EndChange(const std::optional<UnitLook>& now) {
  --changing_;
  changed_ = cache_->clock_.Now();
  before_.reset();
  if (now && IsSettled(*now)) before_ = now;
  cache_->Forget();
}

void UnitSeat::Observe(const UnitLook& look, base::SteadyTime began) {
  if (changing_ > 0 || began < changed_) return;
  auto change = before_ ? ChangeBetween(*before_, look) : std::nullopt;
  if (IsSettled(look)) before_ = look;
  if (!change || closed_) return;
  if (sink_) {
    sink_(*std::move(change));
  } else {
    early_.push_back(*std::move(change));
  }
}

Task<void> UnitSeat::Close() {
  if (std::exchange(closed_, true)) co_return;
  co_await cache_->Leave(*this);
}

std::shared_ptr<UnitCache> UnitCaches::For(UnitScope scope, const BackendContext& context) {
  auto& cache = caches_[scope];
  if (!cache) cache = std::make_shared<UnitCache>(context.executor, scope, *context.environment, *context.clock);
  return cache;
}

}  // namespace shipmate::service::backends
