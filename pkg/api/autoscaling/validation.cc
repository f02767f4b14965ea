#include "pkg/api/autoscaling/validation.h"

#include <fmt/format.h>

#include <algorithm>

#include "k8s.io/api/autoscaling/v2/generated.pb.h"
#include "pkg/api/meta/validation.h"
#include "pkg/api/resource/quantity.h"
#include "pkg/api/rules/rules.h"

namespace knarr::api {
namespace {

using field::ErrorList;
using field::Path;

constexpr int32_t kMaxPeriodSeconds = 1800;
constexpr int32_t kMaxStabilizationSeconds = 3600;
constexpr std::string_view kMetricTypes[] = {"ContainerResource", "External", "Object", "Pods", "Resource"};

void AddPolicy(autoscaling::HPAScalingRules& scaling, const char* type, int32_t value) {
  auto* policy = scaling.add_policies();
  policy->set_type(type);
  policy->set_value(value);
  policy->set_periodseconds(15);
}

bool NeedsRules(const autoscaling::HPAScalingRules& scaling) {
  return scaling.has_selectpolicy() || scaling.has_stabilizationwindowseconds() || scaling.policies_size() > 0;
}

// Upstream fills in what is missing of each, once one of them says something.
void SetBehaviorDefaults(autoscaling::HorizontalPodAutoscalerBehavior& behavior) {
  if (!NeedsRules(behavior.scaleup()) && !NeedsRules(behavior.scaledown()) && !behavior.has_scaleup() &&
      !behavior.has_scaledown()) {
    return;
  }
  auto& up = *behavior.mutable_scaleup();
  if (!up.has_selectpolicy()) up.set_selectpolicy("Max");
  if (!up.has_stabilizationwindowseconds()) up.set_stabilizationwindowseconds(0);
  if (up.policies_size() == 0) {
    AddPolicy(up, "Pods", 4);
    AddPolicy(up, "Percent", 100);
  }
  auto& down = *behavior.mutable_scaledown();
  if (!down.has_selectpolicy()) down.set_selectpolicy("Max");
  if (down.policies_size() == 0) AddPolicy(down, "Percent", 100);
}

void ValidateSegment(ErrorList& errors, const Path& path, const std::string& value, std::string_view missing) {
  if (value.empty()) {
    errors.push_back(field::Required(path, missing));
  } else {
    rules::AddInvalid(errors, path, value, ValidatePathSegmentName(value, false));
  }
}

void ValidateReference(ErrorList& errors, const Path& path, const autoscaling::CrossVersionObjectReference& reference) {
  ValidateSegment(errors, path.Child("kind"), reference.kind(), "");
  ValidateSegment(errors, path.Child("name"), reference.name(), "");
}

void ValidateTarget(ErrorList& errors, const Path& path, const autoscaling::MetricTarget& target) {
  const std::string& type = target.type();
  if (type.empty()) errors.push_back(field::Required(path.Child("type"), "must specify a metric target type"));
  if (type != "Utilization" && type != "Value" && type != "AverageValue") {
    errors.push_back(field::Invalid(path.Child("type"), type, "must be either Utilization, Value, or AverageValue"));
  }
  const auto positive = [&](std::string_view name, bool set, const resource_pb::Quantity& value) {
    const Quantity quantity = Quantity::From(value);
    if (!set || quantity.Sign() > 0) return;
    errors.push_back(field::InvalidLiteral(path.Child(name), fmt::format("resource.Quantity({})", quantity.ToString()),
                                           "must be positive"));
  };
  positive("value", target.has_value(), target.value());
  positive("averageValue", target.has_averagevalue(), target.averagevalue());
  if (target.has_averageutilization() && target.averageutilization() < 1) {
    errors.push_back(
        field::Invalid(path.Child("averageUtilization"), target.averageutilization(), "must be greater than 0"));
  }
}

void ValidateMetricName(ErrorList& errors, const Path& path, const autoscaling::MetricIdentifier& metric) {
  ValidateSegment(errors, path.Child("name"), metric.name(), "must specify a metric name");
}

void ValidateObjectSource(ErrorList& errors, const Path& path, const autoscaling::ObjectMetricSource& source) {
  ValidateReference(errors, path.Child("describedObject"), source.describedobject());
  ValidateMetricName(errors, path.Child("metric"), source.metric());
  ValidateTarget(errors, path.Child("target"), source.target());
  if (!source.target().has_value() && !source.target().has_averagevalue()) {
    errors.push_back(
        field::Required(path.Child("target.averageValue"), "must set either a target value or averageValue"));
  }
}

void ValidateExternalSource(ErrorList& errors, const Path& path, const autoscaling::ExternalMetricSource& source) {
  ValidateMetricName(errors, path.Child("metric"), source.metric());
  ValidateTarget(errors, path.Child("target"), source.target());
  if (!source.target().has_value() && !source.target().has_averagevalue()) {
    errors.push_back(field::Required(path.Child("target.averageValue"),
                                     "must set either a target value for metric or a per-pod target"));
  }
  if (source.target().has_value() && source.target().has_averagevalue()) {
    errors.push_back(field::Forbidden(path.Child("target.value"),
                                      "may not set both a target value for metric and a per-pod target"));
  }
}

void ValidatePodsSource(ErrorList& errors, const Path& path, const autoscaling::PodsMetricSource& source) {
  ValidateMetricName(errors, path.Child("metric"), source.metric());
  ValidateTarget(errors, path.Child("target"), source.target());
  if (!source.target().has_averagevalue()) {
    errors.push_back(field::Required(path.Child("target.averageValue"), "must specify a positive target averageValue"));
  }
}

template <typename Source>
void ValidateResourceSource(ErrorList& errors, const Path& path, const Source& source) {
  if (source.name().empty()) {
    errors.push_back(field::Required(path.Child("name"), "must specify a resource name"));
  }
  ValidateTarget(errors, path.Child("target"), source.target());
  if (!source.target().has_averageutilization() && !source.target().has_averagevalue()) {
    errors.push_back(field::Required(path.Child("target.averageUtilization"),
                                     "must set either a target raw value or a target utilization"));
  }
  if (source.target().has_averageutilization() && source.target().has_averagevalue()) {
    errors.push_back(field::Forbidden(path.Child("target.averageValue"),
                                      "may not set both a target raw value and a target utilization"));
  }
}

void ValidateMetric(ErrorList& errors, const Path& path, const autoscaling::MetricSpec& metric) {
  const std::string& type = metric.type();
  if (type.empty()) errors.push_back(field::Required(path.Child("type"), "must specify a metric source type"));
  const bool known = std::find(std::begin(kMetricTypes), std::end(kMetricTypes), type) != std::end(kMetricTypes);
  if (!known) errors.push_back(field::NotSupported(path.Child("type"), type, kMetricTypes));

  std::vector<std::string_view> present;
  const auto check = [&](std::string_view name, bool set, auto validate) {
    if (!set) return;
    present.push_back(name);
    if (present.size() == 1) validate(path.Child(name));
  };
  check("object", metric.has_object(), [&](const Path& at) { ValidateObjectSource(errors, at, metric.object()); });
  check("external", metric.has_external(),
        [&](const Path& at) { ValidateExternalSource(errors, at, metric.external()); });
  check("pods", metric.has_pods(), [&](const Path& at) { ValidatePodsSource(errors, at, metric.pods()); });
  check("resource", metric.has_resource(),
        [&](const Path& at) { ValidateResourceSource(errors, at, metric.resource()); });
  check("containerResource", metric.has_containerresource(), [&](const Path& at) {
    ValidateResourceSource(errors, at, metric.containerresource());
    ValidateSegment(errors, at.Child("container"), metric.containerresource().container(), "must specify a container");
  });
  std::string expected;
  if (known) {
    expected = type;
    expected[0] = static_cast<char>(expected[0] | 0x20);
    if (std::find(present.begin(), present.end(), expected) == present.end()) {
      errors.push_back(field::Required(path.Child(expected), "must populate information for the given metric source"));
    }
  } else {
    errors.push_back(field::NotSupported(path.Child("type"), type, kMetricTypes));
  }
  if (present.size() == 1) return;
  std::sort(present.begin(), present.end());
  for (const std::string_view name : present) {
    if (name == expected) continue;
    errors.push_back(field::Forbidden(path.Child(name), "must populate the given metric source only"));
  }
}

void ValidateScalingRules(ErrorList& errors, const Path& path, const autoscaling::HPAScalingRules& scaling) {
  static constexpr std::string_view kSelect[] = {"Disabled", "Max", "Min"};
  const Path window = path.Child("stabilizationWindowSeconds");
  if (scaling.stabilizationwindowseconds() < 0) {
    errors.push_back(
        field::Invalid(window, scaling.stabilizationwindowseconds(), "must be greater than or equal to zero"));
  }
  if (scaling.stabilizationwindowseconds() > kMaxStabilizationSeconds) {
    errors.push_back(field::Invalid(window, scaling.stabilizationwindowseconds(),
                                    fmt::format("must be less than or equal to {}", kMaxStabilizationSeconds)));
  }
  if (scaling.has_selectpolicy() &&
      std::find(std::begin(kSelect), std::end(kSelect), scaling.selectpolicy()) == std::end(kSelect)) {
    errors.push_back(field::NotSupported(path.Child("selectPolicy"), scaling.selectpolicy(), kSelect));
  }
  const Path policies = path.Child("policies");
  if (scaling.policies_size() == 0) {
    errors.push_back(field::Required(policies, "must specify at least one Policy"));
  }
  for (int i = 0; i < scaling.policies_size(); ++i) {
    const auto& policy = scaling.policies(i);
    const Path at = policies.Index(static_cast<size_t>(i));
    if (policy.type() != "Pods" && policy.type() != "Percent") {
      errors.push_back(field::NotSupported(at.Child("type"), policy.type(), {"Percent", "Pods"}));
    }
    if (policy.value() <= 0) {
      errors.push_back(field::Invalid(at.Child("value"), policy.value(), "must be greater than zero"));
    }
    if (policy.periodseconds() <= 0) {
      errors.push_back(field::Invalid(at.Child("periodSeconds"), policy.periodseconds(), "must be greater than zero"));
    }
    if (policy.periodseconds() > kMaxPeriodSeconds) {
      errors.push_back(field::Invalid(at.Child("periodSeconds"), policy.periodseconds(),
                                      fmt::format("must be less than or equal to {}", kMaxPeriodSeconds)));
    }
  }
}

}  // namespace

void SetDefaults(autoscaling::HorizontalPodAutoscaler& autoscaler) {
  auto& spec = *autoscaler.mutable_spec();
  if (!spec.has_minreplicas()) spec.set_minreplicas(1);
  if (spec.metrics_size() == 0) {
    auto* metric = spec.add_metrics();
    metric->set_type("Resource");
    metric->mutable_resource()->set_name("cpu");
    metric->mutable_resource()->mutable_target()->set_type("Utilization");
    metric->mutable_resource()->mutable_target()->set_averageutilization(80);
  }
  if (spec.has_behavior()) SetBehaviorDefaults(*spec.mutable_behavior());
}

field::ErrorList ValidateHorizontalPodAutoscaler(const autoscaling::HorizontalPodAutoscaler& autoscaler,
                                                 int32_t lowest_replicas) {
  ErrorList errors;
  const Path path("spec");
  const auto& spec = autoscaler.spec();
  if (spec.has_minreplicas() && spec.minreplicas() < lowest_replicas) {
    errors.push_back(field::Invalid(path.Child("minReplicas"), spec.minreplicas(),
                                    fmt::format("must be greater than or equal to {}", lowest_replicas)));
  }
  if (spec.maxreplicas() < 1) {
    errors.push_back(field::Invalid(path.Child("maxReplicas"), spec.maxreplicas(), "must be greater than 0"));
  }
  if (spec.has_minreplicas() && spec.maxreplicas() < spec.minreplicas()) {
    errors.push_back(field::Invalid(path.Child("maxReplicas"), spec.maxreplicas(),
                                    "must be greater than or equal to `minReplicas`"));
  }
  ValidateReference(errors, path.Child("scaleTargetRef"), spec.scaletargetref());
  const Path metrics = path.Child("metrics");
  bool can_be_zero = false;
  for (int i = 0; i < spec.metrics_size(); ++i) {
    ValidateMetric(errors, metrics.Index(static_cast<size_t>(i)), spec.metrics(i));
    can_be_zero |= spec.metrics(i).type() == "Object" || spec.metrics(i).type() == "External";
  }
  if (spec.has_minreplicas() && spec.minreplicas() == 0 && !can_be_zero) {
    errors.push_back(field::Forbidden(
        metrics, "must specify at least one Object or External metric to support scaling to zero replicas"));
  }
  if (spec.behavior().has_scaleup()) {
    ValidateScalingRules(errors, path.Child("behavior.scaleUp"), spec.behavior().scaleup());
  }
  if (spec.behavior().has_scaledown()) {
    ValidateScalingRules(errors, path.Child("behavior.scaleDown"), spec.behavior().scaledown());
  }
  return errors;
}

field::ErrorList ValidateHorizontalPodAutoscalerStatus(const autoscaling::HorizontalPodAutoscaler& autoscaler) {
  ErrorList errors;
  const Path path("status");
  rules::Nonnegative(errors, path.Child("currentReplicas"), autoscaler.status().currentreplicas());
  rules::Nonnegative(errors, path.Child("desiredReplicas"), autoscaler.status().desiredreplicas());
  return errors;
}

}  // namespace knarr::api
