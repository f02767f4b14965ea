// DefaultStorageClass, StorageObjectInUseProtection, PersistentVolumeClaimResize; DefaultIngressClass and
// DenyServiceExternalIPs. Mirrors: plugin/pkg/admission/{storage,network}
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "k8s.io/api/networking/v1/generated.pb.h"
#include "k8s.io/api/storage/v1/generated.pb.h"
#include "pkg/api/resource/quantity.h"
#include "pkg/apiserver/admission/plugins/plugins.h"

namespace knarr::admission {
namespace {

constexpr char kClassAnnotation[] = "volume.beta.kubernetes.io/storage-class";

bool IsTrue(const meta::ObjectMeta& metadata, const char* annotation) {
  const auto found = metadata.annotations().find(annotation);
  return found != metadata.annotations().end() && found->second == "true";
}

// Of those that say so by one of the annotations the youngest, then the first by name; null: there is none.
registry::ObjectRef PickDefault(const std::vector<registry::ObjectRef>& all,
                                std::initializer_list<const char*> annotations) {
  registry::ObjectRef best;
  for (const auto& ref : all) {
    const auto& metadata = ref->metadata();
    if (std::none_of(annotations.begin(), annotations.end(), [&](const char* a) { return IsTrue(metadata, a); }))
      continue;
    const auto newer = [](const meta::ObjectMeta& a, const meta::ObjectMeta& b) {
      if (a.creationtimestamp().seconds() != b.creationtimestamp().seconds())
        return a.creationtimestamp().seconds() > b.creationtimestamp().seconds();
      return a.name() < b.name();
    };
    if (!best || newer(metadata, best->metadata())) best = ref;
  }
  return best;
}

bool IsClaim(const Attributes& attributes) {
  return attributes.Is("", "persistentvolumeclaims") && attributes.subresource.empty() && attributes.object != nullptr;
}

class DefaultStorageClass : public PluginBase {
 public:
  explicit DefaultStorageClass(const PluginDeps& deps)
      : PluginBase("DefaultStorageClass", {Operation::kCreate}, deps) {}

  Status Admit(const Context& ctx, Attributes& attributes) override {
    if (!IsClaim(attributes)) return {};
    auto& claim = attributes.object->As<core::PersistentVolumeClaim>();
    if (claim.spec().has_storageclassname() || claim.metadata().annotations().contains(kClassAnnotation)) return {};
    const auto classes = ListServed(ctx, *deps_.access, {"storage.k8s.io", "storageclasses"}, "");
    if (!classes.ok()) return Forbidden(attributes, classes.status());
    const auto chosen = PickDefault(
        *classes, {"storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"});
    if (chosen) claim.mutable_spec()->set_storageclassname(chosen->metadata().name());
    return {};
  }
};

class StorageObjectInUseProtection : public PluginBase {
 public:
  explicit StorageObjectInUseProtection(const PluginDeps& deps)
      : PluginBase("StorageObjectInUseProtection", {Operation::kCreate}, deps) {}

  Status Admit(const Context&, Attributes& attributes) override {
    if (!attributes.subresource.empty() || attributes.object == nullptr) return {};
    if (attributes.Is("", "persistentvolumes")) Add(attributes, "kubernetes.io/pv-protection");
    if (attributes.Is("", "persistentvolumeclaims")) Add(attributes, "kubernetes.io/pvc-protection");
    return {};
  }

 private:
  static void Add(Attributes& attributes, const char* finalizer) {
    auto& finalizers = *attributes.object->metadata().mutable_finalizers();
    if (std::find(finalizers.begin(), finalizers.end(), finalizer) == finalizers.end()) finalizers.Add(finalizer);
  }
};

class PersistentVolumeClaimResize : public PluginBase {
 public:
  explicit PersistentVolumeClaimResize(const PluginDeps& deps)
      : PluginBase("PersistentVolumeClaimResize", {Operation::kUpdate}, deps) {}

  Status Validate(const Context& ctx, const Attributes& attributes) override {
    if (!IsClaim(attributes) || attributes.old_object == nullptr) return {};
    const auto& claim = static_cast<const api::Object*>(attributes.object)->As<core::PersistentVolumeClaim>();
    const auto& old = attributes.old_object->As<core::PersistentVolumeClaim>();
    if (Size(claim) <= Size(old)) return {};
    if (old.status().phase() != "Bound")
      return Forbidden(attributes, "Only bound persistent volume claims can be expanded");
    if (!MayGrow(ctx, claim, old))
      return Forbidden(attributes,
                       "only dynamically provisioned pvc can be resized and the storageclass that provisions "
                       "the pvc must support resize");
    return {};
  }

 private:
  static Quantity Size(const core::PersistentVolumeClaim& claim) {
    const auto found = claim.spec().resources().requests().find("storage");
    return found == claim.spec().resources().requests().end() ? Quantity() : Quantity::From(found->second);
  }
  static std::string ClassOf(const core::PersistentVolumeClaim& claim) {
    const auto found = claim.metadata().annotations().find(kClassAnnotation);
    return found == claim.metadata().annotations().end() ? claim.spec().storageclassname() : found->second;
  }
  bool MayGrow(const Context& ctx, const core::PersistentVolumeClaim& claim, const core::PersistentVolumeClaim& old) {
    const std::string name = ClassOf(claim);
    if (name.empty() || name != ClassOf(old)) return false;
    const auto found = deps_.access->Get(ctx, {"storage.k8s.io", "storageclasses"}, "", name);
    return found.ok() && (*found)->As<::k8s::io::api::storage::v1::StorageClass>().allowvolumeexpansion();
  }
};

class DefaultIngressClass : public PluginBase {
 public:
  explicit DefaultIngressClass(const PluginDeps& deps)
      : PluginBase("DefaultIngressClass", {Operation::kCreate}, deps) {}

  Status Admit(const Context& ctx, Attributes& attributes) override {
    if (!attributes.Is("networking.k8s.io", "ingresses") || !attributes.subresource.empty() ||
        attributes.object == nullptr)
      return {};
    auto& ingress = attributes.object->As<::k8s::io::api::networking::v1::Ingress>();
    if (ingress.spec().has_ingressclassname() ||
        ingress.metadata().annotations().contains("kubernetes.io/ingress.class"))
      return {};
    const auto classes = ListServed(ctx, *deps_.access, {"networking.k8s.io", "ingressclasses"}, "");
    if (!classes.ok()) return Forbidden(attributes, classes.status());
    const auto chosen = PickDefault(*classes, {"ingressclass.kubernetes.io/is-default-class"});
    if (chosen) ingress.mutable_spec()->set_ingressclassname(chosen->metadata().name());
    return {};
  }
};

class DenyServiceExternalIPs : public PluginBase {
 public:
  explicit DenyServiceExternalIPs(const PluginDeps& deps)
      : PluginBase("DenyServiceExternalIPs", {Operation::kCreate, Operation::kUpdate}, deps) {}

  Status Validate(const Context&, const Attributes& attributes) override {
    if (!attributes.Is("", "services") || !attributes.subresource.empty() || attributes.object == nullptr) return {};
    std::set<std::string> old;
    if (attributes.old_object != nullptr) {
      const auto& ips = attributes.old_object->As<core::Service>().spec().externalips();
      old.insert(ips.begin(), ips.end());
    }
    for (const auto& ip :
         static_cast<const api::Object*>(attributes.object)->As<core::Service>().spec().externalips()) {
      if (!old.contains(ip)) return Forbidden(attributes, "Use of external IPs is denied by admission control.");
    }
    return {};
  }
};

}  // namespace

PluginResult NewDefaultStorageClass(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<DefaultStorageClass>(deps));
}
PluginResult NewStorageObjectInUseProtection(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<StorageObjectInUseProtection>(deps));
}
PluginResult NewPersistentVolumeClaimResize(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<PersistentVolumeClaimResize>(deps));
}
PluginResult NewDefaultIngressClass(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<DefaultIngressClass>(deps));
}
PluginResult NewDenyServiceExternalIPs(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<DenyServiceExternalIPs>(deps));
}

}  // namespace knarr::admission
