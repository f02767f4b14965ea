// Mirrors: pkg/api/pod/warnings.go, pkg/api/node/util.go (deprecated labels)
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/field/quote.h"
#include "pkg/api/resource/quantity.h"
#include "pkg/apiserver/registry/core/pod.h"

namespace knarr::registry::core_group {
namespace {

using Warnings = std::vector<std::string>;

std::string_view DeprecatedLabel(std::string_view key) {
  static const std::map<std::string_view, std::string_view> kLabels = {
      {"beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"},
      {"beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"},
      {"failure-domain.beta.kubernetes.io/region",
       "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead"},
      {"failure-domain.beta.kubernetes.io/zone", "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"},
      {"beta.kubernetes.io/instance-type", "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"},
  };
  const auto found = kLabels.find(key);
  return found == kLabels.end() ? std::string_view() : found->second;
}

template <typename Map>
std::set<std::string> Keys(const Map& map) {
  std::set<std::string> keys;
  for (const auto& [key, value] : map) keys.insert(key);
  return keys;
}

class PodWarner {
 public:
  PodWarner(const core::PodSpec& spec, const google::protobuf::Map<std::string, std::string>& annotations,
            std::string prefix)
      : spec_(spec), annotations_(annotations), prefix_(std::move(prefix)) {}

  Warnings Run() {
    NodeSelection();
    TopologySpread();
    Annotations();
    for (int i = 0; i < spec_.volumes_size(); ++i) Volume(spec_.volumes(i), Path("spec.volumes", i));
    HostAliases();
    PullSecrets();
    for (int i = 0; i < spec_.initcontainers_size(); ++i) {
      Container(spec_.initcontainers(i), Path("spec.initContainers", i));
    }
    for (int i = 0; i < spec_.containers_size(); ++i) Container(spec_.containers(i), Path("spec.containers", i));
    Fractions(spec_.overhead(), prefix_ + "spec.overhead");
    if (spec_.has_terminationgraceperiodseconds() && spec_.terminationgraceperiodseconds() < 0) {
      Add("{}spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1",
          prefix_);
    }
    return std::move(warnings_);
  }

 private:
  template <typename... Args>
  void Add(fmt::format_string<Args...> format, Args&&... args) {
    warnings_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  std::string Path(std::string_view list, int index) const { return fmt::format("{}{}[{}]", prefix_, list, index); }

  void NodeSelection() {
    for (const std::string& key : Keys(spec_.nodeselector())) {
      if (const auto why = DeprecatedLabel(key); !why.empty()) Add("{}spec.nodeSelector[{}]: {}", prefix_, key, why);
    }
    const core::NodeAffinity& affinity = spec_.affinity().nodeaffinity();
    const std::string path = prefix_ + "spec.affinity.nodeAffinity.";
    const auto& required = affinity.requiredduringschedulingignoredduringexecution().nodeselectorterms();
    for (int i = 0; i < required.size(); ++i) {
      Term(required[i], fmt::format("{}requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[{}]", path, i));
    }
    const auto& preferred = affinity.preferredduringschedulingignoredduringexecution();
    for (int i = 0; i < preferred.size(); ++i) {
      Term(preferred[i].preference(),
           fmt::format("{}preferredDuringSchedulingIgnoredDuringExecution[{}].preference", path, i));
    }
  }

  void Term(const core::NodeSelectorTerm& term, const std::string& path) {
    for (int i = 0; i < term.matchexpressions_size(); ++i) {
      const std::string& key = term.matchexpressions(i).key();
      if (const auto why = DeprecatedLabel(key); !why.empty()) {
        Add("{}.matchExpressions[{}].key: {} is {}", path, i, key, why);
      }
    }
  }

  void TopologySpread() {
    for (int i = 0; i < spec_.topologyspreadconstraints_size(); ++i) {
      const std::string& key = spec_.topologyspreadconstraints(i).topologykey();
      if (const auto why = DeprecatedLabel(key); !why.empty()) {
        Add("{}.topologyKey: {} is {}", Path("spec.topologySpreadConstraints", i), key, why);
      }
    }
  }

  void Annotations() {
    static constexpr std::string_view kPod = "seccomp.security.alpha.kubernetes.io/pod";
    static constexpr std::string_view kContainer = "container.seccomp.security.alpha.kubernetes.io/";
    for (const std::string& key : Keys(annotations_)) {
      if (key != kPod && !key.starts_with(kContainer)) continue;
      Add("{}metadata.annotations[{}]: non-functional in v1.27+; use the \"seccompProfile\" field instead", prefix_,
          key);
    }
  }

  void Volume(const core::Volume& volume, const std::string& path) {
    const core::VolumeSource& source = volume.volumesource();
    const auto warn = [&](bool is_it, const char* name, const char* why) {
      if (is_it) Add("{}.{}: {}", path, name, why);
    };
    warn(source.has_photonpersistentdisk(), "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+");
    warn(source.has_gitrepo(), "gitRepo", "deprecated in v1.11");
    warn(source.has_scaleio(), "scaleIO", "deprecated in v1.16, non-functional in v1.22+");
    warn(source.has_flocker(), "flocker", "deprecated in v1.22, non-functional in v1.25+");
    warn(source.has_storageos(), "storageOS", "deprecated in v1.22, non-functional in v1.25+");
    warn(source.has_quobyte(), "quobyte", "deprecated in v1.22, non-functional in v1.25+");
    warn(source.has_glusterfs(), "glusterfs", "deprecated in v1.25, non-functional in v1.26+");
    warn(source.has_cephfs(), "cephfs", "deprecated in v1.28, non-functional in v1.31+");
    warn(source.has_rbd(), "rbd", "deprecated in v1.28, non-functional in v1.31+");
    if (source.ephemeral().has_volumeclaimtemplate()) {
      Fraction(source.ephemeral().volumeclaimtemplate().spec().resources().requests(), "storage",
               path + ".ephemeral.volumeClaimTemplate.spec.resources.requests");
    }
  }

  void HostAliases() {
    std::set<std::string> seen;
    for (int i = 0; i < spec_.hostaliases_size(); ++i) {
      const std::string& ip = spec_.hostaliases(i).ip();
      if (!seen.insert(ip).second) Add("{}.ip: duplicate ip {}", Path("spec.hostAliases", i), field::Quote(ip));
    }
  }

  void PullSecrets() {
    std::set<std::string> seen;
    for (int i = 0; i < spec_.imagepullsecrets_size(); ++i) {
      const std::string& name = spec_.imagepullsecrets(i).name();
      const std::string path = Path("spec.imagePullSecrets", i);
      if (name.empty()) {
        Add("{}.name: invalid empty name \"\"", path);
      } else if (!seen.insert(name).second) {
        Add("{}.name: duplicate name {}", path, field::Quote(name));
      }
    }
  }

  template <typename Resources>
  void Fraction(const Resources& resources, const char* name, const std::string& path) {
    const auto found = resources.find(name);
    if (found == resources.end()) return;
    const Quantity quantity = Quantity::From(found->second);
    if (quantity.MilliValue() % 1000 == 0) return;
    Add("{}[{}]: fractional byte value {} is invalid, must be an integer", path, name,
        field::Quote(quantity.ToString()));
  }
  template <typename Resources>
  void Fractions(const Resources& resources, const std::string& path) {
    Fraction(resources, "memory", path);
    Fraction(resources, "ephemeral-storage", path);
  }

  void Container(const core::Container& container, const std::string& path) {
    Fractions(container.resources().limits(), path + ".resources.limits");
    Fractions(container.resources().requests(), path + ".resources.requests");
    std::set<std::string> seen;
    for (int i = 0; i < container.env_size(); ++i) {
      const core::EnvVar& variable = container.env(i);
      // PATH=$(PATH):more is how one adds to it.
      const bool hides = !seen.insert(variable.name()).second &&
                         variable.value().find("$(" + variable.name() + ")") == std::string::npos;
      if (!hides) continue;
      Add("{}.env[{}]: hides previous definition of {}, which may be dropped when using apply", path, i,
          field::Quote(variable.name()));
    }
    Ports(container, path);
  }

  void Ports(const core::Container& container, const std::string& path) {
    std::map<std::string, std::string> seen;
    for (int i = 0; i < container.ports_size(); ++i) {
      const core::ContainerPort& port = container.ports(i);
      const std::string at = fmt::format("{}.ports[{}]", path, i);
      const std::string key =
          fmt::format("{}/{}/{}/{}", port.containerport(), port.protocol(), port.hostport(), port.hostip());
      const auto [found, fresh] = seen.emplace(key, at);
      if (!fresh) Add("{}: duplicate port definition with {}", at, found->second);
    }
  }

  const core::PodSpec& spec_;
  const google::protobuf::Map<std::string, std::string>& annotations_;
  const std::string prefix_;
  Warnings warnings_;
};

}  // namespace

Warnings GetWarningsForPod(const core::Pod& pod) {
  return PodWarner(pod.spec(), pod.metadata().annotations(), "").Run();
}

Warnings GetWarningsForPodTemplate(const core::PodTemplateSpec& pod_template, std::string_view path) {
  return PodWarner(pod_template.spec(), pod_template.metadata().annotations(), std::string(path) + ".").Run();
}

}  // namespace knarr::registry::core_group
