#include "pkg/kubelet/kubelet.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <optional>

#include "pkg/base/file.h"
#include "pkg/base/metrics/metrics.h"
#include "pkg/base/pool.h"
#include "pkg/cri/client.h"
#include "pkg/cri/runtime.h"
#include "pkg/kubelet/boot.h"
#include "pkg/kubelet/cm/cm.h"
#include "pkg/kubelet/config/config.h"
#include "pkg/kubelet/events/events.h"
#include "pkg/kubelet/housekeeping.h"
#include "pkg/kubelet/kuberuntime/kuberuntime.h"
#include "pkg/kubelet/local_view.h"
#include "pkg/kubelet/network/cni_relay.h"
#include "pkg/kubelet/network/pod_network.h"
#include "pkg/kubelet/nodeinfo/nodeinfo.h"
#include "pkg/kubelet/nodeinfo/reservation.h"
#include "pkg/kubelet/pleg/pleg.h"
#include "pkg/kubelet/pod_metrics.h"
#include "pkg/kubelet/podworker/pod_workers.h"
#include "pkg/kubelet/probing.h"
#include "pkg/kubelet/server/server.h"
#include "pkg/kubelet/volume/volume.h"
#include "pkg/net/tls/tls.h"

namespace knarr::kubelet {
namespace {

constexpr size_t kPodThreads = 128;
constexpr size_t kServerThreads = 64;
constexpr size_t kProbeThreads = 16;
constexpr size_t kCniThreads = 32;
constexpr Duration kRuntimeRetry = std::chrono::milliseconds(250);

// ConfigMaps and Secrets of the manifests, through an object that exists before the sources do.
class ManifestObjects : public ObjectGetter {
 public:
  void Set(const ObjectGetter* source) { source_ = source; }
  Result<std::shared_ptr<const core::ConfigMap>> GetConfigMap(const std::string& ns, const std::string& name) const override {
    const ObjectGetter* source = source_;
    if (!source) return Error(Code::kNotFound, "configmap \"{}\" not found", name);
    return source->GetConfigMap(ns, name);
  }
  Result<std::shared_ptr<const core::Secret>> GetSecret(const std::string& ns, const std::string& name) const override {
    const ObjectGetter* source = source_;
    if (!source) return Error(Code::kNotFound, "secret \"{}\" not found", name);
    return source->GetSecret(ns, name);
  }

 private:
  std::atomic<const ObjectGetter*> source_ = nullptr;
};

// Without the file the kernel's default for 64 bits is as good a guess as any.
int64_t PidMax() {
  const std::string text = ReadFile("/proc/sys/kernel/pid_max", 64).value_or("");
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value > 0 ? value : 4194304;
}

}  // namespace

// In order of construction; destroyed in reverse, so whatever calls another part is gone before that part is.
struct Kubelet::Parts {
  Parts(KubeletOptions o, Clock& c) : options(std::move(o)), clock(c) {}

  Status Start(const Context& ctx);
  Status MakeDirectories() const;
  Status StartNetwork(const Context& ctx);
  Status StartPodMachinery();
  Status StartServer();
  Status WaitForRuntime(const Context& ctx);
  Status RecoverFromLastRun(const Context& ctx);
  void MakeSources();
  Status EnsureCertificate();
  void Relist();
  Status ReadRuntimeFacts(const Context& ctx, std::string* pause_image);

  const KubeletOptions options;
  Clock& clock;
  Logger log;
  std::stop_source stop;
  metrics::Registry registry;
  NodeInfo node;
  Reserved reserved;
  std::atomic<bool> recursive_read_only_mounts = false;
  std::unique_ptr<cri::CriRuntime> cri;
  std::unique_ptr<EventStore> events;
  ManifestObjects objects;
  std::optional<ElasticPool> cni_pool, probe_pool, server_pool;
  std::unique_ptr<CniRelayServer> cni;
  std::unique_ptr<CgroupManager> cgroups;
  std::unique_ptr<VolumeManager> volumes;
  std::unique_ptr<PodNetwork> pod_network;
  std::unique_ptr<Probing> probing;
  std::unique_ptr<RuntimeManager> runtime;
  std::unique_ptr<Housekeeping> housekeeping;
  std::unique_ptr<PodWorkers> workers;
  std::unique_ptr<Pleg> pleg;
  std::unique_ptr<PodConfig> sources;
  std::unique_ptr<LocalView> view;
  std::unique_ptr<Authorizer> authorizer;
  std::unique_ptr<KubeletServer> server;
};

Kubelet::Kubelet(KubeletOptions options, Clock& clock) : parts_(std::make_unique<Parts>(std::move(options), clock)) {}

Kubelet::~Kubelet() = default;

Status Kubelet::Run(const Context& ctx) {
  Parts& parts = *parts_;
  parts.log = ctx.log();
  Status status = parts.Start(ctx);
  if (status.ok()) {
    parts.log.Info("Kubelet is running", {{"node", parts.options.node.node_name}, {"staticPodPath", parts.options.sources.static_pod_path}});
    while (!ctx.Done()) (void)ctx.Sleep(std::chrono::hours(24));
    parts.log.Info("Stopping; pods keep running");
  }
  parts.stop.request_stop();
  // What feeds the workers goes first, then the workers, then what they use.
  parts.server.reset();
  if (parts.sources) parts.sources->Stop();
  parts.pleg.reset();
  if (parts.housekeeping) parts.housekeeping->Stop();
  if (parts.workers) parts.workers->Stop();
  parts.objects.Set(nullptr);
  // A start that was interrupted is an orderly stop.
  return ctx.Cancelled() ? Status() : status;
}

Status Kubelet::Parts::Start(const Context& ctx) {
  for (const std::string& warning : options.warnings) log.Warning("Option", {{"warning", warning}});
  if (options.cgroups.fail_swap_on) KNARR_TRY(CheckSwap("/proc/swaps"));
  KNARR_TRY(MakeDirectories());
  node = KNARR_TRY_CTX(ReadNodeInfo(options.node.node_ips, options.root_dir), "read the facts of this node");
  node.max_pods = options.pods.max_pods;
  if (options.pods.pods_per_core > 0) node.max_pods = std::min<int64_t>(node.max_pods, options.pods.pods_per_core * node.cpus);
  reserved = KNARR_TRY(TotalReserved(node, options.cgroups.system_reserved, options.cgroups.kube_reserved));
  events = std::make_unique<EventStore>(clock, log);
  cri = KNARR_TRY_CTX(cri::Connect({.endpoint = options.runtime.container_runtime_endpoint,
                                    .image_endpoint = options.runtime.image_service_endpoint,
                                    .request_timeout = options.runtime.runtime_request_timeout}),
                      "container runtime endpoint {}", options.runtime.container_runtime_endpoint);
  KNARR_TRY(StartNetwork(ctx));
  KNARR_TRY(StartPodMachinery());
  MakeSources();
  KNARR_TRY(StartServer());
  KNARR_TRY(WaitForRuntime(ctx));
  KNARR_TRY(RecoverFromLastRun(ctx));
  KNARR_TRY(sources->Start());
  housekeeping->Start();
  return {};
}

Status Kubelet::Parts::MakeDirectories() const {
  KNARR_TRY(MakeDirs(options.root_dir, 0750));
  KNARR_TRY(MakeDirs(options.root_dir + "/pods", 0750));
  KNARR_TRY(MakeDirs(options.runtime.pod_logs_dir, 0755));
  return {};
}

Status Kubelet::Parts::StartNetwork(const Context& ctx) {
  pod_network = std::make_unique<PodNetwork>(
      DnsOptions{.cluster_dns = options.pods.cluster_dns,
                 .cluster_domain = options.pods.cluster_domain,
                 .resolv_conf = options.pods.resolv_conf,
                 .node_ips = node.ips,
                 .node = {.kind = "Node", .ns = "", .name = options.node.node_name, .uid = options.node.node_name, .field_path = ""}},
      *events, options.root_dir);
  pod_network->dns().CheckLimitsForResolvConf();
  if (options.runtime.cni_relay_socket.empty()) return {};
  // Leases lie beside the attachments' records, not among those of another runtime on this machine.
  const std::string lease_dir = options.runtime.cni_state_dir + "/leases";
  if (options.node.standalone() && !options.runtime.pod_cidr.empty()) {
    if (KNARR_TRY_CTX(WriteDefaultNetwork(options.runtime.cni_conf_dir, options.runtime.pod_cidr, lease_dir), "write the default pod network")) {
      log.Info("Wrote the default pod network", {{"directory", options.runtime.cni_conf_dir}, {"podCIDR", options.runtime.pod_cidr}});
    }
  }
  if (!options.runtime.cni_relay_conf_dir.empty()) {
    KNARR_TRY_CTX(WriteRelayConfig(options.runtime.cni_relay_conf_dir, options.runtime.cni_relay_socket, options.runtime.cni_state_dir),
                  "write the relay's network configuration");
  }
  cni_pool.emplace("cni", kCniThreads);
  cni = KNARR_TRY_CTX(CniRelayServer::Start(ctx,
                                            {.socket_path = options.runtime.cni_relay_socket,
                                             .conf_dir = options.runtime.cni_conf_dir,
                                             .bin_dirs = options.runtime.cni_bin_dirs,
                                             .state_dir = options.runtime.cni_state_dir},
                                            *cni_pool),
                      "start the CNI relay on {}", options.runtime.cni_relay_socket);
  return {};
}

Status Kubelet::Parts::StartPodMachinery() {
  const auto& enforced = options.cgroups.enforce_node_allocatable;
  PodsLimits limits;
  if (std::find(enforced.begin(), enforced.end(), "pods") != enforced.end()) limits = LimitsForPods(node, reserved, PidMax());
  cgroups = KNARR_TRY_CTX(CgroupManager::Create({.cgroup_root = options.cgroups.cgroup_root,
                                                 .cgroups_per_qos = options.cgroups.cgroups_per_qos,
                                                 .cpu_cfs_quota = options.pods.cpu_cfs_quota,
                                                 .cpu_cfs_quota_period_us = static_cast<uint64_t>(
                                                     std::chrono::duration_cast<std::chrono::microseconds>(options.pods.cpu_cfs_quota_period).count()),
                                                 .pod_pids_limit = options.pods.pod_pids_limit,
                                                 .pods_milli_cpu = limits.milli_cpu,
                                                 .pods_memory = limits.memory,
                                                 .pods_pids = limits.pids,
                                                 .single_process_oom_kill = options.cgroups.single_process_oom_kill.value_or(false)}),
                          "cgroups");
  KNARR_TRY_CTX(cgroups->EnsureRoots(), "create the cgroups of the QoS classes");
  volumes = VolumeManager::Create({.root_dir = options.root_dir, .node_name = options.node.node_name, .node_allocatable = node.Allocatable(reserved),
                                   .recursive_read_only_mounts = [this] { return recursive_read_only_mounts.load(); }}, objects);
  probe_pool.emplace("prober", kProbeThreads);
  probing = std::make_unique<Probing>(*probe_pool, clock, *events, log);
  const Duration restart_cap = options.pods.max_container_restart_period.value_or(std::chrono::minutes(5));
  runtime = RuntimeManager::Create(
      {.root_dir = options.root_dir,
       .pod_logs_dir = options.runtime.pod_logs_dir,
       .seccomp_profile_root = options.root_dir + "/seccomp",
       .node_name = options.node.node_name,
       .host_ips = node.ips,
       .seccomp_default = options.pods.seccomp_default,
       .cpu_cfs_quota = options.pods.cpu_cfs_quota,
       .serialize_image_pulls = options.images.serialize_image_pulls,
       .max_parallel_image_pulls = options.images.max_parallel_image_pulls.value_or(0),
       .registry_qps = static_cast<double>(options.images.registry_qps),
       .registry_burst = options.images.registry_burst,
       .backoff_max = restart_cap,
       .container_log_max_size = options.pods.container_log_max_size,
       .container_log_max_files = options.pods.container_log_max_files,
       .max_per_pod_container_count = options.pods.maximum_dead_containers_per_container,
       .min_container_age = options.pods.minimum_container_ttl,
       .allowed_unsafe_sysctls = options.pods.allowed_unsafe_sysctls,
       .pause_image = options.runtime.pod_infra_container_image,
       .node_allocatable = node.Allocatable(reserved)},
      {.cri = *cri,
       .clock = clock,
       .events = *events,
       .volumes = *volumes,
       .cgroups = *cgroups,
       .objects = objects,
       .probes = *probing,
       .network_settings = [this](const core::Pod& pod, bool new_sandbox) -> Result<PodNetworkSettings> {
         PodNetwork::Settings settings = KNARR_TRY(pod_network->SettingsFor(pod, new_sandbox));
         return PodNetworkSettings{.hostname = std::move(settings.hostname),
                                   .dns_servers = std::move(settings.dns.servers),
                                   .dns_searches = std::move(settings.dns.searches),
                                   .dns_options = std::move(settings.dns.options)};
       },
       .hosts_file = [this](const core::Pod& pod, const std::vector<std::string>& ips) { return pod_network->WriteHostsFile(pod, ips); },
       .log = log,
       .http_get_hook =
           [](const Context& ctx, const core::HTTPGetAction& action, const HookTarget& target) {
             return RunHttpGetHook(ctx, action, {.pod_ip = target.pod_ip, .container_id = {}, .named_ports = target.named_ports});
           },
       .long_wait =
           [this](const std::string& uid, bool begins) {
             if (workers) workers->LongWait(uid, begins);
           }});
  housekeeping = std::make_unique<Housekeeping>(
      HousekeepingOptions{.root_dir = options.root_dir,
                          .log_interval = options.pods.container_log_monitor_interval,
                          .image_policy = {.high_threshold_percent = options.images.gc_high_threshold_percent,
                                           .low_threshold_percent = options.images.gc_low_threshold_percent,
                                           .min_age = options.images.minimum_gc_age,
                                           .max_age = options.images.maximum_gc_age},
                          .renew_certificate = options.server.enable_server && options.server.tls_cert_file.empty()
                                                   ? std::function<void()>([this] {
                                                       const Status status = EnsureCertificate();
                                                       if (!status.ok()) log.Error(status, "Could not renew the serving certificate");
                                                     })
                                                   : std::function<void()>()},
      *runtime, *volumes, *cgroups, clock, log);
  workers = std::make_unique<PodWorkers>(
      PodWorkerDependencies{.runtime = *runtime,
                            .volumes = *volumes,
                            .cgroups = *cgroups,
                            .prober = *probing,
                            .events = *events,
                            .clock = clock,
                            .generate_status = [this](const StatusInput& input) { return probing->GenerateStatus(input, node.ips, clock.Now()); },
                            .on_runtime_status = [this](const RuntimePodStatus& status) {
                              if (pleg) pleg->Observe(status);
                            },
                            .on_gone =
                                [this](const std::string& uid) {
                                  if (pleg) pleg->Forget(uid);
                                  housekeeping->PodGone(uid);
                                },
                            .request_gc = [this] { housekeeping->RequestContainerGc(); },
                            .host_ips = node.ips,
                            .max_pods = static_cast<int>(node.max_pods),
                            .log = log},
      kPodThreads);
  probing->Connect(*workers, *runtime);
  housekeeping->Connect(*workers);
  return {};
}

Status Kubelet::Parts::StartServer() {
  view = std::make_unique<LocalView>(LocalViewParts{.options = options,
                                                    .node = node,
                                                    .workers = *workers,
                                                    .runtime = *runtime,
                                                    .cri = *cri,
                                                    .cgroups = *cgroups,
                                                    .events = *events,
                                                    .probing = *probing,
                                                    .clock = clock,
                                                    .sources = *sources,
                                                    .network = cni.get()});
  metrics::AddProcessMetrics(registry);
  RegisterPodMetrics(registry, *workers);
  server_pool.emplace("server", kServerThreads);
  authorizer = options.server.authorization_mode == "AlwaysAllow" ? MakeAlwaysAllowAuthorizer() : MakeGroupAuthorizer({"root"}, {"system:masters"});
  KubeletServer::Options server_options{.node_name = options.node.node_name,
                                        .address = options.server.enable_server ? options.server.address : "",
                                        .port = static_cast<uint16_t>(options.server.port),
                                        .tls = nullptr,
                                        .healthz_address = options.server.healthz_port == 0 ? "" : options.server.healthz_bind_address,
                                        .healthz_port = static_cast<uint16_t>(options.server.healthz_port),
                                        .unix_path = options.server.local_socket,
                                        .anonymous = options.server.anonymous_auth,
                                        .enable_debugging_handlers = options.server.enable_debugging_handlers,
                                        .enable_system_log_handler = options.server.enable_system_log_handler,
                                        .pod_log_dir = options.runtime.pod_logs_dir,
                                        .streaming_idle_timeout = options.server.streaming_connection_idle_timeout};
  server_options.registry = &registry;
  if (options.server.enable_server) {
    tls::ServerOptions tls_options{.cert_file = options.server.tls_cert_file,
                                   .key_file = options.server.tls_private_key_file,
                                   .client_ca_file = options.server.client_ca_file,
                                   .min_version = options.server.tls_min_version,
                                   .cipher_suites = options.server.tls_cipher_suites};
    if (tls_options.cert_file.empty()) {
      KNARR_TRY(MakeDirs(options.server.cert_dir, 0755));
      KNARR_TRY(EnsureCertificate());
      tls_options.cert_file = options.server.cert_dir + "/kubelet.crt";
      tls_options.key_file = options.server.cert_dir + "/kubelet.key";
    }
    server_options.tls = KNARR_TRY_CTX(tls::ServerConfig::New(std::move(tls_options), clock), "TLS of the kubelet's server");
  }
  server = KNARR_TRY_CTX(KubeletServer::Start(std::move(server_options), *view, *authorizer, *server_pool, clock, log), "start the kubelet's server");
  return {};
}

// The files are read again when they change: nothing else is to be done for a renewed one.
Status Kubelet::Parts::EnsureCertificate() {
  const bool made = KNARR_TRY_CTX(tls::EnsureSelfSigned({.dir = options.server.cert_dir, .host = options.node.node_name, .alternates = node.ips}, clock),
                                  "make a serving certificate in {}", options.server.cert_dir);
  if (made) log.Info("Made a serving certificate", {{"directory", options.server.cert_dir}});
  return {};
}

Status Kubelet::Parts::WaitForRuntime(const Context& ctx) {
  bool said = false;
  for (;;) {
    const auto version = cri->Version(ctx.WithTimeout(std::chrono::seconds(10)));
    if (version.ok()) {
      log.Info("Container runtime initialized", {{"containerRuntime", version->runtime_name()}, {"version", version->runtime_version()}});
      return {};
    }
    KNARR_TRY(ctx.Err());
    if (!said) {
      log.Warning("Container runtime does not answer yet; waiting for it",
                  {{"endpoint", options.runtime.container_runtime_endpoint}, {"reason", version.status()}});
      said = true;
    }
    KNARR_TRY(ctx.Sleep(kRuntimeRetry));
  }
}

Status Kubelet::Parts::ReadRuntimeFacts(const Context& ctx, std::string* pause_image) {
  const auto status = KNARR_TRY(cri->GetStatus(ctx, /*verbose=*/true));
  *pause_image = SandboxImageOf(status);
  for (const auto& handler : status.runtime_handlers()) {
    if (handler.name().empty()) recursive_read_only_mounts = handler.features().recursive_read_only_mounts();
  }
  return {};
}

Status Kubelet::Parts::RecoverFromLastRun(const Context& ctx) {
  const BootReport report = KNARR_TRY_CTX(SweepAfterBoot(ctx, *cri, {.state_file = options.root_dir + "/boot-id"}), "clean up after the last boot");
  for (const std::string& problem : report.problems) log.Warning("Left over from an earlier boot", {{"problem", problem}});
  if (report.new_boot) log.Info("This is a new boot", {{"sandboxesRemoved", report.sandboxes_removed}});
  if (cni) {
    const Result<GarbageReport> garbage = cni->CollectGarbage(ctx, report.live_sandboxes);
    if (!garbage.ok()) {
      log.Error(garbage.status(), "Could not clean up the pod network");
    } else if (garbage->attachments_removed + garbage->attachments_forced + garbage->leases_released + garbage->namespaces_removed > 0) {
      log.Info("Cleaned up the pod network", {{"attachments", garbage->attachments_removed},
                                              {"forced", garbage->attachments_forced},
                                              {"leases", garbage->leases_released},
                                              {"namespaces", garbage->namespaces_removed}});
    }
  }
  std::string pause;
  if (const Status status = ReadRuntimeFacts(ctx, &pause); !status.ok()) log.Error(status, "Could not read the status of the container runtime");
  housekeeping->KeepImage(options.runtime.pod_infra_container_image.empty() ? pause : options.runtime.pod_infra_container_image);
  workers->SetObserved(KNARR_TRY_CTX(runtime->ListPods(ctx), "list pods of the container runtime"));
  pleg = std::make_unique<Pleg>(*cri, clock,
                                Pleg::Callbacks{.on_change = [this](const std::string& uid) { workers->Wake(uid, /*relist=*/true); },
                                                .on_relist = [this] { Relist(); }},
                                log);
  return {};
}

void Kubelet::Parts::Relist() {
  const Context ctx = Context::Background().WithStop(stop.get_token()).WithTimeout(std::chrono::minutes(2));
  const Result<std::vector<RunningPod>> pods = runtime->ListPods(ctx);
  if (pods.ok()) workers->SetObserved(*pods);
  else if (!ctx.Cancelled()) log.Error(pods.status(), "Could not list the pods of the container runtime");
}

void Kubelet::Parts::MakeSources() {
  sources = PodConfig::Create({.static_pod_path = options.sources.static_pod_path,
                               .static_pod_url = options.sources.static_pod_url,
                               .static_pod_url_header = options.sources.static_pod_url_header,
                               .node_name = options.node.node_name,
                               .file_check_frequency = options.sources.file_check_frequency,
                               .http_check_frequency = options.sources.http_check_frequency,
                               .state_dir = options.root_dir + "/manifests",
                               .uid_is_running = [this](const std::string& uid) { return workers->SeenInRuntime(uid); }},
                              clock, [this](std::shared_ptr<const DesiredState> desired) {
                                for (const ManifestProblem& problem : desired->problems) {
                                  events->Record({.kind = "Manifest", .ns = "", .name = problem.file, .uid = "", .field_path = problem.field},
                                                 EventType::kWarning, "InvalidManifest", problem.ToString());
                                }
                                if (desired->sources_ready) housekeeping->SourcesReady(*desired);
                                workers->SetDesired(std::move(desired));
                              });
  objects.Set(sources.get());
}

}  // namespace knarr::kubelet
