#include "pkg/kubelet/volume/mounts.h"

#include "pkg/api/field/quote.h"
#include "pkg/kubelet/volume/host_path.h"

namespace knarr::kubelet {

using Propagation = ContainerMount::Propagation;

Result<Propagation> TranslatePropagation(const core::VolumeMount& mount) {
  const std::string& mode = mount.mountpropagation();
  if (mode.empty() || mode == "None") return Propagation::kPrivate;
  if (mode == "HostToContainer") return Propagation::kHostToContainer;
  if (mode == "Bidirectional") return Propagation::kBidirectional;
  return Error(Code::kInvalid, "invalid MountPropagation mode: {}", field::Quote(mode));
}

Result<bool> ResolveRecursiveReadOnly(const core::VolumeMount& mount, bool runtime_supports) {
  const std::string& mode = mount.recursivereadonly();
  if (mode.empty() || mode == "Disabled") return false;
  const std::string name = field::Quote(mount.name());
  if (!mount.readonly())
    return Error(Code::kInvalid, "volume {} requested recursive read-only mode, but it is not read-only", name);
  if (mount.has_mountpropagation() && mount.mountpropagation() != "None") {
    return Error(Code::kInvalid,
                 "volume {} requested recursive read-only mode, but it is not compatible with propagation {}", name,
                 field::Quote(mount.mountpropagation()));
  }
  if (mode == "IfPossible") return runtime_supports;
  if (mode != "Enabled") return Error(Code::kInvalid, "unknown recursive read-only mode {}", field::Quote(mode));
  if (runtime_supports) return true;
  return Error(Code::kFailedPrecondition,
               "volume {} requested recursive read-only mode, but it is not supported by the runtime", name);
}

namespace {

// $(NAME) is replaced, $$ is one dollar; anything else stays.
Result<std::string> Expand(const std::string& text, const std::map<std::string, std::string>& env) {
  std::string out, missing;
  for (size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    const size_t close = next == '(' ? text.find(')', i) : std::string::npos;
    if (text[i] != '$') {
      out += text[i];
    } else if (next == '$') {
      out += '$';
      ++i;
    } else if (close != std::string::npos) {
      const std::string name = text.substr(i + 2, close - i - 2);
      const auto found = env.find(name);
      if (found == env.end()) {
        missing += (missing.empty() ? "" : " ") + field::Quote(name);
      } else {
        out += found->second;
      }
      i = close;
    } else {
      out += '$';
    }
  }
  if (!missing.empty()) return Error(Code::kInvalid, "missing value for {}", missing);
  return out;
}

}  // namespace

Result<std::string> SubPathOf(const core::VolumeMount& mount, const std::map<std::string, std::string>& env) {
  std::string path = mount.subpath();
  if (!mount.subpathexpr().empty()) path = KNARR_TRY(Expand(mount.subpathexpr(), env));
  if (path.starts_with('/')) return Error(Code::kInvalid, "error SubPath `{}` must not be an absolute path", path);
  if (HasBackstep(path))
    return Error(Code::kInvalid, "unable to provision SubPath `{}`: path must not contain '..'", path);
  return path;
}

}  // namespace knarr::kubelet
