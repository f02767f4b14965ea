// Rotating the logs of running containers: <n>.log -> <n>.log.<time>, older ones compressed, the oldest removed.
// Mirrors: pkg/kubelet/logs/container_log_manager.go
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include "pkg/base/file.h"
#include "pkg/kubelet/kuberuntime/manager.h"
#include "pkg/kubelet/kuberuntime/names.h"

namespace knarr::kubelet {
namespace {

constexpr std::string_view kGzip = ".gz";
constexpr std::string_view kTemporary = ".tmp";

std::string TimeStamp(WallTime now) {
  const time_t seconds = std::chrono::system_clock::to_time_t(now);
  tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  (void)strftime(text, sizeof text, "%Y%m%d-%H%M%S", &utc);
  return text;
}

Status Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return ErrnoError(errno, "rename {} to {}", from, to);
  return OkStatus();
}

// log -> log.gz, by way of a temporary file.
Status Compress(const std::string& log) {
  const UniqueFd in = KNARR_TRY(OpenFile(log, O_RDONLY | O_NOFOLLOW));
  struct stat info {};
  if (fstat(in.get(), &info) != 0) return ErrnoError(errno, "stat {}", log);
  const std::string temporary = log + std::string(kTemporary);
  UniqueFd out = KNARR_TRY(OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, info.st_mode & 0777));
  gzFile zip = gzdopen(out.get(), "wb");
  if (!zip) return Error(Code::kInternal, "gzip {}: out of memory", log);
  (void)out.release();
  char buffer[64 << 10];
  Status error;
  for (;;) {
    const ssize_t got = read(in.get(), buffer, sizeof buffer);
    if (got == 0) break;
    if (got < 0) {
      if (errno == EINTR) continue;
      error = ErrnoError(errno, "read {}", log);
      break;
    }
    if (gzwrite(zip, buffer, static_cast<unsigned>(got)) != got) {
      error = Error(Code::kInternal, "gzip {} failed; is the disk full?", log);
      break;
    }
  }
  if (gzclose(zip) != Z_OK && error.ok()) error = Error(Code::kInternal, "gzip {} failed; is the disk full?", log);
  if (error.ok()) error = Rename(temporary, log + std::string(kGzip));
  if (!error.ok()) {
    (void)unlink(temporary.c_str());
    return error;
  }
  if (unlink(log.c_str()) != 0) return ErrnoError(errno, "remove {}", log);
  return OkStatus();
}

// The rotated files of a log, oldest first, after removing what a broken rotation left.
Result<std::vector<std::string>> RotatedFiles(const std::string& log) {
  const std::string directory(DirName(log));
  const std::string prefix = std::string(BaseName(log)) + ".";
  std::vector<std::string> files;
  const auto names = KNARR_TRY(ListDir(directory));
  for (const std::string& name : names) {
    if (!name.starts_with(prefix)) continue;
    const bool compressed = std::find(names.begin(), names.end(), name + std::string(kGzip)) != names.end();
    const std::string path = JoinPath(directory, name);
    if (name.ends_with(kTemporary) || compressed) {
      (void)unlink(path.c_str());
    } else {
      files.push_back(path);
    }
  }
  return files;
}

Status MakeRoom(const std::string& log, int max_files) {
  std::vector<std::string> files = KNARR_TRY(RotatedFiles(log));
  // The current file and the one about to be rotated count too.
  const auto keep = static_cast<size_t>(std::max(0, max_files - 2));
  for (; files.size() > keep; files.erase(files.begin())) {
    if (unlink(files.front().c_str()) != 0) return ErrnoError(errno, "remove {}", files.front());
  }
  for (const std::string& file : files) {
    if (!file.ends_with(kGzip)) KNARR_TRY(Compress(file));
  }
  return OkStatus();
}

}  // namespace

Status RuntimeManagerImpl::RotateLogs(const Context& ctx) {
  cri_v1::ContainerFilter running;
  running.mutable_state()->set_state(cri_v1::CONTAINER_RUNNING);
  Status first;
  for (const auto& c : KNARR_TRY(deps_.cri.ListContainers(ctx, running))) {
    const ContainerInfo info = ParseContainerInfo(ToStringMap(c.labels()), {});
    if (info.pod_uid.empty()) continue;
    const std::string log = JoinPath(PodLogsDirectory(options_.pod_logs_dir, info.pod_namespace, info.pod_name, info.pod_uid),
                                     ContainerLogFile(info.name, static_cast<int>(c.metadata().attempt())));
    struct stat file {};
    // Not there: a rotation that broke off between renaming and reopening.
    const bool missing = lstat(log.c_str(), &file) != 0 && errno == ENOENT && PathExists(std::string(DirName(log)));
    Status error;
    if (missing) {
      error = deps_.cri.ReopenContainerLog(ctx, c.id());
    } else if (S_ISREG(file.st_mode) && file.st_size >= options_.container_log_max_size && options_.container_log_max_size > 0) {
      error = MakeRoom(log, options_.container_log_max_files);
      const std::string rotated = fmt::format("{}.{}", log, TimeStamp(deps_.clock.Now()));
      if (error.ok()) error = Rename(log, rotated);
      if (error.ok()) {
        error = deps_.cri.ReopenContainerLog(ctx, c.id());
        // Or the container goes on writing into the rotated file, which is about to be compressed and removed.
        if (!error.ok()) (void)rename(rotated.c_str(), log.c_str());
      }
    }
    if (error.ok()) continue;
    deps_.log.Error(error, "Failed to rotate log for container", {{"containerID", c.id()}, {"path", log}});
    if (first.ok()) first = error.WithContext(fmt::format("rotate log {}", log));
  }
  return first;
}

}  // namespace knarr::kubelet
