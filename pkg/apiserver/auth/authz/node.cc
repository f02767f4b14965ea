// What kubelets may do.
//
// Upstream keeps a graph of all pods. Here a question is answered from the pods of one namespace, which are the only
// ones that may refer to its secrets, config maps, claims and service accounts; what they refer to is remembered until
// a pod changes. A "yes" of the last second stands, so that a burst of starting pods does not read them all each time.
//
// Mirrors: plugin/pkg/auth/authorizer/node/{node_authorizer,graph}.go
#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "k8s.io/api/storage/v1/generated.pb.h"
#include "pkg/api/fields/selector.h"
#include "pkg/api/types.h"
#include "pkg/apiserver/auth/authz/authz.h"
#include "pkg/apiserver/auth/authz/bootstrap_table.h"
#include "pkg/apiserver/auth/authz/references.h"
#include "pkg/apiserver/auth/authz/rules.h"
#include "pkg/apiserver/registry/access.h"

namespace knarr::auth {
namespace {

namespace storage_pb = ::k8s::io::api::storage::v1;
using registry::ObjectRef;

constexpr std::string_view kNodeLease = "kube-node-lease";
constexpr auto kYesStands = std::chrono::seconds(1);
constexpr size_t kMaxNamespaces = 256;

// Who uses what, in one namespace.
struct View {
  uint64_t generation = 0;
  MonoTime built;
  std::map<std::pair<RefKind, std::string>, std::set<std::string>> users;  // -> nodes
  bool Uses(const std::string& node, RefKind kind, const std::string& name) const {
    const auto found = users.find({kind, name});
    return found != users.end() && found->second.contains(node);
  }
};

// Which claims the volumes with secrets are for: "<ns>/<secret>" -> claims (namespace, name).
struct VolumeView {
  uint64_t generation = 0;
  std::map<std::pair<std::string, std::string>, std::vector<std::pair<std::string, std::string>>> claims;
};

Verdict No(std::string reason) {
  return {Decision::kNoOpinion, std::move(reason)};
}
Verdict Yes() {
  return {Decision::kAllow, ""};
}

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> all) {
  return std::find(all.begin(), all.end(), text) != all.end();
}

class NodeAuthorizer final : public Authorizer {
 public:
  NodeAuthorizer(registry::Access& access, Clock& clock)
      : access_(access), clock_(clock), rules_(bootstrap::NodeRules()) {}

  Verdict Authorize(const Context& ctx, const Attributes& a) override {
    std::string node;
    if (!IsNode(*a.user, &node)) return {};
    if (node.empty()) return No(fmt::format("unknown node for user \"{}\"", a.user->name));
    if (a.resource_request) {
      if (a.api_group.empty()) {
        if (a.resource == "secrets") return ReadNamespaced(ctx, node, RefKind::kSecret, a);
        if (a.resource == "configmaps") return ReadNamespaced(ctx, node, RefKind::kConfigMap, a);
        if (a.resource == "persistentvolumeclaims") {
          if (a.subresource == "status") {
            if (!IsOneOf(a.verb, {"update", "patch"})) return No("can only get/update/patch this type");
            return Related(node, a, [&] { return Uses(ctx, node, RefKind::kClaim, a.namespace_, a.name); });
          }
          return Get(node, a, [&] { return Uses(ctx, node, RefKind::kClaim, a.namespace_, a.name); });
        }
        if (a.resource == "persistentvolumes") return Get(node, a, [&] { return UsesVolume(ctx, node, a.name); });
        if (a.resource == "serviceaccounts") return CreateToken(ctx, node, a);
        if (a.resource == "nodes") return Node(node, a);
        if (a.resource == "pods") return Pod(ctx, node, a);
      } else if (a.api_group == "storage.k8s.io") {
        if (a.resource == "volumeattachments") return Get(node, a, [&] { return UsesAttachment(ctx, node, a.name); });
        if (a.resource == "csinodes") return CsiNode(node, a);
      } else if (a.api_group == "coordination.k8s.io" && a.resource == "leases") {
        return Lease(node, a);
      }
    }
    const auto allows = [&](const rbac::Rule& rule) { return rbac::Allows(rule, a); };
    return std::any_of(rules_.begin(), rules_.end(), allows) ? Yes() : Verdict{};
  }

  Rules RulesFor(const Context&, const UserInfo& user, std::string_view) override {
    std::string node;
    if (!IsNode(user, &node)) return {};
    return {.resource = {},
            .non_resource = {},
            .incomplete = true,
            .error = "node authorizer does not support user rule resolution"};
  }

 private:
  template <typename Check>
  static Verdict Related(const std::string& node, const Attributes& a, const Check& check) {
    if (a.name.empty()) return No("No Object name found");
    if (!check()) return No(fmt::format("no relationship found between node '{}' and this object", node));
    return Yes();
  }

  template <typename Check>
  static Verdict Get(const std::string& node, const Attributes& a, const Check& check) {
    if (a.verb != "get") return No("can only get individual resources of this type");
    if (!a.subresource.empty()) return No("cannot get subresource");
    return Related(node, a, check);
  }

  Verdict ReadNamespaced(const Context& ctx, const std::string& node, RefKind kind, const Attributes& a) {
    if (!IsOneOf(a.verb, {"get", "list", "watch"})) return No("can only read resources of this type");
    if (!a.subresource.empty()) return No("cannot read subresource");
    if (a.namespace_.empty()) return No("can only read namespaced object of this type");
    return Related(node, a, [&] {
      return Uses(ctx, node, kind, a.namespace_, a.name) ||
             (kind == RefKind::kSecret && UsesVolumeSecret(ctx, node, a.namespace_, a.name));
    });
  }

  Verdict CreateToken(const Context& ctx, const std::string& node, const Attributes& a) {
    if (a.verb != "create" || a.name.empty()) return No("can only create tokens for individual service accounts");
    if (a.subresource != "token") return No("can only create token subresource of serviceaccount");
    return Related(node, a, [&] { return Uses(ctx, node, RefKind::kServiceAccount, a.namespace_, a.name); });
  }

  static Verdict Lease(const std::string& node, const Attributes& a) {
    if (!IsOneOf(a.verb, {"get", "create", "update", "patch", "delete"}))
      return No("can only get, create, update, patch, or delete a node lease");
    if (a.namespace_ != kNodeLease)
      return No(fmt::format("can only access leases in the \"{}\" system namespace", kNodeLease));
    // On create the name is not known here: admission (NodeRestriction) looks at it.
    if (a.verb != "create" && a.name != node)
      return No("can only access node lease with the same name as the requesting node");
    return Yes();
  }

  static Verdict CsiNode(const std::string& node, const Attributes& a) {
    if (!IsOneOf(a.verb, {"get", "create", "update", "patch", "delete"}))
      return No("can only get, create, update, patch, or delete a CSINode");
    if (!a.subresource.empty()) return No("cannot authorize CSINode subresources");
    if (a.verb != "create" && a.name != node)
      return No("can only access CSINode with the same name as the requesting node");
    return Yes();
  }

  static Verdict Node(const std::string& node, const Attributes& a) {
    if (a.subresource.empty()) {
      if (IsOneOf(a.verb, {"create", "update", "patch"})) return Yes();
      if (IsOneOf(a.verb, {"get", "list", "watch"})) {
        const std::string name = a.name.empty() ? Selected(a, "metadata.name") : a.name;
        if (name == node) return Yes();
        if (name.empty()) return No(fmt::format("node '{}' cannot read all nodes, only its own Node object", node));
        return No(fmt::format("node '{}' cannot read '{}', only its own Node object", node, name));
      }
    } else if (a.subresource == "status" && IsOneOf(a.verb, {"update", "patch"})) {
      return Yes();
    }
    return {};
  }

  Verdict Pod(const Context& ctx, const std::string& node, const Attributes& a) {
    if (a.subresource.empty()) {
      if (a.verb == "get") return Get(node, a, [&] { return RunsPod(ctx, node, a.namespace_, a.name); });
      if (IsOneOf(a.verb, {"list", "watch"})) {
        if (Selected(a, "spec.nodeName") == node) return Yes();
        // Watching one pod by its name is as good as getting it.
        if (!a.name.empty()) return Related(node, a, [&] { return RunsPod(ctx, node, a.namespace_, a.name); });
        return No("can only list/watch pods with spec.nodeName field selector");
      }
      if (IsOneOf(a.verb, {"create", "delete"})) return Yes();
    } else if (a.subresource == "status") {
      if (IsOneOf(a.verb, {"update", "patch"})) return Yes();
    } else if (a.subresource == "eviction") {
      if (a.verb == "create") return Yes();
    }
    return {};
  }

  // The one value that the field selector demands; "" if there is none.
  static std::string Selected(const Attributes& a, std::string_view field) {
    if (a.field_selector.empty()) return {};
    const Result<fields::Selector> selector = fields::ParseSelector(a.field_selector);
    return selector.ok() ? selector->RequiresExactMatch(field).value_or("") : "";
  }

  bool Uses(const Context& ctx, const std::string& node, RefKind kind, const std::string& ns, const std::string& name) {
    const uint64_t generation = access_.Generation({"", "pods"});
    const MonoTime now = clock_.Monotonic();
    std::lock_guard lock(mutex_);
    if (const auto found = views_.find(ns); found != views_.end()) {
      const View& view = found->second;
      if (view.generation == generation) return view.Uses(node, kind, name);
      if (now - view.built < kYesStands && view.Uses(node, kind, name)) return true;
    }
    const Result<std::vector<ObjectRef>> pods = access_.List(ctx, {"", "pods"}, ns);
    if (!pods.ok()) return false;
    View view{.generation = generation, .built = now};
    for (const ObjectRef& object : *pods) {
      const auto& pod = object->As<core::Pod>();
      if (pod.spec().nodename().empty()) continue;
      VisitPodReferences(pod, [&](RefKind ref, const std::string& used) {
        view.users[{ref, used}].insert(pod.spec().nodename());
      });
    }
    if (views_.size() >= kMaxNamespaces) views_.clear();
    return views_.insert_or_assign(ns, std::move(view)).first->second.Uses(node, kind, name);
  }

  bool UsesVolume(const Context& ctx, const std::string& node, const std::string& name) {
    const Result<ObjectRef> volume = access_.Get(ctx, {"", "persistentvolumes"}, "", name);
    if (!volume.ok()) return false;
    const auto& claim = (*volume)->As<core::PersistentVolume>().spec().claimref();
    return !claim.name().empty() && Uses(ctx, node, RefKind::kClaim, claim.namespace_(), claim.name());
  }

  bool UsesVolumeSecret(const Context& ctx, const std::string& node, const std::string& ns, const std::string& name) {
    std::vector<std::pair<std::string, std::string>> claims;
    {
      const uint64_t generation = access_.Generation({"", "persistentvolumes"});
      std::lock_guard lock(mutex_);
      if (volumes_.generation != generation || !volumes_known_) {
        const Result<std::vector<ObjectRef>> list = access_.List(ctx, {"", "persistentvolumes"}, "");
        if (!list.ok()) return false;
        volumes_ = {.generation = generation, .claims = {}};
        volumes_known_ = true;
        for (const ObjectRef& object : *list) {
          const auto& volume = object->As<core::PersistentVolume>();
          const auto& claim = volume.spec().claimref();
          if (claim.name().empty()) continue;
          VisitVolumeSecrets(volume, [&](const std::string& secret_ns, const std::string& secret) {
            volumes_.claims[{secret_ns, secret}].emplace_back(claim.namespace_(), claim.name());
          });
        }
      }
      if (const auto found = volumes_.claims.find({ns, name}); found != volumes_.claims.end()) claims = found->second;
    }
    return std::any_of(claims.begin(), claims.end(),
                       [&](const auto& claim) { return Uses(ctx, node, RefKind::kClaim, claim.first, claim.second); });
  }

  bool UsesAttachment(const Context& ctx, const std::string& node, const std::string& name) {
    const Result<ObjectRef> object = access_.Get(ctx, {"storage.k8s.io", "volumeattachments"}, "", name);
    return object.ok() && (*object)->As<storage_pb::VolumeAttachment>().spec().nodename() == node;
  }

  bool RunsPod(const Context& ctx, const std::string& node, const std::string& ns, const std::string& name) {
    const Result<ObjectRef> object = access_.Get(ctx, {"", "pods"}, ns, name);
    return object.ok() && (*object)->As<core::Pod>().spec().nodename() == node;
  }

  registry::Access& access_;
  Clock& clock_;
  const std::vector<rbac::Rule> rules_;
  std::mutex mutex_;
  std::unordered_map<std::string, View> views_;
  VolumeView volumes_;
  bool volumes_known_ = false;
};

}  // namespace

AuthorizerPtr NewNodeAuthorizer(registry::Access& access, Clock& clock) {
  return std::make_unique<NodeAuthorizer>(access, clock);
}

}  // namespace knarr::auth
