#pragma once

#include "doubles/discord/world.h"
#include "net/http_types.h"

namespace shipmate::doubles::discord {

/// The test's side: what people say, what goes wrong, and what was seen. All under /control/, JSON in and out:
///   POST say {channel, content, author?, name?, bot?, webhook?, ago?, extra?}  a message, of now or `ago` seconds
///             before; answers {id}
///   POST repeat {id}                      the same MESSAGE_CREATE once more
///   POST interact {name, options?, channel?}  an interaction; answers {id, token}
///   POST dispatch {t, d}                  any event
///   POST raw {...}                        a payload to every socket as it stands
///   POST cut {} | close {code}            every socket: a TCP reset, or a close frame
///   POST settings {...}                   members of Settings
///   POST fault {...}                      members of Faults
///   POST no-faults {}                     forgets all faults asked for
///   GET  trace | messages | sessions | commands
net::HttpResponse Control(World& world, const net::HttpRequest& request);

}  // namespace shipmate::doubles::discord
