#include "pkg/kubelet/kuberuntime/image_puller.h"

#include <algorithm>
#include <charconv>

#include "pkg/api/names/image.h"
#include "pkg/base/duration.h"
#include "pkg/kubelet/kuberuntime/names.h"

namespace knarr::kubelet {
namespace {

constexpr char kErrImagePull[] = "ErrImagePull";
constexpr char kBackOff[] = "ImagePullBackOff";
constexpr char kNeverPull[] = "ErrImageNeverPull";
constexpr char kInspect[] = "ImageInspectError";
constexpr char kInvalidName[] = "InvalidImageName";

PulledImage ToPulled(const cri_v1::Image& image) {
  PulledImage out;
  out.id = image.id();
  // The runtime leaves uid unset for images whose user is a name; "1000:1000" comes as a number.
  if (image.has_uid()) {
    out.user.uid = image.uid().value();
  } else {
    out.user.username = image.username();
    if (out.user.username.empty()) out.user.uid = 0;
  }
  return out;
}

// Not qualified with a registry: that is the runtime's choice.
Result<std::string> WithDefaultTag(const std::string& image) {
  const names::ImageReference reference = KNARR_TRY(names::ParseImageName(image));
  return reference.tag.empty() && reference.digest.empty() ? image + ":latest" : image;
}

std::string Rounded(Duration duration) {
  return FormatDuration(std::chrono::floor<std::chrono::milliseconds>(duration));
}

// "RegistryUnavailable: more" -> its own reason; the rest is ErrImagePull.
WaitingReason Evaluate(const std::string& image, const Status& error) {
  const std::string_view text = error.message();
  for (const auto& [name, what] : {std::pair<std::string_view, std::string_view>{"RegistryUnavailable", "the registry is unavailable"},
                                   {"SignatureValidationFailed", "the signature validation failed"}}) {
    if (!text.starts_with(name)) continue;
    return {std::string(name), fmt::format("image pull failed for {} because {}{}", image, what, text.substr(name.size()))};
  }
  return {kErrImagePull, cri::RpcErrorText(error)};
}

}  // namespace

ImagePuller::ImagePuller(const RuntimeManagerOptions& options, cri::CriRuntime& cri, Clock& clock, EventRecorder& events,
                         const ObjectGetter& objects, const LongWaitFunction& long_wait)
    : cri_(cri),
      clock_(clock),
      events_(events),
      objects_(objects),
      long_wait_(long_wait),
      backoff_(clock, options.backoff_base, options.backoff_max),
      gate_(options.serialize_image_pulls ? 1 : options.max_parallel_image_pulls),
      qps_(options.registry_qps),
      burst_(options.registry_burst),
      tokens_(options.registry_burst),
      refilled_(clock.Monotonic()) {}

PullOutcome ImagePuller::Ensure(const Context& ctx, const core::Pod& pod, const core::Container& container,
                                const cri_v1::PodSandboxConfig* sandbox) {
  const ObjectRef ref = ContainerRef(pod, container);
  const auto name = WithDefaultTag(container.image());
  if (!name.ok()) {
    std::string message = fmt::format("Failed to apply default image tag \"{}\": {}", container.image(), name.status());
    events_.Record(ref, EventType::kWarning, "InspectFailed", message);
    return {std::nullopt, {kInvalidName, std::move(message)}, std::nullopt};
  }
  if (container.imagepullpolicy() == "Always") return Pull(ctx, pod, container, *name, sandbox);

  const auto found = Look(ctx, pod, *name);
  if (!found.ok()) {
    std::string message = fmt::format("Failed to inspect image \"{}\": {}", container.image(), cri::RpcErrorText(found.status()));
    events_.Record(ref, EventType::kWarning, "InspectFailed", message);
    return {std::nullopt, {kInspect, std::move(message)}, std::nullopt};
  }
  if (!found->id().empty()) {
    events_.Record(ref, EventType::kNormal, "Pulled", fmt::format("Container image \"{}\" already present on machine", container.image()));
    return {ToPulled(*found), {}, std::nullopt};
  }
  if (container.imagepullpolicy() == "Never") {
    std::string message = fmt::format("Container image \"{}\" is not present with pull policy of Never", container.image());
    events_.Record(ref, EventType::kWarning, kNeverPull, message);
    return {std::nullopt, {kNeverPull, std::move(message)}, std::nullopt};
  }
  return Pull(ctx, pod, container, *name, sandbox);
}

Result<cri_v1::Image> ImagePuller::Look(const Context& ctx, const core::Pod& pod, const std::string& image) {
  cri_v1::ImageSpec spec;
  spec.set_image(image);
  for (const auto& [key, value] : pod.metadata().annotations()) (*spec.mutable_annotations())[key] = value;
  return std::move(*KNARR_TRY(cri_.ImageStatus(ctx, spec)).mutable_image());
}

PullOutcome ImagePuller::Pull(const Context& ctx, const core::Pod& pod, const core::Container& container, const std::string& image,
                              const cri_v1::PodSandboxConfig* sandbox) {
  const ObjectRef ref = ContainerRef(pod, container);
  const std::string& shown = container.image();
  const std::string key = pod.metadata().uid() + "_" + shown;
  if (const auto left = backoff_.LeftSinceUpdate(key)) {
    std::string message = fmt::format("Back-off pulling image \"{}\"", shown);
    events_.Record(ref, EventType::kNormal, "BackOff", message);
    std::lock_guard lock(mutex_);
    if (const auto last = last_error_.find(key); last != last_error_.end()) message += ": " + last->second;
    return {std::nullopt, {kBackOff, std::move(message)}, *left};
  }
  events_.Record(ref, EventType::kNormal, "Pulling", fmt::format("Pulling image \"{}\"", shown));
  const MonoTime asked = clock_.Monotonic();
  MonoTime began = asked;
  const auto fail = [&](const Status& error) -> PullOutcome {
    // Called off (the pod changed or goes): nobody's fault, nothing to wait for.
    if (ctx.Cancelled()) return {std::nullopt, {kErrImagePull, std::string(error.message())}, std::nullopt};
    events_.Record(ref, EventType::kWarning, "Failed", fmt::format("Failed to pull image \"{}\": {}", shown, cri::RpcErrorText(error)));
    backoff_.Next(key, clock_.Now());
    WaitingReason why = Evaluate(shown, error);
    std::lock_guard lock(mutex_);
    last_error_[key] = why.reason + ": " + why.message;
    return {std::nullopt, std::move(why), backoff_.Get(key)};
  };

  const LongWait wait(long_wait_, pod.metadata().uid());
  bool waited = false;
  auto pass = gate_.Enter(ctx, std::nullopt, &waited);
  if (!pass.ok()) return fail(pass.status());
  began = clock_.Monotonic();
  // Another container may have pulled it while this one stood in the queue.
  bool pull = true;
  if (waited && container.imagepullpolicy() != "Always") {
    const auto found = Look(ctx, pod, image);
    pull = !found.ok() || found->id().empty();
  }
  if (pull) {
    if (!TakeToken()) return fail(Status(Code::kUnknown, "pull QPS exceeded"));
    if (const Status error = PullWithCredentials(ctx, pod, image, sandbox); !error.ok()) return fail(error);
  }
  const auto found = Look(ctx, pod, image);
  if (!found.ok()) return fail(found.status());
  if (found->id().empty()) return fail(Error(Code::kNotFound, "image \"{}\" is not there after it was pulled", image));
  const MonoTime now = clock_.Monotonic();
  events_.Record(ref, EventType::kNormal, "Pulled",
                 fmt::format("Successfully pulled image \"{}\" in {} ({} including waiting). Image size: {} bytes.", shown,
                             Rounded(now - began), Rounded(now - asked), found->size()));
  backoff_.Forget(key);
  std::lock_guard lock(mutex_);
  last_error_.erase(key);
  return {ToPulled(*found), {}, std::nullopt};
}

Status ImagePuller::PullWithCredentials(const Context& ctx, const core::Pod& pod, const std::string& image,
                                        const cri_v1::PodSandboxConfig* sandbox) {
  cri_v1::ImageSpec spec;
  spec.set_image(image);
  for (const auto& [key, value] : pod.metadata().annotations()) (*spec.mutable_annotations())[key] = value;
  const names::ImageReference name = KNARR_TRY(names::ParseImageName(image));
  const std::vector<Credential> credentials = KeyringOf(pod).Lookup(name);
  if (credentials.empty()) return cri_.PullImage(ctx, spec, nullptr, sandbox).status();
  Status error;
  for (const Credential& credential : credentials) {
    cri_v1::AuthConfig auth;
    auth.set_username(credential.username);
    auth.set_password(credential.password);
    error = cri_.PullImage(ctx, spec, &auth, sandbox).status();
    if (error.ok() || ctx.Done()) return error;
  }
  return error;
}

Keyring ImagePuller::KeyringOf(const core::Pod& pod) {
  Keyring keyring;
  std::string missing;
  for (const auto& reference : pod.spec().imagepullsecrets()) {
    if (reference.name().empty()) continue;
    const auto secret = objects_.GetSecret(pod.metadata().namespace_(), reference.name());
    const Status error = secret.ok() ? keyring.Add(**secret) : secret.status();
    if (!error.ok()) missing += (missing.empty() ? "" : ", ") + reference.name();
  }
  if (!missing.empty()) {
    events_.Record(PodRef(pod), EventType::kWarning, "FailedToRetrieveImagePullSecret",
                   fmt::format("Unable to retrieve some image pull secrets ({}); attempting to pull the image may not succeed.", missing));
  }
  return keyring;
}

bool ImagePuller::TakeToken() {
  if (qps_ <= 0) return true;
  std::lock_guard lock(mutex_);
  const MonoTime now = clock_.Monotonic();
  tokens_ = std::min<double>(burst_, tokens_ + std::chrono::duration<double>(now - refilled_).count() * qps_);
  refilled_ = now;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

}  // namespace knarr::kubelet
