#include "pkg/apiserver/reconcilers/kubernetes_service.h"

#include <algorithm>

#include <fmt/format.h>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "k8s.io/api/discovery/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/api/intstr/intstr.h"
#include "pkg/api/names/names.h"
#include "pkg/api/types.h"

namespace knarr::reconcilers {
namespace {

using ::k8s::io::api::discovery::v1::EndpointSlice;

constexpr char kNamespace[] = "default";
constexpr char kName[] = "kubernetes";
constexpr registry::GroupResource kServices{"", "services"}, kEndpoints{"", "endpoints"}, kNamespaces{"", "namespaces"},
    kSlices{"discovery.k8s.io", "endpointslices"};
constexpr std::string_view kLeasePrefix = "/registry/masterleases/";
// Upstream's: DefaultEndpointReconcilerInterval and ...TTL.
constexpr auto kInterval = std::chrono::seconds(10);
constexpr int64_t kLeaseSeconds = 15;
constexpr auto kSoleInterval = std::chrono::minutes(1);
constexpr auto kRetry = std::chrono::seconds(1);
constexpr int kServicePort = 443;
constexpr char kSkipMirror[] = "endpointslice.kubernetes.io/skip-mirror";

bool Same(const google::protobuf::Message& a, const google::protobuf::Message& b) {
  return codec::EncodeProtobuf(a) == codec::EncodeProtobuf(b);
}

// Ours to write, and somebody else may have been first.
Status CreateUnlessThere(const Context& ctx, registry::Access& access, registry::GroupResource what,
                         std::unique_ptr<google::protobuf::Message> message) {
  const auto made = access.Create(ctx, what, api::Object(std::move(message)));
  return made.ok() || made.status().Is(Code::kAlreadyExists) ? Status() : made.status();
}

}  // namespace

Result<EndpointReconciler> ParseEndpointReconciler(std::string_view type) {
  if (type == "lease" || type.empty()) return EndpointReconciler::kLease;
  if (type == "none") return EndpointReconciler::kNone;
  return Error(Code::kInvalid, "unknown endpoint reconciler type: \"{}\" (lease, none)", type);
}

KubernetesService::KubernetesService(Options options) : options_(std::move(options)), pool_("reconciler", 1) {}

KubernetesService::~KubernetesService() {
  Timer timer;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    timer = std::move(timer_);
  }
  timer.Cancel();
  pool_.Drain();
}

void KubernetesService::Start() {
  {
    const std::lock_guard lock(mutex_);
    KNARR_CHECK(!started_);
    started_ = true;
  }
  pool_.Post([this] { Round(); });
}

bool KubernetesService::Ready() const {
  const std::lock_guard lock(mutex_);
  return ready_;
}

void KubernetesService::Round() {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
  }
  const Status status = Reconcile(Context::Background().WithTimeout(kInterval));
  if (!status.ok()) options_.log.Warning("Unable to sync the kubernetes service", {{"err", status}});
  const Duration next = !status.ok()           ? Duration(kRetry)
                        : options_.sole_server ? Duration(kSoleInterval)
                                               : Duration(kInterval);
  Timer timer = options_.clock->RunAfter(next, [this] { pool_.Post([this] { Round(); }); });
  const std::lock_guard lock(mutex_);
  ready_ = ready_ || status.ok();
  if (!stopping_) std::swap(timer_, timer);  // the old one has run
}

Status KubernetesService::Stop(const Context& ctx) {
  Timer timer;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    timer = std::move(timer_);
  }
  timer.Cancel();
  pool_.Drain();
  if (options_.type == EndpointReconciler::kNone || options_.sole_server) return {};
  KNARR_TRY(RemoveLease(ctx));
  // The last server leaves its address: clients may wait for it to come back.
  if (KNARR_TRY(Addresses(ctx)).empty()) return {};
  return WriteEndpoints(ctx);
}

Status KubernetesService::Reconcile(const Context& ctx) {
  KNARR_TRY_CTX(EnsureNamespaces(ctx), "system namespaces");
  KNARR_TRY_CTX(EnsureService(ctx), "service {}/{}", kNamespace, kName);
  if (options_.type == EndpointReconciler::kNone) return {};
  if (!options_.sole_server) KNARR_TRY_CTX(RenewLease(ctx), "lease of {}", options_.advertise_address);
  return WriteEndpoints(ctx);
}

Status KubernetesService::EnsureNamespaces(const Context& ctx) {
  for (const char* name : {"kube-system", "kube-public", "kube-node-lease", kNamespace}) {
    const auto found = options_.access->Get(ctx, kNamespaces, "", name);
    if (found.ok()) continue;
    if (!found.status().Is(Code::kNotFound)) return found.status();
    auto message = std::make_unique<core::Namespace>();
    message->mutable_metadata()->set_name(name);
    KNARR_TRY(CreateUnlessThere(ctx, *options_.access, kNamespaces, std::move(message)));
  }
  return {};
}

// Type and ports are put right once, at start; later only its existence counts.
Status KubernetesService::EnsureService(const Context& ctx) {
  core::ServiceSpec wanted;
  auto* port = wanted.add_ports();
  port->set_name("https");
  port->set_port(kServicePort);
  port->set_protocol("TCP");
  *port->mutable_targetport() = intstr::FromInt32(options_.secure_port);
  if (options_.node_port > 0) port->set_nodeport(options_.node_port);
  wanted.set_type(options_.node_port > 0 ? "NodePort" : "ClusterIP");

  const auto found = options_.access->Get(ctx, kServices, kNamespace, kName);
  if (!found.ok() && !found.status().Is(Code::kNotFound)) return found.status();
  if (!found.ok()) {
    auto message = std::make_unique<core::Service>();
    auto* metadata = message->mutable_metadata();
    metadata->set_name(kName);
    metadata->set_namespace_(kNamespace);
    (*metadata->mutable_labels())["provider"] = "kubernetes";
    (*metadata->mutable_labels())["component"] = "apiserver";
    wanted.set_clusterip(options_.service_address);
    wanted.set_ipfamilypolicy("SingleStack");
    wanted.set_sessionaffinity("None");
    *message->mutable_spec() = std::move(wanted);
    KNARR_TRY(CreateUnlessThere(ctx, *options_.access, kServices, std::move(message)));
  } else if (!service_checked_) {
    const auto same = [&](const core::ServiceSpec& spec) {
      return spec.type() == wanted.type() && spec.ports_size() == 1 && Same(spec.ports(0), wanted.ports(0));
    };
    if (!same((*found)->As<core::Service>().spec())) {
      KNARR_TRY(options_.access->Update(ctx, kServices, kNamespace, kName, "", [&](api::Object& object) {
        auto* spec = object.As<core::Service>().mutable_spec();
        *spec->mutable_ports() = wanted.ports();
        spec->set_type(wanted.type());
        return Status();
      }));
    }
  }
  service_checked_ = true;
  return {};
}

// Mirrors: storageLeases.UpdateLease: an Endpoints object of one address whose generation counts the renewals.
Status KubernetesService::RenewLease(const Context& ctx) {
  constexpr int kAttempts = 5;
  const std::string key = std::string(kLeasePrefix) + options_.advertise_address;
  auto current = KNARR_TRY(options_.store->Get(ctx, key));
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    core::Endpoints lease;
    if (current) {
      const auto envelope = codec::DecodeEnvelope(current->value);
      if (!envelope.ok() || !codec::DecodeProtobuf(envelope->raw, &lease).ok()) lease.Clear();
    }
    lease.mutable_metadata()->set_generation(lease.metadata().generation() + 1);
    lease.clear_subsets();
    lease.add_subsets()->add_addresses()->set_ip(options_.advertise_address);
    const std::string value = codec::EncodeEnvelope(lease, "v1", "Endpoints");
    const auto written = current
                             ? KNARR_TRY(options_.store->Update(ctx, key, value, current->mod_revision, kLeaseSeconds))
                             : KNARR_TRY(options_.store->Create(ctx, key, value, kLeaseSeconds));
    if (written.succeeded) return {};
    current = written.current;
  }
  return Error(Code::kConflict, "somebody else writes {}", key);
}

Status KubernetesService::RemoveLease(const Context& ctx) {
  const std::string key = std::string(kLeasePrefix) + options_.advertise_address;
  const auto current = KNARR_TRY(options_.store->Get(ctx, key));
  if (current) KNARR_TRY(options_.store->Delete(ctx, key, current->mod_revision));
  return {};
}

// Of all servers, sorted.
Result<std::vector<std::string>> KubernetesService::Addresses(const Context& ctx) {
  if (options_.sole_server) return std::vector<std::string>{options_.advertise_address};
  constexpr int64_t kMaxServers = 1000;
  const auto leases = KNARR_TRY(options_.store->List(ctx, kLeasePrefix, {.limit = kMaxServers}));
  std::vector<std::string> out;
  for (const auto& kv : leases.items) {
    const auto envelope = codec::DecodeEnvelope(kv.value);
    core::Endpoints lease;
    if (!envelope.ok() || !codec::DecodeProtobuf(envelope->raw, &lease).ok()) continue;
    if (lease.subsets_size() > 0 && lease.subsets(0).addresses_size() > 0)
      out.push_back(lease.subsets(0).addresses(0).ip());
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Status KubernetesService::WriteEndpoints(const Context& ctx) {
  const auto addresses = KNARR_TRY(Addresses(ctx));
  if (addresses.empty())
    return Error(Code::kInternal,
                 "no API server IP addresses were listed in storage, refusing to erase all endpoints for "
                 "the kubernetes Service");
  core::EndpointSubset subset;
  for (const std::string& address : addresses) subset.add_addresses()->set_ip(address);
  auto* port = subset.add_ports();
  port->set_name("https");
  port->set_port(options_.secure_port);
  port->set_protocol("TCP");
  const auto change = [&](core::Endpoints& endpoints) {
    (*endpoints.mutable_metadata()->mutable_labels())[kSkipMirror] = "true";
    endpoints.clear_subsets();
    *endpoints.add_subsets() = subset;
  };

  const auto found = options_.access->Get(ctx, kEndpoints, kNamespace, kName);
  if (!found.ok() && !found.status().Is(Code::kNotFound)) return found.status();
  if (!found.ok()) {
    auto message = std::make_unique<core::Endpoints>();
    message->mutable_metadata()->set_name(kName);
    message->mutable_metadata()->set_namespace_(kNamespace);
    change(*message);
    KNARR_TRY_CTX(CreateUnlessThere(ctx, *options_.access, kEndpoints, std::move(message)), "endpoints");
  } else {
    const auto& now = (*found)->As<core::Endpoints>();
    const bool same =
        now.metadata().labels().contains(kSkipMirror) && now.subsets_size() == 1 && Same(now.subsets(0), subset);
    if (!same) {
      KNARR_TRY_CTX(options_.access->Update(ctx, kEndpoints, kNamespace, kName, "",
                                            [&](api::Object& object) {
                                              change(object.As<core::Endpoints>());
                                              return Status();
                                            }),
                    "endpoints");
    }
  }
  KNARR_TRY_CTX(WriteEndpointSlice(ctx, addresses), "endpoint slice");
  return {};
}

Status KubernetesService::WriteEndpointSlice(const Context& ctx, const std::vector<std::string>& addresses) {
  const auto is_v6 = [](const std::string& ip) {
    const auto parsed = names::ParseIPSloppy(ip);
    return parsed && !parsed->is_v4;
  };
  const std::string type = std::all_of(addresses.begin(), addresses.end(), is_v6) ? "IPv6" : "IPv4";
  EndpointSlice wanted;
  wanted.set_addresstype(type);
  for (const std::string& address : addresses) {
    if (is_v6(address) != (type == "IPv6")) continue;
    auto* endpoint = wanted.add_endpoints();
    endpoint->add_addresses(address);
    endpoint->mutable_conditions()->set_ready(true);
  }
  auto* port = wanted.add_ports();
  port->set_name("https");
  port->set_port(options_.secure_port);
  port->set_protocol("TCP");
  const auto change = [&](EndpointSlice& slice) {
    (*slice.mutable_metadata()->mutable_labels())["kubernetes.io/service-name"] = kName;
    *slice.mutable_endpoints() = wanted.endpoints();
    *slice.mutable_ports() = wanted.ports();
    slice.set_addresstype(type);
  };
  const auto found = options_.access->Get(ctx, kSlices, kNamespace, kName);
  if (!found.ok() && !found.status().Is(Code::kNotFound)) return found.status();
  if (found.ok()) {
    const auto& now = (*found)->As<EndpointSlice>();
    if (now.addresstype() == type) {
      EndpointSlice changed = now;
      change(changed);
      if (Same(changed, now)) return {};
      return options_.access
          ->Update(ctx, kSlices, kNamespace, kName, "",
                   [&](api::Object& object) {
                     change(object.As<EndpointSlice>());
                     return Status();
                   })
          .status();
    }
    // The type cannot change.
    KNARR_TRY(options_.access->Delete(ctx, kSlices, kNamespace, kName, now.metadata().uid()));
  }
  auto message = std::make_unique<EndpointSlice>();
  message->mutable_metadata()->set_name(kName);
  message->mutable_metadata()->set_namespace_(kNamespace);
  change(*message);
  return CreateUnlessThere(ctx, *options_.access, kSlices, std::move(message));
}

}  // namespace knarr::reconcilers
