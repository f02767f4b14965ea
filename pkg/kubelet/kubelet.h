// The kubelet: everything of pkg/kubelet put together. Standalone today: pods come from manifests, nothing calls an API.
// Mirrors: pkg/kubelet/kubelet.go, cmd/kubelet/app/server.go
#pragma once

#include <memory>

#include "pkg/base/clock.h"
#include "pkg/base/context.h"
#include "pkg/kubelet/options/options.h"

namespace knarr::kubelet {

class Kubelet {
 public:
  explicit Kubelet(KubeletOptions options, Clock& clock = Clock::Real());
  ~Kubelet();
  Kubelet(const Kubelet&) = delete;

  // Starts everything, in dependency order, and blocks until the context ends; then stops everything in reverse. Pods
  // keep running: a kubelet that stops is no reason for them to. An error means that the start failed, and says which
  // part of it; once started, faults of the environment are reported and retried.
  Status Run(const Context& ctx);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace knarr::kubelet
