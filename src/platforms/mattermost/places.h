#pragma once

// Places: where we listen and post: the channels of the configuration, and the direct channels in which somebody wrote
// to us. Of each it is known under which id the server has it, and how far it was read. Nothing here asks the server.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "platforms/mattermost/frame.h"

namespace shipmate::platforms::mattermost {

struct Place {
  /// As the configuration has it: "team/channel" or an id. Of a direct channel its id.
  std::string name;
  /// "" until the server was asked.
  std::string id;
  /// Everything there is said to us.
  bool direct = false;
  /// The last post read; what came later is what was missed.
  std::string cursor;
  std::int64_t cursor_at = 0;

  /// False when `post` is older than what was read.
  bool Advance(const Post& post) {
    if (post.create_at < cursor_at) return false;
    cursor = post.id;
    cursor_at = post.create_at;
    return true;
  }
};

class Places {
 public:
  /// Direct channels kept; the one that was added first is forgotten for a new one.
  static constexpr std::size_t kDirect = 100;

  explicit Places(const std::vector<config::ChannelConfig>& channels) {
    for (const config::ChannelConfig& channel : channels) {
      places_.push_back(std::make_shared<Place>());
      places_.back()->name = channel.id;
    }
  }

  /// Null when there is none.
  std::shared_ptr<Place> ByName(const std::string& name) const { return Find(name, &Place::name); }
  std::shared_ptr<Place> ById(std::string_view id) const { return id.empty() ? nullptr : Find(id, &Place::id); }
  /// The direct channel `id`, known from now on.
  std::shared_ptr<Place> AddDirect(const std::string& id) {
    if (auto known = ById(id)) return known;
    const auto is_direct = [](const auto& place) { return place->direct; };
    if (static_cast<std::size_t>(std::ranges::count_if(places_, is_direct)) >= kDirect) {
      places_.erase(std::ranges::find_if(places_, is_direct));
    }
    places_.push_back(std::make_shared<Place>());
    places_.back()->name = places_.back()->id = id;
    places_.back()->direct = true;
    return places_.back();
  }
  const std::vector<std::shared_ptr<Place>>& All() const { return places_; }

 private:
  std::shared_ptr<Place> Find(std::string_view wanted, std::string Place::* field) const {
    const auto found = std::ranges::find_if(places_, [&](const auto& place) { return (*place).*field == wanted; });
    return found == places_.end() ? nullptr : *found;
  }

  std::vector<std::shared_ptr<Place>> places_;
};

}  // namespace shipmate::platforms::mattermost
