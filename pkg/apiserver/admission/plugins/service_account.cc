// Mirrors: plugin/pkg/admission/serviceaccount/admission.go
#include <set>

#include <fmt/format.h>

#include "pkg/api/errors/errors.h"
#include "pkg/apiserver/admission/plugins/plugins.h"
#include "pkg/apiserver/admission/plugins/pods.h"

namespace knarr::admission {
namespace {

constexpr std::string_view kVolumePrefix = "kube-api-access-";
constexpr std::string_view kMountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr char kEnforceMountable[] = "kubernetes.io/enforce-mountable-secrets";
constexpr char kRootCaConfigMap[] = "kube-root-ca.crt";
// Seven seconds above the hour mark the tokens that the server may extend (kubelets that do not refresh them).
constexpr int64_t kTokenSeconds = 3607;
constexpr int32_t kVolumeMode = 0644;

bool ShouldAutomount(const core::ServiceAccount& account, const core::Pod& pod) {
  if (pod.spec().has_automountserviceaccounttoken()) return pod.spec().automountserviceaccounttoken();
  return !account.has_automountserviceaccounttoken() || account.automountserviceaccounttoken();
}

void AddTokenSources(core::ProjectedVolumeSource& projected) {
  projected.set_defaultmode(kVolumeMode);
  auto* token = projected.add_sources()->mutable_serviceaccounttoken();
  token->set_path("token");
  token->set_expirationseconds(kTokenSeconds);
  auto* ca = projected.add_sources()->mutable_configmap();
  ca->mutable_localobjectreference()->set_name(kRootCaConfigMap);
  auto* key = ca->add_items();
  key->set_key("ca.crt");
  key->set_path("ca.crt");
  auto* file = projected.add_sources()->mutable_downwardapi()->add_items();
  file->set_path("namespace");
  file->mutable_fieldref()->set_apiversion("v1");
  file->mutable_fieldref()->set_fieldpath("metadata.namespace");
}

void MountToken(core::Pod& pod) {
  std::string name;
  for (const auto& volume : pod.spec().volumes()) {
    if (volume.name().starts_with(kVolumePrefix)) {
      name = volume.name();
      break;
    }
  }
  const bool has_volume = !name.empty();
  if (!has_volume) name = GenerateName(kVolumePrefix);
  bool needed = false;
  const auto mount = [&](core::Container& container) {
    for (const auto& existing : container.volumemounts()) {
      if (existing.mountpath() == kMountPath) return;
    }
    auto* added = container.add_volumemounts();
    added->set_name(name);
    added->set_readonly(true);
    added->set_mountpath(std::string(kMountPath));
    needed = true;
  };
  for (auto& container : *pod.mutable_spec()->mutable_initcontainers()) mount(container);
  for (auto& container : *pod.mutable_spec()->mutable_containers()) mount(container);
  if (has_volume || !needed) return;
  auto* volume = pod.mutable_spec()->add_volumes();
  volume->set_name(name);
  AddTokenSources(*volume->mutable_volumesource()->mutable_projected());
}

class ServiceAccount : public PluginBase {
 public:
  explicit ServiceAccount(const PluginDeps& deps)
      : PluginBase("ServiceAccount", {Operation::kCreate, Operation::kUpdate}, deps) {}

  Status Admit(const Context& ctx, Attributes& attributes) override {
    if (!IsPod(attributes) || attributes.operation != Operation::kCreate) return {};
    core::Pod& pod = PodOf(attributes);
    // The kubelet compares a mirror pod with its manifest: it must not change.
    if (IsMirrorPod(pod)) return Validate(ctx, attributes);
    if (pod.spec().serviceaccountname().empty()) {
      pod.mutable_spec()->set_serviceaccountname("default");
      pod.mutable_spec()->set_serviceaccount("default");
    }
    const auto ref = KNARR_TRY(Account(ctx, attributes, pod));
    const auto& account = ref->As<core::ServiceAccount>();
    if (ShouldAutomount(account, pod)) MountToken(pod);
    if (pod.spec().imagepullsecrets_size() == 0)
      *pod.mutable_spec()->mutable_imagepullsecrets() = account.imagepullsecrets();
    return Validate(ctx, attributes);
  }

  Status Validate(const Context& ctx, const Attributes& attributes) override {
    if (!attributes.Is("", "pods") || attributes.object == nullptr) return {};
    const bool ephemeral =
        attributes.operation == Operation::kUpdate && attributes.subresource == "ephemeralcontainers";
    if (!ephemeral && (attributes.operation != Operation::kCreate || !attributes.subresource.empty())) return {};
    const core::Pod& pod = PodOf(attributes);
    if (!ephemeral && IsMirrorPod(pod)) return ValidateMirror(attributes, pod);
    if (pod.spec().serviceaccountname().empty()) {
      if (ephemeral) return {};
      return Forbidden(attributes, fmt::format("no service account specified for pod {}/{}", attributes.namespace_,
                                               pod.metadata().name()));
    }
    const auto ref = KNARR_TRY(Account(ctx, attributes, pod));
    const auto& account = ref->As<core::ServiceAccount>();
    const auto enforce = account.metadata().annotations().find(kEnforceMountable);
    if (enforce == account.metadata().annotations().end() || (enforce->second != "true" && enforce->second != "1"))
      return {};
    return LimitSecrets(attributes, account, pod, ephemeral);
  }

 private:
  static Status ValidateMirror(const Attributes& attributes, const core::Pod& pod) {
    if (!pod.spec().serviceaccountname().empty())
      return Forbidden(attributes, "a mirror pod may not reference service accounts");
    if (ReferencesSecrets(pod)) return Forbidden(attributes, "a mirror pod may not reference secrets");
    for (const auto& volume : pod.spec().volumes()) {
      for (const auto& source : volume.volumesource().projected().sources()) {
        if (source.has_serviceaccounttoken())
          return Forbidden(attributes, "a mirror pod may not use ServiceAccountToken volume projections");
      }
    }
    return {};
  }

  Result<registry::ObjectRef> Account(const Context& ctx, const Attributes& attributes, const core::Pod& pod) {
    const std::string& name = pod.spec().serviceaccountname();
    auto found = deps_.access->Get(ctx, {"", "serviceaccounts"}, attributes.namespace_, name);
    // The account may be younger than the cache: of a namespace that was made just now.
    if (!found.ok()) found = deps_.access->GetConsistent(ctx, {"", "serviceaccounts"}, attributes.namespace_, name);
    if (found.ok()) return found;
    const Status why =
        found.status().Is(Code::kNotFound) ? errors::NotFound("", "serviceaccount", name) : found.status();
    return Forbidden(attributes, fmt::format("error looking up service account {}/{}: {}", attributes.namespace_, name,
                                             why.message()));
  }

  static Status LimitSecrets(const Attributes& attributes, const core::ServiceAccount& account, const core::Pod& pod,
                             bool only_ephemeral) {
    std::set<std::string> mountable, pull;
    for (const auto& secret : account.secrets()) mountable.insert(secret.name());
    for (const auto& secret : account.imagepullsecrets()) pull.insert(secret.name());
    const std::string& name = account.metadata().name();
    Status status;
    const auto check = [&](const auto& container, std::string_view what) {
      for (const auto& env : container.env()) {
        const auto& secret = env.valuefrom().secretkeyref().localobjectreference().name();
        if (env.valuefrom().has_secretkeyref() && !mountable.contains(secret) && status.ok())
          status = Forbidden(attributes,
                             fmt::format("{} {} with envVar {} referencing secret.secretName=\"{}\" is not allowed "
                                         "because service account {} does not reference that secret",
                                         what, container.name(), env.name(), secret, name));
      }
      for (const auto& from : container.envfrom()) {
        const auto& secret = from.secretref().localobjectreference().name();
        if (from.has_secretref() && !mountable.contains(secret) && status.ok())
          status =
              Forbidden(attributes, fmt::format("{} {} with envFrom referencing secret.secretName=\"{}\" is not "
                                                "allowed because service account {} does not reference that secret",
                                                what, container.name(), secret, name));
      }
    };
    if (only_ephemeral) {
      for (const auto& container : pod.spec().ephemeralcontainers())
        check(container.ephemeralcontainercommon(), "ephemeral container");
      return status;
    }
    for (const auto& volume : pod.spec().volumes()) {
      const auto& source = volume.volumesource();
      if (source.has_secret() && !mountable.contains(source.secret().secretname()))
        return Forbidden(attributes, fmt::format("volume with secret.secretName=\"{}\" is not allowed because service "
                                                 "account {} does not reference that secret",
                                                 source.secret().secretname(), name));
    }
    for (const auto& container : pod.spec().initcontainers()) check(container, "init container");
    for (const auto& container : pod.spec().containers()) check(container, "container");
    KNARR_TRY(status);
    for (int i = 0; i < pod.spec().imagepullsecrets_size(); ++i) {
      const auto& secret = pod.spec().imagepullsecrets(i).name();
      if (!pull.contains(secret))
        return Forbidden(attributes,
                         fmt::format("imagePullSecrets[{}].name=\"{}\" is not allowed because service account "
                                     "{} does not reference that imagePullSecret",
                                     i, secret, name));
    }
    return {};
  }
};

}  // namespace

PluginResult NewServiceAccount(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<ServiceAccount>(deps));
}

}  // namespace knarr::admission
