// Annotations of pods that mean something, and the fields that replaced them.
#include <charconv>

#include "pkg/api/core/validation/internal.h"
#include "pkg/api/field/quote.h"

namespace knarr::api::validation {
namespace {

constexpr std::string_view kMirror = "kubernetes.io/config.mirror";
constexpr std::string_view kDeletionCost = "controller.kubernetes.io/pod-deletion-cost";
constexpr std::string_view kSeccompPod = "seccomp.security.alpha.kubernetes.io/pod";
constexpr std::string_view kSeccompContainer = "container.seccomp.security.alpha.kubernetes.io/";
constexpr std::string_view kAppArmor = "container.apparmor.security.beta.kubernetes.io/";
constexpr std::string_view kRuntimeDefault = "runtime/default";
constexpr std::string_view kDockerDefault = "docker/default";
constexpr std::string_view kUnconfined = "unconfined";
constexpr std::string_view kLocalhost = "localhost/";

// A 32-bit number without a plus sign or leading zeros.
bool IsDeletionCost(std::string_view text) {
  if (text.empty() || text[0] == '+' || (text[0] == '0' && text != "0")) return false;
  int32_t cost = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cost);
  return error == std::errc() && end == text.data() + text.size();
}

void ValidateSeccompAnnotation(std::string_view profile, const Path& path, ErrorList& errors) {
  if (profile == kRuntimeDefault || profile == kDockerDefault || profile == kUnconfined) return;
  if (profile.starts_with(kLocalhost)) {
    ValidateLocalDescendingPath(profile.substr(kLocalhost.size()), path, errors);
  } else {
    errors.push_back(field::Invalid(path, profile, "must be a valid seccomp profile"));
  }
}

bool HasContainer(const core::PodSpec& spec, std::string_view wanted) {
  bool found = false;
  VisitContainersWithPath(spec, Path("spec"), [&](const std::string& name, const Path&, const core::SecurityContext*) {
    found = name == wanted;
    return !found;
  });
  return found;
}

void ValidateAppArmorAnnotation(const core::PodSpec& spec, const std::string& key, const std::string& profile,
                                const Path& path, ErrorList& errors) {
  const std::string container = key.substr(kAppArmor.size());
  if (!HasContainer(spec, container)) errors.push_back(field::Invalid(path.Key(key), container, "container not found"));
  if (profile.empty() || profile == kRuntimeDefault || profile == kUnconfined || profile.starts_with(kLocalhost))
    return;
  errors.push_back(field::Invalid(path.Key(key), profile, "invalid AppArmor profile name: " + field::Quote(profile)));
}

// SeccompProfile or AppArmorProfile against the value of its old annotation; `what` is seccomp or apparmor.
template <typename Profile>
void ValidateMatch(const Profile& profile, std::string_view annotation, bool docker_default, const std::string& what,
                   const Path& path, ErrorList& errors) {
  const std::string type_text = what + " type in annotation and field must match";
  bool type_matches = true;
  if (profile.type() == "Unconfined") {
    type_matches = annotation == kUnconfined;
  } else if (profile.type() == "RuntimeDefault") {
    type_matches = annotation == kRuntimeDefault || (docker_default && annotation == kDockerDefault);
  } else if (profile.type() == "Localhost") {
    type_matches = annotation.starts_with(kLocalhost);
    if (type_matches &&
        (!profile.has_localhostprofile() || annotation.substr(kLocalhost.size()) != profile.localhostprofile())) {
      errors.push_back(
          field::Forbidden(path.Child("localhostProfile"), what + " profile in annotation and field must match"));
    }
  }
  if (!type_matches) errors.push_back(field::Forbidden(path.Child("type"), type_text));
}

void ValidateSeccompMatches(const core::Pod& pod, const Path& spec_path, ErrorList& errors) {
  const auto& annotations = pod.metadata().annotations();
  const core::PodSecurityContext& security = pod.spec().securitycontext();
  if (const auto found = annotations.find(std::string(kSeccompPod));
      found != annotations.end() && security.has_seccompprofile()) {
    ValidateMatch(security.seccompprofile(), found->second, true, "seccomp",
                  spec_path.Child("securityContext.seccompProfile"), errors);
  }
  VisitContainersWithPath(pod.spec(), spec_path,
                          [&](const std::string& name, const Path& path, const core::SecurityContext* container) {
                            if (container == nullptr || !container->has_seccompprofile()) return true;
                            const auto found = annotations.find(std::string(kSeccompContainer) + name);
                            if (found != annotations.end()) {
                              ValidateMatch(container->seccompprofile(), found->second, true, "seccomp",
                                            path.Child("securityContext.seccompProfile"), errors);
                            }
                            return true;
                          });
}

void ValidateAppArmorMatches(const core::Pod& pod, const Path& spec_path, ErrorList& errors) {
  if (pod.spec().os().name() == "windows") return;
  const auto& annotations = pod.metadata().annotations();
  const core::PodSecurityContext& security = pod.spec().securitycontext();
  VisitContainersWithPath(
      pod.spec(), spec_path, [&](const std::string& name, const Path& path, const core::SecurityContext* container) {
        const core::AppArmorProfile* profile = security.has_apparmorprofile() ? &security.apparmorprofile() : nullptr;
        if (container != nullptr && container->has_apparmorprofile()) profile = &container->apparmorprofile();
        if (profile == nullptr) return true;
        const auto found = annotations.find(std::string(kAppArmor) + name);
        if (found != annotations.end()) {
          ValidateMatch(*profile, found->second, false, "apparmor", path.Child("securityContext.appArmorProfile"),
                        errors);
        }
        return true;
      });
}

}  // namespace

void ValidatePodSpecificAnnotations(const core::Pod& pod, const Path& path, const PodValidationOptions& options,
                                    ErrorList& errors) {
  const auto& annotations = pod.metadata().annotations();
  for (const std::string& key : SortedKeys(annotations)) {
    const std::string& value = annotations.at(key);
    if (key == kMirror && pod.spec().nodename().empty()) {
      errors.push_back(field::Invalid(path.Key(key), value, "must set spec.nodeName if mirror pod annotation is set"));
    }
    if (key == kDeletionCost && !options.allow_invalid_pod_deletion_cost && !IsDeletionCost(value)) {
      errors.push_back(field::Invalid(path.Key(key), value, "must be a 32bit integer"));
    }
    if (key == kSeccompPod || key.starts_with(kSeccompContainer)) {
      ValidateSeccompAnnotation(value, path.Child(key), errors);
    }
    if (key.starts_with(kAppArmor)) ValidateAppArmorAnnotation(pod.spec(), key, value, path, errors);
  }
}

void ValidateAnnotationsMatchFields(const core::Pod& pod, const Path& spec_path, ErrorList& errors) {
  ValidateSeccompMatches(pod, spec_path, errors);
  ValidateAppArmorMatches(pod, spec_path, errors);
}

}  // namespace knarr::api::validation
