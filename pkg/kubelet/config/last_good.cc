#include "pkg/kubelet/config/last_good.h"

#include <unistd.h>

#include <cerrno>

#include "pkg/base/file.h"
#include "pkg/kubelet/config/common.h"

namespace knarr::kubelet {
namespace {

constexpr size_t kMaxBytes = 2 << 20;
constexpr std::string_view kSuffix = ".manifest";

}  // namespace

// An entry is the manifest's path, a newline, the content.
std::string LastGoodStore::FileOf(const std::string& path) const {
  return JoinPath(dir_, Md5Hex(path) + std::string(kSuffix));
}

Result<std::string> LastGoodStore::Load(const std::string& path) const {
  const std::string entry = KNARR_TRY(ReadFile(FileOf(path), kMaxBytes));
  if (!entry.starts_with(path + "\n")) return Error(Code::kDataLoss, "{} is not about {}", FileOf(path), path);
  return entry.substr(path.size() + 1);
}

std::map<std::string, std::string> LastGoodStore::LoadAll() const {
  std::map<std::string, std::string> all;
  const Result<std::vector<std::string>> names = ListDir(dir_);
  if (!names.ok()) return all;
  for (const std::string& name : *names) {
    if (!name.ends_with(kSuffix)) continue;
    const Result<std::string> entry = ReadFile(JoinPath(dir_, name), kMaxBytes);
    if (!entry.ok()) continue;
    const size_t end = entry->find('\n');
    if (end == std::string::npos) continue;
    const std::string path = entry->substr(0, end);
    if (JoinPath(dir_, name) == FileOf(path)) all[path] = entry->substr(end + 1);
  }
  return all;
}

Status LastGoodStore::Save(const std::string& path, const std::string& content) {
  if (const Result<std::string> stored = Load(path); stored.ok() && *stored == content) return OkStatus();
  KNARR_TRY(MakeDirs(dir_, 0700));
  return WriteFileAtomically(FileOf(path), path + "\n" + content, 0600);
}

Status LastGoodStore::Forget(const std::string& path) {
  if (::unlink(FileOf(path).c_str()) == 0 || errno == ENOENT) return OkStatus();
  return ErrnoError(errno, "remove {}", FileOf(path));
}

}  // namespace knarr::kubelet
