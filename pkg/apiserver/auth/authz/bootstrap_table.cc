#include "pkg/apiserver/auth/authz/bootstrap_table.h"

#include "pkg/base/status.h"

namespace knarr::auth::bootstrap {
namespace {

constexpr std::string_view kNodeRules = R"(
create tokenreviews @authentication.k8s.io
create localsubjectaccessreviews,subjectaccessreviews @authorization.k8s.io
R services
create,get,list,watch nodes
patch,update nodes/status
patch,update nodes
create,patch,update events
R pods
create,delete pods
patch,update pods/status
create pods/eviction
R configmaps,secrets
get persistentvolumeclaims,persistentvolumes
get endpoints
create,get,list,watch certificatesigningrequests @certificates.k8s.io
create,delete,get,patch,update leases @coordination.k8s.io
get volumeattachments @storage.k8s.io
create serviceaccounts/token
get,patch,update persistentvolumeclaims/status
R csidrivers @storage.k8s.io
create,delete,get,patch,update csinodes @storage.k8s.io
R runtimeclasses @node.k8s.io)";

constexpr RoleRow kRoles[] = {
    {.name = "admin", .made_of = "admin"},
    {.name = "cluster-admin", .rules = "* * @*\n* url:*"},
    {.name = "edit", .part_of = "admin", .made_of = "edit"},
    {.name = "system:aggregate-to-admin",
     .rules = R"(
create localsubjectaccessreviews @authorization.k8s.io
create,delete,deletecollection,get,list,patch,update,watch rolebindings,roles @rbac.authorization.k8s.io)",
     .part_of = "admin"},
    {.name = "system:aggregate-to-edit",
     .rules = R"(
R pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy
impersonate serviceaccounts
W pods,pods/attach,pods/exec,pods/portforward,pods/proxy
create pods/eviction
W configmaps,events,persistentvolumeclaims,replicationcontrollers,replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy
create serviceaccounts/token
W daemonsets,deployments,deployments/rollback,deployments/scale,replicasets,replicasets/scale,statefulsets,statefulsets/scale @apps
W horizontalpodautoscalers @autoscaling
W cronjobs,jobs @batch
W daemonsets,deployments,deployments/rollback,deployments/scale,ingresses,networkpolicies,replicasets,replicasets/scale,replicationcontrollers/scale @extensions
W poddisruptionbudgets @policy
W ingresses,networkpolicies @networking.k8s.io
create,delete,deletecollection,get,list,patch,update,watch leases @coordination.k8s.io)",
     .part_of = "edit"},
    {.name = "system:aggregate-to-view",
     .rules = R"(
R configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/status
R bindings,events,limitranges,namespaces/status,pods/log,pods/status,replicationcontrollers/status,resourcequotas,resourcequotas/status
R namespaces
R endpointslices @discovery.k8s.io
R controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,replicasets,replicasets/scale,replicasets/status,statefulsets,statefulsets/scale,statefulsets/status @apps
R horizontalpodautoscalers,horizontalpodautoscalers/status @autoscaling
R cronjobs,cronjobs/status,jobs,jobs/status @batch
R daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,ingresses,ingresses/status,networkpolicies,replicasets,replicasets/scale,replicasets/status,replicationcontrollers/scale @extensions
R poddisruptionbudgets,poddisruptionbudgets/status @policy
R ingresses,ingresses/status,networkpolicies @networking.k8s.io)",
     .part_of = "view"},
    {.name = "system:auth-delegator", .rules = R"(
create tokenreviews @authentication.k8s.io
create subjectaccessreviews @authorization.k8s.io)"},
    {.name = "system:basic-user", .rules = R"(
create selfsubjectaccessreviews,selfsubjectrulesreviews @authorization.k8s.io
create selfsubjectreviews @authentication.k8s.io)"},
    {.name = "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
     .rules = "create certificatesigningrequests/nodeclient @certificates.k8s.io"},
    {.name = "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
     .rules = "create certificatesigningrequests/selfnodeclient @certificates.k8s.io"},
    {.name = "system:certificates.k8s.io:kube-apiserver-client-approver",
     .rules = "approve signers @certificates.k8s.io =kubernetes.io/kube-apiserver-client"},
    {.name = "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver",
     .rules = "approve signers @certificates.k8s.io =kubernetes.io/kube-apiserver-client-kubelet"},
    {.name = "system:certificates.k8s.io:kubelet-serving-approver",
     .rules = "approve signers @certificates.k8s.io =kubernetes.io/kubelet-serving"},
    {.name = "system:certificates.k8s.io:legacy-unknown-approver",
     .rules = "approve signers @certificates.k8s.io =kubernetes.io/legacy-unknown"},
    {.name = "system:discovery",
     .rules = "get /api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,/version/"},
    {.name = "system:heapster", .rules = R"(
R events,namespaces,nodes,pods
R deployments @extensions)"},
    {.name = "system:kube-aggregator", .rules = "R endpoints,services"},
    {.name = "system:kube-controller-manager", .rules = R"(
events
create leases @coordination.k8s.io
get,update leases @coordination.k8s.io =kube-controller-manager
create secrets,serviceaccounts
delete secrets
get configmaps,namespaces,secrets,serviceaccounts
update secrets,serviceaccounts
create tokenreviews @authentication.k8s.io
create subjectaccessreviews @authorization.k8s.io
list,watch * @*
create serviceaccounts/token)"},
    {.name = "system:kube-dns", .rules = "list,watch endpoints,services"},
    {.name = "system:kube-scheduler", .rules = R"(
events
create leases @coordination.k8s.io
get,update leases @coordination.k8s.io =kube-scheduler
R nodes
delete,get,list,watch pods
create bindings,pods/binding
patch,update pods/status
R replicationcontrollers,services
R replicasets @apps,extensions
R statefulsets @apps
R poddisruptionbudgets @policy
R persistentvolumeclaims,persistentvolumes
create tokenreviews @authentication.k8s.io
create subjectaccessreviews @authorization.k8s.io
R csinodes @storage.k8s.io
R namespaces
R csidrivers @storage.k8s.io
R csistoragecapacities @storage.k8s.io)"},
    {.name = "system:kubelet-api-admin", .rules = R"(
R nodes
proxy nodes
* nodes/log,nodes/metrics,nodes/proxy,nodes/stats)"},
    {.name = "system:monitoring",
     .rules = "get /healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*"},
    {.name = "system:node", .rules = kNodeRules},
    {.name = "system:node-bootstrapper",
     .rules = "create,get,list,watch certificatesigningrequests @certificates.k8s.io"},
    {.name = "system:node-problem-detector", .rules = R"(
get nodes
patch nodes/status
events)"},
    {.name = "system:node-proxier", .rules = R"(
list,watch endpoints,services
R nodes
events
list,watch endpointslices @discovery.k8s.io)"},
    {.name = "system:persistent-volume-provisioner", .rules = R"(
create,delete,get,list,watch persistentvolumes
get,list,update,watch persistentvolumeclaims
R storageclasses @storage.k8s.io
watch events
events)"},
    {.name = "system:public-info-viewer", .rules = "get /healthz,/livez,/readyz,/version,/version/"},
    {.name = "system:service-account-issuer-discovery",
     .rules = "get /.well-known/openid-configuration,/openid/v1/jwks"},
    {.name = "system:volume-scheduler", .rules = R"(
get,list,patch,update,watch persistentvolumes
R storageclasses @storage.k8s.io
get,list,patch,update,watch persistentvolumeclaims)"},
    {.name = "view", .part_of = "edit", .made_of = "view"},

    // Controllers, each with a service account of its own.
    {.name = "system:controller:attachdetach-controller",
     .rules = R"(
list,watch persistentvolumeclaims,persistentvolumes
R nodes
patch,update nodes/status
list,watch pods
events
create,delete,get,list,watch volumeattachments @storage.k8s.io
R csidrivers @storage.k8s.io
R csinodes @storage.k8s.io)",
     .controller = "attachdetach-controller"},
    {.name = "system:controller:certificate-controller",
     .rules = R"(
delete,get,list,watch certificatesigningrequests @certificates.k8s.io
update certificatesigningrequests/approval,certificatesigningrequests/status @certificates.k8s.io
approve signers @certificates.k8s.io =kubernetes.io/kube-apiserver-client-kubelet
sign signers @certificates.k8s.io =kubernetes.io/kube-apiserver-client,kubernetes.io/kube-apiserver-client-kubelet,kubernetes.io/kubelet-serving,kubernetes.io/legacy-unknown
create subjectaccessreviews @authorization.k8s.io
events)",
     .controller = "certificate-controller"},
    {.name = "system:controller:clusterrole-aggregation-controller",
     .rules = "escalate,get,list,patch,update,watch clusterroles @rbac.authorization.k8s.io",
     .controller = "clusterrole-aggregation-controller"},
    {.name = "system:controller:cronjob-controller",
     .rules = R"(
get,list,update,watch cronjobs @batch
create,delete,get,list,patch,update,watch jobs @batch
update cronjobs/status @batch
update cronjobs/finalizers @batch
delete,list pods
events)",
     .controller = "cronjob-controller"},
    {.name = "system:controller:daemon-set-controller",
     .rules = R"(
R daemonsets @apps,extensions
update daemonsets/status @apps,extensions
update daemonsets/finalizers @apps,extensions
list,watch nodes
create,delete,list,patch,watch pods
create pods/binding
create,delete,get,list,patch,update,watch controllerrevisions @apps
events)",
     .controller = "daemon-set-controller"},
    {.name = "system:controller:deployment-controller",
     .rules = R"(
get,list,update,watch deployments @apps,extensions
update deployments/status @apps,extensions
update deployments/finalizers @apps,extensions
create,delete,get,list,patch,update,watch replicasets @apps,extensions
get,list,update,watch pods
events)",
     .controller = "deployment-controller"},
    {.name = "system:controller:disruption-controller",
     .rules = R"(
R deployments @apps,extensions
R replicasets @apps,extensions
R replicationcontrollers
R poddisruptionbudgets @policy
R statefulsets @apps
update poddisruptionbudgets/status @policy
patch,update pods/status
get */scale @*
events)",
     .controller = "disruption-controller"},
    {.name = "system:controller:endpoint-controller",
     .rules = R"(
R pods,services
create,delete,get,list,update endpoints
create endpoints/restricted
events)",
     .controller = "endpoint-controller"},
    {.name = "system:controller:endpointslice-controller",
     .rules = R"(
R nodes,pods,services
update services/finalizers
create,delete,get,list,update endpointslices @discovery.k8s.io
events)",
     .controller = "endpointslice-controller"},
    {.name = "system:controller:endpointslicemirroring-controller",
     .rules = R"(
R endpoints,services
update services/finalizers
update endpoints/finalizers
create,delete,get,list,update endpointslices @discovery.k8s.io
events)",
     .controller = "endpointslicemirroring-controller"},
    {.name = "system:controller:ephemeral-volume-controller",
     .rules = R"(
R pods
update pods/finalizers
create,get,list,watch persistentvolumeclaims
events)",
     .controller = "ephemeral-volume-controller"},
    {.name = "system:controller:expand-controller",
     .rules = R"(
get,list,patch,update,watch persistentvolumes
patch,update persistentvolumeclaims/status
R persistentvolumeclaims
events
get services)",
     .controller = "expand-controller"},
    {.name = "system:controller:generic-garbage-collector",
     .rules = R"(
delete,get,list,patch,update,watch * @*
events)",
     .controller = "generic-garbage-collector"},
    {.name = "system:controller:horizontal-pod-autoscaler",
     .rules = R"(
R horizontalpodautoscalers @autoscaling
update horizontalpodautoscalers/status @autoscaling
get,update */scale @*
list pods
list pods @metrics.k8s.io
get,list * @custom.metrics.k8s.io
get,list * @external.metrics.k8s.io
events)",
     .controller = "horizontal-pod-autoscaler"},
    {.name = "system:controller:job-controller",
     .rules = R"(
get,list,patch,update,watch jobs @batch
update jobs/status @batch
update jobs/finalizers @batch
create,delete,list,patch,watch pods
events)",
     .controller = "job-controller"},
    {.name = "system:controller:legacy-service-account-token-cleaner",
     .rules = R"(
get configmaps =kube-apiserver-legacy-service-account-token-tracking
delete,patch secrets)",
     .controller = "legacy-service-account-token-cleaner"},
    {.name = "system:controller:namespace-controller",
     .rules = R"(
delete,get,list,watch namespaces
update namespaces/finalize,namespaces/status
delete,deletecollection,get,list * @*)",
     .controller = "namespace-controller"},
    {.name = "system:controller:node-controller",
     .rules = R"(
delete,get,list,patch,update nodes
patch,update nodes/status
patch,update pods/status
delete,get,list pods
events)",
     .controller = "node-controller"},
    {.name = "system:controller:persistent-volume-binder",
     .rules = R"(
create,delete,get,list,update,watch persistentvolumes
update persistentvolumes/status
get,list,update,watch persistentvolumeclaims
update persistentvolumeclaims/status
create,delete,get,list,watch pods
R storageclasses @storage.k8s.io
list,watch nodes
events
watch events
get services)",
     .controller = "persistent-volume-binder"},
    {.name = "system:controller:pod-garbage-collector",
     .rules = R"(
delete,list,watch pods
get,list nodes
patch pods/status)",
     .controller = "pod-garbage-collector"},
    {.name = "system:controller:pv-protection-controller",
     .rules = R"(
get,list,update,watch persistentvolumes
events)",
     .controller = "pv-protection-controller"},
    {.name = "system:controller:pvc-protection-controller",
     .rules = R"(
get,list,update,watch persistentvolumeclaims
R pods
events)",
     .controller = "pvc-protection-controller"},
    {.name = "system:controller:replicaset-controller",
     .rules = R"(
get,list,update,watch replicasets @apps,extensions
update replicasets/status @apps,extensions
update replicasets/finalizers @apps,extensions
create,delete,list,patch,watch pods
events)",
     .controller = "replicaset-controller"},
    {.name = "system:controller:replication-controller",
     .rules = R"(
get,list,update,watch replicationcontrollers
update replicationcontrollers/status
update replicationcontrollers/finalizers
create,delete,list,patch,watch pods
events)",
     .controller = "replication-controller"},
    {.name = "system:controller:resourcequota-controller",
     .rules = R"(
list,watch * @*
update resourcequotas/status
events)",
     .controller = "resourcequota-controller"},
    {.name = "system:controller:root-ca-cert-publisher",
     .rules = R"(
create,update configmaps
events)",
     .controller = "root-ca-cert-publisher"},
    {.name = "system:controller:route-controller",
     .rules = R"(
list,watch nodes
patch nodes/status
events)",
     .controller = "route-controller"},
    {.name = "system:controller:service-account-controller",
     .rules = R"(
create serviceaccounts
events)",
     .controller = "service-account-controller"},
    {.name = "system:controller:service-controller",
     .rules = R"(
R services
patch,update services/status
list,watch nodes
events)",
     .controller = "service-controller"},
    {.name = "system:controller:statefulset-controller",
     .rules = R"(
list,watch pods
R statefulsets @apps
update statefulsets/status @apps
update statefulsets/finalizers @apps
create,delete,get,patch,update pods
create,delete,get,list,patch,update,watch controllerrevisions @apps
create,get,list,watch persistentvolumeclaims
events
delete,update persistentvolumeclaims
update pods/finalizers)",
     .controller = "statefulset-controller"},
    {.name = "system:controller:ttl-after-finished-controller",
     .rules = R"(
delete,get,list,watch jobs @batch
events)",
     .controller = "ttl-after-finished-controller"},
    {.name = "system:controller:ttl-controller",
     .rules = R"(
list,patch,update,watch nodes
events)",
     .controller = "ttl-controller"},
    {.name = "system:controller:validatingadmissionpolicy-status-controller",
     .rules = R"(
R validatingadmissionpolicies @admissionregistration.k8s.io
get,patch,update validatingadmissionpolicies/status @admissionregistration.k8s.io
events)",
     .controller = "validatingadmissionpolicy-status-controller"},

    // Of namespaces.
    {.ns = "kube-public",
     .name = "system:controller:bootstrap-signer",
     .rules = R"(
R configmaps
update configmaps =cluster-info
events)",
     .controller = "bootstrap-signer"},
    {.ns = "kube-system",
     .name = "extension-apiserver-authentication-reader",
     .rules = "R configmaps =extension-apiserver-authentication"},
    {.ns = "kube-system", .name = "system::leader-locking-kube-controller-manager", .rules = R"(
watch configmaps
get,update configmaps =kube-controller-manager)"},
    {.ns = "kube-system", .name = "system::leader-locking-kube-scheduler", .rules = R"(
watch configmaps
get,update configmaps =kube-scheduler)"},
    {.ns = "kube-system",
     .name = "system:controller:bootstrap-signer",
     .rules = "R secrets",
     .controller = "bootstrap-signer"},
    {.ns = "kube-system",
     .name = "system:controller:cloud-provider",
     .rules = "create,get,list,watch configmaps",
     .controller = "cloud-provider"},
    {.ns = "kube-system",
     .name = "system:controller:token-cleaner",
     .rules = R"(
delete,get,list,watch secrets
events)",
     .controller = "token-cleaner"},
};

constexpr BindingRow kBindings[] = {
    {"", "cluster-admin", "cluster-admin", "group:system:masters"},
    {"", "system:basic-user", "system:basic-user", "group:system:authenticated"},
    {"", "system:discovery", "system:discovery", "group:system:authenticated"},
    {"", "system:kube-controller-manager", "system:kube-controller-manager", "user:system:kube-controller-manager"},
    {"", "system:kube-dns", "system:kube-dns", "account:kube-system/kube-dns"},
    {"", "system:kube-scheduler", "system:kube-scheduler", "user:system:kube-scheduler"},
    {"", "system:monitoring", "system:monitoring", "group:system:monitoring"},
    {"", "system:node", "system:node", ""},
    {"", "system:node-proxier", "system:node-proxier", "user:system:kube-proxy"},
    {"", "system:public-info-viewer", "system:public-info-viewer",
     "group:system:authenticated group:system:unauthenticated"},
    {"", "system:service-account-issuer-discovery", "system:service-account-issuer-discovery",
     "group:system:serviceaccounts"},
    {"", "system:volume-scheduler", "system:volume-scheduler", "user:system:kube-scheduler"},
    {"kube-system", "system::extension-apiserver-authentication-reader", "extension-apiserver-authentication-reader",
     "user:system:kube-controller-manager user:system:kube-scheduler"},
    {"kube-system", "system::leader-locking-kube-controller-manager", "system::leader-locking-kube-controller-manager",
     "user:system:kube-controller-manager account:kube-system/kube-controller-manager"},
    {"kube-system", "system::leader-locking-kube-scheduler", "system::leader-locking-kube-scheduler",
     "user:system:kube-scheduler account:kube-system/kube-scheduler"},
};

rbac::Texts Split(std::string_view text, char separator) {
  rbac::Texts out;
  while (!text.empty()) {
    const size_t end = text.find(separator);
    if (end != 0) out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return out;
}

rbac::Rule ParseRule(std::string_view line) {
  if (line == "events")
    return {.verbs = {"create", "patch", "update"}, .api_groups = {"", "events.k8s.io"}, .resources = {"events"}};
  const rbac::Texts parts = Split(line, ' ');
  KNARR_CHECK(parts.size() >= 2 && parts.size() <= 4);
  rbac::Rule rule;
  if (parts[0] == "R") {
    rule.verbs = {"get", "list", "watch"};
  } else if (parts[0] == "W") {
    rule.verbs = {"create", "delete", "deletecollection", "patch", "update"};
  } else {
    rule.verbs = Split(parts[0], ',');
  }
  if (parts[1].starts_with("url:")) {
    rule.urls = {parts[1].substr(4)};
    return rule;
  }
  if (parts[1].starts_with('/')) {
    rule.urls = Split(parts[1], ',');
    return rule;
  }
  rule.resources = Split(parts[1], ',');
  for (const std::string_view part : rbac::Texts(parts.begin() + 2, parts.end())) {
    KNARR_CHECK(part.front() == '@' || part.front() == '=');
    (part.front() == '@' ? rule.api_groups : rule.resource_names) = Split(part.substr(1), ',');
  }
  if (rule.api_groups.empty()) rule.api_groups = {""};
  return rule;
}

}  // namespace

std::span<const RoleRow> Roles() {
  return kRoles;
}

std::span<const BindingRow> Bindings() {
  return kBindings;
}

std::vector<rbac::Rule> ParseRules(std::string_view text) {
  std::vector<rbac::Rule> rules;
  for (const std::string_view line : Split(text, '\n')) rules.push_back(ParseRule(line));
  return rules;
}

std::vector<rbac::Rule> NodeRules() {
  return ParseRules(kNodeRules);
}

}  // namespace knarr::auth::bootstrap
