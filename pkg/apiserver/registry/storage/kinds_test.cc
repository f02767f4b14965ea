#include "pkg/apiserver/registry/storage/kinds.h"

#include <boost/test/unit_test.hpp>

#include "k8s.io/api/storage/v1/generated.pb.h"
#include "pkg/api/storage/validation.h"
#include "pkg/apiserver/registry/test_kinds.h"

namespace knarr::registry {
namespace {

BOOST_AUTO_TEST_SUITE(storage_kinds)

BOOST_AUTO_TEST_CASE(storage_classes) {
  TestKinds kinds(StorageKinds({}));
  BOOST_TEST(kinds.CreateErrors("storageclasses", "provisioner: a.example/b") == "");
  BOOST_TEST(
      kinds.CreateErrors("storageclasses",
                         "reclaimPolicy: Recycle\nvolumeBindingMode: Later\nallowedTopologies: "
                         "[{matchLabelExpressions: [{key: z, values: [a, a]}, {key: z}]}]") ==
      "provisioner: Required value\n"
      "reclaimPolicy: Unsupported value: \"Recycle\": supported values: \"Delete\", \"Retain\"\n"
      "volumeBindingMode: Unsupported value: \"Later\": supported values: \"Immediate\", \"WaitForFirstConsumer\"\n"
      "allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: \"a\"\n"
      "allowedTopologies[0].matchLabelExpressions[1].values: Required value\n"
      "allowedTopologies[0].matchLabelExpressions[1].key: Duplicate value: \"z\"");
  BOOST_TEST(kinds.UpdateErrors("storageclasses", "", "provisioner: b\nparameters: {a: b}\nreclaimPolicy: Retain",
                                "provisioner: a") ==
             "parameters: Forbidden: updates to parameters are forbidden.\n"
             "provisioner: Forbidden: updates to provisioner are forbidden.\n"
             "reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.");
  BOOST_TEST(kinds.Row("storageclasses",
                       "metadata: {name: s, annotations: {storageclass.kubernetes.io/is-default-class: 'true'}}\n"
                       "provisioner: p\nallowVolumeExpansion: true") ==
             "s (default) | p | Delete | Immediate | true | <unknown>");
}

BOOST_AUTO_TEST_CASE(volume_attachments) {
  TestKinds kinds(StorageKinds({}));
  constexpr std::string_view kGood =
      "metadata: {name: a}\nspec: {attacher: csi.example, nodeName: n1, source: {persistentVolumeName: pv}}";
  BOOST_TEST(kinds.CreateErrors("volumeattachments", kGood) == "");
  BOOST_TEST(
      kinds.CreateErrors("volumeattachments", "spec: {nodeName: n1}")
          .starts_with(
              "spec.attacher: Required value\n"
              "spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName\n"));
  BOOST_TEST(kinds.UpdateErrors("volumeattachments", "",
                                "spec: {attacher: other, nodeName: n1, source: {persistentVolumeName: pv}}",
                                kGood) == "spec: Invalid value: storage.VolumeAttachmentSpec{...}: field is immutable");
  // Only through its subresource.
  const Object old = kinds.Created("volumeattachments", kGood);
  const std::string attached = std::string(kGood) + "\nstatus: {attached: true}";
  BOOST_TEST(
      !kinds.Updated("volumeattachments", "", attached, old).As<storage_v1::VolumeAttachment>().status().attached());
  BOOST_TEST(kinds.Updated("volumeattachments", "status", attached, old)
                 .As<storage_v1::VolumeAttachment>()
                 .status()
                 .attached());
  BOOST_TEST(kinds.Row("volumeattachments", attached) == "a | csi.example | pv | n1 | true | <unknown>");
}

BOOST_AUTO_TEST_CASE(csi) {
  TestKinds kinds(StorageKinds({}));
  BOOST_TEST(kinds.CreateErrors("csidrivers", "metadata: {name: d}") == "");
  BOOST_TEST(
      kinds.CreateErrors("csidrivers",
                         "spec: {fsGroupPolicy: X, volumeLifecycleModes: [Z], tokenRequests: "
                         "[{audience: a, expirationSeconds: 5}, {audience: a}]}") ==
      "spec.fsGroupPolicy: Unsupported value: \"X\": supported values: \"File\", \"None\", "
      "\"ReadWriteOnceWithFSType\"\n"
      "spec.tokenRequests[0].expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes\n"
      "spec.tokenRequests[1].audience: Duplicate value: \"a\"\n"
      "spec.volumeLifecycleModes: Unsupported value: \"Z\": supported values: \"Persistent\", \"Ephemeral\"");
  BOOST_TEST(kinds.UpdateErrors("csidrivers", "", "spec: {attachRequired: false}", "spec: {}") ==
             "spec.attachedRequired: Invalid value: false: field is immutable");
  BOOST_TEST(
      kinds.Header("csidrivers") ==
      "Name | AttachRequired | PodInfoOnMount | StorageCapacity | TokenRequests | RequiresRepublish | Modes | Age");
  BOOST_TEST(kinds.Row("csidrivers", "metadata: {name: d}") ==
             "d | true | false | false | <unset> | false | Persistent | <unknown>");
  BOOST_TEST(
      kinds.CreateErrors("csinodes", "spec: {drivers: [{name: d, nodeID: i, topologyKeys: [a, a]}, {name: d}]}") ==
      "spec.drivers[0]: Duplicate value: \"a\"\n"
      "spec.drivers[1].nodeID: Required value\n"
      "spec.drivers[1].name: Duplicate value: \"d\"");
  BOOST_TEST(kinds.Row("csinodes", "metadata: {name: d}\nspec: {drivers: [{name: d, nodeID: i}]}") ==
             "d | 1 | <unknown>");
  BOOST_TEST(kinds.UpdateErrors("csistoragecapacities", "", "storageClassName: b", "storageClassName: a") ==
             "storageClassName: Invalid value: \"b\": field is immutable");
  BOOST_TEST(kinds.Row("csistoragecapacities", "metadata: {name: c}\nstorageClassName: s\ncapacity: 1Gi") ==
             "c | s | 1Gi");
}

BOOST_AUTO_TEST_CASE(deletion_answers_with_the_object) {
  for (const Kind& kind : StorageKinds({})) {
    BOOST_TEST(kind.strategy->ReturnDeletedObject() == (kind.resource != "csistoragecapacities"), kind.resource);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry
