// NamespaceLifecycle, NamespaceExists, NamespaceAutoProvision; AlwaysAdmit and AlwaysDeny.
// Mirrors: staging/src/k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle, plugin/pkg/admission/namespace
#include <map>
#include <mutex>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/apiserver/admission/plugins/plugins.h"

namespace knarr::admission {
namespace {

constexpr registry::GroupResource kNamespaces{"", "namespaces"};
// How long a namespace whose deletion was just asked for is looked up in the store rather than in the cache.
constexpr auto kForceLiveLookup = std::chrono::seconds(30);

bool IsNamespace(const Attributes& attributes) {
  return attributes.group.empty() && attributes.kind == "Namespace";
}

class NamespaceLifecycle : public PluginBase {
 public:
  explicit NamespaceLifecycle(const PluginDeps& deps)
      : PluginBase("NamespaceLifecycle", {Operation::kCreate, Operation::kUpdate, Operation::kDelete}, deps) {}

  Status Admit(const Context& ctx, Attributes& attributes) override {
    const std::string& name = attributes.name;
    if (attributes.operation == Operation::kDelete && IsNamespace(attributes) &&
        (name == "default" || name == "kube-system" || name == "kube-public"))
      return errors::Forbidden("", attributes.resource, name, "this namespace may not be deleted");
    if (IsNamespace(attributes)) {
      if (attributes.operation == Operation::kDelete) Remember(name);
      return {};
    }
    if (attributes.namespace_.empty() || attributes.operation == Operation::kDelete) return {};
    // Reviews must not tell which namespaces there are.
    if (attributes.Is("authorization.k8s.io", "localsubjectaccessreviews")) return {};

    auto found = deps_.access->Get(ctx, kNamespaces, "", attributes.namespace_);
    if (!found.ok() && !found.status().Is(Code::kNotFound)) return errors::InternalError(found.status().message());
    const bool doubtful = !found.ok() || (WasDeleted(attributes.namespace_) &&
                                          (*found)->As<core::Namespace>().status().phase() == "Active");
    if (doubtful) {
      found = deps_.access->GetConsistent(ctx, kNamespaces, "", attributes.namespace_);
      if (!found.ok())
        return found.status().Is(Code::kNotFound) ? found.status() : errors::InternalError(found.status().message());
    }
    if (attributes.operation != Operation::kCreate) return {};
    if ((*found)->As<core::Namespace>().status().phase() != "Terminating") return {};
    const Status error =
        Forbidden(attributes, fmt::format("unable to create new content in namespace {} because it is being terminated",
                                          attributes.namespace_));
    StatusDetails details = *error.details();
    details.causes.push_back({"NamespaceTerminating",
                              fmt::format("namespace {} is being terminated", attributes.namespace_),
                              "metadata.namespace"});
    return error.WithDetails(std::move(details));
  }

 private:
  void Remember(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const MonoTime now = deps_.clock->Monotonic();
    std::erase_if(deleted_, [&](const auto& entry) { return entry.second <= now; });
    deleted_[name] = now + kForceLiveLookup;
  }
  bool WasDeleted(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto found = deleted_.find(name);
    return found != deleted_.end() && found->second > deps_.clock->Monotonic();
  }
  std::mutex mutex_;
  std::map<std::string, MonoTime> deleted_;  // until when
};

class NamespaceExists : public PluginBase {
 public:
  explicit NamespaceExists(const PluginDeps& deps)
      : PluginBase("NamespaceExists", {Operation::kCreate, Operation::kUpdate, Operation::kDelete}, deps) {}

  Status Validate(const Context& ctx, const Attributes& attributes) override {
    if (attributes.namespace_.empty() || IsNamespace(attributes)) return {};
    if (deps_.access->Get(ctx, kNamespaces, "", attributes.namespace_).ok()) return {};
    const auto live = deps_.access->GetConsistent(ctx, kNamespaces, "", attributes.namespace_);
    if (live.ok() || live.status().Is(Code::kNotFound)) return live.status();
    return errors::InternalError(live.status().message());
  }
};

class NamespaceAutoProvision : public PluginBase {
 public:
  explicit NamespaceAutoProvision(const PluginDeps& deps)
      : PluginBase("NamespaceAutoProvision", {Operation::kCreate}, deps) {}

  Status Admit(const Context& ctx, Attributes& attributes) override {
    if (attributes.dry_run || attributes.namespace_.empty() || IsNamespace(attributes)) return {};
    if (deps_.access->Get(ctx, kNamespaces, "", attributes.namespace_).ok()) return {};
    auto message = std::make_unique<core::Namespace>();
    message->mutable_metadata()->set_name(attributes.namespace_);
    const auto made = deps_.access->Create(ctx, kNamespaces, api::Object(std::move(message)));
    if (made.ok() || made.status().Is(Code::kAlreadyExists)) return {};
    return Forbidden(attributes, made.status());
  }
};

class AlwaysDeny : public PluginBase {
 public:
  explicit AlwaysDeny(const PluginDeps& deps)
      : PluginBase("AlwaysDeny", {Operation::kCreate, Operation::kUpdate, Operation::kDelete, Operation::kConnect},
                   deps) {}
  Status Admit(const Context&, Attributes& attributes) override { return Deny(attributes); }
  Status Validate(const Context&, const Attributes& attributes) override { return Deny(attributes); }

 private:
  static Status Deny(const Attributes& attributes) {
    return Forbidden(attributes, "admission control is denying all modifications");
  }
};

class AlwaysAdmit : public PluginBase {
 public:
  explicit AlwaysAdmit(const PluginDeps& deps)
      : PluginBase("AlwaysAdmit", {Operation::kCreate, Operation::kUpdate, Operation::kDelete, Operation::kConnect},
                   deps) {}
};

}  // namespace

PluginResult NewNamespaceLifecycle(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<NamespaceLifecycle>(deps));
}
PluginResult NewNamespaceExists(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<NamespaceExists>(deps));
}
PluginResult NewNamespaceAutoProvision(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<NamespaceAutoProvision>(deps));
}
PluginResult NewAlwaysAdmit(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<AlwaysAdmit>(deps));
}
PluginResult NewAlwaysDeny(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<AlwaysDeny>(deps));
}

}  // namespace knarr::admission
