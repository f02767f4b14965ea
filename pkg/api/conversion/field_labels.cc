// Mirrors: AddFieldLabelConversionFunc calls in pkg/apis/*/*/conversion.go, DefaultMetaV1FieldSelectorConversion
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "pkg/api/conversion/conversion.h"
#include "pkg/api/field/quote.h"

namespace knarr::conversion {
namespace {

constexpr std::string_view kPod[] = {
    "metadata.name",      "metadata.namespace",      "spec.nodeName",           "spec.restartPolicy",
    "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",        "status.phase",
    "status.podIP",       "status.podIPs",           "status.nominatedNodeName"};
constexpr std::string_view kNode[] = {"metadata.name", "spec.unschedulable"};
constexpr std::string_view kReplicationController[] = {"metadata.name", "metadata.namespace", "status.replicas"};
constexpr std::string_view kEvent[] = {"involvedObject.kind",
                                       "involvedObject.namespace",
                                       "involvedObject.name",
                                       "involvedObject.uid",
                                       "involvedObject.apiVersion",
                                       "involvedObject.resourceVersion",
                                       "involvedObject.fieldPath",
                                       "reason",
                                       "reportingComponent",
                                       "source",
                                       "type",
                                       "metadata.namespace",
                                       "metadata.name"};
constexpr std::string_view kNamespace[] = {"status.phase", "metadata.name"};
constexpr std::string_view kSecret[] = {"type", "metadata.namespace", "metadata.name"};
constexpr std::string_view kService[] = {"metadata.namespace", "metadata.name", "spec.clusterIP", "spec.type"};
constexpr std::string_view kStatefulSet[] = {"metadata.name", "metadata.namespace", "status.successful"};
constexpr std::string_view kJob[] = {"metadata.name", "metadata.namespace", "status.successful"};
constexpr std::string_view kSigningRequest[] = {"metadata.name", "spec.signerName"};

struct Labels {
  std::string_view group;
  std::string_view kind;
  std::span<const std::string_view> known;
  std::string_view refusal;  // {} is the label
};

constexpr Labels kLabels[] = {
    {"", "Pod", kPod, "field label not supported: {}"},
    {"", "Node", kNode, "field label not supported: {}"},
    {"", "ReplicationController", kReplicationController, "field label not supported: {}"},
    {"", "Event", kEvent, "field label not supported: {}"},
    {"", "Namespace", kNamespace, "field label not supported: {}"},
    {"", "Secret", kSecret, "field label not supported: {}"},
    {"", "Service", kService, "field label not supported: {}"},
    {"apps", "StatefulSet", kStatefulSet, "field label not supported for appsv1.StatefulSet: {}"},
    {"certificates.k8s.io", "CertificateSigningRequest", kSigningRequest, "field label not supported: {}"},
};

// events.k8s.io names the same things by other words; the hub's are core's.
struct Renamed {
  std::string_view from, to;
};
constexpr Renamed kEventsGroup[] = {
    {"reason", "reason"},
    {"regarding.kind", "involvedObject.kind"},
    {"regarding.namespace", "involvedObject.namespace"},
    {"regarding.name", "involvedObject.name"},
    {"regarding.uid", "involvedObject.uid"},
    {"regarding.apiVersion", "involvedObject.apiVersion"},
    {"regarding.resourceVersion", "involvedObject.resourceVersion"},
    {"regarding.fieldPath", "involvedObject.fieldPath"},
    {"reportingController", "reportingComponent"},
    {"type", "type"},
    {"metadata.namespace", "metadata.namespace"},
    {"metadata.name", "metadata.name"},
};

std::string_view Group(std::string_view api_version) {
  const size_t slash = api_version.find('/');
  return slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
}

}  // namespace

Result<std::string> ConvertFieldLabel(std::string_view kind, std::string_view api_version, std::string_view field) {
  const std::string_view group = Group(api_version);
  if (group == "events.k8s.io" && kind == "Event") {
    for (const Renamed& renamed : kEventsGroup) {
      if (renamed.from == field) return std::string(renamed.to);
    }
    return Status(Code::kBadRequest, fmt::format("field label not supported: {}", field));
  }
  if (group == "batch" && kind == "Job") {
    if (std::find(std::begin(kJob), std::end(kJob), field) != std::end(kJob)) return std::string(field);
    return Status(Code::kBadRequest, fmt::format("field label {} not supported for Job", field::Quote(field)));
  }
  for (const Labels& labels : kLabels) {
    if (labels.group != group || labels.kind != kind) continue;
    // Of the days before nodeName.
    if (kind == "Pod" && field == "spec.host") return std::string("spec.nodeName");
    if (std::find(labels.known.begin(), labels.known.end(), field) != labels.known.end()) return std::string(field);
    return Status(Code::kBadRequest, fmt::format(fmt::runtime(labels.refusal), field));
  }
  if (field == "metadata.name" || field == "metadata.namespace") return std::string(field);
  return Status(Code::kBadRequest,
                fmt::format("{} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
                            field::Quote(field)));
}

}  // namespace knarr::conversion
