// Private to pkg/kubelet/server: who asks, and what for.
#pragma once

#include <optional>
#include <string>

#include "pkg/kubelet/server/server.h"

namespace knarr::kubelet {

// The identity of a request: the verified client certificate, or the user behind a unix socket. nullopt: none.
std::optional<User> Authenticate(const http::Peer& peer, bool anonymous);
AuthAttributes AttributesOf(const http::Request& request, const User& user, std::string_view subresource,
                            const std::string& node);

}  // namespace knarr::kubelet
