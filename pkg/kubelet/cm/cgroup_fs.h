// The cgroup file system as the manager sees it: one unified tree, or several v1 hierarchies that hold the same groups.
// Group names are absolute paths below the mount ("/kubepods/burstable"). Not part of the package's interface.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pkg/base/status.h"
#include "pkg/kubelet/cm/cm.h"
#include "pkg/kubelet/cm/pod_resources.h"

namespace knarr::kubelet {

// The system calls; a test's version lets a plain directory behave like cgroupfs (files appear with the directory).
class CgroupFiles {
 public:
  virtual ~CgroupFiles() = default;
  virtual Status MakeDir(const std::string& path);    // an existing one is success
  virtual Status RemoveDir(const std::string& path);  // a missing one is success
  virtual Status Write(const std::string& path, std::string_view value);
  virtual Result<std::string> Read(const std::string& path);
  virtual void Kill(int pid);
};

class CgroupFs {
 public:
  virtual ~CgroupFs() = default;
  // Finds out what is mounted at the mount point. An error names the controllers that are missing.
  static Result<std::unique_ptr<CgroupFs>> Detect(const std::string& mount_point, std::shared_ptr<CgroupFiles> files);

  virtual bool IsV2() const = 0;
  // The group's directory in every hierarchy.
  virtual std::vector<std::string> Directories(const std::string& group) const = 0;
  // Creates the group and its parents everywhere, ready to take processes (cpuset filled, controllers handed down).
  virtual Status Create(const std::string& group) = 0;
  virtual Status Apply(const std::string& group, const CgroupLimits& limits) = 0;
  virtual Result<CgroupUsage> Usage(const std::string& group) = 0;
  // Kills every process of the group and its children and removes them all, children first. Tries until the deadline;
  // a missing group is success.
  Status Destroy(const std::string& group, std::chrono::steady_clock::time_point deadline);
  // Names of the groups directly below, over all hierarchies.
  std::set<std::string> Children(const std::string& group) const;

 protected:
  explicit CgroupFs(std::shared_ptr<CgroupFiles> files) : files_(std::move(files)) {}
  // Stops the processes of the group from forking while they are killed, where the kernel can.
  virtual void Freeze(const std::string& group, bool frozen) = 0;
  // One go at killing everything; false if the kernel has no such thing.
  virtual bool KillWhole(const std::string& group) = 0;
  Result<uint64_t> ReadNumber(const std::string& path) const;

  const std::shared_ptr<CgroupFiles> files_;

 private:
  std::set<int> ProcessesIn(const std::string& group) const;
  Status RemoveTree(const std::string& directory) const;
};

// Whether a list separated by spaces (cgroup.controllers) holds the word.
bool HasWord(std::string_view list, std::string_view word);
// The number after `key` in a file of "key value" lines (memory.stat, cpu.stat); nullopt if it is not there.
std::optional<uint64_t> StatValue(std::string_view text, std::string_view key);

std::unique_ptr<CgroupFs> NewCgroupFsV1(const std::vector<std::pair<std::string, std::string>>& hierarchies,
                                        std::shared_ptr<CgroupFiles> files);
std::unique_ptr<CgroupFs> NewCgroupFsV2(const std::string& mount_point, std::shared_ptr<CgroupFiles> files);

// CgroupManager::Create with the system calls replaced; for tests.
Result<std::unique_ptr<CgroupManager>> CreateCgroupManager(CgroupManagerOptions options,
                                                           std::shared_ptr<CgroupFiles> files);

}  // namespace knarr::kubelet
