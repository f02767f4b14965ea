// Mirrors: the ShortNames and Categories methods of pkg/registry/*/*/storage/storage.go
#include "pkg/api/scheme/known.h"

namespace knarr::scheme {
namespace {

constexpr std::string_view kAll[] = {"all"};
constexpr std::string_view kConfigMap[] = {"cm"};
constexpr std::string_view kComponentStatus[] = {"cs"};
constexpr std::string_view kEndpoints[] = {"ep"};
constexpr std::string_view kEvent[] = {"ev"};
constexpr std::string_view kLimitRange[] = {"limits"};
constexpr std::string_view kNamespace[] = {"ns"};
constexpr std::string_view kNode[] = {"no"};
constexpr std::string_view kClaim[] = {"pvc"};
constexpr std::string_view kVolume[] = {"pv"};
constexpr std::string_view kPod[] = {"po"};
constexpr std::string_view kController[] = {"rc"};
constexpr std::string_view kQuota[] = {"quota"};
constexpr std::string_view kServiceAccount[] = {"sa"};
constexpr std::string_view kService[] = {"svc"};
constexpr std::string_view kDaemonSet[] = {"ds"};
constexpr std::string_view kDeployment[] = {"deploy"};
constexpr std::string_view kReplicaSet[] = {"rs"};
constexpr std::string_view kStatefulSet[] = {"sts"};
constexpr std::string_view kAutoscaler[] = {"hpa"};
constexpr std::string_view kCronJob[] = {"cj"};
constexpr std::string_view kRequest[] = {"csr"};
constexpr std::string_view kIngress[] = {"ing"};
constexpr std::string_view kNetworkPolicy[] = {"netpol"};
constexpr std::string_view kIPAddress[] = {"ip"};
constexpr std::string_view kBudget[] = {"pdb"};
constexpr std::string_view kPriorityClass[] = {"pc"};
constexpr std::string_view kStorageClass[] = {"sc"};
constexpr std::string_view kAttributesClass[] = {"vac"};

constexpr KnownResource kKnown[] = {
    {"", "componentstatuses", kComponentStatus, {}},
    {"", "configmaps", kConfigMap, {}},
    {"", "endpoints", kEndpoints, {}},
    {"", "events", kEvent, {}},
    {"", "limitranges", kLimitRange, {}},
    {"", "namespaces", kNamespace, {}},
    {"", "nodes", kNode, {}},
    {"", "persistentvolumeclaims", kClaim, {}},
    {"", "persistentvolumes", kVolume, {}},
    {"", "pods", kPod, kAll},
    {"", "replicationcontrollers", kController, kAll},
    {"", "resourcequotas", kQuota, {}},
    {"", "serviceaccounts", kServiceAccount, {}},
    {"", "services", kService, kAll},
    {"apps", "daemonsets", kDaemonSet, kAll},
    {"apps", "deployments", kDeployment, kAll},
    {"apps", "replicasets", kReplicaSet, kAll},
    {"apps", "statefulsets", kStatefulSet, kAll},
    {"autoscaling", "horizontalpodautoscalers", kAutoscaler, kAll},
    {"batch", "cronjobs", kCronJob, kAll},
    {"batch", "jobs", {}, kAll},
    {"certificates.k8s.io", "certificatesigningrequests", kRequest, {}},
    {"events.k8s.io", "events", kEvent, {}},
    {"extensions", "daemonsets", kDaemonSet, kAll},
    {"extensions", "deployments", kDeployment, kAll},
    {"extensions", "ingresses", kIngress, {}},
    {"extensions", "networkpolicies", kNetworkPolicy, {}},
    {"extensions", "replicasets", kReplicaSet, kAll},
    {"networking.k8s.io", "ingresses", kIngress, {}},
    {"networking.k8s.io", "ipaddresses", kIPAddress, {}},
    {"networking.k8s.io", "networkpolicies", kNetworkPolicy, {}},
    {"policy", "poddisruptionbudgets", kBudget, {}},
    {"scheduling.k8s.io", "priorityclasses", kPriorityClass, {}},
    {"storage.k8s.io", "storageclasses", kStorageClass, {}},
    {"storage.k8s.io", "volumeattributesclasses", kAttributesClass, {}},
};

}  // namespace

std::span<const KnownResource> KnownResources() {
  return kKnown;
}

}  // namespace knarr::scheme
