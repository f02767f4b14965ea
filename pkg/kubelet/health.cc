#include "pkg/kubelet/health.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace knarr::kubelet {

Status SyncLoopHealth(Duration longest_pass, Duration source_busy, Duration sync_frequency) {
  const Duration bound = std::max<Duration>(2 * sync_frequency, std::chrono::minutes(5));
  if (std::max(longest_pass, source_busy) > bound) return Error(Code::kInternal, "sync Loop took longer than expected");
  return {};
}

std::vector<NodeProblem> ExplainNetwork(const NetworkCondition& condition) {
  if (condition.ready) return {};
  constexpr std::string_view kPrefix = "Network plugin returns error: ";
  std::string_view message = condition.message;
  if (message.starts_with(kPrefix)) message.remove_prefix(kPrefix.size());
  std::string why = fmt::format("network plugin not ready: {}", message);
  if (!condition.detail.empty() && condition.detail != message) why += ": " + condition.detail;
  std::replace(why.begin(), why.end(), '\n', ' ');
  const bool missing_plugin = condition.message.find("failed to find plugin") != std::string::npos;
  return {{.reason = condition.reason,
           .why = std::move(why),
           .next = missing_plugin ? "install the plugin into a directory of --cni-bin-dir"
                                  : "put a network configuration into --cni-conf-dir, or set podCIDR for the default "
                                    "network; pods of the host "
                                    "network run without"}};
}

}  // namespace knarr::kubelet
