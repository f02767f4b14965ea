#include "pkg/kubelet/why.h"

#include <algorithm>
#include <array>

namespace knarr::kubelet {
namespace {

struct Advice {
  std::string_view reason, next;
};
// What helps against a container's waiting reason.
constexpr std::array<Advice, 12> kAdvice{{
    {"ImagePullBackOff", "check the image name and that the registry can be reached; the pull is tried again by itself"},
    {"ErrImagePull", "check the image name and that the registry can be reached; the pull is tried again by itself"},
    {"InvalidImageName", "correct the image name in the manifest"},
    {"ErrImageNeverPull", "imagePullPolicy is Never: import the image, or allow pulling"},
    {"CrashLoopBackOff", "look at its output: knarr logs --previous {pod} -c {container}"},
    {"CreateContainerConfigError", "provide the ConfigMap or Secret it names, in a manifest of the same directory"},
    {"CreateContainerError", "look at the message; it is the container runtime's own"},
    {"RunContainerError", "check the container's command and its mounts; the message is the container runtime's own"},
    {"PreCreateHookError", "look at the kubelet's log"},
    {"PostStartHookError", "look at the postStart hook's command; its output is in the events"},
    {"ContainerCreating", "wait; if it stays, look at the events: knarr why {pod}"},
    {"PodInitializing", "wait for the init containers"},
}};

std::string Replace(std::string text, std::string_view what, std::string_view with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) text.replace(at, what.size(), with);
  return text;
}

std::string AdviceFor(std::string_view reason, std::string_view pod, std::string_view container) {
  const auto it = std::find_if(kAdvice.begin(), kAdvice.end(), [&](const Advice& a) { return a.reason == reason; });
  const std::string next(it == kAdvice.end() ? std::string_view("look at the events of the pod and at the kubelet's log") : it->next);
  return Replace(Replace(next, "{pod}", pod), "{container}", container);
}

const Event* LastWarning(const std::vector<Event>& events) {
  for (auto it = events.rbegin(); it != events.rend(); ++it) {
    // Every pod of a standalone node is told so; it is never what holds one back.
    if (it->reason == "MissingClusterDNS") continue;
    if (it->type == EventType::kWarning) return &*it;
  }
  return nullptr;
}

bool Ready(const core::PodStatus& status) {
  return std::any_of(status.conditions().begin(), status.conditions().end(),
                     [](const core::PodCondition& c) { return c.type() == "Ready" && c.status() == "True"; });
}

// The first container, init containers first, that is what holds the pod back.
Explanation FromContainers(const std::string& pod, const google::protobuf::RepeatedPtrField<core::ContainerStatus>& statuses, bool init) {
  for (const core::ContainerStatus& container : statuses) {
    const std::string what = fmt::format("{} {}", init ? "init container" : "container", container.name());
    if (container.state().has_waiting()) {
      const core::ContainerStateWaiting& waiting = container.state().waiting();
      const bool ordinary = waiting.reason() == "PodInitializing" || waiting.reason() == "ContainerCreating";
      if (ordinary && waiting.message().empty()) continue;
      std::string why = fmt::format("{}: {}", what, waiting.message().empty() ? waiting.reason() : waiting.message());
      if (waiting.reason() == "CrashLoopBackOff" && container.laststate().has_terminated()) {
        const core::ContainerStateTerminated& last = container.laststate().terminated();
        why = fmt::format("{} ended {} times, last with exit code {} ({}): {}", what, container.restartcount() + 1, last.exitcode(), last.reason(), waiting.message());
      }
      return {waiting.reason(), std::move(why), AdviceFor(waiting.reason(), pod, container.name())};
    }
    if (container.state().has_terminated() && container.state().terminated().exitcode() != 0) {
      const core::ContainerStateTerminated& ended = container.state().terminated();
      return {ended.reason(), fmt::format("{} ended with exit code {}{}{}", what, ended.exitcode(), ended.message().empty() ? "" : ": ", ended.message()),
              fmt::format("look at its output: knarr logs {} -c {}", pod, container.name())};
    }
  }
  return {};
}

}  // namespace

Explanation ExplainPod(const PodWorkers::Snapshot& pod, const std::vector<Event>& events, const std::vector<ManifestProblem>& problems) {
  const std::string full_name = pod.ns + "/" + pod.name;
  const auto problem = std::find_if(problems.begin(), problems.end(), [&](const ManifestProblem& p) { return p.keeps == full_name; });
  if (Ready(pod.status) || pod.status.phase() == "Succeeded") {
    if (problem == problems.end()) return {};
    return {"StaleManifest", fmt::format("it runs from the last good manifest: {}", problem->ToString()), fmt::format("correct {}", problem->file)};
  }
  if (pod.phase == PodWorkers::Phase::kTerminating) {
    return {"Terminating", pod.last_error.empty() ? "it is being stopped" : fmt::format("it cannot be stopped: {}", pod.last_error),
            "wait; it is tried again by itself"};
  }
  if (pod.status.phase() == "Failed" && pod.status.reason() == "OutOfpods") {
    return {"OutOfpods", pod.status.message(), "remove a manifest, or raise maxPods; it starts by itself when there is room"};
  }
  if (pod.phase == PodWorkers::Phase::kWaiting) {
    return {"Waiting", pod.waits_for.empty() ? "it has not been looked at yet" : pod.waits_for,
            pod.last_error.empty() ? "wait, or see why the pod it waits for is not Ready" : "correct the new manifest; the previous version is untouched"};
  }
  if (pod.status.phase() == "Failed" && !pod.status.message().empty()) {
    return {pod.status.reason().empty() ? "Failed" : pod.status.reason(), pod.status.message(), "change or remove the manifest to start it anew"};
  }
  if (Explanation e = FromContainers(pod.name, pod.status.initcontainerstatuses(), true); !e.why.empty()) return e;
  if (Explanation e = FromContainers(pod.name, pod.status.containerstatuses(), false); !e.why.empty()) return e;
  if (!pod.last_error.empty()) return {"SyncFailed", pod.last_error, "it is tried again by itself; look at the cause named here"};
  for (const core::ContainerStatus& container : pod.status.containerstatuses()) {
    if (container.state().has_running() && !container.ready()) {
      const Event* warning = LastWarning(events);
      return {"NotReady",
              warning ? fmt::format("container {} runs and is not ready: {}{}", container.name(), warning->message,
                                    warning->message.ends_with("probe failed: ") ? "its command printed nothing" : "")
                      : fmt::format("container {} runs and its readiness probe has not succeeded yet", container.name()),
              fmt::format("look at its output: knarr logs {} -c {}", pod.name, container.name())};
    }
  }
  if (const Event* warning = LastWarning(events)) return {warning->reason, warning->message, "it is tried again by itself"};
  return {"Pending", "it is being started", "wait a moment"};
}

}  // namespace knarr::kubelet
