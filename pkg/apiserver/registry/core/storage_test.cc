// PersistentVolumes, claims, ReplicationControllers, PodTemplates, LimitRanges, ResourceQuotas.
#include "k8s.io/api/autoscaling/v1/generated.pb.h"
#include "pkg/apiserver/registry/core/test_objects.h"

namespace knarr::registry::testing {
namespace {

BOOST_AUTO_TEST_SUITE(core_storage_and_controllers)

std::string Volume(const std::string& rest, const std::string& source = R"(hostPath { path: "/data" })") {
  return R"(metadata { name: "v" resourceVersion: "1" } spec { accessModes: "ReadWriteOnce"
              capacity { key: "storage" value { string: "1Gi" } } persistentVolumeSource { )" +
         source + " } " + rest + "}";
}

BOOST_AUTO_TEST_CASE(volumes) {
  BOOST_TEST(CreateErrors("persistentvolumes", Volume("")) == "");
  BOOST_TEST(CreateErrors("persistentvolumes", "spec { }") ==
             "spec.accessModes: Required value\n"
             "spec.capacity: Required value\n"
             "spec.capacity: Unsupported value: core.ResourceList{}: supported values: \"storage\"\n"
             "spec: Required value: must specify a volume type");
  BOOST_TEST(CreateErrors("persistentvolumes", Volume("", R"(hostPath { path: "/data" } nfs { })")) ==
             "spec.nfs: Forbidden: may not specify more than 1 volume type");
  BOOST_TEST(CreateErrors("persistentvolumes", Volume("", R"(local { path: "/mnt/a" })")) ==
             "metadata.annotations: Required value: Local volume requires node affinity");
  BOOST_TEST(CreateErrors("persistentvolumes",
                          Volume(R"(persistentVolumeReclaimPolicy: "Recycle")", R"(hostPath { path: "/a/.." })")) ==
             "spec.hostPath.path: Invalid value: \"/a/..\": must not contain '..'\n"
             "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'");
  BOOST_TEST(CreateErrors("persistentvolumes", Volume("nodeAffinity { }", R"(csi { driver: "d.io" nodeStageSecretRef { }
                                                       controllerPublishSecretRef { name: "s" } })")) ==
             "spec.nodeAffinity.required: Required value: must specify required node constraints\n"
             "spec.csi.volumeHandle: Required value\n"
             "spec.csi.controllerPublishSecretRef.namespace: Required value");
}

BOOST_AUTO_TEST_CASE(changes_of_volumes) {
  BOOST_TEST(UpdateErrors("persistentvolumes", "", Volume(R"(persistentVolumeReclaimPolicy: "Delete")"), Volume("")) ==
             "");
  BOOST_TEST(UpdateErrors("persistentvolumes", "", Volume("", R"(hostPath { path: "/other" })"), Volume("")) ==
             "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n"
             "-   path: /data\n+   path: /other\n");
  BOOST_TEST(UpdateErrors("persistentvolumes", "", Volume(R"(volumeMode: "Block")"), Volume("")) ==
             "volumeMode: Invalid value: \"Block\": field is immutable");
}

BOOST_AUTO_TEST_CASE(status_and_spec_of_volumes_are_apart) {
  const Object old = Created("persistentvolumes", Volume("", R"(hostPath { path: "/data" })"));
  const auto& status = old.As<core::PersistentVolume>().status();
  BOOST_TEST(status.phase() == "Pending");
  BOOST_TEST(status.has_lastphasetransitiontime());
  const Object changed = Updated("persistentvolumes", "status", R"(status { phase: "Bound" })", old);
  BOOST_TEST(changed.As<core::PersistentVolume>().status().phase() == "Bound");
  BOOST_TEST(changed.As<core::PersistentVolume>().spec().accessmodes_size() == 1);
  BOOST_TEST(changed.As<core::PersistentVolume>().status().lastphasetransitiontime().seconds() > 0);
}

BOOST_AUTO_TEST_CASE(rows_of_volumes) {
  BOOST_TEST(
      Row("persistentvolumes", R"(metadata { name: "v" } spec { capacity { key: "storage" value { string: "1Gi" } }
      accessModes: "ReadWriteMany" accessModes: "ReadWriteOnce" claimRef { namespace: "ns" name: "c" }
      storageClassName: "fast" } status { phase: "Bound" })") ==
      "v | 1Gi | RWO,RWX | Retain | Bound | ns/c | fast | <unset> |  | <unknown> | Filesystem");
  BOOST_TEST(Row("persistentvolumeclaims", R"(metadata { name: "c" } spec { volumeName: "v" volumeMode: "Block" }
      status { phase: "Bound" capacity { key: "storage" value { string: "1Gi" } } accessModes: "ReadWriteOncePod" })") ==
             "c | Bound | v | 1Gi | RWOP |  | <unset> | <unknown> | Block");
  BOOST_TEST(Row("persistentvolumeclaims", R"(metadata { name: "c" deletionTimestamp { seconds: 1 } })") ==
             "c | Terminating |  |  |  |  | <unset> | <unknown> | Filesystem");
}

std::string Claim(const std::string& size, const std::string& spec = "", const std::string& status = "") {
  return R"(metadata { name: "c" namespace: "ns" resourceVersion: "1" } spec { accessModes: "ReadWriteOnce"
              resources { requests { key: "storage" value { string: ")" +
         size + "\" } } } " + spec + " } status { " + status + " }";
}

BOOST_AUTO_TEST_CASE(claims) {
  BOOST_TEST(CreateErrors("persistentvolumeclaims", Claim("1Gi")) == "");
  BOOST_TEST(CreateErrors("persistentvolumeclaims", "spec { }") ==
             "spec.accessModes: Required value: at least 1 access mode is required\n"
             "spec.resources[storage]: Required value");
  const Object claim =
      Created("persistentvolumeclaims", Claim("1Gi", R"(dataSource { kind: "PersistentVolumeClaim" name: "x" }
                                               volumeAttributesClassName: "gold")",
                                              "phase: \"Bound\""));
  BOOST_TEST(claim.As<core::PersistentVolumeClaim>().status().phase() == "Pending");
  BOOST_TEST(claim.As<core::PersistentVolumeClaim>().spec().datasourceref().name() == "x");
  BOOST_TEST(!claim.As<core::PersistentVolumeClaim>().spec().has_volumeattributesclassname());
}

BOOST_AUTO_TEST_CASE(status_of_claims) {
  const std::string old = Claim("1Gi");
  BOOST_TEST(UpdateErrors("persistentvolumeclaims", "status",
                          Claim("1Gi", "", R"(allocatedResourceStatuses { key: "storage" value: "NodeResizePending" }
                                              allocatedResources { key: "storage" value { string: "2Gi" } })"),
                          old) == "");
  BOOST_TEST(UpdateErrors("persistentvolumeclaims", "status",
                          Claim("1Gi", "", R"(capacity { key: "storage" value { string: "-1" } }
                                              allocatedResources { key: "cpu" value { string: "2" } })"),
                          old) ==
             "status.capacity[storage]: Invalid value: -1: must be a valid resource quantity\n"
             "status.allocatedResources: Unsupported value: \"cpu\": supported values: \"storage\"");
}

BOOST_AUTO_TEST_CASE(warnings_of_claims) {
  Request request;
  const Object claim = FromText("persistentvolumeclaims", Claim("1500m"));
  const std::vector<std::string> warnings =
      KindOf("persistentvolumeclaims").strategy->Warnings(request.context, claim, nullptr);
  BOOST_REQUIRE(warnings.size() == 1);
  BOOST_TEST(warnings[0] ==
             "spec.resources.requests[storage]: fractional byte value \"1500m\" is invalid, must be an integer");
}

BOOST_AUTO_TEST_CASE(changes_of_claims) {
  const auto update = [](const std::string& updated, const std::string& old) {
    return UpdateErrors("persistentvolumeclaims", "", updated, old);
  };
  const std::string bound = "phase: \"Bound\" capacity { key: \"storage\" value { string: \"1Gi\" } }";
  BOOST_TEST(update(Claim("1Gi", R"(volumeName: "v")"), Claim("1Gi")) == "");
  BOOST_TEST(update(Claim("2Gi", "", bound), Claim("1Gi", "", bound)) == "");
  BOOST_TEST(update(Claim("512Mi", "", bound), Claim("1Gi", "", bound)) ==
             "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity");
  BOOST_TEST(update(Claim("1Gi", R"(storageClassName: "late")"), Claim("1Gi")) == "");
  const std::string errors = update(Claim("2Gi"), Claim("1Gi"));
  BOOST_TEST(
      errors.starts_with("spec: Forbidden: spec is immutable after creation except resources.requests and "
                         "volumeAttributesClassName for bound claims\n"));
  BOOST_TEST(update(Claim("1Gi", R"(volumeName: "w")"), Claim("1Gi", R"(volumeName: "v")")).starts_with("spec: "));
}

const char* const kTemplate =
    R"(template { metadata { labels { key: "app" value: "web" } } spec { containers { name: "c" image: "i:1" } } })";

BOOST_AUTO_TEST_CASE(replication_controllers) {
  const Object created =
      Created("replicationcontrollers", std::string("spec { ") + kTemplate + " } status { replicas: 4 }");
  const auto& controller = created.As<core::ReplicationController>();
  BOOST_TEST(controller.metadata().generation() == 1);
  BOOST_TEST(controller.spec().replicas() == 1);
  BOOST_TEST(controller.spec().selector().at("app") == "web");
  BOOST_TEST(controller.metadata().labels().at("app") == "web");
  BOOST_TEST(controller.status().replicas() == 0);
  BOOST_TEST(KindOf("replicationcontrollers").storage_prefix == "/registry/controllers/");
  BOOST_TEST(KindOf("replicationcontrollers").strategy->DefaultOrphan({}));
  BOOST_TEST(CreateErrors("replicationcontrollers", "") ==
             "spec.selector: Required value\nspec.template: Required value");
  BOOST_TEST(CreateErrors("replicationcontrollers",
                          std::string(R"(spec { selector { key: "app" value: "other" } )") + kTemplate + "}") ==
             "spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"web\"}: `selector` does not "
             "match template `labels`");
}

BOOST_AUTO_TEST_CASE(controllers_count_generations_and_scale) {
  const Object old = Created("replicationcontrollers", std::string("spec { replicas: 2 ") + kTemplate + " }");
  const Object same = Updated("replicationcontrollers", "", std::string("spec { replicas: 2 ") + kTemplate + " }", old);
  BOOST_TEST(same.metadata().generation() == 1);
  const Object more = Updated("replicationcontrollers", "", std::string("spec { replicas: 3 ") + kTemplate + " }", old);
  BOOST_TEST(more.metadata().generation() == 2);
  const Object status = Updated("replicationcontrollers", "status", "spec { replicas: 9 } status { replicas: 2 }", old);
  BOOST_TEST(status.As<core::ReplicationController>().spec().replicas() == 2);
  BOOST_TEST(status.As<core::ReplicationController>().status().replicas() == 2);
  BOOST_TEST(UpdateErrors("replicationcontrollers", "status", "status { replicas: 1 readyReplicas: 2 }", "") ==
             "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas");
  const auto view = KindOf("replicationcontrollers").FindSubresource("scale")->view(RequestContext(), old);
  BOOST_REQUIRE(view.ok());
  const auto& scale = static_cast<const ::k8s::io::api::autoscaling::v1::Scale&>(**view);
  BOOST_TEST(scale.spec().replicas() == 2);
  BOOST_TEST(scale.status().selector() == "app=web");
  BOOST_TEST(Row("replicationcontrollers",
                 std::string("metadata { name: \"r\" } spec { ") + kTemplate + " } status { replicas: 1 }") ==
             "r | 1 | 1 | 0 | <unknown> | c | i:1 | app=web");
}

BOOST_AUTO_TEST_CASE(pod_templates) {
  BOOST_TEST(CreateErrors("podtemplates", kTemplate) == "");
  BOOST_TEST(CreateErrors("podtemplates", "") == "template.spec.containers: Required value");
  BOOST_TEST(Row("podtemplates", std::string("metadata { name: \"t\" } ") + kTemplate) == "t | c | i:1 | app=web");
}

BOOST_AUTO_TEST_CASE(limit_ranges) {
  const Object range = Created("limitranges", R"(spec { limits { type: "Container"
      max { key: "cpu" value { string: "2" } } min { key: "memory" value { string: "1Mi" } } } })");
  const core::LimitRangeItem& item = range.As<core::LimitRange>().spec().limits(0);
  BOOST_TEST(item.default_().at("cpu").string() == "2");
  BOOST_TEST(item.defaultrequest().at("cpu").string() == "2");
  BOOST_TEST(item.defaultrequest().at("memory").string() == "1Mi");
  BOOST_TEST(CreateErrors("limitranges", R"(spec { limits { type: "Pod" default { key: "cpu" value { string: "1" } }
      max { key: "cpu" value { string: "1" } } min { key: "cpu" value { string: "2" } } } limits { type: "Pod" } })") ==
             "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'\n"
             "spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than max value 1\n"
             "spec.limits[1].type: Duplicate value: \"Pod\"");
  BOOST_TEST(
      CreateErrors("limitranges", R"(spec { limits { type: "PersistentVolumeClaim" } limits { type: "Thing" } })") ==
      "spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither "
      "was provided\n"
      "spec.limits[1].type: Invalid value: \"Thing\": must be a standard limit type or fully qualified");
  BOOST_TEST(CreateErrors("limitranges", R"(spec { limits { type: "Container"
      maxLimitRequestRatio { key: "cpu" value { string: "3" } } max { key: "cpu" value { string: "2" } }
      min { key: "cpu" value { string: "1" } } } })") ==
             "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"3\": ratio 3 is greater than max/min = "
             "2.000000");
  BOOST_TEST(Row("limitranges", R"(metadata { name: "l" creationTimestamp { seconds: 1700000000 } })") ==
             "l | 2023-11-14T22:13:20Z");
}

BOOST_AUTO_TEST_CASE(resource_quotas) {
  BOOST_TEST(CreateErrors("resourcequotas", R"(spec { hard { key: "pods" value { string: "1500m" } }
      hard { key: "count/jobs.batch" value { string: "2" } } hard { key: "storage" value { string: "1" } }
      hard { key: "foo" value { string: "1" } } })") ==
             "spec.hard[foo]: Invalid value: \"foo\": must be a standard resource type or fully qualified\n"
             "spec.hard[foo]: Invalid value: \"foo\": must be a standard resource for quota\n"
             "spec.hard[pods]: Invalid value: \"1500m\": must be an integer\n"
             "spec.hard[storage]: Invalid value: \"storage\": must be a standard resource for quota");
  BOOST_TEST(CreateErrors("resourcequotas", R"(spec { hard { key: "cpu" value { string: "1" } }
      scopes: "BestEffort" scopes: "NotBestEffort" scopes: "Nope" })") ==
             "spec.scopes: Invalid value: []core.ResourceQuotaScope{\"BestEffort\", \"NotBestEffort\", \"Nope\"}: "
             "unsupported scope applied to resource\n"
             "spec.scopes: Invalid value: []core.ResourceQuotaScope{\"BestEffort\", \"NotBestEffort\", \"Nope\"}: "
             "unsupported scope\n"
             "spec.scopes: Invalid value: []core.ResourceQuotaScope{\"BestEffort\", \"NotBestEffort\", \"Nope\"}: "
             "conflicting scopes");
  BOOST_TEST(CreateErrors("resourcequotas", R"(spec { scopeSelector { matchExpressions {
      scopeName: "PriorityClass" operator: "In" } } })") ==
             "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` "
             "is 'In' or 'NotIn' for scope selector");
  BOOST_TEST(UpdateErrors("resourcequotas", "", "", R"(spec { scopes: "Terminating" })") ==
             "spec.scopes: Invalid value: []core.ResourceQuotaScope{}: field is immutable");
}

BOOST_AUTO_TEST_CASE(status_and_spec_of_quotas_are_apart) {
  const Object old = FromText("resourcequotas", R"(spec { hard { key: "pods" value { string: "1" } } })");
  const Object status =
      Updated("resourcequotas", "status", R"(status { used { key: "pods" value { string: "1" } } })", old);
  BOOST_TEST(status.As<core::ResourceQuota>().spec().hard().at("pods").string() == "1");
  BOOST_TEST(status.As<core::ResourceQuota>().status().used().at("pods").string() == "1");
  const Object spec = Updated("resourcequotas", "", R"(status { used { key: "pods" value { string: "1" } } })", old);
  BOOST_TEST(spec.As<core::ResourceQuota>().status().used().empty());
  BOOST_TEST(Row("resourcequotas", R"(metadata { name: "q" } status {
      hard { key: "pods" value { string: "4" } } hard { key: "limits.cpu" value { string: "2" } }
      hard { key: "cpu" value { string: "1" } } used { key: "pods" value { string: "3" } } })") ==
             "q | <unknown> | cpu: 0/1, pods: 3/4 | limits.cpu: 0/2");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry::testing
