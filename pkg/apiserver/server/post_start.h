// What the server does for its own cluster once it serves: system namespaces and priority classes, bootstrap roles, the
// endpoints of the Service kubernetes, the trust configuration that extension servers read.
//
// Each step is tried until it succeeds; /readyz waits for them. Mirrors: post-start hooks of
// pkg/controlplane/instance.go
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "pkg/apiserver/options/options.h"
#include "pkg/apiserver/registry/registry.h"
#include "pkg/apiserver/storage/store.h"
#include "pkg/base/clock.h"
#include "pkg/base/pool.h"

namespace knarr::apiserver {

class PostStart {
 public:
  struct Deps {
    registry::Registry* registry = nullptr;
    storage::Store* store = nullptr;
    Clock* clock = nullptr;
    Logger log;
    bool rbac = false;
    std::string advertise_address;
    int port = 6443;
    std::vector<std::string> service_ranges;
    int node_port = 0;
    std::string reconciler;
    std::string client_ca_file;
    AuthenticationOptions authentication;
  };
  explicit PostStart(Deps deps);
  ~PostStart();
  void Start();
  // Takes this server out of the endpoints.
  void Stop();
  // OK once the step is done.
  Status Check(const std::string& step) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace knarr::apiserver
