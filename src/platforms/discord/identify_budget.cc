#include "platforms/discord/identify_budget.h"

#include <algorithm>
#include <boost/json.hpp>

#include "os/files.h"

namespace shipmate::platforms::discord {

namespace {

constexpr std::chrono::hours kDay{24};
constexpr std::size_t kFileLimit = 256 * 1024;

std::int64_t ToMillis(base::WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

IdentifyBudget IdentifyBudget::Load(const std::string& path, std::string* warning) {
  IdentifyBudget budget;
  budget.path_ = path;
  const auto text = os::ReadFile(path, kFileLimit);
  if (!text) {
    if (text.error().code != Errc::kNotFound) *warning = text.error().what;
    return budget;
  }
  boost::system::error_code error;
  const boost::json::value root = boost::json::parse(*text, error);
  const boost::json::object* object = error ? nullptr : root.if_object();
  const boost::json::value* list = object == nullptr ? nullptr : object->if_contains("identifies_ms");
  const boost::json::array* times = list == nullptr ? nullptr : list->if_array();
  if (times == nullptr) {
    *warning = "reading '" + path + "': not a record of identifies; it is begun anew";
    return budget;
  }
  for (const boost::json::value& time : *times) {
    const std::int64_t* millis = time.if_int64();
    // Nanoseconds of a time beyond the year 2262 would not fit.
    if (millis == nullptr || *millis < 0 || *millis > 9'000'000'000'000) continue;
    budget.identifies_.emplace_back(std::chrono::milliseconds(*millis));
  }
  std::ranges::sort(budget.identifies_);
  return budget;
}

void IdentifyBudget::Settle(base::WallTime now) {
  for (base::WallTime& time : identifies_) time = std::min(time, now);
  std::erase_if(identifies_, [now](base::WallTime time) { return time + kDay <= now; });
}

std::chrono::milliseconds IdentifyBudget::Wait(base::WallTime now) {
  using std::chrono::ceil;
  using std::chrono::milliseconds;
  Settle(now);
  if (identifies_.empty()) return milliseconds(0);
  base::WallTime at = identifies_.back() + kSpacing;
  constexpr std::size_t kOurs = kDaily - kReserve;
  if (identifies_.size() >= kOurs) at = std::max(at, identifies_[identifies_.size() - kOurs] + kDay);
  return at > now ? ceil<milliseconds>(at - now) : milliseconds(0);
}

void IdentifyBudget::Record(base::WallTime now) {
  Settle(now);
  identifies_.push_back(now);
}

std::size_t IdentifyBudget::Used(base::WallTime now) {
  Settle(now);
  return identifies_.size();
}

Result<void> IdentifyBudget::Save() const {
  if (path_.empty()) return {};
  boost::json::array times;
  for (const base::WallTime time : identifies_) times.emplace_back(ToMillis(time));
  boost::json::object root;
  root["identifies_ms"] = std::move(times);
  return os::WriteFileAtomically(path_, boost::json::serialize(root) + "\n", 0600, os::Sync::kNone);
}

}  // namespace shipmate::platforms::discord
