// The kubelet's end of CNI: containerd's only network is the relay plugin cmd/knarr-cni, which hands every call over a
// unix socket to this server; the server runs the real plugin chain of the configuration directory (pkg/cni), records
// every attachment before acting, and cleans up what a crash or a reboot left behind.
//
//   auto relay = KNARR_TRY(CniRelayServer::Start(ctx, options, pool));
//   ... once the CRI answers ...
//   relay->CollectGarbage(ctx, ready_sandbox_ids);
//
// Thread-safe. Calls for one sandbox run one after another, those for different sandboxes in parallel on the pool.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "pkg/base/context.h"
#include "pkg/base/pool.h"
#include "pkg/base/status.h"

namespace knarr::kubelet {

struct CniRelayOptions {
  std::string socket_path = "/run/knarr/cni.sock";     // < 108 bytes; its directory is made, mode 0700
  std::string conf_dir = "/etc/cni/net.d";             // --cni-conf-dir
  std::vector<std::string> bin_dirs = {"/opt/cni/bin", "/usr/lib/cni"};  // --cni-bin-dir; Debian's are in the second
  std::string state_dir = "/var/lib/knarr/cni";        // attachment records; survives reboots
  std::string host_local_dir = "/var/lib/cni/networks";  // where host-local keeps leases without ipam.dataDir
  std::string boot_id;                                 // empty: the kernel's
  std::chrono::milliseconds add_timeout = std::chrono::minutes(2);
  std::chrono::milliseconds del_timeout = std::chrono::minutes(1);
  uid_t client_uid = 0;                                // the only user who may call
};

// The runtime's NetworkReady condition as containerd words it, for the node's Ready condition:
// "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns
// error: cni plugin not initialized" is built from reason and message.
struct NetworkCondition {
  bool ready = false;
  std::string reason;   // NetworkPluginNotReady
  std::string message;  // Network plugin returns error: cni plugin not initialized
  std::string detail;   // the cause, for logs and `knarr why`: which directory, which file, what is wrong with it
};

struct NetworkAttachment {
  std::string sandbox_id, netns, ifname, network;
  std::string pod_namespace, pod_name, pod_uid;
  std::string boot_id;
  std::vector<std::string> ips;  // "10.88.0.5", empty until ADD succeeded
};

struct GarbageReport {
  int attachments_removed = 0;  // DEL succeeded
  int attachments_forced = 0;   // DEL failed or could not run; removed by hand
  int leases_released = 0;      // host-local leases that belonged to nobody
  int namespaces_removed = 0;   // network namespaces the runtime forgot
  std::vector<std::string> problems;  // one line each, already logged
};

class CniRelayServer {
 public:
  // Binds the socket (replacing a stale one) and serves. ctx gives the logger; the pool must outlive the server.
  static Result<std::unique_ptr<CniRelayServer>> Start(const Context& ctx, CniRelayOptions options, ElasticPool& pool);
  // Stops accepting, cancels running plugins, waits for their end. Records stay.
  virtual ~CniRelayServer() = default;

  // Is there a usable network configuration? Reads the directory when it changed; runs STATUS for CNI 1.1 networks.
  virtual NetworkCondition Condition(const Context& ctx) = 0;
  virtual std::vector<NetworkAttachment> Attachments() const = 0;

  // Removes what earlier processes and boots left: attachments of another boot or of sandboxes that are not live, leases
  // without an owner, network namespaces of forgotten sandboxes. Call at start, after the CRI has answered, with the
  // ids of all sandboxes in state READY; idempotent, never touches what this process attached, and gives up on a failing
  // DEL instead of repeating it.
  virtual Result<GarbageReport> CollectGarbage(const Context& ctx, const std::set<std::string>& live_sandboxes) = 0;
};

// Writes <conf_dir>/10-knarr.conflist (bridge cni0, host-local on cidr, portmap; hairpin, masquerade) when the
// directory has no network configuration; false if it had one. cidr: "10.88.0.0/16"; lease_dir: where host-local keeps
// its leases, empty for its default (/var/lib/cni/networks, shared by all who use that network name on the machine).
Result<bool> WriteDefaultNetwork(const std::string& conf_dir, const std::string& cidr, const std::string& lease_dir = "");

// Writes <conf_dir>/00-knarr-relay.conflist for containerd: its cni.conf_dir must be conf_dir, and its cni.bin_dir one
// that holds knarr-cni and loopback. Only rewritten when different.
Status WriteRelayConfig(const std::string& conf_dir, const std::string& socket_path, const std::string& state_dir);

}  // namespace knarr::kubelet
