// The store in etcd v3 (3.4 and later), over gRPC. Keys, values, transactions and leases as upstream's etcd3 storage,
// so that a real kube-apiserver works on the same etcd at the same time. Mirrors:
// staging/src/k8s.io/apiserver/pkg/storage/etcd3/{store,watcher,lease_manager,compact}.go
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "pkg/apiserver/storage/store.h"
#include "pkg/base/clock.h"
#include "pkg/base/log.h"

namespace knarr::storage {

struct Etcd3Options {
  std::vector<std::string> endpoints;  // https://127.0.0.1:2379
  std::string ca_file, cert_file, key_file;
  // 0: this server never compacts. Several servers agree through the key compact_rev_key, as upstream.
  std::chrono::seconds compaction_interval{300};
  int64_t lease_max_object_count = 1000;
  Clock* clock = nullptr;  // null: Clock::Real()
};

// Does not wait for etcd to answer; Healthy says. kInvalid for endpoints or files that cannot be right.
Result<std::unique_ptr<Store>> OpenEtcd3(Etcd3Options options, Logger log = {});

}  // namespace knarr::storage
