// Addresses and node ports of services: what is given when one is made or changed, given back when it goes, and put
// right when the books and the services disagree.
// Mirrors: pkg/registry/core/service/storage/alloc.go, .../{ipallocator,portallocator}/controller/repair.go
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pkg/api/types.h"
#include "pkg/apiserver/registry/access.h"
#include "pkg/apiserver/registry/core/service/range.h"
#include "pkg/base/clock.h"
#include "pkg/base/log.h"

namespace k8s::io::api::core::v1 {
class Service;
}

namespace knarr::registry::service {

struct Options {
  storage::Store* store = nullptr;
  Access* access = nullptr;  // for repair
  Clock* clock = nullptr;
  std::vector<std::string> ranges;  // one or two, of different families
  int node_port_first = 30000, node_port_count = 2768;
  Logger log;
};

// Thread-safe.
class Allocators {
 public:
  static Result<std::shared_ptr<Allocators>> New(const Options& options);

  using Finish = std::function<void(bool written)>;
  // Fills in ipFamilies, ipFamilyPolicy, clusterIPs, node ports. What was taken is given back when the write fails;
  // what is no longer needed when it succeeds. Errors are kInvalid of the service, or kInternal when a range is full.
  Result<Finish> Create(const Context& ctx, core::Service& service, bool dry_run);
  Result<Finish> Update(const Context& ctx, core::Service& service, const core::Service& old, bool dry_run);
  // After a deletion.
  void Release(const Context& ctx, const core::Service& service);

  // Makes the books agree with the services: at start, and whenever in doubt. What nobody uses is freed the third time
  // it is found so: somebody may be about to use it. Returns how many differences there were.
  Result<int> Repair(const Context& ctx);

  const std::string& default_family() const { return default_family_; }
  // In the order of the ranges.
  std::vector<std::string> families() const;
  // The first address of the primary range: the kubernetes service's.
  std::string FirstAddress() const;

 private:
  struct Addresses {
    IpRange ip;
    std::unique_ptr<Range> range;
    std::map<int, int> leaks;  // offset -> how often it may still be found
  };
  explicit Allocators(const Options& options);
  struct Taken {
    std::map<std::string, std::string> ips;  // by family
    std::vector<int> ports;
  };
  Status InitFamilies(core::Service& service, const core::Service* old) const;
  Result<std::map<std::string, std::string>> TakeIps(const Context& ctx, const core::Service& service,
                                                     const std::map<std::string, std::string>& wanted, bool dry_run);
  Result<std::map<std::string, std::string>> TakeAllIps(const Context& ctx, core::Service& service, bool dry_run);
  void ReleaseIps(const Context& ctx, const std::map<std::string, std::string>& ips);
  void ReleasePorts(const Context& ctx, const std::vector<int>& ports);
  Status NewPorts(core::Service& service, Bitmap& bits, std::vector<int>* taken) const;
  Status ChangedPorts(core::Service& service, const core::Service& old, Bitmap& bits, std::vector<int>* taken,
                      std::vector<int>* released) const;
  Status HealthPort(core::Service& service, Bitmap& bits, std::vector<int>* taken) const;
  Status TakePort(Bitmap& bits, int port, std::vector<int>* taken) const;
  Result<int> NextPort(Bitmap& bits, std::vector<int>* taken) const;
  Status RepairIfDue(const Context& ctx);
  Result<int> RepairIps(const Context& ctx, Addresses& addresses, const std::vector<ObjectRef>& services);
  Result<int> RepairPorts(const Context& ctx, const std::vector<ObjectRef>& services);
  std::string PortRange() const;

  const Options options_;
  std::string default_family_;
  std::map<std::string, Addresses> by_family_;
  std::unique_ptr<Range> ports_;
  std::map<int, int> port_leaks_;
  std::mutex repair_mutex_;
  // nullopt: there was none yet.
  std::optional<MonoTime> next_repair_;
  std::atomic<bool> suspicious_ = false;
};

bool NeedsHealthCheck(const core::Service& service);
bool IsHeadless(const core::Service& service);
bool NeedsClusterIp(const core::Service& service);
bool NeedsNodePort(const core::Service& service);
// []string{"10.0.0.1", "fd00::1"}, []string(nil)
std::string GoStrings(const std::vector<std::string>& list, std::string_view type = "string");

}  // namespace knarr::registry::service
