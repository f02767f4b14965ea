#include "pkg/apiserver/registry/core/service/allocators.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/api/field/field.h"
#include "pkg/api/field/quote.h"
#include "pkg/apiserver/registry/core/service/validation.h"

namespace knarr::registry::service {
namespace {

using Ips = std::map<std::string, std::string>;

constexpr int kRepairsBeforeCleanup = 3;
constexpr auto kRepairInterval = std::chrono::hours(1);
constexpr std::string_view kIpFull = "range is full";

template <typename List>
std::vector<std::string> Strings(const List& list) {
  return {list.begin(), list.end()};
}

const field::Path kSpec("spec");

Status Invalid(const core::Service& service, const field::ErrorList& errors) {
  return errors::Invalid("", "Service", service.metadata().name(), errors);
}

field::FieldError BadPolicy(const core::Service& service, std::string_view why) {
  const field::Path path = kSpec.Child("ipFamilyPolicy");
  if (!service.spec().has_ipfamilypolicy()) return field::InvalidLiteral(path, "null", why);
  return field::Invalid(path, service.spec().ipfamilypolicy(), why);
}

std::vector<int> NodePorts(const core::Service& service) {
  std::vector<int> ports;
  for (const auto& port : service.spec().ports()) {
    if (port.nodeport() != 0) ports.push_back(port.nodeport());
  }
  return ports;
}

bool Contains(const std::vector<int>& list, int value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

bool ShouldAllocateNodePorts(const core::Service& service) {
  const auto& spec = service.spec();
  return spec.type() == "NodePort" || (spec.type() == "LoadBalancer" && spec.allocateloadbalancernodeports());
}

bool SameIps(const core::Service& a, const core::Service& b) {
  return Strings(a.spec().clusterips()) == Strings(b.spec().clusterips());
}
bool SameFamilies(const core::Service& a, const core::Service& b) {
  return Strings(a.spec().ipfamilies()) == Strings(b.spec().ipfamilies());
}

// Services that prefer two families do not change when the cluster does.
bool KeepsPreferDualStack(const core::Service& service, const core::Service* old) {
  if (old == nullptr || !service.spec().has_ipfamilypolicy()) return false;
  const auto& spec = service.spec();
  if (old->spec().type() != spec.type() || spec.type() == "ExternalName") return false;
  if (spec.ipfamilypolicy() != "PreferDualStack") return false;
  if (old->spec().has_ipfamilypolicy() && old->spec().ipfamilypolicy() != "PreferDualStack") return false;
  return SameIps(service, *old) && SameFamilies(service, *old);
}

Ips IpsByFamily(const core::Service& service) {
  Ips ips;
  if (!NeedsClusterIp(service) || IsHeadless(service)) return ips;
  for (const auto& ip : service.spec().clusterips()) {
    if (const auto family = FamilyOf(ip); !family.empty()) ips[std::string(family)] = ip;
  }
  return ips;
}

}  // namespace

bool NeedsClusterIp(const core::Service& service) {
  return service.spec().type() != "ExternalName";
}
bool NeedsNodePort(const core::Service& service) {
  return service.spec().type() == "NodePort" || service.spec().type() == "LoadBalancer";
}
bool NeedsHealthCheck(const core::Service& service) {
  return service.spec().type() == "LoadBalancer" && service.spec().externaltrafficpolicy() == "Local";
}
bool IsHeadless(const core::Service& service) {
  return service.spec().clusterips_size() == 1 && service.spec().clusterips(0) == "None";
}

std::string GoStrings(const std::vector<std::string>& list, std::string_view type) {
  if (list.empty()) return fmt::format("[]{}(nil)", type);
  std::vector<std::string> quoted;
  for (const std::string& item : list) quoted.push_back(field::Quote(item));
  return fmt::format("[]{}{{{}}}", type, fmt::join(quoted, ", "));
}

Allocators::Allocators(const Options& options) : options_(options) {}

Result<std::shared_ptr<Allocators>> Allocators::New(const Options& options) {
  KNARR_CHECK(options.store != nullptr && options.access != nullptr && options.clock != nullptr);
  std::shared_ptr<Allocators> out(new Allocators(options));
  for (const std::string& cidr : options.ranges) {
    IpRange ip = KNARR_TRY_CTX(IpRange::Parse(cidr), "--service-cluster-ip-range");
    const std::string family(ip.Family());
    const bool first = out->default_family_.empty();
    if (first) out->default_family_ = family;
    auto range = std::make_unique<Range>(*options.store,
                                         first ? "/registry/ranges/serviceips" : "/registry/ranges/secondaryserviceips",
                                         ip.spec(), ip.size(), ip.dynamic_from());
    if (!out->by_family_.emplace(family, Addresses{std::move(ip), std::move(range), {}}).second)
      return Error(Code::kInvalid,
                   "--service-cluster-ip-range[0] and --service-cluster-ip-range[1] must be of different IP family");
  }
  if (out->by_family_.empty())
    return Error(Code::kInvalid, "--service-cluster-ip-range must contain at least one valid cidr");
  out->ports_ = std::make_unique<Range>(*options.store, "/registry/ranges/servicenodeports", out->PortRange(),
                                        options.node_port_count, PortDynamicFrom(options.node_port_count));
  return out;
}

std::string Allocators::PortRange() const {
  return fmt::format("{}-{}", options_.node_port_first, options_.node_port_first + options_.node_port_count - 1);
}

std::vector<std::string> Allocators::families() const {
  std::vector<std::string> out{default_family_};
  for (const auto& [family, addresses] : by_family_) {
    if (family != default_family_) out.push_back(family);
  }
  return out;
}

std::string Allocators::FirstAddress() const {
  return by_family_.at(default_family_).ip.Address(0);
}

// Mirrors: initIPFamilyFields
Status Allocators::InitFamilies(core::Service& service, const core::Service* old) const {
  auto& spec = *service.mutable_spec();
  if (!NeedsClusterIp(service) || KeepsPreferDualStack(service, old)) return {};
  const bool headless_without_selector = spec.clusterip() == "None" && spec.selector().empty();
  if (!spec.has_ipfamilypolicy()) {
    if (old != nullptr && old->spec().has_ipfamilypolicy()) {
      spec.set_ipfamilypolicy(old->spec().ipfamilypolicy());
    } else {
      spec.set_ipfamilypolicy(headless_without_selector ? "RequireDualStack" : "SingleStack");
    }
  }
  field::ErrorList errors = ValidateClusterIpFields(service);
  if (!errors.empty()) return Invalid(service, errors);

  const bool single = spec.ipfamilypolicy() == "SingleStack";
  if (old != nullptr) {
    if (single) {
      if (SameIps(service, *old) && spec.clusterips_size() > 1) spec.mutable_clusterips()->DeleteSubrange(1, 1);
      if (SameFamilies(service, *old) && spec.ipfamilies_size() > 1) spec.mutable_ipfamilies()->DeleteSubrange(1, 1);
    } else {
      if (spec.clusterips_size() != 0 && spec.clusterips_size() < old->spec().clusterips_size())
        errors.push_back(BadPolicy(service, "must be 'SingleStack' to release the secondary cluster IP"));
      if (spec.ipfamilies_size() != 0 && spec.ipfamilies_size() < old->spec().ipfamilies_size())
        errors.push_back(BadPolicy(service, "must be 'SingleStack' to release the secondary IP family"));
    }
  }
  if (single) {
    if (spec.clusterips_size() == 2)
      errors.push_back(BadPolicy(
          service, "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified"));
    if (spec.ipfamilies_size() == 2)
      errors.push_back(BadPolicy(
          service, "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"));
  }
  for (int i = 0; i < spec.clusterips_size() && spec.clusterips(i) != "None"; ++i) {
    if (i < spec.ipfamilies_size()) continue;
    const std::string family(FamilyOf(spec.clusterips(i)));
    if (!by_family_.contains(family)) {
      errors.push_back(field::InvalidLiteral(kSpec.Child("clusterIPs").Index(static_cast<size_t>(i)),
                                             GoStrings(Strings(spec.clusterips())),
                                             fmt::format("{} is not configured on this cluster", family)));
    } else {
      spec.add_ipfamilies(family);
    }
  }
  if (!errors.empty()) return Invalid(service, errors);

  const auto other = [](const std::string& family) { return family == "IPv4" ? "IPv6" : "IPv4"; };
  if (headless_without_selector) {
    // Its endpoints may be of families that the cluster does not have.
    if (spec.ipfamilies_size() == 0) spec.add_ipfamilies(default_family_);
    if (spec.ipfamilies_size() < 2 && !single) spec.add_ipfamilies(other(spec.ipfamilies(0)));
    return {};
  }
  if (spec.ipfamilypolicy() == "RequireDualStack" && by_family_.size() < 2)
    errors.push_back(BadPolicy(service, "this cluster is not configured for dual-stack services"));
  for (int i = 0; i < spec.ipfamilies_size(); ++i) {
    if (!by_family_.contains(spec.ipfamilies(i)))
      errors.push_back(field::Invalid(kSpec.Child("ipFamilies").Index(static_cast<size_t>(i)), spec.ipfamilies(i),
                                      "not configured on this cluster"));
  }
  if (!errors.empty()) return Invalid(service, errors);
  if (spec.ipfamilies_size() == 0) spec.add_ipfamilies(default_family_);
  if (!single && spec.ipfamilies_size() == 1 && by_family_.size() == 2) spec.add_ipfamilies(other(spec.ipfamilies(0)));
  return {};
}

Result<Ips> Allocators::TakeIps(const Context& ctx, const core::Service& service, const Ips& wanted, bool dry_run) {
  Ips taken;
  for (const auto& [family, ip] : wanted) {
    Addresses& addresses = by_family_.at(family);
    std::string got;
    const Status status = addresses.range->Change(ctx, dry_run, [&, ip = ip](Bitmap& bits) -> Status {
      if (ip.empty()) {
        const auto next = bits.Next(addresses.ip.dynamic_from());
        if (!next) return errors::InternalError(fmt::format("failed to allocate a serviceIP: {}", kIpFull));
        bits.Take(*next);
        got = addresses.ip.Address(*next);
        return {};
      }
      const auto offset = addresses.ip.Offset(ip);
      std::string why;
      if (!offset) {
        why = fmt::format("the provided IP ({}) is not in the valid range. The range of valid IPs is {}", ip,
                          addresses.ip.spec());
      } else if (!bits.Take(*offset)) {
        why = "provided IP is already allocated";
      }
      got = ip;
      if (why.empty()) return {};
      return Invalid(service,
                     {field::InvalidLiteral(kSpec.Child("clusterIPs"), GoStrings(Strings(service.spec().clusterips())),
                                            fmt::format("failed to allocate IP {}: {}", ip, why))});
    });
    if (!status.ok()) {
      if (!dry_run) ReleaseIps(ctx, taken);
      return status;
    }
    taken[family] = got;
  }
  return taken;
}

// For all families of the service, in spec.clusterIPs.
Result<Ips> Allocators::TakeAllIps(const Context& ctx, core::Service& service, bool dry_run) {
  auto& spec = *service.mutable_spec();
  if (!NeedsClusterIp(service) || (spec.clusterips_size() > 0 && spec.clusterips(0) == "None")) return Ips();
  Ips wanted;
  for (int i = 0; i < spec.ipfamilies_size(); ++i)
    wanted[spec.ipfamilies(i)] = i < spec.clusterips_size() ? spec.clusterips(i) : std::string();
  const Ips taken = KNARR_TRY(TakeIps(ctx, service, wanted, dry_run));
  spec.clear_clusterips();
  for (const auto& family : spec.ipfamilies()) spec.add_clusterips(taken.at(family));
  spec.set_clusterip(spec.clusterips(0));
  return taken;
}

void Allocators::ReleaseIps(const Context& ctx, const Ips& ips) {
  for (const auto& [family, ip] : ips) {
    const auto found = by_family_.find(family);
    if (found == by_family_.end()) continue;  // the cluster had two families once
    const auto offset = found->second.ip.Offset(ip);
    if (!offset) continue;
    const Status status = found->second.range->Change(ctx, false, [&](Bitmap& bits) {
      bits.Release(*offset);
      return Status();
    });
    if (status.ok()) continue;
    options_.log.Error(status, "Failed to release a cluster IP", {{"ip", ip}});
    suspicious_ = true;
  }
}

void Allocators::ReleasePorts(const Context& ctx, const std::vector<int>& ports) {
  if (ports.empty()) return;
  const Status status = ports_->Change(ctx, false, [&](Bitmap& bits) {
    for (const int port : ports) {
      const int offset = port - options_.node_port_first;
      if (offset >= 0 && offset < bits.size()) bits.Release(offset);
    }
    return Status();
  });
  if (status.ok()) return;
  suspicious_ = true;
  options_.log.Error(status, "Failed to release node ports", {{"ports", fmt::format("{}", fmt::join(ports, ","))}});
}

Status Allocators::TakePort(Bitmap& bits, int port, std::vector<int>* taken) const {
  const int offset = port - options_.node_port_first;
  if (offset < 0 || offset >= bits.size())
    return Error(Code::kInvalid, "provided port is not in the valid range. The range of valid ports is {}",
                 PortRange());
  if (!bits.Take(offset)) return Error(Code::kInvalid, "provided port is already allocated");
  taken->push_back(port);
  return {};
}

Result<int> Allocators::NextPort(Bitmap& bits, std::vector<int>* taken) const {
  const auto next = bits.Next(ports_->dynamic_from());
  if (!next) return Error(Code::kInternal, "range is full");
  bits.Take(*next);
  taken->push_back(options_.node_port_first + *next);
  return options_.node_port_first + *next;
}

namespace {

Status BadNodePort(const core::Service& service, int index, int port, const Status& why) {
  return Invalid(service, {field::Invalid(kSpec.Child("ports").Index(static_cast<size_t>(index)).Child("nodePort"),
                                          port, why.message())});
}

}  // namespace

// Mirrors: initNodePorts. The same port of two protocols gets one node port.
Status Allocators::NewPorts(core::Service& service, Bitmap& bits, std::vector<int>* taken) const {
  std::map<int, int> by_port;
  auto& ports = *service.mutable_spec()->mutable_ports();
  for (int i = 0; i < ports.size(); ++i) {
    auto& port = ports[i];
    if (port.nodeport() == 0 && !ShouldAllocateNodePorts(service)) continue;
    const int known = by_port[port.port()];
    if (known == 0) {
      const auto asked = std::find_if(ports.begin(), ports.end(), [&](const auto& one) {
        return one.port() == port.port() && one.nodeport() != 0;
      });
      if (asked != ports.end()) {
        const int wanted = asked->nodeport();
        if (const Status status = TakePort(bits, wanted, taken); !status.ok())
          return BadNodePort(service, i, wanted, status);
        port.set_nodeport(wanted);
      } else {
        const auto next = NextPort(bits, taken);
        if (!next.ok()) return errors::InternalError(fmt::format("failed to allocate a nodePort: {}", next.status()));
        port.set_nodeport(*next);
      }
      by_port[port.port()] = port.nodeport();
    } else if (port.nodeport() == 0) {
      port.set_nodeport(known);
    } else if (port.nodeport() != known) {
      if (const Status status = TakePort(bits, port.nodeport(), taken); !status.ok())
        return BadNodePort(service, i, port.nodeport(), status);
    }
  }
  return {};
}

// Mirrors: updateNodePorts
Status Allocators::ChangedPorts(core::Service& service, const core::Service& old, Bitmap& bits, std::vector<int>* taken,
                                std::vector<int>* released) const {
  const std::vector<int> before = NodePorts(old);
  auto& ports = *service.mutable_spec()->mutable_ports();
  std::vector<std::pair<std::string, int>> seen;
  for (int i = 0; i < ports.size(); ++i) {
    auto& port = ports[i];
    if (port.nodeport() == 0 && !ShouldAllocateNodePorts(service)) continue;
    if (port.nodeport() != 0) {
      if (!Contains(before, port.nodeport()) && !Contains(*taken, port.nodeport())) {
        if (const Status status = TakePort(bits, port.nodeport(), taken); !status.ok())
          return BadNodePort(service, i, port.nodeport(), status);
      }
    } else {
      const auto next = NextPort(bits, taken);
      if (!next.ok()) return errors::InternalError(fmt::format("failed to allocate a nodePort: {}", next.status()));
      port.set_nodeport(*next);
    }
    const std::pair<std::string, int> key(port.protocol(), port.nodeport());
    if (std::find(seen.begin(), seen.end(), key) != seen.end())
      return Error(Code::kInternal, "duplicate nodePort: {{{} {}}}", key.first, key.second);
    seen.push_back(key);
  }
  const std::vector<int> after = NodePorts(service);
  for (const int port : before) {
    if (!Contains(after, port)) released->push_back(port);
  }
  return {};
}

Status Allocators::HealthPort(core::Service& service, Bitmap& bits, std::vector<int>* taken) const {
  const int wanted = service.spec().healthchecknodeport();
  if (wanted != 0) {
    const Status status = TakePort(bits, wanted, taken);
    if (status.ok()) return {};
    return errors::InternalError(
        fmt::format("failed to allocate requested HealthCheck NodePort {}: {}", wanted, status));
  }
  const auto next = NextPort(bits, taken);
  if (!next.ok())
    return errors::InternalError(fmt::format("failed to allocate a HealthCheck NodePort 0: {}", next.status()));
  service.mutable_spec()->set_healthchecknodeport(*next);
  return {};
}

Status Allocators::RepairIfDue(const Context& ctx) {
  bool first = false;
  {
    const std::lock_guard lock(repair_mutex_);
    first = !next_repair_;
    if (!first && !suspicious_ && options_.clock->Monotonic() < *next_repair_) return {};
  }
  const auto repaired = Repair(ctx);
  if (repaired.ok() || first) return repaired.status();
  // The books were right before; what is in doubt stays taken.
  options_.log.Error(repaired.status(), "Failed to repair the allocations of services");
  return {};
}

Result<Allocators::Finish> Allocators::Create(const Context& ctx, core::Service& service, bool dry_run) {
  KNARR_TRY(RepairIfDue(ctx));
  KNARR_TRY(InitFamilies(service, nullptr));
  const Ips ips = KNARR_TRY(TakeAllIps(ctx, service, dry_run));
  std::vector<int> ports;
  if (NeedsNodePort(service)) {
    const core::ServiceSpec before = service.spec();
    const Status status = ports_->Change(ctx, dry_run, [&](Bitmap& bits) -> Status {
      // Called again after a conflict: from the start.
      *service.mutable_spec() = before;
      ports.clear();
      KNARR_TRY(NewPorts(service, bits, &ports));
      return NeedsHealthCheck(service) ? HealthPort(service, bits, &ports) : Status();
    });
    if (!status.ok()) {
      if (!dry_run) ReleaseIps(ctx, ips);
      return status;
    }
  }
  if (dry_run) return Finish();
  return Finish([this, ctx, ips, ports](bool written) {
    if (written) return;
    ReleaseIps(ctx, ips);
    ReleasePorts(ctx, ports);
  });
}

Result<Allocators::Finish> Allocators::Update(const Context& ctx, core::Service& service, const core::Service& old,
                                              bool dry_run) {
  KNARR_TRY(RepairIfDue(ctx));
  KNARR_TRY(InitFamilies(service, &old));
  Ips taken, released;
  auto& spec = *service.mutable_spec();
  // Mirrors: updateClusterIPs
  if (KeepsPreferDualStack(service, &old)) {
  } else if (!NeedsClusterIp(old) && NeedsClusterIp(service)) {
    taken = KNARR_TRY(TakeAllIps(ctx, service, dry_run));
  } else if (IsHeadless(old)) {
  } else if (NeedsClusterIp(old) && !NeedsClusterIp(service)) {
    released = IpsByFamily(old);
  } else if (old.spec().ipfamilies_size() == 1 && spec.ipfamilies_size() == 2) {
    const std::string family = spec.ipfamilies(1);
    taken = KNARR_TRY(
        TakeIps(ctx, service, {{family, spec.clusterips_size() > 1 ? spec.clusterips(1) : std::string()}}, dry_run));
    if (spec.clusterips_size() < 2) spec.add_clusterips();
    spec.set_clusterips(1, taken.at(family));
  } else if (old.spec().ipfamilies_size() == 2 && spec.ipfamilies_size() == 1) {
    if (old.spec().clusterips_size() > 1) released[old.spec().ipfamilies(1)] = old.spec().clusterips(1);
  }

  std::vector<int> ports, released_ports;
  const bool no_ports_more = NeedsNodePort(old) && !NeedsNodePort(service);
  if (no_ports_more) released_ports = NodePorts(old);
  if (NeedsHealthCheck(old) && !NeedsHealthCheck(service)) released_ports.push_back(old.spec().healthchecknodeport());
  const bool new_health = !NeedsHealthCheck(old) && NeedsHealthCheck(service);
  if (NeedsNodePort(service) || new_health) {
    const core::ServiceSpec before = spec;
    std::vector<int> dropped;
    const Status status = ports_->Change(ctx, dry_run, [&](Bitmap& bits) -> Status {
      spec = before;
      ports.clear();
      dropped.clear();
      if (NeedsNodePort(service)) KNARR_TRY(ChangedPorts(service, old, bits, &ports, &dropped));
      return new_health ? HealthPort(service, bits, &ports) : Status();
    });
    if (!status.ok()) {
      if (!dry_run) ReleaseIps(ctx, taken);
      return status;
    }
    released_ports.insert(released_ports.end(), dropped.begin(), dropped.end());
  }
  if (dry_run) return Finish();
  return Finish([this, ctx, taken, released, ports, released_ports](bool written) {
    ReleaseIps(ctx, written ? released : taken);
    ReleasePorts(ctx, written ? released_ports : ports);
  });
}

void Allocators::Release(const Context& ctx, const core::Service& service) {
  ReleaseIps(ctx, IpsByFamily(service));
  std::vector<int> ports = NodePorts(service);
  if (NeedsHealthCheck(service) && service.spec().healthchecknodeport() > 0)
    ports.push_back(service.spec().healthchecknodeport());
  ReleasePorts(ctx, ports);
}

Result<int> Allocators::Repair(const Context& ctx) {
  const std::lock_guard lock(repair_mutex_);
  suspicious_ = false;
  int differences = 0;
  // The list must not be older than the bitmaps: a service made in between would look like a leak, which three rounds
  // forgive; one whose address the bitmap lacks is only put right.
  const auto services =
      KNARR_TRY_CTX(options_.access->List(ctx, {"", "services"}, ""), "unable to refresh the service IP block");
  for (auto& [family, addresses] : by_family_) differences += KNARR_TRY(RepairIps(ctx, addresses, services));
  differences += KNARR_TRY(RepairPorts(ctx, services));
  next_repair_ = options_.clock->Monotonic() + kRepairInterval;
  return differences;
}

namespace {

// What is taken and belongs to nobody: kept until it was found often enough.
template <typename Name>
void KeepLeaks(const Bitmap& stored, Bitmap& rebuilt, std::map<int, int>* leaks, int* differences, const Logger& log,
               const Name& name) {
  for (int offset = 0; offset < stored.size(); ++offset) {
    if (!stored.Has(offset) || rebuilt.Has(offset)) {
      leaks->erase(offset);
      continue;
    }
    ++*differences;
    const auto [count, added] = leaks->emplace(offset, kRepairsBeforeCleanup - 1);
    if (count->second-- > 0) {
      log.Warning("May have leaked: flagging for later clean up", {{"what", name(offset)}});
      rebuilt.Take(offset);
    } else {
      log.Warning("Appears to have leaked: cleaning up", {{"what", name(offset)}});
      leaks->erase(count);
    }
  }
}

std::string RefOf(const core::Service& service) {
  return fmt::format("{}/{}", service.metadata().namespace_(), service.metadata().name());
}

}  // namespace

Result<int> Allocators::RepairIps(const Context& ctx, Addresses& addresses, const std::vector<ObjectRef>& services) {
  int differences = 0;
  auto leaks = addresses.leaks;
  KNARR_TRY_CTX(
      addresses.range->Replace(
          ctx,
          [&](Bitmap& bits) -> Status {
            differences = 0;
            leaks = addresses.leaks;
            Bitmap rebuilt(bits.size());
            for (const auto& ref : services) {
              const auto& service = ref->As<core::Service>();
              for (const auto& [family, ip] : IpsByFamily(service)) {
                if (family != addresses.ip.Family()) continue;
                const auto offset = addresses.ip.Offset(ip);
                const std::string name = RefOf(service);
                if (!offset) {
                  ++differences;
                  options_.log.Warning("The cluster IP is not within the service CIDR; please recreate",
                                       {{"ip", ip}, {"service", name}, {"cidr", addresses.ip.spec()}});
                } else if (!rebuilt.Take(*offset)) {
                  ++differences;
                  options_.log.Warning("The cluster IP was assigned to multiple services; please recreate",
                                       {{"ip", ip}, {"service", name}});
                } else if (!bits.Has(*offset)) {
                  ++differences;
                  options_.log.Warning("The cluster IP is not allocated; repairing", {{"ip", ip}, {"service", name}});
                }
              }
            }
            KeepLeaks(bits, rebuilt, &leaks, &differences, options_.log,
                      [&](int offset) { return addresses.ip.Address(offset); });
            bits = std::move(rebuilt);
            return {};
          }),
      "unable to persist the updated service IP allocations");
  addresses.leaks = std::move(leaks);
  return differences;
}

Result<int> Allocators::RepairPorts(const Context& ctx, const std::vector<ObjectRef>& services) {
  int differences = 0;
  auto leaks = port_leaks_;
  KNARR_TRY_CTX(ports_->Replace(ctx,
                                [&](Bitmap& bits) -> Status {
                                  differences = 0;
                                  leaks = port_leaks_;
                                  Bitmap rebuilt(bits.size());
                                  for (const auto& ref : services) {
                                    const auto& service = ref->As<core::Service>();
                                    std::vector<int> ports = NodePorts(service);
                                    // TCP and UDP may share one.
                                    std::sort(ports.begin(), ports.end());
                                    ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
                                    if (service.spec().healthchecknodeport() != 0)
                                      ports.push_back(service.spec().healthchecknodeport());
                                    for (const int port : ports) {
                                      const int offset = port - options_.node_port_first;
                                      const bool inside = offset >= 0 && offset < bits.size();
                                      const char* what =
                                          !inside ? "The node port is not within the port range; please recreate"
                                          : !rebuilt.Take(offset)
                                              ? "The node port was assigned to multiple services; please recreate"
                                          : !bits.Has(offset) ? "The node port is not allocated; repairing"
                                                              : nullptr;
                                      if (what == nullptr) continue;
                                      ++differences;
                                      options_.log.Warning(what, {{"port", port}, {"service", RefOf(service)}});
                                    }
                                  }
                                  KeepLeaks(bits, rebuilt, &leaks, &differences, options_.log, [&](int offset) {
                                    return fmt::format("node port {}", options_.node_port_first + offset);
                                  });
                                  bits = std::move(rebuilt);
                                  return {};
                                }),
                "unable to persist the updated port allocations");
  port_leaks_ = std::move(leaks);
  return differences;
}

}  // namespace knarr::registry::service
