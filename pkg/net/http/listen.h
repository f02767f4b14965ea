// Private to pkg/net/http: listening sockets and who is at the other end.
#pragma once

#include <cstdint>

#include "pkg/net/http/server.h"

namespace knarr::http {

// Bound and listening, non-blocking. *port gets the bound TCP port.
Result<UniqueFd> Bind(const Listen& listen, uint16_t* port);
Peer PeerOf(int fd, bool unix_socket);

}  // namespace knarr::http
