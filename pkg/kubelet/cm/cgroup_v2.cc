#include <algorithm>

#include "pkg/base/file.h"
#include "pkg/kubelet/cm/cgroup_fs.h"

namespace knarr::kubelet {

namespace {

// cpu.weight 1..10000 from shares 2..262144, as the runtimes convert.
uint64_t SharesToWeight(uint64_t shares) {
  return 1 + ((shares - 2) * 9999) / 262'142;
}

class CgroupFsV2 : public CgroupFs {
 public:
  CgroupFsV2(std::string root, std::shared_ptr<CgroupFiles> files)
      : CgroupFs(std::move(files)), root_(std::move(root)) {}

  bool IsV2() const override { return true; }
  std::vector<std::string> Directories(const std::string& group) const override { return {JoinPath(root_, group)}; }

  Status Create(const std::string& group) override {
    std::string parent = root_;
    size_t start = group.find_first_not_of('/');
    while (start != std::string::npos) {
      const size_t slash = std::min(group.find('/', start), group.size());
      KNARR_TRY(HandDown(parent));
      const std::string directory = JoinPath(parent, group.substr(start, slash - start));
      KNARR_TRY(files_->MakeDir(directory));
      parent = directory;
      start = group.find_first_not_of('/', slash);
    }
    return HandDown(parent);
  }

  Status Apply(const std::string& group, const CgroupLimits& limits) override {
    if (limits.cpu_shares) KNARR_TRY(Set(group, "cpu.weight", std::to_string(SharesToWeight(*limits.cpu_shares))));
    if (limits.cpu_quota) {
      const std::string quota = *limits.cpu_quota > 0 ? std::to_string(*limits.cpu_quota) : "max";
      KNARR_TRY(Set(group, "cpu.max", fmt::format("{} {}", quota, limits.cpu_period)));
    }
    if (limits.memory && *limits.memory > 0) KNARR_TRY(Set(group, "memory.max", std::to_string(*limits.memory)));
    if (limits.pids) KNARR_TRY(Set(group, "pids.max", std::to_string(*limits.pids)));
    return {};
  }

  Result<CgroupUsage> Usage(const std::string& group) override {
    const std::string directory = JoinPath(root_, group);
    CgroupUsage usage;
    const std::string cpu = KNARR_TRY(files_->Read(JoinPath(directory, "cpu.stat")));
    usage.cpu_nanos = StatValue(cpu, "usage_usec").value_or(0) * 1000;
    const std::string stat = KNARR_TRY(files_->Read(JoinPath(directory, "memory.stat")));
    usage.memory_usage = KNARR_TRY(MemoryUsage(directory, stat));
    usage.memory_working_set =
        usage.memory_usage - std::min(StatValue(stat, "inactive_file").value_or(0), usage.memory_usage);
    usage.memory_rss = StatValue(stat, "anon").value_or(0);
    usage.pids = ReadNumber(JoinPath(directory, "pids.current")).value_or(0);  // not in the root group
    return usage;
  }

 protected:
  void Freeze(const std::string& group, bool frozen) override {
    (void)files_->Write(JoinPath(JoinPath(root_, group), "cgroup.freeze"), frozen ? "1" : "0");
  }
  // Since Linux 5.14.
  bool KillWhole(const std::string& group) override {
    return files_->Write(JoinPath(JoinPath(root_, group), "cgroup.kill"), "1").ok();
  }

 private:
  Status Set(const std::string& group, std::string_view file, const std::string& value) {
    return files_->Write(JoinPath(JoinPath(root_, group), file), value);
  }

  // The root group has no memory.current.
  Result<uint64_t> MemoryUsage(const std::string& directory, std::string_view stat) const {
    const Result<uint64_t> current = ReadNumber(JoinPath(directory, "memory.current"));
    if (current.ok() || directory != JoinPath(root_, "/")) return current;
    return StatValue(stat, "anon").value_or(0) + StatValue(stat, "file").value_or(0);
  }

  // Lets the children of a group have the controllers.
  Status HandDown(const std::string& directory) {
    const std::string available = KNARR_TRY(files_->Read(JoinPath(directory, "cgroup.controllers")));
    const std::string enabled = KNARR_TRY(files_->Read(JoinPath(directory, "cgroup.subtree_control")));
    std::string wanted;
    for (const std::string_view name : {"cpu", "memory", "pids", "cpuset", "io", "hugetlb"}) {
      if (HasWord(available, name) && !HasWord(enabled, name))
        wanted += fmt::format("{}+{}", wanted.empty() ? "" : " ", name);
    }
    if (wanted.empty()) return {};
    const Status status = files_->Write(JoinPath(directory, "cgroup.subtree_control"), wanted);
    if (status.error_number() == EBUSY) {
      return status.WithContext(fmt::format(
          "{} has processes of its own, so cgroup v2 gives its children no controllers; choose another --cgroup-root",
          directory));
    }
    return status;
  }

  const std::string root_;
};

}  // namespace

std::unique_ptr<CgroupFs> NewCgroupFsV2(const std::string& mount_point, std::shared_ptr<CgroupFiles> files) {
  return std::make_unique<CgroupFsV2>(mount_point, std::move(files));
}

}  // namespace knarr::kubelet
