#include "pkg/api/core/validation/internal.h"

namespace knarr::api {
namespace {

using Sums = std::map<std::string, Quantity, std::less<>>;

bool IsComputeResource(std::string_view name) {
  return name == "cpu" || name == "memory";
}

// Adds what is above zero, and says how many resources that were.
template <typename Resources>
int AddPositive(const Resources& resources, Sums& sums) {
  int count = 0;
  for (const auto& [name, message] : resources) {
    if (!IsComputeResource(name)) continue;
    const Quantity quantity = Quantity::From(message);
    if (quantity.Sign() <= 0) continue;
    sums[name] += quantity;
    ++count;
  }
  return count;
}

}  // namespace

QosClass ComputeQosClass(const core::Pod& pod) {
  Sums requests;
  Sums limits;
  bool all_limited = true;
  const auto add = [&](const auto& containers) {
    for (const core::Container& container : containers) {
      AddPositive(container.resources().requests(), requests);
      if (AddPositive(container.resources().limits(), limits) != 2) all_limited = false;
    }
  };
  add(pod.spec().containers());
  add(pod.spec().initcontainers());
  if (requests.empty() && limits.empty()) return QosClass::kBestEffort;
  return all_limited && requests == limits ? QosClass::kGuaranteed : QosClass::kBurstable;
}

std::string_view ToString(QosClass qos) {
  switch (qos) {
    case QosClass::kGuaranteed: return "Guaranteed";
    case QosClass::kBurstable: return "Burstable";
    case QosClass::kBestEffort: return "BestEffort";
  }
  return "";
}

}  // namespace knarr::api
