// knarr why [POD]: one line for each pod that is not Ready, and what to do next. Exit code 0 when all is well, 3 when not.
#include <cstdio>

#include "pkg/cli/arguments.h"
#include "pkg/cli/cli.h"
#include "pkg/cli/client.h"
#include "pkg/cli/terminal.h"

namespace knarr::cli {
namespace {

constexpr int kNotWell = 3;

void Explain(const PodRow& pod) {
  std::printf("%s %s: %s\n", Paint(pod.ns + "/" + pod.name, Colour::kBold).c_str(), Paint(pod.reason, Colour::kRed).c_str(), pod.why.c_str());
  if (!pod.next.empty()) std::printf("  next: %s\n", pod.next.c_str());
}

}  // namespace

int WhyMain(const std::vector<std::string>& args) {
  Arguments arguments("knarr why [POD] [flags]", "Says why a pod is not Ready, in one line, and what to do next; without a name, of every pod and manifest.");
  if (const auto code = arguments.Parse(args)) return *code;
  const Context ctx = Context::Background().WithTimeout(std::chrono::seconds(30));
  const Result<NodeState> state = ReadNodeState(ctx, KubeletClient(arguments.socket));
  if (!state.ok()) return Fail(state.status());
  bool well = state->problems.empty();
  for (const NodeProblemRow& problem : state->problems) {
    std::printf("%s %s: %s\n  next: %s\n", Paint("node", Colour::kBold).c_str(), Paint(problem.reason, Colour::kRed).c_str(), problem.why.c_str(), problem.next.c_str());
  }
  if (!arguments.words.empty()) {
    const Result<PodRow> pod = FindPod(*state, arguments.ns, arguments.words.front());
    if (!pod.ok()) {
      // The name may be that of a manifest which never became a pod.
      for (const ManifestRow& manifest : state->bad_manifests) {
        if (manifest.file.find("/" + arguments.words.front()) == std::string::npos) continue;
        std::printf("%s\n", manifest.error.c_str());
        return kNotWell;
      }
      return Fail(pod.status());
    }
    if (pod->why.empty()) {
      std::printf("%s/%s is %s.\n", pod->ns.c_str(), pod->name.c_str(), pod->ready ? "Ready" : pod->phase.c_str());
      return 0;
    }
    Explain(*pod);
    for (const PodRow::Event& event : pod->events) {
      if (event.type != "Warning") continue;
      std::printf("  %s ago%s %s: %s\n", AgeOf(event.time).c_str(), event.count > 1 ? fmt::format(" (x{})", event.count).c_str() : "", event.reason.c_str(), event.message.c_str());
    }
    return kNotWell;
  }
  for (const ManifestRow& manifest : state->bad_manifests) {
    std::printf("%s\n", manifest.error.c_str());
    well = false;
  }
  for (const PodRow& pod : state->pods) {
    if (pod.why.empty()) continue;
    Explain(pod);
    well = false;
  }
  if (well) std::printf("All %zu pods are well.\n", state->pods.size());
  return well ? 0 : kNotWell;
}

}  // namespace knarr::cli
