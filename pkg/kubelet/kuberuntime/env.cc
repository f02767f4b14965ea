#include "pkg/kubelet/kuberuntime/env.h"

#include <algorithm>

#include "pkg/api/names/names.h"
#include "pkg/kubelet/kuberuntime/expansion.h"
#include "pkg/kubelet/kuberuntime/fieldref.h"

namespace knarr::kubelet {
namespace {

class Builder {
 public:
  Builder(const core::Pod& pod, const core::Container& container, const EnvSources& sources)
      : pod_(pod), container_(container), sources_(sources), ns_(pod.metadata().namespace_()) {}

  Result<Environment> Build() {
    for (const core::EnvFromSource& from : container_.envfrom()) KNARR_TRY(AddFrom(from));
    for (const core::EnvVar& variable : container_.env()) KNARR_TRY(Add(variable));
    return std::move(env_);
  }

 private:
  Status AddFrom(const core::EnvFromSource& from) {
    if (from.has_configmapref()) {
      const std::string& name = from.configmapref().localobjectreference().name();
      const auto map = sources_.objects.GetConfigMap(ns_, name);
      if (!map.ok()) return Missing(map.status(), from.configmapref().optional());
      AddAll("configMap", name, from.prefix(), (*map)->data());
    } else if (from.has_secretref()) {
      const std::string& name = from.secretref().localobjectreference().name();
      const auto secret = sources_.objects.GetSecret(ns_, name);
      if (!secret.ok()) return Missing(secret.status(), from.secretref().optional());
      AddAll("secret", name, from.prefix(), (*secret)->data());
    }
    return OkStatus();
  }

  static Status Missing(const Status& error, bool optional) { return optional && error.Is(Code::kNotFound) ? OkStatus() : error; }

  template <typename Data>
  void AddAll(std::string_view kind, const std::string& name, const std::string& prefix, const Data& data) {
    std::vector<std::string> invalid;
    for (const auto& [key, value] : std::map<std::string, std::string>(data.begin(), data.end())) {
      const std::string variable = prefix + key;
      if (names::IsRelaxedEnvVarName(variable).empty()) {
        env_.Set(variable, value);
      } else {
        invalid.push_back(variable);
      }
    }
    if (!invalid.empty() && sources_.on_invalid_names) sources_.on_invalid_names(kind, name, invalid);
  }

  Status Add(const core::EnvVar& variable) {
    if (!variable.value().empty() || !variable.has_valuefrom()) {
      env_.Set(variable.name(), Expand(variable.value(), env_.by_name));
      return OkStatus();
    }
    const core::EnvVarSource& from = variable.valuefrom();
    if (from.has_fieldref()) {
      env_.Set(variable.name(), KNARR_TRY(PodFieldValue(from.fieldref().fieldpath(), pod_, sources_.pod_ips, sources_.host_ips)));
    } else if (from.has_resourcefieldref()) {
      env_.Set(variable.name(), KNARR_TRY(ResourceFieldValue(from.resourcefieldref(), pod_, container_, sources_.node_allocatable)));
    } else if (from.has_configmapkeyref()) {
      const auto& ref = from.configmapkeyref();
      const auto map = sources_.objects.GetConfigMap(ns_, ref.localobjectreference().name());
      if (!map.ok()) return Missing(map.status(), ref.optional());
      return AddKey(variable.name(), "ConfigMap", ref, (*map)->data());
    } else if (from.has_secretkeyref()) {
      const auto& ref = from.secretkeyref();
      const auto secret = sources_.objects.GetSecret(ns_, ref.localobjectreference().name());
      if (!secret.ok()) return Missing(secret.status(), ref.optional());
      return AddKey(variable.name(), "Secret", ref, (*secret)->data());
    }
    return OkStatus();
  }

  template <typename Ref, typename Data>
  Status AddKey(const std::string& variable, std::string_view kind, const Ref& ref, const Data& data) {
    const auto it = data.find(ref.key());
    if (it != data.end()) {
      env_.Set(variable, it->second);
      return OkStatus();
    }
    if (ref.optional()) return OkStatus();
    return Error(Code::kNotFound, "couldn't find key {} in {} {}/{}", ref.key(), kind, ns_, ref.localobjectreference().name());
  }

  const core::Pod& pod_;
  const core::Container& container_;
  const EnvSources& sources_;
  const std::string& ns_;
  Environment env_;
};

}  // namespace

void Environment::Set(const std::string& name, std::string value) {
  const auto it = std::find_if(ordered.begin(), ordered.end(), [&](const auto& v) { return v.first == name; });
  if (it == ordered.end()) {
    ordered.emplace_back(name, value);
  } else {
    it->second = value;
  }
  by_name[name] = std::move(value);
}

Result<Environment> MakeEnvironment(const core::Pod& pod, const core::Container& container, const EnvSources& sources) {
  return Builder(pod, container, sources).Build();
}

}  // namespace knarr::kubelet
