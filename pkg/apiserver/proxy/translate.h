// WebSocket clients before kubelets whose runtime speaks SPDY: exec and attach by channels that can be closed
// (v5.channel.k8s.io), port forwarding as SPDY inside WebSocket messages. What kubectl asks for first since 1.31.
// Mirrors: k8s.io/apiserver/pkg/util/proxy/{streamtranslator,streamtunnel}.go
#pragma once

#include <string>

#include "pkg/apiserver/proxy/upgrade_aware.h"

namespace knarr::proxy {

// Does the request ask for one of these? Older channel protocols are tunnelled to the runtime as they are.
bool WantsStreamTranslation(const http::Request& request);
bool WantsPortForwardTunnel(const http::Request& request);

struct RemoteStreams {
  bool in = false, out = false, err = false, tty = false;
};
// Serve until either side is done.
void TranslateStreams(const http::Request& request, http::ResponseWriter& response, const Backend& backend,
                      const RemoteStreams& wanted);
void TunnelPortForward(const http::Request& request, http::ResponseWriter& response, const Backend& backend);

}  // namespace knarr::proxy
