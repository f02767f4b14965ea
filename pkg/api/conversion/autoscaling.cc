// HorizontalPodAutoscalers. What v1 has no field for travels in annotations, as JSON of v2beta1's shape.
// Mirrors: pkg/apis/autoscaling/{v1,v2beta1,v2beta2}/conversion.go, annotations.go
#include "k8s.io/api/autoscaling/v1/generated.pb.h"
#include "k8s.io/api/autoscaling/v2/generated.pb.h"
#include "k8s.io/api/autoscaling/v2beta1/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/api/conversion/wire.h"
#include "pkg/api/types.h"

namespace knarr::conversion {
namespace {

using google::protobuf::Message;
namespace v1 = ::k8s::io::api::autoscaling::v1;
namespace v2 = ::k8s::io::api::autoscaling::v2;
namespace beta = ::k8s::io::api::autoscaling::v2beta1;

constexpr const char* kMetrics = "autoscaling.alpha.kubernetes.io/metrics";
constexpr const char* kCurrentMetrics = "autoscaling.alpha.kubernetes.io/current-metrics";
constexpr const char* kConditions = "autoscaling.alpha.kubernetes.io/conditions";
constexpr const char* kBehavior = "autoscaling.alpha.kubernetes.io/behavior";

constexpr const char* kUtilization = "Utilization";
constexpr const char* kValue = "Value";
constexpr const char* kAverageValue = "AverageValue";

using Annotations = google::protobuf::Map<std::string, std::string>;

void DropAnnotations(Annotations* annotations) {
  for (const char* key : {kMetrics, kCurrentMetrics, kConditions, kBehavior}) annotations->erase(key);
}

Status Malformed() {
  return Status(Code::kInvalid, "malformed HorizontalPodAutoscaler");
}

// --- metrics of v2 as v2beta1's

void MetricToBeta(const v2::MetricSpec& from, beta::MetricSpec* to) {
  to->set_type(from.type());
  if (from.has_object()) {
    auto* object = to->mutable_object();
    CopyByWire(from.object().describedobject(), object->mutable_target());
    object->set_metricname(from.object().metric().name());
    object->mutable_targetvalue();
    if (from.object().target().has_value()) *object->mutable_targetvalue() = from.object().target().value();
    if (from.object().target().has_averagevalue()) {
      *object->mutable_averagevalue() = from.object().target().averagevalue();
    }
    if (from.object().metric().has_selector()) *object->mutable_selector() = from.object().metric().selector();
  }
  if (from.has_pods()) {
    auto* pods = to->mutable_pods();
    pods->set_metricname(from.pods().metric().name());
    pods->mutable_targetaveragevalue();
    if (from.pods().target().has_averagevalue())
      *pods->mutable_targetaveragevalue() = from.pods().target().averagevalue();
    if (from.pods().metric().has_selector()) *pods->mutable_selector() = from.pods().metric().selector();
  }
  const auto resource = [](const auto& source, auto* out) {
    out->set_name(source.name());
    if (source.target().has_averageutilization()) {
      out->set_targetaverageutilization(source.target().averageutilization());
    }
    if (source.target().has_averagevalue()) *out->mutable_targetaveragevalue() = source.target().averagevalue();
  };
  if (from.has_resource()) resource(from.resource(), to->mutable_resource());
  if (from.has_containerresource()) {
    resource(from.containerresource(), to->mutable_containerresource());
    to->mutable_containerresource()->set_container(from.containerresource().container());
  }
  if (from.has_external()) {
    auto* external = to->mutable_external();
    external->set_metricname(from.external().metric().name());
    if (from.external().metric().has_selector())
      *external->mutable_metricselector() = from.external().metric().selector();
    if (from.external().target().has_value()) *external->mutable_targetvalue() = from.external().target().value();
    if (from.external().target().has_averagevalue()) {
      *external->mutable_targetaveragevalue() = from.external().target().averagevalue();
    }
  }
}

void MetricToV2(const beta::MetricSpec& from, v2::MetricSpec* to) {
  to->set_type(from.type());
  if (from.has_object()) {
    auto* object = to->mutable_object();
    CopyByWire(from.object().target(), object->mutable_describedobject());
    object->mutable_metric()->set_name(from.object().metricname());
    if (from.object().has_selector()) *object->mutable_metric()->mutable_selector() = from.object().selector();
    object->mutable_target()->set_type(from.object().has_averagevalue() ? kAverageValue : kValue);
    *object->mutable_target()->mutable_value() = from.object().targetvalue();
    if (from.object().has_averagevalue()) {
      *object->mutable_target()->mutable_averagevalue() = from.object().averagevalue();
    }
  }
  if (from.has_pods()) {
    auto* pods = to->mutable_pods();
    pods->mutable_metric()->set_name(from.pods().metricname());
    if (from.pods().has_selector()) *pods->mutable_metric()->mutable_selector() = from.pods().selector();
    pods->mutable_target()->set_type(kAverageValue);
    *pods->mutable_target()->mutable_averagevalue() = from.pods().targetaveragevalue();
  }
  const auto resource = [](const auto& source, auto* out) {
    out->set_name(source.name());
    auto* target = out->mutable_target();
    target->set_type(source.has_targetaverageutilization() ? kUtilization : kAverageValue);
    if (source.has_targetaverageutilization()) target->set_averageutilization(source.targetaverageutilization());
    if (source.has_targetaveragevalue()) *target->mutable_averagevalue() = source.targetaveragevalue();
  };
  if (from.has_resource()) resource(from.resource(), to->mutable_resource());
  if (from.has_containerresource()) {
    resource(from.containerresource(), to->mutable_containerresource());
    to->mutable_containerresource()->set_container(from.containerresource().container());
  }
  if (from.has_external()) {
    auto* external = to->mutable_external();
    external->mutable_metric()->set_name(from.external().metricname());
    if (from.external().has_metricselector())
      *external->mutable_metric()->mutable_selector() = from.external().metricselector();
    auto* target = external->mutable_target();
    target->set_type(from.external().has_targetvalue() ? kValue : kAverageValue);
    if (from.external().has_targetvalue()) *target->mutable_value() = from.external().targetvalue();
    if (from.external().has_targetaveragevalue())
      *target->mutable_averagevalue() = from.external().targetaveragevalue();
  }
}

void CurrentToBeta(const v2::MetricStatus& from, beta::MetricStatus* to) {
  to->set_type(from.type());
  if (from.has_object()) {
    auto* object = to->mutable_object();
    CopyByWire(from.object().describedobject(), object->mutable_target());
    object->set_metricname(from.object().metric().name());
    object->mutable_currentvalue();
    if (from.object().current().has_value()) *object->mutable_currentvalue() = from.object().current().value();
    if (from.object().current().has_averagevalue()) {
      *object->mutable_averagevalue() = from.object().current().averagevalue();
    }
    if (from.object().metric().has_selector()) *object->mutable_selector() = from.object().metric().selector();
  }
  if (from.has_pods()) {
    auto* pods = to->mutable_pods();
    pods->set_metricname(from.pods().metric().name());
    pods->mutable_currentaveragevalue();
    if (from.pods().current().has_averagevalue()) {
      *pods->mutable_currentaveragevalue() = from.pods().current().averagevalue();
    }
    if (from.pods().metric().has_selector()) *pods->mutable_selector() = from.pods().metric().selector();
  }
  const auto resource = [](const auto& source, auto* out) {
    out->set_name(source.name());
    if (source.current().has_averageutilization()) {
      out->set_currentaverageutilization(source.current().averageutilization());
    }
    out->mutable_currentaveragevalue();
    if (source.current().has_averagevalue()) *out->mutable_currentaveragevalue() = source.current().averagevalue();
  };
  if (from.has_resource()) resource(from.resource(), to->mutable_resource());
  if (from.has_containerresource()) {
    resource(from.containerresource(), to->mutable_containerresource());
    to->mutable_containerresource()->set_container(from.containerresource().container());
  }
  if (from.has_external()) {
    auto* external = to->mutable_external();
    external->set_metricname(from.external().metric().name());
    if (from.external().metric().has_selector())
      *external->mutable_metricselector() = from.external().metric().selector();
    external->mutable_currentvalue();
    if (from.external().current().has_value()) *external->mutable_currentvalue() = from.external().current().value();
    if (from.external().current().has_averagevalue()) {
      *external->mutable_currentaveragevalue() = from.external().current().averagevalue();
    }
  }
}

void CurrentToV2(const beta::MetricStatus& from, v2::MetricStatus* to) {
  to->set_type(from.type());
  if (from.has_object()) {
    auto* object = to->mutable_object();
    CopyByWire(from.object().target(), object->mutable_describedobject());
    object->mutable_metric()->set_name(from.object().metricname());
    if (from.object().has_selector()) *object->mutable_metric()->mutable_selector() = from.object().selector();
    *object->mutable_current()->mutable_value() = from.object().currentvalue();
    if (from.object().has_averagevalue()) {
      *object->mutable_current()->mutable_averagevalue() = from.object().averagevalue();
    }
  }
  if (from.has_pods()) {
    auto* pods = to->mutable_pods();
    pods->mutable_metric()->set_name(from.pods().metricname());
    if (from.pods().has_selector()) *pods->mutable_metric()->mutable_selector() = from.pods().selector();
    *pods->mutable_current()->mutable_averagevalue() = from.pods().currentaveragevalue();
  }
  const auto resource = [](const auto& source, auto* out) {
    out->set_name(source.name());
    auto* current = out->mutable_current();
    if (source.has_currentaverageutilization()) current->set_averageutilization(source.currentaverageutilization());
    *current->mutable_averagevalue() = source.currentaveragevalue();
  };
  if (from.has_resource()) resource(from.resource(), to->mutable_resource());
  if (from.has_containerresource()) {
    resource(from.containerresource(), to->mutable_containerresource());
    to->mutable_containerresource()->set_container(from.containerresource().container());
  }
  if (from.has_external()) {
    auto* external = to->mutable_external();
    external->mutable_metric()->set_name(from.external().metricname());
    if (from.external().has_metricselector())
      *external->mutable_metric()->mutable_selector() = from.external().metricselector();
    *external->mutable_current()->mutable_value() = from.external().currentvalue();
    if (from.external().has_currentaveragevalue()) {
      *external->mutable_current()->mutable_averagevalue() = from.external().currentaveragevalue();
    }
  }
}

// --- annotations

template <typename Messages>
std::string EncodeList(const Messages& messages) {
  std::string json = "[";
  for (const auto& message : messages) {
    if (json.size() > 1) json += ',';
    json += codec::EncodeJson(message);
  }
  return json + "]";
}

// A list as a field of a message; false where there is none or it does not decode, which upstream ignores too.
bool DecodeAnnotation(const Annotations& annotations, const char* key, std::string_view field, Message* out) {
  const auto found = annotations.find(key);
  if (found == annotations.end()) return false;
  const std::string json = "{\"" + std::string(field) + "\":" + found->second + "}";
  return codec::DecodeJson(json, out, {.validation = codec::FieldValidation::kIgnore}).ok();
}

template <typename From>
void BehaviorFromAnnotation(const From& from, v2::HorizontalPodAutoscalerSpec* spec) {
  v2::HorizontalPodAutoscalerSpec decoded;
  if (!DecodeAnnotation(from.metadata().annotations(), kBehavior, "behavior", &decoded)) return;
  if (decoded.has_behavior()) *spec->mutable_behavior() = decoded.behavior();
}

bool IsCpuUtilization(const v2::MetricSpec& metric) {
  return metric.type() == "Resource" && metric.has_resource() && metric.resource().name() == "cpu" &&
         metric.resource().target().has_averageutilization();
}

template <typename From, typename To>
void CopyCounts(const From& from, To* to) {
  if (from.has_observedgeneration()) to->set_observedgeneration(from.observedgeneration());
  if (from.has_lastscaletime()) *to->mutable_lastscaletime() = from.lastscaletime();
  to->set_currentreplicas(from.currentreplicas());
  to->set_desiredreplicas(from.desiredreplicas());
}

template <typename From, typename To>
void CopyBounds(const From& from, To* to) {
  CopyByWire(from.scaletargetref(), to->mutable_scaletargetref());
  if (from.has_minreplicas()) to->set_minreplicas(from.minreplicas());
  to->set_maxreplicas(from.maxreplicas());
}

}  // namespace

Status AutoscalerV2ToV1(const Message& message, Message* out) {
  const auto& from = static_cast<const v2::HorizontalPodAutoscaler&>(message);
  auto* to = static_cast<v1::HorizontalPodAutoscaler*>(out);
  if (from.has_metadata()) *to->mutable_metadata() = from.metadata();
  Annotations* annotations = to->mutable_metadata()->mutable_annotations();
  DropAnnotations(annotations);
  CopyBounds(from.spec(), to->mutable_spec());
  CopyCounts(from.status(), to->mutable_status());

  google::protobuf::RepeatedPtrField<beta::MetricSpec> others;
  for (const v2::MetricSpec& metric : from.spec().metrics()) {
    if (IsCpuUtilization(metric)) {
      if (!to->spec().has_targetcpuutilizationpercentage()) {
        to->mutable_spec()->set_targetcpuutilizationpercentage(metric.resource().target().averageutilization());
      }
      continue;
    }
    MetricToBeta(metric, others.Add());
  }
  if (!others.empty()) (*annotations)[kMetrics] = EncodeList(others);

  google::protobuf::RepeatedPtrField<beta::MetricStatus> current;
  for (const v2::MetricStatus& metric : from.status().currentmetrics()) {
    CurrentToBeta(metric, current.Add());
    if (metric.type() == "Resource" && metric.resource().name() == "cpu" &&
        metric.resource().current().has_averageutilization()) {
      to->mutable_status()->set_currentcpuutilizationpercentage(metric.resource().current().averageutilization());
    }
  }
  if (!current.empty()) (*annotations)[kCurrentMetrics] = EncodeList(current);
  if (from.status().conditions_size() > 0) (*annotations)[kConditions] = EncodeList(from.status().conditions());
  if (from.spec().has_behavior()) (*annotations)[kBehavior] = codec::EncodeJson(from.spec().behavior());
  return Status();
}

Status AutoscalerV1ToV2(const Message& message, Message* out) {
  const auto& from = static_cast<const v1::HorizontalPodAutoscaler&>(message);
  auto* to = static_cast<v2::HorizontalPodAutoscaler*>(out);
  if (from.has_metadata()) *to->mutable_metadata() = from.metadata();
  DropAnnotations(to->mutable_metadata()->mutable_annotations());
  CopyBounds(from.spec(), to->mutable_spec());
  CopyCounts(from.status(), to->mutable_status());

  const Annotations& annotations = from.metadata().annotations();
  beta::HorizontalPodAutoscalerSpec spec;
  if (DecodeAnnotation(annotations, kMetrics, "metrics", &spec)) {
    for (const auto& metric : spec.metrics()) MetricToV2(metric, to->mutable_spec()->add_metrics());
  }
  if (from.spec().has_targetcpuutilizationpercentage()) {
    auto* metric = to->mutable_spec()->add_metrics();
    metric->set_type("Resource");
    metric->mutable_resource()->set_name("cpu");
    metric->mutable_resource()->mutable_target()->set_type(kUtilization);
    metric->mutable_resource()->mutable_target()->set_averageutilization(from.spec().targetcpuutilizationpercentage());
  }
  BehaviorFromAnnotation(from, to->mutable_spec());

  if (from.status().has_currentcpuutilizationpercentage()) {
    auto* metric = to->mutable_status()->add_currentmetrics();
    metric->set_type("Resource");
    metric->mutable_resource()->set_name("cpu");
    metric->mutable_resource()->mutable_current()->set_averageutilization(
        from.status().currentcpuutilizationpercentage());
  }
  beta::HorizontalPodAutoscalerStatus status;
  if (DecodeAnnotation(annotations, kCurrentMetrics, "currentMetrics", &status) && status.currentmetrics_size() > 0) {
    to->mutable_status()->clear_currentmetrics();
    for (const auto& metric : status.currentmetrics()) CurrentToV2(metric, to->mutable_status()->add_currentmetrics());
  }
  v2::HorizontalPodAutoscalerStatus conditions;
  if (DecodeAnnotation(annotations, kConditions, "conditions", &conditions)) {
    *to->mutable_status()->mutable_conditions() = conditions.conditions();
  }
  return Status();
}

Status AutoscalerV2ToV2beta1(const Message& message, Message* out) {
  const auto& from = static_cast<const v2::HorizontalPodAutoscaler&>(message);
  auto* to = static_cast<beta::HorizontalPodAutoscaler*>(out);
  if (from.has_metadata()) *to->mutable_metadata() = from.metadata();
  Annotations* annotations = to->mutable_metadata()->mutable_annotations();
  DropAnnotations(annotations);
  CopyBounds(from.spec(), to->mutable_spec());
  CopyCounts(from.status(), to->mutable_status());
  for (const auto& metric : from.spec().metrics()) MetricToBeta(metric, to->mutable_spec()->add_metrics());
  for (const auto& metric : from.status().currentmetrics()) {
    CurrentToBeta(metric, to->mutable_status()->add_currentmetrics());
  }
  for (const auto& condition : from.status().conditions()) {
    if (!CopyByWire(condition, to->mutable_status()->add_conditions())) return Malformed();
  }
  if (from.spec().has_behavior()) (*annotations)[kBehavior] = codec::EncodeJson(from.spec().behavior());
  return Status();
}

Status AutoscalerV2beta1ToV2(const Message& message, Message* out) {
  const auto& from = static_cast<const beta::HorizontalPodAutoscaler&>(message);
  auto* to = static_cast<v2::HorizontalPodAutoscaler*>(out);
  if (from.has_metadata()) *to->mutable_metadata() = from.metadata();
  DropAnnotations(to->mutable_metadata()->mutable_annotations());
  CopyBounds(from.spec(), to->mutable_spec());
  CopyCounts(from.status(), to->mutable_status());
  for (const auto& metric : from.spec().metrics()) MetricToV2(metric, to->mutable_spec()->add_metrics());
  for (const auto& metric : from.status().currentmetrics()) {
    CurrentToV2(metric, to->mutable_status()->add_currentmetrics());
  }
  for (const auto& condition : from.status().conditions()) {
    if (!CopyByWire(condition, to->mutable_status()->add_conditions())) return Malformed();
  }
  BehaviorFromAnnotation(from, to->mutable_spec());
  return Status();
}

Status AutoscalerV2beta2AndV2(const Message& from, Message* to) {
  if (!CopyByWire(from, to)) return Malformed();
  const auto* field = to->GetDescriptor()->FindFieldByName("metadata");
  KNARR_CHECK(field != nullptr);
  auto* metadata = static_cast<meta::ObjectMeta*>(to->GetReflection()->MutableMessage(to, field));
  DropAnnotations(metadata->mutable_annotations());
  return Status();
}

}  // namespace knarr::conversion
