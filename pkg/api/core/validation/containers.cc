#include <fmt/format.h>

#include "pkg/api/core/validation/internal.h"

namespace knarr::api::validation {
namespace {

void ValidateContainerPorts(const core::Container& container, const Path& list, ErrorList& errors) {
  static constexpr std::string_view kProtocols[] = {"SCTP", "TCP", "UDP"};
  Names seen;
  for (int i = 0; i < container.ports_size(); ++i) {
    const core::ContainerPort& port = container.ports(i);
    const Path path = list.Index(static_cast<size_t>(i));
    if (!port.name().empty()) {
      const names::Messages messages = names::IsValidPortName(port.name());
      AddInvalid(errors, path.Child("name"), port.name(), messages);
      if (messages.empty() && !seen.insert(port.name()).second) {
        errors.push_back(field::Duplicate(path.Child("name"), port.name()));
      }
    }
    if (port.containerport() == 0) {
      errors.push_back(field::Required(path.Child("containerPort"), ""));
    } else {
      AddInvalid(errors, path.Child("containerPort"), port.containerport(),
                 names::IsValidPortNum(port.containerport()));
    }
    if (port.hostport() != 0) {
      AddInvalid(errors, path.Child("hostPort"), port.hostport(), names::IsValidPortNum(port.hostport()));
    }
    RequireSetAndOneOf(errors, path.Child("protocol"), port.protocol(), kProtocols);
  }
}

void AccumulateHostPorts(const core::Container& container, Names& seen, const Path& path, ErrorList& errors) {
  for (int i = 0; i < container.ports_size(); ++i) {
    const core::ContainerPort& port = container.ports(i);
    if (port.hostport() == 0) continue;
    const std::string key = fmt::format("{}/{}/{}", port.protocol(), port.hostip(), port.hostport());
    if (!seen.insert(key).second) {
      errors.push_back(field::Duplicate(path.Child("ports").Index(static_cast<size_t>(i)).Child("hostPort"), key));
    }
  }
}

void ValidateTerminationMessagePolicy(std::string_view policy, const Path& path, ErrorList& errors) {
  static constexpr std::string_view kPolicies[] = {"File", "FallbackToLogsOnError"};
  RequireSetAndOneOf(errors, path, policy, kPolicies);
}

void ValidateResizePolicy(const core::Container& container, std::string_view pod_restart_policy, const Path& path,
                          ErrorList& errors) {
  static constexpr std::string_view kResources[] = {"cpu", "memory"};
  static constexpr std::string_view kPolicies[] = {"NotRequired", "RestartContainer"};
  Names seen;
  for (int i = 0; i < container.resizepolicy_size(); ++i) {
    const core::ContainerResizePolicy& policy = container.resizepolicy(i);
    if (!seen.insert(policy.resourcename()).second) {
      errors.push_back(field::Duplicate(path.Index(static_cast<size_t>(i)), policy.resourcename()));
    }
    RequireSetAndOneOf(errors, path, policy.resourcename(), kResources);
    RequireSetAndOneOf(errors, path, policy.restartpolicy(), kPolicies);
    if (pod_restart_policy == "Never" && policy.restartpolicy() != "NotRequired") {
      errors.push_back(
          field::Invalid(path, policy.restartpolicy(), "must be 'NotRequired' when `restartPolicy` is 'Never'"));
    }
  }
}

void ValidateContainerCommon(const core::Container& container, const PodContext& pod, const Path& path,
                             ErrorList& errors) {
  if (container.name().empty()) {
    errors.push_back(field::Required(path.Child("name"), ""));
  } else {
    AddInvalid(errors, path.Child("name"), container.name(), names::IsDNS1123Label(container.name()));
  }
  RequireText(errors, path.Child("image"), container.image());
  ValidateTerminationMessagePolicy(container.terminationmessagepolicy(), path.Child("terminationMessagePolicy"),
                                   errors);
  ValidateContainerPorts(container, path.Child("ports"), errors);
  ValidateEnv(container, path.Child("env"), pod.options, errors);
  ValidateEnvFrom(container, path.Child("envFrom"), pod.options, errors);
  ValidateVolumeMounts(container, pod.volumes, path.Child("volumeMounts"), errors);
  ValidateVolumeDevices(container, pod.volumes, path.Child("volumeDevices"), errors);
  ValidatePullPolicy(container.imagepullpolicy(), path.Child("imagePullPolicy"), errors);
  ValidateContainerResourceRequirements(container.resources(), pod.claim_names, path.Child("resources"), pod.options,
                                        errors);
  ValidateResizePolicy(container, pod.spec.restartpolicy(), path.Child("resizePolicy"), errors);
  if (container.has_securitycontext()) {
    ValidateSecurityContext(container.securitycontext(), path.Child("securityContext"), pod.host_users, errors);
  }
}

void ForbidForInitContainer(const core::Container& container, const Path& path, ErrorList& errors) {
  const auto forbid = [&](bool is_set, std::string_view name) {
    if (!is_set) return;
    errors.push_back(
        field::Forbidden(path.Child(name), "may not be set for init containers without restartPolicy=Always"));
  };
  forbid(container.has_lifecycle(), "lifecycle");
  forbid(container.has_livenessprobe(), "livenessProbe");
  forbid(container.has_readinessprobe(), "readinessProbe");
  forbid(container.has_startupprobe(), "startupProbe");
}

// The two messages have the same fields with the same numbers.
core::Container ToContainer(const core::EphemeralContainerCommon& common) {
  core::Container container;
  if (!container.ParseFromString(common.SerializeAsString())) KNARR_BUG("ephemeral container is not a container");
  return container;
}

void ForbidForEphemeralContainer(const core::Container& container, const Path& path, ErrorList& errors) {
  constexpr std::string_view kText = "cannot be set for an Ephemeral Container";
  const auto forbid = [&](bool is_set, std::string_view name) {
    if (is_set) errors.push_back(field::Forbidden(path.Child(name), kText));
  };
  const core::ResourceRequirements& resources = container.resources();
  forbid(container.ports_size() > 0, "ports");
  forbid(resources.limits_size() + resources.requests_size() + resources.claims_size() > 0, "resources");
  forbid(container.resizepolicy_size() > 0, "resizePolicy");
  forbid(container.has_restartpolicy(), "restartPolicy");
  forbid(container.has_livenessprobe(), "livenessProbe");
  forbid(container.has_readinessprobe(), "readinessProbe");
  forbid(container.has_startupprobe(), "startupProbe");
  forbid(container.has_lifecycle(), "lifecycle");
  for (int i = 0; i < container.volumemounts_size(); ++i) {
    const Path mount = path.Child("volumeMounts").Index(static_cast<size_t>(i));
    if (!container.volumemounts(i).subpath().empty()) errors.push_back(field::Forbidden(mount.Child("subPath"), kText));
    if (!container.volumemounts(i).subpathexpr().empty()) {
      errors.push_back(field::Forbidden(mount.Child("subPathExpr"), kText));
    }
  }
}

}  // namespace

void ValidatePullPolicy(std::string_view policy, const Path& path, ErrorList& errors) {
  static constexpr std::string_view kPolicies[] = {"Always", "IfNotPresent", "Never"};
  RequireSetAndOneOf(errors, path, policy, kPolicies);
}

void ValidateContainerOnlyForPod(const core::Container& container, const Path& path, ErrorList& errors) {
  if (TrimSpace(container.image()).size() == container.image().size()) return;
  errors.push_back(
      field::Invalid(path.Child("image"), container.image(), "must not have leading or trailing whitespace"));
}

void ValidateContainers(const PodContext& pod, const Path& list, ErrorList& errors) {
  if (pod.spec.containers().empty()) {
    errors.push_back(field::Required(list, ""));
    return;
  }
  Names seen;
  for (int i = 0; i < pod.spec.containers_size(); ++i) {
    const core::Container& container = pod.spec.containers(i);
    const Path path = list.Index(static_cast<size_t>(i));
    ValidateContainerCommon(container, pod, path, errors);
    if (!seen.insert(container.name()).second) {
      errors.push_back(field::Duplicate(path.Child("name"), container.name()));
    }
    ValidateLifecycleAndProbes(container, pod, path, errors);
    if (container.has_restartpolicy()) {
      errors.push_back(field::Forbidden(path.Child("restartPolicy"), "may not be set for non-init containers"));
    }
  }
  Names host_ports;
  for (int i = 0; i < pod.spec.containers_size(); ++i) {
    AccumulateHostPorts(pod.spec.containers(i), host_ports, list.Index(static_cast<size_t>(i)), errors);
  }
}

void ValidateInitContainers(const PodContext& pod, const Path& list, ErrorList& errors) {
  Names seen;
  for (const core::Container& container : pod.spec.containers()) seen.insert(container.name());
  for (int i = 0; i < pod.spec.initcontainers_size(); ++i) {
    const core::Container& container = pod.spec.initcontainers(i);
    const Path path = list.Index(static_cast<size_t>(i));
    ValidateContainerCommon(container, pod, path, errors);
    const bool sidecar = container.restartpolicy() == "Always";
    if (container.has_restartpolicy() && !sidecar) {
      errors.push_back(field::NotSupported(path.Child("restartPolicy"), container.restartpolicy(), {"Always"}));
    }
    if (seen.contains(container.name())) {
      errors.push_back(field::Duplicate(path.Child("name"), container.name()));
    } else if (!container.name().empty()) {
      seen.insert(container.name());
    }
    // One by one, since init containers run so; upstream calls each of them the first.
    Names host_ports;
    AccumulateHostPorts(container, host_ports, list.Index(0), errors);
    if (sidecar) {
      ValidateLifecycleAndProbes(container, pod, path, errors);
    } else {
      ForbidForInitContainer(container, path, errors);
    }
    if (container.resizepolicy_size() > 0) {
      errors.push_back(field::Invalid(path.Child("resizePolicy"), container.resizepolicy(0).resourcename(),
                                      "must not be set for init containers"));
    }
  }
}

void ValidateEphemeralContainers(const PodContext& pod, const Path& list, ErrorList& errors) {
  Names others;
  for (const core::Container& container : pod.spec.containers()) others.insert(container.name());
  for (const core::Container& container : pod.spec.initcontainers()) others.insert(container.name());
  Names seen = others;
  for (int i = 0; i < pod.spec.ephemeralcontainers_size(); ++i) {
    const core::EphemeralContainer& ephemeral = pod.spec.ephemeralcontainers(i);
    const core::Container container = ToContainer(ephemeral.ephemeralcontainercommon());
    const Path path = list.Index(static_cast<size_t>(i));
    ValidateContainerCommon(container, pod, path, errors);
    ValidateContainerOnlyForPod(container, path, errors);
    if (!seen.insert(container.name()).second) {
      errors.push_back(field::Duplicate(path.Child("name"), container.name()));
    }
    if (!ephemeral.targetcontainername().empty() && !others.contains(ephemeral.targetcontainername())) {
      errors.push_back(field::NotFound(path.Child("targetContainerName"), ephemeral.targetcontainername()));
    }
    ForbidForEphemeralContainer(container, path, errors);
  }
}

}  // namespace knarr::api::validation
