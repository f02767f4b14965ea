#include "pkg/cri/client.h"

#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <sys/un.h>

#include <climits>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "k8s.io/cri-api/pkg/apis/runtime/v1/api.grpc.pb.h"
#include "pkg/cri/grpc_call.h"

namespace knarr::cri {
namespace {

// gRPC reads these once, at its first use. Without a backup poller nothing wakes up while no call is under way; a
// unix socket needs no resolver library.
void TuneGrpcOnce() {
  static std::once_flag once;
  std::call_once(once, [] {
    ::setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "0", 0);
    ::setenv("GRPC_DNS_RESOLVER", "native", 0);
    ::setenv("GRPC_VERBOSITY", "NONE", 0);
  });
}

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& path, int max_message_bytes) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(max_message_bytes);
  arguments.SetMaxSendMessageSize(max_message_bytes);
  // Go's server refuses the escaped path that would otherwise be the authority.
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  // A containerd that was restarted is found again within a second; the minimum is also the time to connect.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000);
  // What a local socket does not need: each costs memory, timers or pings (which Go's servers punish).
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  arguments.SetInt(GRPC_ARG_INHIBIT_HEALTH_CHECKING, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);
  arguments.SetInt(GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, INT_MAX);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel("unix:" + path, grpc::InsecureChannelCredentials(), arguments);
}

// containerd 1.6 fails to stop what is gone, 1.7 does not.
knarr::Status Forgiving(knarr::Status status) {
  return status.Is(Code::kNotFound) ? OkStatus() : status;
}

template <typename Repeated>
auto ToVector(Repeated* items) {
  using Value = typename Repeated::value_type;
  return std::vector<Value>(std::make_move_iterator(items->begin()), std::make_move_iterator(items->end()));
}

class GrpcRuntime : public CriRuntime {
 public:
  GrpcRuntime(const std::string& path, const std::string& image_path, const ConnectOptions& options)
      : timeout_(options.request_timeout),
        runtime_{path, OpenChannel(path, options.max_message_bytes)},
        image_{image_path, image_path == path ? runtime_.channel : OpenChannel(image_path, options.max_message_bytes)},
        runtime_stub_(v1::RuntimeService::NewStub(runtime_.channel)),
        image_stub_(v1::ImageService::NewStub(image_.channel)) {}

  Result<v1::VersionResponse> Version(const Context& context) override {
    v1::VersionRequest request;
    request.set_version("0.1.0");  // what the kubelet has always said
    return Runtime(context, &RuntimeStub::Version, request);
  }

  Result<v1::StatusResponse> GetStatus(const Context& context, bool verbose) override {
    v1::StatusRequest request;
    request.set_verbose(verbose);
    return Runtime(context, &RuntimeStub::Status, request);
  }

  knarr::Status UpdateRuntimeConfig(const Context& context, const v1::RuntimeConfig& config) override {
    v1::UpdateRuntimeConfigRequest request;
    *request.mutable_runtime_config() = config;
    return Runtime(context, &RuntimeStub::UpdateRuntimeConfig, request).status();
  }

  Result<std::string> RunPodSandbox(const Context& context, const v1::PodSandboxConfig& config,
                                    std::string_view runtime_handler) override {
    v1::RunPodSandboxRequest request;
    *request.mutable_config() = config;
    request.set_runtime_handler(std::string(runtime_handler));
    // Twice the usual, as upstream: the sandbox image may have to be pulled.
    auto response = KNARR_TRY(Runtime(context, &RuntimeStub::RunPodSandbox, request, 2 * timeout_));
    return std::move(*response.mutable_pod_sandbox_id());
  }

  knarr::Status StopPodSandbox(const Context& context, std::string_view sandbox_id) override {
    v1::StopPodSandboxRequest request;
    request.set_pod_sandbox_id(std::string(sandbox_id));
    return Forgiving(Runtime(context, &RuntimeStub::StopPodSandbox, request).status());
  }

  knarr::Status RemovePodSandbox(const Context& context, std::string_view sandbox_id) override {
    v1::RemovePodSandboxRequest request;
    request.set_pod_sandbox_id(std::string(sandbox_id));
    return Forgiving(Runtime(context, &RuntimeStub::RemovePodSandbox, request).status());
  }

  Result<v1::PodSandboxStatusResponse> PodSandboxStatus(const Context& context, std::string_view sandbox_id,
                                                        bool verbose) override {
    v1::PodSandboxStatusRequest request;
    request.set_pod_sandbox_id(std::string(sandbox_id));
    request.set_verbose(verbose);
    return Runtime(context, &RuntimeStub::PodSandboxStatus, request);
  }

  Result<std::vector<v1::PodSandbox>> ListPodSandbox(const Context& context,
                                                     const v1::PodSandboxFilter& filter) override {
    v1::ListPodSandboxRequest request;
    *request.mutable_filter() = filter;
    auto response = KNARR_TRY(Runtime(context, &RuntimeStub::ListPodSandbox, request));
    return ToVector(response.mutable_items());
  }

  Result<std::string> CreateContainer(const Context& context, std::string_view sandbox_id,
                                      const v1::ContainerConfig& config,
                                      const v1::PodSandboxConfig& sandbox_config) override {
    v1::CreateContainerRequest request;
    request.set_pod_sandbox_id(std::string(sandbox_id));
    *request.mutable_config() = config;
    *request.mutable_sandbox_config() = sandbox_config;
    auto response = KNARR_TRY(Runtime(context, &RuntimeStub::CreateContainer, request));
    return std::move(*response.mutable_container_id());
  }

  knarr::Status StartContainer(const Context& context, std::string_view container_id) override {
    v1::StartContainerRequest request;
    request.set_container_id(std::string(container_id));
    return Runtime(context, &RuntimeStub::StartContainer, request).status();
  }

  knarr::Status StopContainer(const Context& context, std::string_view container_id,
                              std::chrono::seconds grace) override {
    v1::StopContainerRequest request;
    request.set_container_id(std::string(container_id));
    request.set_timeout(grace.count());
    return Forgiving(Runtime(context, &RuntimeStub::StopContainer, request, timeout_ + grace).status());
  }

  knarr::Status RemoveContainer(const Context& context, std::string_view container_id) override {
    v1::RemoveContainerRequest request;
    request.set_container_id(std::string(container_id));
    return Forgiving(Runtime(context, &RuntimeStub::RemoveContainer, request).status());
  }

  Result<std::vector<v1::Container>> ListContainers(const Context& context,
                                                    const v1::ContainerFilter& filter) override {
    v1::ListContainersRequest request;
    *request.mutable_filter() = filter;
    auto response = KNARR_TRY(Runtime(context, &RuntimeStub::ListContainers, request));
    return ToVector(response.mutable_containers());
  }

  Result<v1::ContainerStatusResponse> ContainerStatus(const Context& context, std::string_view container_id,
                                                      bool verbose) override {
    v1::ContainerStatusRequest request;
    request.set_container_id(std::string(container_id));
    request.set_verbose(verbose);
    return Runtime(context, &RuntimeStub::ContainerStatus, request);
  }

  knarr::Status UpdateContainerResources(const Context& context, std::string_view container_id,
                                         const v1::LinuxContainerResources& resources) override {
    v1::UpdateContainerResourcesRequest request;
    request.set_container_id(std::string(container_id));
    *request.mutable_linux() = resources;
    return Runtime(context, &RuntimeStub::UpdateContainerResources, request).status();
  }

  knarr::Status ReopenContainerLog(const Context& context, std::string_view container_id) override {
    v1::ReopenContainerLogRequest request;
    request.set_container_id(std::string(container_id));
    return Runtime(context, &RuntimeStub::ReopenContainerLog, request).status();
  }

  Result<v1::ExecSyncResponse> ExecSync(const Context& context, std::string_view container_id,
                                        std::span<const std::string> command, std::chrono::seconds timeout) override {
    v1::ExecSyncRequest request;
    request.set_container_id(std::string(container_id));
    for (const std::string& word : command) request.add_cmd(word);
    request.set_timeout(timeout.count());
    const auto limit = timeout.count() > 0 ? std::optional<Duration>(timeout_ + timeout) : std::nullopt;
    return Runtime(context, &RuntimeStub::ExecSync, request, limit);
  }

  Result<std::string> Exec(const Context& context, const v1::ExecRequest& request) override {
    auto response = KNARR_TRY(Runtime(context, &RuntimeStub::Exec, request));
    return NonEmptyUrl(response);
  }

  Result<std::string> Attach(const Context& context, const v1::AttachRequest& request) override {
    auto response = KNARR_TRY(Runtime(context, &RuntimeStub::Attach, request));
    return NonEmptyUrl(response);
  }

  Result<std::string> PortForward(const Context& context, const v1::PortForwardRequest& request) override {
    auto response = KNARR_TRY(Runtime(context, &RuntimeStub::PortForward, request));
    return NonEmptyUrl(response);
  }

  Result<v1::ContainerStats> ContainerStats(const Context& context, std::string_view container_id) override {
    v1::ContainerStatsRequest request;
    request.set_container_id(std::string(container_id));
    auto response = KNARR_TRY(Runtime(context, &RuntimeStub::ContainerStats, request));
    return std::move(*response.mutable_stats());
  }

  Result<std::vector<v1::ContainerStats>> ListContainerStats(const Context& context,
                                                             const v1::ContainerStatsFilter& filter) override {
    v1::ListContainerStatsRequest request;
    *request.mutable_filter() = filter;
    auto response = KNARR_TRY(Runtime(context, &RuntimeStub::ListContainerStats, request));
    return ToVector(response.mutable_stats());
  }

  Result<v1::PodSandboxStats> PodSandboxStats(const Context& context, std::string_view sandbox_id) override {
    v1::PodSandboxStatsRequest request;
    request.set_pod_sandbox_id(std::string(sandbox_id));
    auto response = KNARR_TRY(Runtime(context, &RuntimeStub::PodSandboxStats, request));
    return std::move(*response.mutable_stats());
  }

  Result<std::vector<v1::PodSandboxStats>> ListPodSandboxStats(const Context& context,
                                                               const v1::PodSandboxStatsFilter& filter) override {
    v1::ListPodSandboxStatsRequest request;
    *request.mutable_filter() = filter;
    auto response = KNARR_TRY(Runtime(context, &RuntimeStub::ListPodSandboxStats, request));
    return ToVector(response.mutable_stats());
  }

  Result<std::vector<v1::Image>> ListImages(const Context& context, const v1::ImageFilter& filter) override {
    v1::ListImagesRequest request;
    *request.mutable_filter() = filter;
    auto response = KNARR_TRY(Image(context, &ImageStub::ListImages, request, timeout_));
    return ToVector(response.mutable_images());
  }

  Result<v1::ImageStatusResponse> ImageStatus(const Context& context, const v1::ImageSpec& image,
                                              bool verbose) override {
    v1::ImageStatusRequest request;
    *request.mutable_image() = image;
    request.set_verbose(verbose);
    return Image(context, &ImageStub::ImageStatus, request, timeout_);
  }

  Result<std::string> PullImage(const Context& context, const v1::ImageSpec& image, const v1::AuthConfig* auth,
                                const v1::PodSandboxConfig* sandbox) override {
    v1::PullImageRequest request;
    *request.mutable_image() = image;
    if (auth != nullptr) *request.mutable_auth() = *auth;
    if (sandbox != nullptr) *request.mutable_sandbox_config() = *sandbox;
    auto response = KNARR_TRY(Image(context, &ImageStub::PullImage, request, std::nullopt));
    if (response.image_ref().empty())
      return Error(Code::kUnknown, "imageRef of image \"{}\" is not set", image.image());
    return std::move(*response.mutable_image_ref());
  }

  knarr::Status RemoveImage(const Context& context, const v1::ImageSpec& image) override {
    v1::RemoveImageRequest request;
    *request.mutable_image() = image;
    return Forgiving(Image(context, &ImageStub::RemoveImage, request, timeout_).status());
  }

  Result<v1::ImageFsInfoResponse> ImageFsInfo(const Context& context) override {
    return Image(context, &ImageStub::ImageFsInfo, v1::ImageFsInfoRequest(), timeout_);
  }

  knarr::Status GetContainerEvents(const Context& context, const std::function<void()>& on_connected,
                                   const std::function<void(v1::ContainerEventResponse&&)>& on_event) override {
    return ReadEvents(context, *runtime_stub_, runtime_, on_connected, on_event);
  }

 private:
  using RuntimeStub = v1::RuntimeService::Stub;
  using ImageStub = v1::ImageService::Stub;

  template <typename Request, typename Response>
  Result<Response> Runtime(const Context& context, UnaryMethod<RuntimeStub, Request, Response> method,
                           const Request& request) {
    return CallUnary(context, *runtime_stub_, method, request, timeout_, runtime_);
  }
  template <typename Request, typename Response>
  Result<Response> Runtime(const Context& context, UnaryMethod<RuntimeStub, Request, Response> method,
                           const Request& request, std::optional<Duration> limit) {
    return CallUnary(context, *runtime_stub_, method, request, limit, runtime_);
  }
  template <typename Request, typename Response>
  Result<Response> Image(const Context& context, UnaryMethod<ImageStub, Request, Response> method,
                         const Request& request, std::optional<Duration> limit) {
    return CallUnary(context, *image_stub_, method, request, limit, image_);
  }

  template <typename Response>
  static Result<std::string> NonEmptyUrl(Response& response) {
    if (response.url().empty()) return Error(Code::kUnknown, "URL is not set");
    return std::move(*response.mutable_url());
  }

  const Duration timeout_;
  const Endpoint runtime_, image_;
  const std::unique_ptr<RuntimeStub> runtime_stub_;
  const std::unique_ptr<ImageStub> image_stub_;
};

}  // namespace

Result<std::string> SocketPathOf(std::string_view endpoint) {
  std::string_view path = endpoint;
  if (path.starts_with("unix:")) {
    path.remove_prefix(5);
    if (path.starts_with("//")) path.remove_prefix(2);
  } else if (const size_t scheme = path.find("://"); scheme != std::string_view::npos) {
    return Error(Code::kInvalid, "container runtime endpoint \"{}\": protocol \"{}\" not supported, use unix:///path",
                 endpoint, path.substr(0, scheme));
  }
  if (!path.starts_with('/'))
    return Error(Code::kInvalid, "container runtime endpoint \"{}\": not an absolute path, use unix:///path", endpoint);
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    return Error(Code::kInvalid, "container runtime endpoint \"{}\": longer than the {} bytes of a socket's path",
                 endpoint, sizeof(sockaddr_un::sun_path) - 1);
  return std::string(path);
}

Result<std::unique_ptr<CriRuntime>> Connect(const ConnectOptions& options) {
  const std::string path = KNARR_TRY(SocketPathOf(options.endpoint));
  const std::string image_path =
      options.image_endpoint.empty() ? path : KNARR_TRY(SocketPathOf(options.image_endpoint));
  TuneGrpcOnce();
  return std::unique_ptr<CriRuntime>(std::make_unique<GrpcRuntime>(path, image_path, options));
}

}  // namespace knarr::cri
