#include <algorithm>
#include <map>

#include "pkg/base/file.h"
#include "pkg/kubelet/cm/cgroup_fs.h"

namespace knarr::kubelet {

namespace {

class CgroupFsV1 : public CgroupFs {
 public:
  CgroupFsV1(const std::vector<std::pair<std::string, std::string>>& hierarchies, std::shared_ptr<CgroupFiles> files)
      : CgroupFs(std::move(files)) {
    for (const auto& [controller, path] : hierarchies) {
      controllers_[controller] = path;
      if (std::find(roots_.begin(), roots_.end(), path) == roots_.end()) roots_.push_back(path);
    }
  }

  bool IsV2() const override { return false; }

  std::vector<std::string> Directories(const std::string& group) const override {
    std::vector<std::string> directories;
    for (const std::string& root : roots_) directories.push_back(JoinPath(root, group));
    return directories;
  }

  Status Create(const std::string& group) override {
    for (const std::string& root : roots_) KNARR_TRY(CreateIn(root, group));
    return {};
  }

  Status Apply(const std::string& group, const CgroupLimits& limits) override {
    if (limits.cpu_shares) KNARR_TRY(Set("cpu", group, "cpu.shares", std::to_string(*limits.cpu_shares)));
    if (limits.cpu_quota) KNARR_TRY(SetQuota(group, limits));
    if (limits.memory && *limits.memory > 0)
      KNARR_TRY(Set("memory", group, "memory.limit_in_bytes", std::to_string(*limits.memory)));
    if (limits.pids && controllers_.contains("pids"))
      KNARR_TRY(Set("pids", group, "pids.max", std::to_string(*limits.pids)));
    return {};
  }

  Result<CgroupUsage> Usage(const std::string& group) override {
    CgroupUsage usage;
    usage.cpu_nanos = KNARR_TRY(ReadNumber(File("cpuacct", group, "cpuacct.usage")));
    usage.memory_usage = KNARR_TRY(ReadNumber(File("memory", group, "memory.usage_in_bytes")));
    const std::string stat = KNARR_TRY(files_->Read(File("memory", group, "memory.stat")));
    const uint64_t inactive = StatValue(stat, "total_inactive_file").value_or(0);
    usage.memory_working_set = usage.memory_usage - std::min(inactive, usage.memory_usage);
    usage.memory_rss = StatValue(stat, "total_rss").value_or(0);
    // The root group counts no pids.
    if (controllers_.contains("pids")) usage.pids = ReadNumber(File("pids", group, "pids.current")).value_or(0);
    return usage;
  }

 protected:
  void Freeze(const std::string& group, bool frozen) override {
    if (!controllers_.contains("freezer")) return;
    // Fails when the group is gone; then there is nothing to freeze.
    (void)files_->Write(File("freezer", group, "freezer.state"), frozen ? "FROZEN" : "THAWED");
  }
  bool KillWhole(const std::string&) override { return false; }

 private:
  std::string File(const std::string& controller, const std::string& group, std::string_view file) const {
    return JoinPath(JoinPath(controllers_.at(controller), group), file);
  }
  Status Set(const std::string& controller, const std::string& group, std::string_view file, const std::string& value) {
    return files_->Write(File(controller, group, file), value);
  }

  Status SetQuota(const std::string& group, const CgroupLimits& limits) {
    // The kernel refuses a period that would make the old quota impossible below its parent, so lift the quota first.
    const int64_t quota = *limits.cpu_quota > 0 ? *limits.cpu_quota : -1;
    const std::string now = files_->Read(File("cpu", group, "cpu.cfs_quota_us")).value_or("");
    const std::string period_now = files_->Read(File("cpu", group, "cpu.cfs_period_us")).value_or("");
    const std::string period = std::to_string(limits.cpu_period);
    if (limits.cpu_period > 0 && period_now != period + "\n") {
      if (!now.starts_with("-1")) KNARR_TRY(Set("cpu", group, "cpu.cfs_quota_us", "-1"));
      KNARR_TRY(Set("cpu", group, "cpu.cfs_period_us", period));
    }
    return Set("cpu", group, "cpu.cfs_quota_us", std::to_string(quota));
  }

  Status CreateIn(const std::string& root, const std::string& group) {
    std::string parent = root;
    size_t start = group.find_first_not_of('/');
    while (start != std::string::npos) {
      const size_t slash = std::min(group.find('/', start), group.size());
      const std::string directory = JoinPath(parent, group.substr(start, slash - start));
      KNARR_TRY(files_->MakeDir(directory));
      if (controllers_.at("cpuset") == root) KNARR_TRY(InheritCpuset(parent, directory));
      parent = directory;
      start = group.find_first_not_of('/', slash);
    }
    return {};
  }

  // A new cpuset is empty and would take no process.
  Status InheritCpuset(const std::string& parent, const std::string& directory) {
    for (const std::string_view file : {"cpuset.cpus", "cpuset.mems"}) {
      const std::string own = KNARR_TRY(files_->Read(JoinPath(directory, file)));
      if (own.find_first_not_of(" \n") != std::string::npos) continue;
      std::string inherited = KNARR_TRY(files_->Read(JoinPath(parent, file)));
      while (!inherited.empty() && inherited.back() == '\n') inherited.pop_back();
      KNARR_TRY(files_->Write(JoinPath(directory, file), inherited));
    }
    return {};
  }

  std::map<std::string, std::string> controllers_;  // name to hierarchy
  std::vector<std::string> roots_;
};

}  // namespace

std::unique_ptr<CgroupFs> NewCgroupFsV1(const std::vector<std::pair<std::string, std::string>>& hierarchies,
                                        std::shared_ptr<CgroupFiles> files) {
  return std::make_unique<CgroupFsV1>(hierarchies, std::move(files));
}

}  // namespace knarr::kubelet
