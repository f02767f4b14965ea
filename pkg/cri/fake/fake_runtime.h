// A container runtime in memory, for unit tests: behaves like containerd 1.7 (states, error texts, events) as far as
// the contract suite and the tests ask, and does what a test tells it.
//
//   FakeRuntime runtime(clock);
//   runtime.AddImage("knarr.dev/test/busybox:1");
//   runtime.SetProgram([](const v1::ContainerConfig& c) { return Program{.exit_code = 1, .runs_for = 5s}; });
//   runtime.FailNext("RunPodSandbox", Error(Code::kUnknown, "failed to setup network for sandbox: no cni"));
//   ... clock.Advance(5s): the container exits ...
//   runtime.CallsOf("StartContainer")
//
// Everything that takes time runs on the given clock. Programs and hooks run on the calling thread without a lock,
// so they may block and may call the runtime. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/cri/runtime.h"

namespace knarr::cri {

// What a container does once started.
struct Program {
  // Exits by itself with this code after runs_for (0: within StartContainer); nullopt: runs until stopped.
  std::optional<int> exit_code;
  Duration runs_for{0};
  // What it does on the stop signal: exit with this code at once, or not at all, to be killed (137) after the grace.
  int stop_exit_code = 0;
  bool ignores_stop = false;
  // StartContainer fails with this and the container is exited with reason StartError and code 128, as after a
  // command that does not exist.
  Status start_error;
};

// One call as the log keeps it.
struct Call {
  std::string rpc;                   // the method's name: "StartContainer", "GetStatus"
  std::string id;                    // sandbox or container ID; for images the reference; "" where there is none
  std::string name;                  // "pod" or "pod/container", where known
  std::chrono::seconds grace{0};     // StopContainer; the timeout of ExecSync
  std::vector<std::string> command;  // ExecSync, Exec
};

class FakeRuntime : public CriRuntime {
 public:
  enum class ListOrder { kById, kNewestFirst, kOldestFirst };

  explicit FakeRuntime(Clock& clock);
  ~FakeRuntime() override;

  // --- What the test tells it ---
  // An image that is present. Fields left empty are made up (ID, digest, size).
  void AddImage(const std::string& reference, v1::Image image = {});
  // An image that PullImage finds; others are "not found" as from a registry.
  void AddRemoteImage(const std::string& reference, v1::Image image = {});
  // Every pull of the reference fails so, until set to OK.
  void SetPullError(const std::string& reference, Status error);

  void SetProgram(std::function<Program(const v1::ContainerConfig&)> program);
  // Without one, ExecSync exits 0 with no output. A kTimeout error stands for a command that ran too long.
  void SetExec(std::function<Result<v1::ExecSyncResponse>(const Call&)> exec);
  // Pod addresses are 10.88.0.2 and up unless set here by pod name.
  void SetPodIPs(const std::string& pod, std::vector<std::string> ips);
  void SetStats(const std::string& container_id, v1::ContainerStats stats);
  void SetListOrder(ListOrder order);
  // false: GetContainerEvents is Unimplemented, as in containerd 1.6.
  void SetEventsSupported(bool supported);
  // Where Exec, Attach and PortForward point; default "http://127.0.0.1:1".
  void SetStreamingUrl(std::string base);
  // A condition of GetStatus: ("NetworkReady", false, "NetworkPluginNotReady", "..."). All are true at first.
  void SetCondition(const std::string& type, bool status, const std::string& reason = {},
                    const std::string& message = {});

  // The next calls of that method fail (before they change anything).
  void FailNext(const std::string& rpc, Status error, int times = 1);
  // Runs at the start of every call of that method; an error is the call's result. nullptr removes it.
  void SetHook(const std::string& rpc, std::function<Status(const Context&, const Call&)> hook);
  // false: every call fails with kServiceUnavailable and event streams break, as with a dead containerd. What runs
  // goes on running; exits meanwhile are known (without an event) afterwards.
  void SetAvailable(bool available);

  // A running container ends by itself. reason "" means Completed or Error by the code.
  void ExitContainer(const std::string& container_id, int exit_code, const std::string& reason = {});
  // The sandbox's pause process dies (or the machine rebooted): its containers exit with 137.
  void KillSandbox(const std::string& sandbox_id);
  // What a containerd loses on a reboot: all sandboxes not ready, all containers exited with 255 ("Unknown").
  void Reboot();

  // --- What happened ---
  std::vector<Call> Calls() const;
  std::vector<Call> CallsOf(std::string_view rpc) const;
  void ClearCalls();
  // The newest container with that name ("pod/container" or just the container's), whatever its state.
  std::optional<v1::ContainerStatus> FindContainer(std::string_view name) const;
  // The newest sandbox of the pod of that name.
  std::optional<v1::PodSandboxStatus> FindSandbox(std::string_view pod) const;
  // As given to CreateContainer / RunPodSandbox.
  std::optional<v1::ContainerConfig> ContainerConfigOf(const std::string& container_id) const;
  std::optional<v1::PodSandboxConfig> SandboxConfigOf(const std::string& sandbox_id) const;
  // Image references pulled with success, in order, and the credentials given.
  struct Pull {
    std::string reference;
    std::optional<v1::AuthConfig> auth;
  };
  std::vector<Pull> Pulls() const;

  // --- CriRuntime ---
  Result<v1::VersionResponse> Version(const Context& context) override;
  Result<v1::StatusResponse> GetStatus(const Context& context, bool verbose = false) override;
  knarr::Status UpdateRuntimeConfig(const Context& context, const v1::RuntimeConfig& config) override;
  Result<std::string> RunPodSandbox(const Context& context, const v1::PodSandboxConfig& config,
                                    std::string_view runtime_handler = {}) override;
  knarr::Status StopPodSandbox(const Context& context, std::string_view sandbox_id) override;
  knarr::Status RemovePodSandbox(const Context& context, std::string_view sandbox_id) override;
  Result<v1::PodSandboxStatusResponse> PodSandboxStatus(const Context& context, std::string_view sandbox_id,
                                                        bool verbose = false) override;
  Result<std::vector<v1::PodSandbox>> ListPodSandbox(const Context& context,
                                                     const v1::PodSandboxFilter& filter = {}) override;
  Result<std::string> CreateContainer(const Context& context, std::string_view sandbox_id,
                                      const v1::ContainerConfig& config,
                                      const v1::PodSandboxConfig& sandbox_config) override;
  knarr::Status StartContainer(const Context& context, std::string_view container_id) override;
  knarr::Status StopContainer(const Context& context, std::string_view container_id,
                              std::chrono::seconds grace) override;
  knarr::Status RemoveContainer(const Context& context, std::string_view container_id) override;
  Result<std::vector<v1::Container>> ListContainers(const Context& context,
                                                    const v1::ContainerFilter& filter = {}) override;
  Result<v1::ContainerStatusResponse> ContainerStatus(const Context& context, std::string_view container_id,
                                                      bool verbose = false) override;
  knarr::Status UpdateContainerResources(const Context& context, std::string_view container_id,
                                         const v1::LinuxContainerResources& resources) override;
  knarr::Status ReopenContainerLog(const Context& context, std::string_view container_id) override;
  Result<v1::ExecSyncResponse> ExecSync(const Context& context, std::string_view container_id,
                                        std::span<const std::string> command, std::chrono::seconds timeout) override;
  Result<std::string> Exec(const Context& context, const v1::ExecRequest& request) override;
  Result<std::string> Attach(const Context& context, const v1::AttachRequest& request) override;
  Result<std::string> PortForward(const Context& context, const v1::PortForwardRequest& request) override;
  Result<v1::ContainerStats> ContainerStats(const Context& context, std::string_view container_id) override;
  Result<std::vector<v1::ContainerStats>> ListContainerStats(const Context& context,
                                                             const v1::ContainerStatsFilter& filter = {}) override;
  Result<v1::PodSandboxStats> PodSandboxStats(const Context& context, std::string_view sandbox_id) override;
  Result<std::vector<v1::PodSandboxStats>> ListPodSandboxStats(const Context& context,
                                                               const v1::PodSandboxStatsFilter& filter = {}) override;
  Result<std::vector<v1::Image>> ListImages(const Context& context, const v1::ImageFilter& filter = {}) override;
  Result<v1::ImageStatusResponse> ImageStatus(const Context& context, const v1::ImageSpec& image,
                                              bool verbose = false) override;
  Result<std::string> PullImage(const Context& context, const v1::ImageSpec& image,
                                const v1::AuthConfig* auth = nullptr,
                                const v1::PodSandboxConfig* sandbox = nullptr) override;
  knarr::Status RemoveImage(const Context& context, const v1::ImageSpec& image) override;
  Result<v1::ImageFsInfoResponse> ImageFsInfo(const Context& context) override;
  knarr::Status GetContainerEvents(const Context& context, const std::function<void()>& on_connected,
                                   const std::function<void(v1::ContainerEventResponse&&)>& on_event) override;

 private:
  struct State;
  Status Enter(const Context& context, Call call);
  std::unique_ptr<State> state_;
};

}  // namespace knarr::cri
