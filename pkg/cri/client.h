// The CriRuntime that speaks gRPC over a unix socket.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "pkg/base/clock.h"
#include "pkg/base/status.h"
#include "pkg/cri/runtime.h"

namespace knarr::cri {

struct ConnectOptions {
  // unix:///run/containerd/containerd.sock, unix:/run/..., or the bare absolute path (upstream warns about it).
  std::string endpoint = "unix:///run/containerd/containerd.sock";
  // Where images are served; empty means the same endpoint.
  std::string image_endpoint;
  // KubeletConfiguration.runtimeRequestTimeout.
  Duration request_timeout = std::chrono::minutes(2);
  // Largest message in either direction. Upstream: 16 MiB.
  int max_message_bytes = 16 << 20;
};

// Does not wait for the runtime: calls fail with kServiceUnavailable until it is there, and a runtime that comes back
// is found within about a second. Errors only for an endpoint that cannot be used.
Result<std::unique_ptr<CriRuntime>> Connect(const ConnectOptions& options);

// The filesystem path of a CRI endpoint, or what is wrong with it.
Result<std::string> SocketPathOf(std::string_view endpoint);

}  // namespace knarr::cri
