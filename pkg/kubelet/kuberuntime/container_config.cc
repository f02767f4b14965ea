#include "pkg/kubelet/kuberuntime/container_config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>

#include "pkg/base/file.h"
#include "pkg/kubelet/kuberuntime/expansion.h"
#include "pkg/kubelet/kuberuntime/labels.h"
#include "pkg/kubelet/kuberuntime/names.h"

namespace knarr::kubelet {
namespace {

constexpr char kEtcHosts[] = "/etc/hosts";

void AddMounts(const ContainerConfigInput& in, cri_v1::ContainerConfig* config) {
  bool own_hosts = false;
  for (const ContainerMount& mount : in.volume_mounts) {
    auto* out = config->add_mounts();
    out->set_host_path(mount.host_path);
    out->set_container_path(mount.container_path);
    out->set_readonly(mount.read_only);
    out->set_recursive_read_only(mount.recursive_read_only);
    out->set_selinux_relabel(mount.selinux_relabel);
    switch (mount.propagation) {
      case ContainerMount::Propagation::kPrivate:
        out->set_propagation(cri_v1::PROPAGATION_PRIVATE);
        break;
      case ContainerMount::Propagation::kHostToContainer:
        out->set_propagation(cri_v1::PROPAGATION_HOST_TO_CONTAINER);
        break;
      case ContainerMount::Propagation::kBidirectional:
        out->set_propagation(cri_v1::PROPAGATION_BIDIRECTIONAL);
        break;
    }
    own_hosts = own_hosts || mount.container_path == kEtcHosts;
  }
  const auto add = [config](const std::string& host, const std::string& path) {
    auto* out = config->add_mounts();
    out->set_host_path(host);
    out->set_container_path(path);
  };
  if (!in.hosts_file.empty() && !own_hosts) add(in.hosts_file, kEtcHosts);
  if (!in.termination_log.empty()) add(in.termination_log, in.container.terminationmessagepath());
}

void SetResources(const ContainerResources& from, cri_v1::LinuxContainerResources* to) {
  to->set_cpu_period(from.cpu_period);
  to->set_cpu_quota(from.cpu_quota);
  to->set_cpu_shares(from.cpu_shares);
  to->set_memory_limit_in_bytes(from.memory_limit_bytes);
  to->set_oom_score_adj(from.oom_score_adj);
  for (const auto& [key, value] : from.unified) (*to->mutable_unified())[key] = value;
}

void RemoveOldFiles(const std::string& directory) {
  constexpr size_t kKeep = 8;
  const auto names = ListDir(directory);
  if (!names.ok() || names->size() <= kKeep) return;
  std::vector<std::pair<int64_t, std::string>> by_age;
  for (const std::string& name : *names) {
    std::string path = JoinPath(directory, name);
    struct stat info {};
    if (lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)) {
      by_age.emplace_back(info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec, std::move(path));
    }
  }
  std::sort(by_age.begin(), by_age.end());
  for (size_t i = 0; i + kKeep < by_age.size(); ++i) (void)unlink(by_age[i].second.c_str());
}

}  // namespace

Result<cri_v1::ContainerConfig> MakeContainerConfig(const ContainerConfigInput& in) {
  KNARR_TRY(VerifyRunAsNonRoot(in.pod, in.container, in.image_user));
  cri_v1::ContainerConfig config;
  config.mutable_metadata()->set_name(in.container.name());
  config.mutable_metadata()->set_attempt(static_cast<uint32_t>(in.attempt));
  config.mutable_image()->set_image(in.image_id);
  config.mutable_image()->set_user_specified_image(in.container.image());
  for (const std::string& word : in.container.command()) config.add_command(Expand(word, in.env.by_name));
  for (const std::string& word : in.container.args()) config.add_args(Expand(word, in.env.by_name));
  config.set_working_dir(in.container.workingdir());
  for (const auto& [name, value] : in.env.ordered) {
    auto* env = config.add_envs();
    env->set_key(name);
    env->set_value(value);
  }
  AddMounts(in, &config);
  for (const auto& [key, value] : ContainerLabels(in.pod, in.container)) (*config.mutable_labels())[key] = value;
  for (const auto& [key, value] : ContainerAnnotations(in.pod, in.container, in.attempt)) (*config.mutable_annotations())[key] = value;
  config.set_log_path(ContainerLogFile(in.container.name(), in.attempt));
  config.set_stdin(in.container.stdin());
  config.set_stdin_once(in.container.stdinonce());
  config.set_tty(in.container.tty());
  SetResources(in.resources, config.mutable_linux()->mutable_resources());
  *config.mutable_linux()->mutable_security_context() =
      KNARR_TRY(ContainerSecurityContext(in.pod, in.container, in.image_user, in.seccomp));
  return config;
}

Result<std::string> MakeTerminationLog(const std::string& root_dir, const std::string& pod_uid, const std::string& container) {
  const std::string directory = JoinPath(root_dir, fmt::format("pods/{}/containers/{}", pod_uid, container));
  KNARR_TRY(MakeDirs(directory, 0750));
  RemoveOldFiles(directory);
  std::random_device random;
  const std::string path = JoinPath(directory, fmt::format("{:08x}", random()));
  const UniqueFd fd = KNARR_TRY(OpenFile(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666));
  // Whatever the umask is: the container's user may be anybody.
  if (fchmod(fd.get(), 0666) != 0) return ErrnoError(errno, "chmod {}", path);
  return path;
}

}  // namespace knarr::kubelet
