// Sees to it that the image of a container is there: pull policy, back-off, credentials, one pull after the other or
// several at once. Events in upstream's words. Thread-safe.
// Mirrors: pkg/kubelet/images/{image_manager,puller,helpers}.go
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "pkg/cri/runtime.h"
#include "pkg/kubelet/kuberuntime/backoff.h"
#include "pkg/kubelet/kuberuntime/gate.h"
#include "pkg/kubelet/kuberuntime/keyring.h"
#include "pkg/kubelet/kuberuntime/kuberuntime.h"
#include "pkg/kubelet/kuberuntime/long_wait.h"
#include "pkg/kubelet/kuberuntime/security_context.h"

namespace knarr::kubelet {

struct PulledImage {
  std::string id;  // what CreateContainer gets
  ImageUser user;
};

// The image, or why the container has to wait.
struct PullOutcome {
  std::optional<PulledImage> image;
  WaitingReason why;
  std::optional<Duration> retry_after;
};

class ImagePuller {
 public:
  ImagePuller(const RuntimeManagerOptions& options, cri::CriRuntime& cri, Clock& clock, EventRecorder& events, const ObjectGetter& objects,
              const LongWaitFunction& long_wait = {});

  // sandbox may be null (for pulls ahead of the sandbox).
  PullOutcome Ensure(const Context& ctx, const core::Pod& pod, const core::Container& container,
                     const cri_v1::PodSandboxConfig* sandbox);
  // Forgets what is quiet for long.
  void CollectGarbage() { backoff_.CollectGarbage(); }

 private:
  // Not present: an ImageStatus without image.
  Result<cri_v1::Image> Look(const Context& ctx, const core::Pod& pod, const std::string& image);
  PullOutcome Pull(const Context& ctx, const core::Pod& pod, const core::Container& container, const std::string& image,
                   const cri_v1::PodSandboxConfig* sandbox);
  Status PullWithCredentials(const Context& ctx, const core::Pod& pod, const std::string& image,
                             const cri_v1::PodSandboxConfig* sandbox);
  Keyring KeyringOf(const core::Pod& pod);
  bool TakeToken();

  cri::CriRuntime& cri_;
  Clock& clock_;
  EventRecorder& events_;
  const ObjectGetter& objects_;
  const LongWaitFunction long_wait_;
  Backoff backoff_;
  Gate gate_;
  const double qps_;
  const int burst_;
  std::mutex mutex_;
  std::map<std::string, std::string> last_error_;  // by back-off key
  double tokens_;
  MonoTime refilled_;
};

}  // namespace knarr::kubelet
