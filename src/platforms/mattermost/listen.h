#pragma once

// Which posts are a person's words to us. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "chat/frontend.h"
#include "platforms/mattermost/frame.h"

namespace shipmate::platforms::mattermost {

/// Who we are. The name is the account's user name, in lower case.
struct Self {
  std::string id;
  std::string name;
};

/// True for a new post that a person wrote: not ours, not a hook's, a bot's, a plugin's or an application's (which may
/// bear a person's id), not the server's own, neither an edit nor deleted.
bool IsPersons(const Post& post, const Self& self);

/// The words of a person's post. A mention of us at its start (`@name`, `@Name:`) is taken out and makes it addressed;
/// so does a direct channel. The channel is left to the caller.
chat::Incoming WordsOf(const Post& post, const std::string& sender, const Self& self, bool direct);

/// `emoji` without a skin tone: "+1" for "+1_medium_dark_skin_tone".
std::string_view WithoutSkinTone(std::string_view emoji);

}  // namespace shipmate::platforms::mattermost
