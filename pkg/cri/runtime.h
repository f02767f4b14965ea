// What the kubelet asks of a container runtime: the RuntimeService and ImageService of CRI v1, one blocking method
// per RPC. Connect() (pkg/cri/client.h) gives the one that speaks gRPC; pkg/cri/fake is for unit tests. Both pass the
// suite in pkg/cri/contract_test.h.
//
// Every method takes a Context: cancelling it cancels the call. Its deadline counts; without one, a call has
// upstream's: runtimeRequestTimeout (2 min), twice that for RunPodSandbox, that plus the grace period for
// StopContainer, that plus the timeout for ExecSync, none for PullImage, GetContainerEvents and an ExecSync without
// timeout.
// Errors carry the code of the RPC and the runtime's own text; a runtime that cannot be reached is
// Code::kServiceUnavailable, one that lacks the RPC is Code::kUnimplemented. RpcErrorText() restores the spelling
// that Kubernetes users grep for.
// Stop*, Remove* are idempotent: an object that is already gone is success.
// Thread-safe.
// Mirrors: k8s.io/cri-api/pkg/apis/services.go, pkg/kubelet/cri/remote/{remote_runtime,remote_image}.go
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "k8s.io/cri-api/pkg/apis/runtime/v1/api.pb.h"
#include "pkg/base/clock.h"
#include "pkg/base/context.h"
#include "pkg/base/status.h"

namespace knarr::cri {

namespace v1 = ::runtime::v1;

class CriRuntime {
 public:
  virtual ~CriRuntime() = default;

  virtual Result<v1::VersionResponse> Version(const Context& context) = 0;
  // The RPC named Status. verbose adds the runtime's own configuration as JSON in info.
  virtual Result<v1::StatusResponse> GetStatus(const Context& context, bool verbose = false) = 0;
  virtual knarr::Status UpdateRuntimeConfig(const Context& context, const v1::RuntimeConfig& config) = 0;

  // Creates and starts a sandbox (network included) and returns its ID. On an error containerd may have kept
  // the reservation of the name for a while: list before trying the same attempt number again.
  virtual Result<std::string> RunPodSandbox(const Context& context, const v1::PodSandboxConfig& config,
                                            std::string_view runtime_handler = {}) = 0;
  // Kills what still runs in the sandbox and takes its network away.
  virtual knarr::Status StopPodSandbox(const Context& context, std::string_view sandbox_id) = 0;
  // Removes the sandbox with its containers, by force if they run.
  virtual knarr::Status RemovePodSandbox(const Context& context, std::string_view sandbox_id) = 0;
  virtual Result<v1::PodSandboxStatusResponse> PodSandboxStatus(const Context& context, std::string_view sandbox_id,
                                                                bool verbose = false) = 0;
  // In no particular order, as for all lists. An empty filter means everything; an ID may be a prefix.
  virtual Result<std::vector<v1::PodSandbox>> ListPodSandbox(const Context& context,
                                                             const v1::PodSandboxFilter& filter = {}) = 0;

  virtual Result<std::string> CreateContainer(const Context& context, std::string_view sandbox_id,
                                              const v1::ContainerConfig& config,
                                              const v1::PodSandboxConfig& sandbox_config) = 0;
  virtual knarr::Status StartContainer(const Context& context, std::string_view container_id) = 0;
  // The stop signal, then after the grace period (whole seconds, 0 = at once) SIGKILL. Returns when it has exited.
  virtual knarr::Status StopContainer(const Context& context, std::string_view container_id,
                                      std::chrono::seconds grace) = 0;
  virtual knarr::Status RemoveContainer(const Context& context, std::string_view container_id) = 0;
  virtual Result<std::vector<v1::Container>> ListContainers(const Context& context,
                                                            const v1::ContainerFilter& filter = {}) = 0;
  virtual Result<v1::ContainerStatusResponse> ContainerStatus(const Context& context, std::string_view container_id,
                                                              bool verbose = false) = 0;
  virtual knarr::Status UpdateContainerResources(const Context& context, std::string_view container_id,
                                                 const v1::LinuxContainerResources& resources) = 0;
  // After the log file was renamed: the runtime opens the old name anew.
  virtual knarr::Status ReopenContainerLog(const Context& context, std::string_view container_id) = 0;

  // Runs a command and collects its output (bounded by the 16 MiB of a message). An exit code other than 0 is a
  // result, not an error. Past the timeout (0 = none) the command is killed and the error is kTimeout.
  virtual Result<v1::ExecSyncResponse> ExecSync(const Context& context, std::string_view container_id,
                                                std::span<const std::string> command, std::chrono::seconds timeout) = 0;
  // These three return the URL of the runtime's streaming server where the client continues.
  virtual Result<std::string> Exec(const Context& context, const v1::ExecRequest& request) = 0;
  virtual Result<std::string> Attach(const Context& context, const v1::AttachRequest& request) = 0;
  virtual Result<std::string> PortForward(const Context& context, const v1::PortForwardRequest& request) = 0;

  virtual Result<v1::ContainerStats> ContainerStats(const Context& context, std::string_view container_id) = 0;
  virtual Result<std::vector<v1::ContainerStats>> ListContainerStats(const Context& context,
                                                                     const v1::ContainerStatsFilter& filter = {}) = 0;
  virtual Result<v1::PodSandboxStats> PodSandboxStats(const Context& context, std::string_view sandbox_id) = 0;
  virtual Result<std::vector<v1::PodSandboxStats>> ListPodSandboxStats(
      const Context& context, const v1::PodSandboxStatsFilter& filter = {}) = 0;

  virtual Result<std::vector<v1::Image>> ListImages(const Context& context, const v1::ImageFilter& filter = {}) = 0;
  // An image that is not there is no error: the response then has no image.
  virtual Result<v1::ImageStatusResponse> ImageStatus(const Context& context, const v1::ImageSpec& image,
                                                      bool verbose = false) = 0;
  // Returns the image's ID (its reference by digest). auth and sandbox may be null.
  virtual Result<std::string> PullImage(const Context& context, const v1::ImageSpec& image,
                                        const v1::AuthConfig* auth = nullptr,
                                        const v1::PodSandboxConfig* sandbox = nullptr) = 0;
  virtual knarr::Status RemoveImage(const Context& context, const v1::ImageSpec& image) = 0;
  virtual Result<v1::ImageFsInfoResponse> ImageFsInfo(const Context& context) = 0;

  // Subscribes to container events and blocks: on_connected once as soon as the runtime is reached, then on_event for
  // each event, on the caller's thread. Returns when the stream breaks (never OK) or the context ends. Use
  // EventStream (pkg/cri/events.h), which subscribes again; at most one subscriber at a time: containerd 1.7 hands
  // each event to one of its subscribers only.
  virtual knarr::Status GetContainerEvents(const Context& context, const std::function<void()>& on_connected,
                                           const std::function<void(v1::ContainerEventResponse&&)>& on_event) = 0;
};

// "rpc error: code = NotFound desc = <message>": how an error of the runtime reads in upstream's events and statuses.
std::string RpcErrorText(const knarr::Status& status);

}  // namespace knarr::cri
