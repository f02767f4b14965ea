#include "pkg/kubelet/nodeinfo/reservation.h"

#include <algorithm>

#include "pkg/api/resource/quantity.h"

namespace knarr::kubelet {
namespace {

Quantity Amount(const Reserved& reserved, const std::string& resource) {
  const auto found = reserved.find(resource);
  return found == reserved.end() ? Quantity() : Quantity::Parse(found->second).value_or(Quantity());
}

}  // namespace

Result<Reserved> TotalReserved(const NodeInfo& node, const Reserved& system, const Reserved& kube) {
  Reserved total = system;
  for (const auto& [resource, amount] : kube) {
    total[resource] = (Amount(system, resource) + KNARR_TRY(Quantity::Parse(amount))).ToString();
  }
  const std::map<std::string, std::string> capacity = node.Capacity();
  std::string errors;
  for (const auto& [resource, amount] : total) {
    const auto has = capacity.find(resource);
    if (has == capacity.end() || !(KNARR_TRY(Quantity::Parse(has->second)) < Amount(total, resource))) continue;
    errors +=
        fmt::format(" Resource \"{}\" has a reservation of {} but capacity of {}. Expected capacity >= reservation.",
                    resource, amount, has->second);
  }
  if (!errors.empty()) return Error(Code::kInvalid, "invalid Node Allocatable configuration.{}", errors);
  return total;
}

PodsLimits LimitsForPods(const NodeInfo& node, const Reserved& reserved, int64_t pid_max) {
  PodsLimits limits;
  // At least the least: a limit of nothing would read as none.
  if (const int64_t milli = Amount(reserved, "cpu").MilliValue(); milli > 0)
    limits.milli_cpu = std::max<int64_t>(1000 * node.cpus - milli, 1);
  if (const int64_t bytes = Amount(reserved, "memory").Value(); bytes > 0) {
    limits.memory = static_cast<uint64_t>(std::max<int64_t>(static_cast<int64_t>(node.memory) - bytes, 1));
  }
  if (const int64_t pids = Amount(reserved, "pid").Value(); pids > 0 && pid_max > 0)
    limits.pids = std::max<int64_t>(pid_max - pids, 1);
  return limits;
}

}  // namespace knarr::kubelet
