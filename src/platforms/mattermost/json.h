#pragma once

// Json: one JSON text at a time, read as what Mattermost sends: fields, posts, reactions, lists of them. For the
// socket's codec and for REST's. What is absent or of another type than wanted reads as empty.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platforms/mattermost/frame.h"

namespace shipmate::platforms::mattermost {

class Json {
 public:
  Json();
  ~Json();
  Json(const Json&) = delete;
  Json& operator=(const Json&) = delete;

  /// Reads `text`, in place of the one before; false when it is no JSON.
  bool Open(std::string_view text);
  bool IsObject() const;

  /// A field of the object; a dot leads into an object within: "user.id". The view holds until the next Open.
  std::string_view Text(std::string_view path) const;
  std::int64_t Number(std::string_view path) const;
  bool Flag(std::string_view path) const;

  /// nullopt when the ids that every post has are missing.
  std::optional<Post> AsPost() const;
  std::optional<Reaction> AsReaction() const;
  /// The posts of a list, oldest first; nullopt when it is no such list.
  std::optional<std::vector<Post>> AsPosts() const;
  /// The reactions to a post; none for null, which is what a server may send for none.
  std::optional<std::vector<Reaction>> AsReactions() const;
  /// The `id`s of an array of objects, which may be a field.
  std::vector<std::string> Ids(std::string_view path) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shipmate::platforms::mattermost
