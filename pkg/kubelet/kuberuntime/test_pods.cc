#include "pkg/kubelet/kuberuntime/test_pods.h"

#include "pkg/api/codec/codec.h"
#include "pkg/api/core/defaults.h"

namespace knarr::kubelet {

core::Pod MakePod(std::string_view spec) {
  core::Pod pod;
  pod.mutable_metadata()->set_name("web-node");
  pod.mutable_metadata()->set_namespace_("default");
  pod.mutable_metadata()->set_uid("uid-1");
  (*pod.mutable_metadata()->mutable_annotations())["kubernetes.io/config.source"] = "file";
  const Status error = codec::DecodeYaml(spec, pod.mutable_spec());
  if (!error.ok()) fmt::print(stderr, "bad test pod: {}\n", error);
  KNARR_CHECK(error.ok());
  api::SetDefaults(pod);
  return pod;
}

core::Pod WebPod() { return MakePod("containers: [{name: web, image: 'web:1'}]"); }

}  // namespace knarr::kubelet
