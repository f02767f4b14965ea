// What the tests of this folder share: a mount namespace of their own, objects to give out, pods to make.
#pragma once

#include <boost/test/unit_test.hpp>

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <string>

#include "pkg/base/file.h"
#include "pkg/kubelet/volume/volume.h"
#include "pkg/platform/mountinfo.h"

namespace knarr::kubelet::testing {

// Moves the test process into a mount namespace of its own, once; as a precondition it skips tests where that is not
// permitted (they need root).
struct PrivateMounts {
  boost::test_tools::assertion_result operator()(boost::unit_test::test_unit_id) {
    static const bool ok =
        ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) == 0;
    boost::test_tools::assertion_result result(ok);
    if (!ok) result.message() << "needs root: no private mount namespace";
    return result;
  }
};

class TempDir {
 public:
  TempDir() {
    std::string name = "/tmp/knarr-volume-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~TempDir() {
    const std::vector<platform::MountEntry> mounts =
        platform::ReadMountInfo().value_or(std::vector<platform::MountEntry>());
    for (const std::string& point : platform::MountPointsWithin(mounts, path_)) ::umount2(point.c_str(), MNT_DETACH);
    (void)RemoveAll(path_);
  }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return JoinPath(path_, name); }

 private:
  std::string path_;
};

inline void Put(const std::string& path, std::string_view content) {
  BOOST_REQUIRE(WriteFileAtomically(path, content, 0644).ok());
}
inline std::string Get(const std::string& path) {
  return ReadFile(path).value_or("(missing)");
}
inline mode_t ModeOf(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}
inline gid_t GroupOf(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_gid : static_cast<gid_t>(-1);
}

class Objects : public ObjectGetter {
 public:
  std::map<std::string, core::ConfigMap> config_maps;
  std::map<std::string, core::Secret> secrets;

  Result<std::shared_ptr<const core::ConfigMap>> GetConfigMap(const std::string&,
                                                              const std::string& name) const override {
    return Find(config_maps, "configmap", name);
  }
  Result<std::shared_ptr<const core::Secret>> GetSecret(const std::string&, const std::string& name) const override {
    return Find(secrets, "secret", name);
  }

 private:
  template <typename T>
  static Result<std::shared_ptr<const T>> Find(const std::map<std::string, T>& map, std::string_view kind,
                                               const std::string& name) {
    const auto found = map.find(name);
    if (found == map.end()) return Error(Code::kNotFound, "{} \"{}\" not found", kind, name);
    return std::shared_ptr<const T>(std::make_shared<T>(found->second));
  }
};

inline core::Pod NewPod() {
  core::Pod pod;
  pod.mutable_metadata()->set_name("web-node");
  pod.mutable_metadata()->set_namespace_("default");
  pod.mutable_metadata()->set_uid("uid-1");
  pod.mutable_spec()->add_containers()->set_name("main");
  return pod;
}

// Adds a volume and its mount in the first container.
inline core::VolumeSource* AddVolume(core::Pod& pod, const std::string& name, const std::string& sub_path = "") {
  core::Volume* const volume = pod.mutable_spec()->add_volumes();
  volume->set_name(name);
  core::VolumeMount* const mount = pod.mutable_spec()->mutable_containers(0)->add_volumemounts();
  mount->set_name(name);
  mount->set_mountpath("/mnt/" + name);
  mount->set_subpath(sub_path);
  return volume->mutable_volumesource();
}

}  // namespace knarr::kubelet::testing
