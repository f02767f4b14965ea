#include "pkg/api/core/validation/internal.h"

namespace knarr::api::validation {
namespace {

// The names and paths of the container's mounts or devices. Of two with one name the later path counts, as upstream's
// maps have it.
struct Taken {
  std::map<std::string, std::string, std::less<>> by_name;
  Names paths;

  void Add(const std::string& name, const std::string& path) { by_name[name] = path; }
  void Finish() {
    for (const auto& [name, path] : by_name) paths.insert(path);
  }
};

void ValidateMountPropagation(const core::VolumeMount& mount, const core::Container& container, const Path& path,
                              ErrorList& errors) {
  static constexpr std::string_view kModes[] = {"Bidirectional", "HostToContainer", "None"};
  if (!mount.has_mountpropagation()) return;
  RequireOneOf(errors, path, mount.mountpropagation(), kModes);
  if (mount.mountpropagation() == "Bidirectional" && !container.securitycontext().privileged()) {
    errors.push_back(
        field::Forbidden(path, "Bidirectional mount propagation is available only to privileged containers"));
  }
}

void ValidateRecursiveReadOnly(const core::VolumeMount& mount, const Path& path, ErrorList& errors) {
  static constexpr std::string_view kModes[] = {"Disabled", "Enabled", "IfPossible"};
  if (!mount.has_recursivereadonly() || mount.recursivereadonly() == "Disabled") return;
  if (mount.recursivereadonly() != "Enabled" && mount.recursivereadonly() != "IfPossible") {
    RequireOneOf(errors, path, mount.recursivereadonly(), kModes);
    return;
  }
  if (!mount.readonly()) errors.push_back(field::Forbidden(path, "may only be specified when readOnly is true"));
  if (mount.has_mountpropagation() && mount.mountpropagation() != "None") {
    errors.push_back(field::Forbidden(path, "may only be specified when mountPropagation is None or not specified"));
  }
}

// Upstream reports what is wrong inside a subPath at the list, not at the element.
void ValidateSubPath(const core::VolumeMount& mount, const Volumes& volumes, const Path& list, const Path& path,
                     ErrorList& errors) {
  const auto volume = volumes.find(mount.name());
  if (volume != volumes.end() && volume->second->has_image()) {
    if (!mount.subpath().empty()) {
      errors.push_back(field::Invalid(path.Child("subPath"), mount.subpath(), "not allowed in image volume sources"));
    }
    if (!mount.subpathexpr().empty()) {
      errors.push_back(
          field::Invalid(path.Child("subPathExpr"), mount.subpathexpr(), "not allowed in image volume sources"));
    }
  }
  if (!mount.subpath().empty()) ValidateLocalDescendingPath(mount.subpath(), list.Child("subPath"), errors);
  if (mount.subpathexpr().empty()) return;
  if (!mount.subpath().empty()) {
    errors.push_back(field::Invalid(path.Child("subPathExpr"), mount.subpathexpr(),
                                    "subPathExpr and subPath are mutually exclusive"));
  }
  ValidateLocalDescendingPath(mount.subpathexpr(), list.Child("subPathExpr"), errors);
}

void ValidateDevicePath(const std::string& device_path, Names& seen, const Path& path, ErrorList& errors) {
  RequireText(errors, path, device_path);
  if (seen.contains(device_path)) errors.push_back(field::Invalid(path, device_path, "must be unique"));
  ErrorList backsteps;
  ValidatePathNoBacksteps(device_path, path, backsteps);
  if (!backsteps.empty()) {
    errors.push_back(field::Invalid(path, device_path, "can not contain backsteps ('..')"));
  } else {
    seen.insert(device_path);
  }
}

void ValidateDeviceVolume(const std::string& name, const Volumes& volumes, const Path& path, ErrorList& errors) {
  const auto volume = volumes.find(name);
  if (volume == volumes.end()) {
    errors.push_back(field::NotFound(path, name));
  } else if (!volume->second->has_persistentvolumeclaim() && !volume->second->has_ephemeral()) {
    errors.push_back(field::Invalid(
        path, name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"));
  }
}

}  // namespace

void ValidateVolumeMounts(const core::Container& container, const Volumes& volumes, const Path& list,
                          ErrorList& errors) {
  Taken devices;
  for (const core::VolumeDevice& device : container.volumedevices()) devices.Add(device.name(), device.devicepath());
  devices.Finish();
  Names mount_points;
  for (int i = 0; i < container.volumemounts_size(); ++i) {
    const core::VolumeMount& mount = container.volumemounts(i);
    const Path path = list.Index(static_cast<size_t>(i));
    RequireText(errors, path.Child("name"), mount.name());
    if (!volumes.contains(mount.name())) errors.push_back(field::NotFound(path.Child("name"), mount.name()));
    RequireText(errors, path.Child("mountPath"), mount.mountpath());
    if (!mount_points.insert(mount.mountpath()).second) {
      errors.push_back(field::Invalid(path.Child("mountPath"), mount.mountpath(), "must be unique"));
    }
    if (devices.by_name.contains(mount.name())) {
      errors.push_back(field::Invalid(path.Child("name"), mount.name(), "must not already exist in volumeDevices"));
    }
    if (devices.paths.contains(mount.mountpath())) {
      errors.push_back(field::Invalid(path.Child("mountPath"), mount.mountpath(),
                                      "must not already exist as a path in volumeDevices"));
    }
    ValidateSubPath(mount, volumes, list, path, errors);
    ValidateMountPropagation(mount, container, list.Child("mountPropagation"), errors);
    ValidateRecursiveReadOnly(mount, list.Child("recursiveReadOnly"), errors);
  }
}

void ValidateVolumeDevices(const core::Container& container, const Volumes& volumes, const Path& list,
                           ErrorList& errors) {
  Taken mounts;
  for (const core::VolumeMount& mount : container.volumemounts()) mounts.Add(mount.name(), mount.mountpath());
  mounts.Finish();
  Names seen_names;
  Names seen_paths;
  for (int i = 0; i < container.volumedevices_size(); ++i) {
    const core::VolumeDevice& device = container.volumedevices(i);
    const Path path = list.Index(static_cast<size_t>(i));
    RequireText(errors, path.Child("name"), device.name());
    if (seen_names.contains(device.name())) {
      errors.push_back(field::Invalid(path.Child("name"), device.name(), "must be unique"));
    }
    ValidateDeviceVolume(device.name(), volumes, path.Child("name"), errors);
    ValidateDevicePath(device.devicepath(), seen_paths, path.Child("devicePath"), errors);
    if (mounts.by_name.contains(device.name())) {
      errors.push_back(field::Invalid(path.Child("name"), device.name(), "must not already exist in volumeMounts"));
    }
    if (mounts.paths.contains(device.devicepath())) {
      errors.push_back(field::Invalid(path.Child("devicePath"), device.devicepath(),
                                      "must not already exist as a path in volumeMounts"));
    }
    if (!device.name().empty()) seen_names.insert(device.name());
  }
}

}  // namespace knarr::api::validation
