// What a server makes for itself: the system namespaces, the service "kubernetes" in default, and that service's
// Endpoints and EndpointSlice with the addresses of all servers.
//
// Servers know of one another by leases in the store, /registry/masterleases/<address>, as upstream's do, so that both
// kinds can serve the same cluster. Where no other server can be (SQLite) nothing is written while nothing changes.
// Mirrors: pkg/controlplane/controller/{systemnamespaces,kubernetesservice}, pkg/controlplane/reconcilers/lease.go
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "pkg/apiserver/registry/access.h"
#include "pkg/apiserver/storage/store.h"
#include "pkg/base/clock.h"
#include "pkg/base/log.h"
#include "pkg/base/pool.h"

namespace knarr::reconcilers {

enum class EndpointReconciler { kLease, kNone };
// --endpoint-reconciler-type; kInvalid for others. "master-count", deprecated upstream, is not built.
Result<EndpointReconciler> ParseEndpointReconciler(std::string_view type);

struct Options {
  registry::Access* access = nullptr;
  storage::Store* store = nullptr;
  Clock* clock = nullptr;
  Logger log;
  EndpointReconciler type = EndpointReconciler::kLease;
  // No other server can use the store: no leases, fewer looks.
  bool sole_server = false;
  std::string advertise_address;
  int secure_port = 6443;
  std::string service_address;  // the first of the service range
  int node_port = 0;            // --kubernetes-service-node-port; 0: ClusterIP
};

class KubernetesService {
 public:
  explicit KubernetesService(Options options);
  // Stops without a farewell, like a crash: the lease runs out.
  ~KubernetesService();

  // The first round begins at once, on a thread of its own; rounds that fail are tried again every second.
  void Start();
  // Ends the rounds and takes this server's address out of the endpoints.
  Status Stop(const Context& ctx);
  // After one good round; for /readyz.
  bool Ready() const;

  // One round: namespaces, service, endpoints.
  Status Reconcile(const Context& ctx);
  // Blocks until no round runs.
  void Drain() { pool_.Drain(); }

 private:
  void Round();
  Status EnsureNamespaces(const Context& ctx);
  Status EnsureService(const Context& ctx);
  Status RenewLease(const Context& ctx);
  Status RemoveLease(const Context& ctx);
  Result<std::vector<std::string>> Addresses(const Context& ctx);
  Status WriteEndpoints(const Context& ctx);
  Status WriteEndpointSlice(const Context& ctx, const std::vector<std::string>& addresses);

  const Options options_;
  mutable std::mutex mutex_;
  bool started_ = false, stopping_ = false, ready_ = false;
  bool service_checked_ = false;  // by the only thread that runs rounds
  Timer timer_;
  ElasticPool pool_;
};

}  // namespace knarr::reconcilers
