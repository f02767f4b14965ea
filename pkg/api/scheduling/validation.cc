#include "pkg/api/scheduling/validation.h"

#include <fmt/format.h>

#include "k8s.io/api/scheduling/v1/generated.pb.h"
#include "pkg/api/rules/rules.h"

namespace knarr::api {
namespace {

using field::Path;

constexpr int32_t kHighestUserDefinable = 1'000'000'000;

struct SystemClass {
  std::string_view name;
  int32_t value;
};
constexpr SystemClass kSystem[] = {
    {"system-node-critical", 2 * kHighestUserDefinable + 1000},
    {"system-cluster-critical", 2 * kHighestUserDefinable},
};

// What keeps a class with the reserved prefix from being one of the two; "" for nothing.
std::string SystemClassError(const scheduling::PriorityClass& priority_class) {
  const std::string& name = priority_class.metadata().name();
  for (const SystemClass& known : kSystem) {
    if (known.name != name) continue;
    if (priority_class.value() != known.value) {
      return fmt::format("value of {} PriorityClass must be {}", name, known.value);
    }
    if (priority_class.globaldefault()) return fmt::format("globalDefault of {} PriorityClass must be false", name);
    return "";
  }
  return fmt::format("{} is not a known system priority class", name);
}

}  // namespace

void SetDefaults(scheduling::PriorityClass& priority_class) {
  if (!priority_class.has_preemptionpolicy()) priority_class.set_preemptionpolicy("PreemptLowerPriority");
}

field::ErrorList ValidatePriorityClass(const scheduling::PriorityClass& priority_class) {
  static constexpr std::string_view kPolicies[] = {"PreemptLowerPriority", "Never"};
  field::ErrorList errors;
  if (priority_class.metadata().name().starts_with("system-")) {
    if (const std::string error = SystemClassError(priority_class); !error.empty()) {
      errors.push_back(field::Forbidden(
          Path("metadata.name"),
          "priority class names with 'system-' prefix are reserved for system use only. error: " + error));
    }
  } else if (priority_class.value() > kHighestUserDefinable) {
    errors.push_back(field::Forbidden(
        Path("value"), fmt::format("maximum allowed value of a user defined priority is {}", kHighestUserDefinable)));
  }
  if (priority_class.has_preemptionpolicy()) {
    rules::RequireOneOf(errors, Path("preemptionPolicy"), priority_class.preemptionpolicy(), kPolicies);
  }
  return errors;
}

field::ErrorList ValidatePriorityClassUpdate(const scheduling::PriorityClass& updated,
                                             const scheduling::PriorityClass& old) {
  field::ErrorList errors;
  if (updated.value() != old.value()) {
    errors.push_back(field::Forbidden(Path("value"), "may not be changed in an update."));
  }
  rules::ImmutableText(errors, Path("preemptionPolicy"), updated.preemptionpolicy(), old.preemptionpolicy());
  return errors;
}

}  // namespace knarr::api
