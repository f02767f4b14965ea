// What the server does for its own cluster once it serves: system namespaces and priority classes, bootstrap roles, the
// endpoints of the Service kubernetes, the trust configuration that extension servers read.
//
// Each step is tried until it succeeds; /readyz waits for them. Mirrors: post-start hooks of
// pkg/controlplane/instance.go
#pragma once

#include <memory>
#include <string>

#include "pkg/apiserver/auth/setup.h"
#include "pkg/apiserver/reconcilers/kubernetes_service.h"
#include "pkg/apiserver/registry/registry.h"
#include "pkg/base/context.h"
#include "pkg/base/log.h"

namespace knarr::apiserver {

class PostStart {
 public:
  struct Deps {
    registry::Access* access = nullptr;
    registry::Registry* registry = nullptr;
    Clock* clock = nullptr;
    Logger log;
    bool rbac = false;
    const auth::AuthOptions* auth = nullptr;
    reconcilers::Options service;
  };
  explicit PostStart(Deps deps);
  ~PostStart();
  void Start();
  // Takes this server out of the endpoints.
  void Stop(const Context& ctx);
  // OK once the step is done: "service" (namespaces, the Service kubernetes), "priority", "authentication", "rbac",
  // "crd" (custom kinds are served).
  Status Check(const std::string& step) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace knarr::apiserver
