// What kubelets may write: their own Node, the status of their pods, mirror pods, tokens of pods that they run, their
// Lease, CSINode and ResourceSlices. Mirrors: plugin/pkg/admission/noderestriction/admission.go
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "k8s.io/api/authentication/v1/generated.pb.h"
#include "k8s.io/api/policy/v1/generated.pb.h"
#include "k8s.io/api/resource/v1alpha3/generated.pb.h"
#include "k8s.io/api/resource/v1beta1/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/apiserver/admission/plugins/plugins.h"
#include "pkg/apiserver/admission/plugins/pods.h"

namespace knarr::admission {
namespace {

constexpr std::string_view kUserPrefix = "system:node:";

bool Same(const google::protobuf::Message& a, const google::protobuf::Message& b) {
  return codec::EncodeProtobuf(a) == codec::EncodeProtobuf(b);
}

bool InNamespace(std::string_view ns, std::string_view wanted) {
  return ns == wanted ||
         (ns.size() > wanted.size() && ns.ends_with(wanted) && ns[ns.size() - wanted.size() - 1] == '.');
}

std::string_view LabelNamespace(std::string_view key) {
  const size_t slash = key.find('/');
  return slash == std::string_view::npos ? std::string_view() : key.substr(0, slash);
}

// Mirrors: k8s.io/kubelet/pkg/apis/well_known_labels.go
bool IsKubeletLabel(std::string_view key) {
  static constexpr std::string_view kLabels[] = {"kubernetes.io/hostname",
                                                 "topology.kubernetes.io/zone",
                                                 "topology.kubernetes.io/region",
                                                 "failure-domain.beta.kubernetes.io/zone",
                                                 "failure-domain.beta.kubernetes.io/region",
                                                 "beta.kubernetes.io/instance-type",
                                                 "node.kubernetes.io/instance-type",
                                                 "kubernetes.io/os",
                                                 "kubernetes.io/arch",
                                                 "beta.kubernetes.io/os",
                                                 "beta.kubernetes.io/arch"};
  for (const auto label : kLabels) {
    if (key == label) return true;
  }
  const auto ns = LabelNamespace(key);
  return InNamespace(ns, "kubelet.kubernetes.io") || InNamespace(ns, "node.kubernetes.io");
}

using Labels = google::protobuf::Map<std::string, std::string>;

std::vector<std::string> ForbiddenLabels(const Labels& now, const Labels& before) {
  std::set<std::string> changed;
  for (const auto& [key, value] : now) {
    const auto found = before.find(key);
    if (found == before.end() || found->second != value) changed.insert(key);
  }
  for (const auto& [key, value] : before) {
    if (!now.contains(key)) changed.insert(key);
  }
  std::vector<std::string> out;
  for (const std::string& key : changed) {
    const auto ns = LabelNamespace(key);
    const bool ours = InNamespace(ns, "kubernetes.io") || InNamespace(ns, "k8s.io");
    if (InNamespace(ns, "node-restriction.kubernetes.io") || (ours && !IsKubeletLabel(key))) out.push_back(key);
  }
  return out;
}

bool SameClaims(const core::PodStatus& a, const core::PodStatus& b) {
  if (a.resourceclaimstatuses_size() != b.resourceclaimstatuses_size()) return false;
  for (int i = 0; i < a.resourceclaimstatuses_size(); ++i) {
    if (!Same(a.resourceclaimstatuses(i), b.resourceclaimstatuses(i))) return false;
  }
  return true;
}

// `request` with the node's name at hand.
class NodeRequest {
 public:
  NodeRequest(const Context& ctx, registry::Access& access, const Attributes& attributes, std::string node)
      : ctx_(ctx), access_(access), a_(attributes), node_(std::move(node)) {}

  Status Check() {
    if (a_.Is("", "pods")) {
      if (a_.subresource.empty()) return Pod();
      if (a_.subresource == "status") return PodStatus();
      if (a_.subresource == "eviction") return PodEviction();
      return Deny("unexpected pod subresource \"{}\", only 'status' and 'eviction' are allowed", a_.subresource);
    }
    if (a_.Is("", "nodes")) return Node();
    if (a_.Is("", "persistentvolumeclaims")) {
      return a_.subresource == "status" ? ClaimStatus() : Deny("may only update PVC status");
    }
    if (a_.Is("", "serviceaccounts")) return ServiceAccount();
    if (a_.Is("coordination.k8s.io", "leases")) return Lease();
    if (a_.Is("storage.k8s.io", "csinodes")) {
      return ObjectName() == node_ ? Status()
                                   : Deny("can only access CSINode with the same name as the requesting node");
    }
    if (a_.Is("resource.k8s.io", "resourceslices")) return ResourceSlice();
    return {};
  }

 private:
  template <typename... Args>
  Status Deny(fmt::format_string<Args...> format, Args&&... args) const {
    return Forbidden(a_, fmt::format(format, std::forward<Args>(args)...));
  }
  const api::Object& object() const { return *a_.object; }
  bool Creates() const { return a_.operation == Operation::kCreate; }
  std::string ObjectName() const { return Creates() && a_.object != nullptr ? object().metadata().name() : a_.name; }
  // The pod that is there; errors as upstream's: not found as it is, the rest forbidden.
  Result<registry::ObjectRef> Existing(std::string_view name) const {
    auto found = access_.Get(ctx_, {"", "pods"}, a_.namespace_, name);
    if (found.ok() || found.status().Is(Code::kNotFound)) return found;
    return Forbidden(a_, found.status());
  }

  Status Pod() const {
    if (Creates()) return PodCreate();
    if (a_.operation == Operation::kDelete) {
      const auto pod = KNARR_TRY(Existing(a_.name));
      if (pod->As<core::Pod>().spec().nodename() != node_)
        return Deny("node \"{}\" can only delete pods with spec.nodeName set to itself", node_);
      return {};
    }
    return Deny("unexpected operation \"{}\", node \"{}\" can only create and delete mirror pods",
                ToString(a_.operation), node_);
  }

  Status PodCreate() const {
    const auto& pod = object().As<core::Pod>();
    if (!IsMirrorPod(pod))
      return Deny("pod does not have \"{}\" annotation, node \"{}\" can only create mirror pods", kMirrorPodAnnotation,
                  node_);
    if (pod.spec().nodename() != node_)
      return Deny("node \"{}\" can only create pods with spec.nodeName set to itself", node_);
    const auto& owners = pod.metadata().ownerreferences();
    if (owners.size() > 1)
      return Deny("node \"{}\" can only create pods with a single owner reference set to itself", node_);
    if (owners.empty() || owners[0].apiversion() != "v1" || owners[0].kind() != "Node" || owners[0].name() != node_)
      return Deny("node \"{}\" can only create pods with an owner reference set to itself", node_);
    if (!owners[0].controller())
      return Deny("node \"{}\" can only create pods with a controller owner reference set to itself", node_);
    if (owners[0].blockownerdeletion())
      return Deny("node \"{}\" must not set blockOwnerDeletion on an owner reference", node_);
    const auto node = access_.Get(ctx_, {"", "nodes"}, "", node_);
    if (!node.ok()) {
      if (node.status().Is(Code::kNotFound)) return node.status();
      return Deny("error looking up node {} to verify uid: {}", node_, node.status().message());
    }
    if ((*node)->metadata().uid() != owners[0].uid())
      return Deny("node {} UID mismatch: expected {} got {}", node_, owners[0].uid(), (*node)->metadata().uid());

    const auto refers = [&](std::string_view what) {
      return Deny("node \"{}\" can not create pods that reference {}", node_, what);
    };
    if (!pod.spec().serviceaccountname().empty()) return refers("a service account");
    if (ReferencesSecrets(pod)) return refers("secrets");
    if (ReferencesConfigMaps(pod)) return refers("configmaps");
    for (const auto& volume : pod.spec().volumes()) {
      for (const auto& source : volume.volumesource().projected().sources()) {
        if (source.has_clustertrustbundle()) return refers("clustertrustbundles");
      }
    }
    for (const auto& volume : pod.spec().volumes()) {
      if (volume.volumesource().has_persistentvolumeclaim()) return refers("persistentvolumeclaims");
    }
    if (pod.spec().resourceclaims_size() > 0) return refers("resourceclaims");
    return {};
  }

  Status PodStatus() const {
    if (a_.operation != Operation::kUpdate) return Deny("unexpected operation \"{}\"", ToString(a_.operation));
    const auto& old = a_.old_object->As<core::Pod>();
    const auto& pod = object().As<core::Pod>();
    if (old.spec().nodename() != node_)
      return Deny("node \"{}\" can only update pod status for pods with spec.nodeName set to itself", node_);
    const std::map<std::string, std::string> labels(pod.metadata().labels().begin(), pod.metadata().labels().end());
    if (labels != std::map<std::string, std::string>(old.metadata().labels().begin(), old.metadata().labels().end()))
      return Deny("node \"{}\" cannot update labels through pod status", node_);
    if (!SameClaims(pod.status(), old.status())) return Deny("node \"{}\" cannot update resource claim statues", node_);
    return {};
  }

  Status PodEviction() const {
    if (!Creates()) return Deny("unexpected operation {}", ToString(a_.operation));
    std::string name = a_.name;
    if (name.empty() && a_.body != nullptr &&
        a_.body->GetDescriptor() == ::k8s::io::api::policy::v1::Eviction::descriptor())
      name = static_cast<const ::k8s::io::api::policy::v1::Eviction*>(a_.body)->metadata().name();
    if (name.empty()) return Deny("could not determine pod from request data");
    const auto pod = KNARR_TRY(Existing(name));
    if (pod->As<core::Pod>().spec().nodename() != node_)
      return Deny("node {} can only evict pods with spec.nodeName set to itself", node_);
    return {};
  }

  Status ClaimStatus() const {
    if (a_.operation != Operation::kUpdate) return Deny("unexpected operation \"{}\"", ToString(a_.operation));
    const auto without = [](const api::Object& object) {
      auto claim = object.As<core::PersistentVolumeClaim>();
      claim.mutable_metadata()->clear_resourceversion();
      claim.mutable_metadata()->clear_managedfields();
      auto* status = claim.mutable_status();
      status->clear_capacity();
      status->clear_conditions();
      status->clear_allocatedresources();
      status->clear_allocatedresourcestatuses();
      return claim;
    };
    if (!Same(without(object()), without(*a_.old_object)))
      return Deny("node \"{}\" is not allowed to update fields other than status.capacity and status.conditions",
                  node_);
    return {};
  }

  Status Node() const {
    if (ObjectName() != node_) return Deny("node \"{}\" is not allowed to modify node \"{}\"", node_, ObjectName());
    if (Creates()) {
      const auto& node = object().As<core::Node>();
      if (node.spec().has_configsource())
        return Deny("node \"{}\" is not allowed to create pods with a non-nil configSource", node_);
      if (const auto labels = ForbiddenLabels(node.metadata().labels(), {}); !labels.empty())
        return Deny("node \"{}\" is not allowed to set the following labels: {}", node_, fmt::join(labels, ", "));
    }
    if (a_.operation == Operation::kUpdate) {
      const auto& node = object().As<core::Node>();
      const auto& old = a_.old_object->As<core::Node>();
      if (node.spec().has_configsource() && !Same(node.spec().configsource(), old.spec().configsource()))
        return Deny("node \"{}\" is not allowed to update configSource to a new non-nil configSource", node_);
      core::NodeSpec taints, old_taints;
      *taints.mutable_taints() = node.spec().taints();
      *old_taints.mutable_taints() = old.spec().taints();
      if (!Same(taints, old_taints)) return Deny("node \"{}\" is not allowed to modify taints", node_);
      if (const auto labels = ForbiddenLabels(node.metadata().labels(), old.metadata().labels()); !labels.empty())
        return Deny("is not allowed to modify labels: {}", fmt::join(labels, ", "));
    }
    return {};
  }

  Status ServiceAccount() const {
    if (!Creates() || a_.subresource != "token" || a_.body == nullptr) return {};
    if (a_.body->GetDescriptor() != ::k8s::io::api::authentication::v1::TokenRequest::descriptor()) return {};
    const auto& ref =
        static_cast<const ::k8s::io::api::authentication::v1::TokenRequest*>(a_.body)->spec().boundobjectref();
    if (ref.apiversion() != "v1" || ref.kind() != "Pod" || ref.name().empty())
      return Deny("node requested token not bound to a pod");
    if (ref.uid().empty()) return Deny("node requested token with a pod binding without a uid");
    const auto pod = KNARR_TRY(Existing(ref.name()));
    if (pod->metadata().uid() != ref.uid())
      return Deny(
          "the UID in the bound object reference ({}) does not match the UID in record. The object might have "
          "been deleted and then recreated",
          ref.uid());
    if (pod->As<core::Pod>().spec().nodename() != node_)
      return Deny("node requested token bound to a pod scheduled on a different node");
    return {};
  }

  Status Lease() const {
    if (a_.namespace_ != "kube-node-lease")
      return Deny("can only access leases in the \"{}\" system namespace", "kube-node-lease");
    if (ObjectName() != node_) return Deny("can only access node lease with the same name as the requesting node");
    return {};
  }

  static std::string SliceNode(const api::Object& object) {
    using V1Beta1 = ::k8s::io::api::resource::v1beta1::ResourceSlice;
    using V1Alpha3 = ::k8s::io::api::resource::v1alpha3::ResourceSlice;
    if (object.message().GetDescriptor() == V1Beta1::descriptor()) return object.As<V1Beta1>().spec().nodename();
    if (object.message().GetDescriptor() == V1Alpha3::descriptor()) return object.As<V1Alpha3>().spec().nodename();
    return {};
  }
  Status ResourceSlice() const {
    // The node authorizer checks what there is already: node and name of a slice do not change.
    if (Creates() && SliceNode(object()) != node_)
      return Deny("can only create ResourceSlice with the same NodeName as the requesting node");
    if (a_.operation == Operation::kUpdate && SliceNode(object()) != node_)
      return Deny("can only update ResourceSlice with the same NodeName as the requesting node");
    if (a_.operation == Operation::kDelete && a_.old_object != nullptr && SliceNode(*a_.old_object) != node_)
      return Deny("can only delete ResourceSlice with the same NodeName as the requesting node");
    return {};
  }

  const Context& ctx_;
  registry::Access& access_;
  const Attributes& a_;
  const std::string node_;
};

class NodeRestriction : public PluginBase {
 public:
  explicit NodeRestriction(const PluginDeps& deps)
      : PluginBase("NodeRestriction", {Operation::kCreate, Operation::kUpdate, Operation::kDelete}, deps) {}

  Status Admit(const Context& ctx, Attributes& attributes) override {
    const auth::UserInfo* user = attributes.user;
    // As upstream's node identifier: the name and the group together make a node.
    if (user == nullptr || !user->name.starts_with(kUserPrefix) || !user->InGroup("system:nodes")) return {};
    std::string node = user->name.substr(kUserPrefix.size());
    if (node.empty())
      return Forbidden(attributes, fmt::format("could not determine node from user \"{}\"", user->name));
    return NodeRequest(ctx, *deps_.access, attributes, std::move(node)).Check();
  }
};

}  // namespace

PluginResult NewNodeRestriction(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<NodeRestriction>(deps));
}

}  // namespace knarr::admission
