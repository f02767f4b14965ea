#include "pkg/api/core/validation/test_pods.h"

namespace knarr::api::testing {
namespace {

BOOST_AUTO_TEST_SUITE(volume_validation)

BOOST_AUTO_TEST_CASE(names_are_unique_labels) {
  const auto check = [](const std::string& text) { return SpecErrors(text); };
  RunCases(check, {
      {R"(volumes { name: "a" } volumes { name: "b" })", ""},
      {"volumes {}", "spec.volumes[0].name: Required value"},
      {R"(volumes { name: "a.b" })", "spec.volumes[0].name: Invalid value: \"a.b\": must not contain dots"},
      {R"(volumes { name: "a" } volumes { name: "a" })", "spec.volumes[1].name: Duplicate value: \"a\""},
  });
}

BOOST_AUTO_TEST_CASE(sources_on_the_node) {
  RunCases(VolumeErrors, {
      {"emptyDir { sizeLimit { string: \"1Gi\" } }", ""},
      {"emptyDir { sizeLimit { string: \"-1\" } }",
       "spec.volumes[0].emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity"},
      {"hostPath { path: \"/a\" type: \"DirectoryOrCreate\" }", ""},
      {"hostPath { path: \"/a..b/...\" }", ""},
      {"hostPath {}", "spec.volumes[0].hostPath.path: Required value"},
      {"hostPath { path: \"/a/../b\" }",
       "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"},
      {"hostPath { path: \"/a\" type: \"Dir\" }",
       "spec.volumes[0].hostPath.type: Unsupported value: \"Dir\": supported values: \"\", \"BlockDevice\", \"CharDevice\", "
       "\"Directory\", \"DirectoryOrCreate\", \"File\", \"FileOrCreate\", \"Socket\""},
      {"configMap { localObjectReference { name: \"m\" } items { key: \"a\" path: \"b/c\" mode: 256 } }", ""},
      {"configMap { defaultMode: 512 items {} items { key: \"k\" path: \"/abs\" mode: -1 } items { key: \"k\" path: \"..data\" } }",
       "spec.volumes[0].configMap.name: Required value\n"
       "spec.volumes[0].configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive\n"
       "spec.volumes[0].configMap.items[0].key: Required value\n"
       "spec.volumes[0].configMap.items[0].path: Required value\n"
       "spec.volumes[0].configMap.items[1].path: Invalid value: \"/abs\": must be a relative path\n"
       "spec.volumes[0].configMap.items[1].mode: Invalid value: -1: must be a number between 0 and 0777 (octal), both inclusive\n"
       "spec.volumes[0].configMap.items[2].path: Invalid value: \"..data\": must not start with '..'"},
      {"secret {}", "spec.volumes[0].secret.secretName: Required value"},
      {"downwardAPI { items { path: \"a\" fieldRef { fieldPath: \"metadata.labels\" } } items { path: \"b\" fieldRef { fieldPath: \"metadata.labels['x']\" } } "
       "items { path: \"c\" resourceFieldRef { containerName: \"c\" resource: \"limits.cpu\" } } }", ""},
      {"downwardAPI { items { path: \"a\" fieldRef { fieldPath: \"status.podIP\" } } items { path: \"\" } "
       "items { path: \"c\" resourceFieldRef { resource: \"limits.cpu\" } } }",
       "spec.volumes[0].downwardAPI.fieldRef.fieldPath: Unsupported value: \"status.podIP\": supported values: "
       "\"metadata.annotations\", \"metadata.labels\", \"metadata.name\", \"metadata.namespace\", \"metadata.uid\"\n"
       "spec.volumes[0].downwardAPI.path: Required value\n"
       "spec.volumes[0].downwardAPI: Required value: one of fieldRef and resourceFieldRef is required\n"
       "spec.volumes[0].downwardAPI.resourceFieldRef.containerName: Required value"},
      {"image { reference: \"x\" }", ""},
      {"image {}", "spec.volumes[0].image.reference: Required value"},
      {"image { reference: \"x\" pullPolicy: \"y\" }",
       "spec.volumes[0].image.pullPolicy: Unsupported value: \"y\": supported values: \"Always\", \"IfNotPresent\", \"Never\""},
  });
}

BOOST_AUTO_TEST_CASE(only_one_source_a_volume) {
  RunCases(VolumeErrors, {
      {"emptyDir {} hostPath { path: \"/x\" }",
       "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"},
      {"secret { secretName: \"s\" } gitRepo { repository: \"r\" }",
       "spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type"},
      {"hostPath { path: \"/x\" } downwardAPI {} cephfs {} gcePersistentDisk {}",
       "spec.volumes[0].gcePersistentDisk: Forbidden: may not specify more than 1 volume type\n"
       "spec.volumes[0].cephFS: Forbidden: may not specify more than 1 volume type\n"
       "spec.volumes[0].downwarAPI: Forbidden: may not specify more than 1 volume type"},
  });
}

BOOST_AUTO_TEST_CASE(projected_sources) {
  const std::string path = "spec.volumes[0].projected";
  RunCases(VolumeErrors, {
      {"projected { sources { configMap { localObjectReference { name: \"a\" } items { key: \"k\" path: \"p\" } } } "
       "sources { secret { localObjectReference { name: \"b\" } items { key: \"k\" path: \"q\" } } } "
       "sources { downwardAPI { items { path: \"r\" fieldRef { fieldPath: \"metadata.name\" } } } } }", ""},
      {"projected { sources { configMap { localObjectReference { name: \"a\" } items { key: \"k\" path: \"p\" } } } "
       "sources { secret { localObjectReference { name: \"b\" } items { key: \"k\" path: \"p\" } } } }",
       path + ": Invalid value: \"b\": conflicting duplicate paths"},
      {"projected { sources { configMap {} secret { localObjectReference { name: \"b\" } } } }",
       path + ".sources[0].configMap.name: Required value\n" +
       path + ".sources[0]: Forbidden: may not specify more than 1 volume type per source"},
      {"projected { defaultMode: 1000 sources { serviceAccountToken { expirationSeconds: 1 } } }",
       path + ".defaultMode: Invalid value: 1000: must be a number between 0 and 0777 (octal), both inclusive\n" +
       path + ".sources[0].serviceAccountToken.expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes\n" +
       path + ".path: Required value\n" +
       path + ".sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set"},
      {"projected { sources { clusterTrustBundle { signerName: \"a.b/c\" labelSelector {} path: \"x\" } } "
       "sources { clusterTrustBundle { name: \"a.b:c:d\" path: \"y\" } } }", ""},
      {"projected { sources { clusterTrustBundle { path: \"x\" } } sources { clusterTrustBundle { signerName: \"a/b/c\" path: \"x\" } } }",
       path + ".sources[0].clusterTrustBundle: Required value: either name or signerName must be specified\n" +
       path + ".sources[1].clusterTrustBundle.signerName: Invalid value: \"a/b/c\": must be a fully qualified domain and "
       "path of the form 'example.com/signer-name'\n" + path + ": Invalid value: \"x\": conflicting duplicate paths"},
  });
}

BOOST_AUTO_TEST_CASE(sources_elsewhere) {
  const std::string v = "spec.volumes[0].";
  RunCases(VolumeErrors, {
      {"gitRepo { directory: \"..\" }",
       v + "gitRepo.repository: Required value\n" + v + "gitRepo.directory: Invalid value: \"..\": must not contain '..'"},
      {"gcePersistentDisk { partition: 256 }",
       v + "persistentDisk.pdName: Required value\n" + v + "persistentDisk.partition: Invalid value: 256: must be between 1 and 255, inclusive"},
      {"awsElasticBlockStore {}", v + "awsElasticBlockStore.volumeID: Required value"},
      {"nfs { path: \"x\" }",
       v + "nfs.server: Required value\n" + v + "nfs.path: Invalid value: \"x\": must be an absolute path"},
      {"iscsi { targetPortal: \"127.0.0.1\" iqn: \"iqn.2015-02.example.com:test\" lun: 1 }", ""},
      {"iscsi { iqn: \"eui.0123456789ABCDEF\" lun: 256 chapAuthSession: true initiatorName: \"2015\" }",
       v + "iscsi.targetPortal: Required value\n" + v + "iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive\n" +
       v + "iscsi.secretRef: Required value\n" +
       v + "iscsi.initiatorname: Invalid value: \"2015\": must be valid format starting with iqn, eui, or naa"},
      {"iscsi { targetPortal: \"x\" iqn: \"iqn.2015-02.example.com\" }",
       v + "iscsi.iqn: Invalid value: \"iqn.2015-02.example.com\": must be valid format"},
      {"glusterfs {}", v + "glusterfs.endpoints: Required value\n" + v + "glusterfs.path: Required value"},
      {"flocker { datasetName: \"a/b\" datasetUUID: \"u\" }",
       v + "flocker: Invalid value: \"resource\": datasetName and datasetUUID can not be specified simultaneously\n" +
       v + "flocker.datasetName: Invalid value: \"a/b\": must not contain '/'"},
      {"persistentVolumeClaim {}", v + "persistentVolumeClaim.claimName: Required value"},
      {"rbd {}", v + "rbd.monitors: Required value\n" + v + "rbd.image: Required value"},
      {"cinder { secretRef {} }", v + "cinder.volumeID: Required value\n" + v + "cinder.secretRef.name: Required value"},
      {"cephfs {}", v + "cephfs.monitors: Required value"},
      {"quobyte { registry: \"a:1,[::1]:2\" volume: \"v\" }", ""},
      {"quobyte { registry: \"a\" }",
       v + "quobyte.registry: Invalid value: \"a\": must be a host:port pair or multiple pairs separated by commas\n" +
       v + "quobyte.volume: Required value"},
      {"fc {}", v + "fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both"},
      {"fc { targetWWNs: \"a\" wwids: \"b\" }",
       v + "fc.targetWWNs: Invalid value: []string{\"a\"}: targetWWNs and wwids can not be specified simultaneously\n" +
       v + "fc.lun: Required value: lun is required if targetWWNs is specified"},
      {"flexVolume { options { key: \"x.k8s.io/y\" value: \"\" } }",
       v + "flexVolume.driver: Required value\n" +
       v + "flexVolume.options[x.k8s.io/y]: Invalid value: \"x.k8s.io/y\": kubernetes.io and k8s.io namespaces are reserved"},
      {"azureFile {}", v + "azureFile.secretName: Required value\n" + v + "azureFile.shareName: Required value"},
      {"azureDisk { diskName: \"d\" diskURI: \"x\" kind: \"Managed\" cachingMode: \"c\" }",
       v + "azureDisk.cachingMode: Unsupported value: \"c\": supported values: \"None\", \"ReadOnly\", \"ReadWrite\"\n" +
       v + "azureDisk.diskURI: Unsupported value: \"x\": supported values: \"/subscriptions/{sub-id}/resourcegroups/"
       "{group-name}/providers/microsoft.compute/disks/{disk-id}\""},
      {"vsphereVolume {}", v + "vsphereVolume.volumePath: Required value"},
      {"photonPersistentDisk {}", v + "photonPersistentDisk.pdID: Required value"},
      {"portworxVolume {}", v + "portworxVolume.volumeID: Required value"},
      {"scaleIO { gateway: \"g\" system: \"s\" }", v + "scaleIO.volumeName: Required value"},
      {"storageos { secretRef {} volumeNamespace: \"a.b\" }",
       v + "storageos.volumeName: Required value\n" + v + "storageos.volumeNamespace: Invalid value: \"a.b\": must not contain dots\n" +
       v + "storageos.secretRef.name: Required value"},
      {"csi { driver: \"Example.Com\" nodePublishSecretRef {} }", v + "csi.nodePublishSecretRef.name: Required value"},
  });
}

BOOST_AUTO_TEST_CASE(ephemeral_claims) {
  const std::string path = "spec.volumes[0].ephemeral.volumeClaimTemplate";
  const std::string good = R"(accessModes: "ReadWriteOnce" resources { requests { key: "storage" value { string: "1Gi" } } })";
  RunCases(VolumeErrors, {
      {"ephemeral { volumeClaimTemplate { spec { " + good + " } } }", ""},
      {"ephemeral {}", path + ": Required value"},
      {"ephemeral { volumeClaimTemplate { metadata { name: \"x\" } spec {} } }",
       path + ".metadata.name: Forbidden: cannot be set\n" +
       path + ".spec.accessModes: Required value: at least 1 access mode is required\n" +
       path + ".spec.resources[storage]: Required value"},
      {"ephemeral { volumeClaimTemplate { spec { " + good + R"( accessModes: "ReadWriteOncePod" accessModes: "x" volumeMode: "y" dataSource { kind: "z" name: "n" } } } })",
       path + ".spec.accessModes: Unsupported value: \"x\": supported values: \"ReadOnlyMany\", \"ReadWriteMany\", "
       "\"ReadWriteOnce\", \"ReadWriteOncePod\"\n" +
       path + ".spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes\n" +
       path + ".spec.volumeMode: Unsupported value: \"y\": supported values: \"Block\", \"Filesystem\"\n" +
       path + ".spec.dataSource: Invalid value: \"z\": must be 'PersistentVolumeClaim' when referencing the default apiGroup"},
      {R"(ephemeral { volumeClaimTemplate { spec { accessModes: "ReadWriteMany" resources { requests { key: "storage" value { string: "0" } } } } } })",
       path + ".spec.resources[storage]: Invalid value: \"0\": must be greater than zero"},
  });
  BOOST_TEST(SpecErrors(R"(volumes { name: "v" volumeSource { ephemeral { volumeClaimTemplate { spec { )" + good + R"( } } } } }
      volumes { name: "w" volumeSource { persistentVolumeClaim { claimName: "p-v" } } })") ==
             "spec.volumes[1].persistentVolumeClaim.claimName: Invalid value: \"p-v\": must not reference a PVC that gets "
             "created for an ephemeral volume");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::api::testing
