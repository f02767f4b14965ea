#include "pkg/kubelet/volume/atomic_writer.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <set>
#include <vector>

#include "pkg/base/file.h"

namespace knarr::kubelet {

namespace {

constexpr char kDataLink[] = "..data";
constexpr char kNewDataLink[] = "..data_tmp";
constexpr size_t kMaxFileName = 255, kMaxPath = 4096;

std::vector<std::string_view> Components(std::string_view path) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

Status ValidatePath(std::string_view path) {
  if (path.empty()) return Error(Code::kInvalid, "invalid path: must not be empty: \"\"");
  if (path.front() == '/') return Error(Code::kInvalid, "invalid path: must be relative path: {}", path);
  if (path.size() > kMaxPath)
    return Error(Code::kInvalid, "invalid path: must be less than or equal to {} characters", kMaxPath);
  const std::vector<std::string_view> parts = Components(path);
  for (const std::string_view part : parts) {
    if (part == "..") return Error(Code::kInvalid, "invalid path: must not contain '..': {}", path);
    if (part.size() > kMaxFileName) {
      return Error(Code::kInvalid, "invalid path: filenames must be less than or equal to {} characters", kMaxFileName);
    }
    if (part.find('\0') != std::string_view::npos)
      return Error(Code::kInvalid, "invalid path: must not contain a zero byte");
  }
  if (parts.front().starts_with("..")) return Error(Code::kInvalid, "invalid path: must not start with '..': {}", path);
  return {};
}

// "a//./b/" -> "a/b"
std::string Clean(std::string_view path) {
  std::string out;
  for (const std::string_view part : Components(path)) {
    if (part.empty() || part == ".") continue;
    if (!out.empty()) out += '/';
    out += part;
  }
  return out;
}

Result<Payload> CleanPayload(const Payload& payload) {
  Payload clean;
  for (const auto& [path, file] : payload) {
    KNARR_TRY(ValidatePath(path));
    std::string name = Clean(path);
    if (name.empty()) return Error(Code::kInvalid, "invalid path: must not be empty: \"{}\"", path);
    clean[std::move(name)] = file;
  }
  return clean;
}

std::string ReadLink(int dir, const char* name) {
  char target[PATH_MAX];
  const ssize_t n = ::readlinkat(dir, name, target, sizeof target);
  return n < 0 ? std::string() : std::string(target, static_cast<size_t>(n));
}

Result<UniqueFd> OpenDirAt(int dir, const char* name) {
  UniqueFd fd(::openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return ErrnoError(errno, "open {}", name);
  return fd;
}

// Every file below, relative to the directory.
void FilesBelow(const std::string& directory, const std::string& prefix, std::set<std::string>& files) {
  const Result<std::vector<std::string>> names = ListDir(directory);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    struct stat info {};
    const std::string path = JoinPath(directory, name);
    if (::lstat(path.c_str(), &info) != 0) continue;
    if (S_ISDIR(info.st_mode)) {
      FilesBelow(path, prefix + name + "/", files);
    } else {
      files.insert(prefix + name);
    }
  }
}

bool SameContent(const Payload& payload, const std::string& directory) {
  std::set<std::string> present;
  FilesBelow(directory, "", present);
  if (present.size() != payload.size()) return false;
  for (const auto& [path, file] : payload) {
    if (!present.contains(path)) return false;
    const Result<std::string> content = ReadFile(JoinPath(directory, path), file.data.size());
    if (!content.ok() || *content != file.data) return false;
  }
  return true;
}

Result<std::string> MakeTimestampDir(int dir) {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char stamp[64];
  std::strftime(stamp, sizeof stamp, "..%Y_%m_%d_%H_%M_%S.", &utc);
  for (int attempt = 0; attempt < 100; ++attempt) {
    uint32_t random = 0;
    if (::getrandom(&random, sizeof random, 0) != sizeof random) return ErrnoError(errno, "getrandom");
    std::string name = fmt::format("{}{}", stamp, random);
    if (::mkdirat(dir, name.c_str(), 0755) == 0) return name;
    if (errno != EEXIST) return ErrnoError(errno, "mkdir {}", name);
  }
  return Error(Code::kAlreadyExists, "no free name for a directory {}*", stamp);
}

Status WriteFileAt(int dir, const std::string& path, const FileProjection& file) {
  const std::vector<std::string_view> parts = Components(path);
  UniqueFd parent = KNARR_TRY(OpenDirAt(dir, "."));
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    const std::string name(parts[i]);
    if (::mkdirat(parent.get(), name.c_str(), 0755) != 0 && errno != EEXIST) return ErrnoError(errno, "mkdir {}", path);
    parent = KNARR_TRY(OpenDirAt(parent.get(), name.c_str()));
  }
  const UniqueFd fd(::openat(parent.get(), std::string(parts.back()).c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return ErrnoError(errno, "create {}", path);
  KNARR_TRY(WriteAll(fd.get(), file.data, path));
  if (::fchmod(fd.get(), file.mode & 0777) != 0) return ErrnoError(errno, "chmod {}", path);
  return {};
}

// The names that users see in the volume's root.
std::set<std::string> VisibleNames(const Payload& payload) {
  std::set<std::string> names;
  for (const auto& [path, file] : payload) names.emplace(Components(path).front());
  return names;
}

Status MakeVisibleLinks(int dir, const Payload& payload) {
  for (const std::string& name : VisibleNames(payload)) {
    const std::string target = JoinPath(kDataLink, name);
    if (::symlinkat(target.c_str(), dir, name.c_str()) != 0 && errno != EEXIST)
      return ErrnoError(errno, "symlink {}", name);
  }
  return {};
}

}  // namespace

Result<bool> AtomicWriter::Write(const Payload& payload, const SetPermissions& set_permissions) {
  const Payload clean = KNARR_TRY(CleanPayload(payload));
  const UniqueFd dir = KNARR_TRY(OpenFile(directory_, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  const std::string current = ReadLink(dir.get(), kDataLink);
  const bool same = !current.empty() && SameContent(clean, JoinPath(directory_, current));
  if (!same) KNARR_TRY(Publish(dir.get(), clean, set_permissions));
  KNARR_TRY(Tidy(dir.get(), clean));
  return !same;
}

Status AtomicWriter::Publish(int dir, const Payload& payload, const SetPermissions& set_permissions) {
  KNARR_TRY(Step("mkdir"));
  const std::string stamp = KNARR_TRY(MakeTimestampDir(dir));
  const UniqueFd data = KNARR_TRY(OpenDirAt(dir, stamp.c_str()));
  if (::fchmod(data.get(), 0755) != 0) return ErrnoError(errno, "chmod {}", stamp);
  for (const auto& [path, file] : payload) {
    KNARR_TRY(Step("write"));
    KNARR_TRY(WriteFileAt(data.get(), path, file));
  }
  KNARR_TRY(Step("links"));
  KNARR_TRY(MakeVisibleLinks(dir, payload));
  KNARR_TRY(Step("permissions"));
  if (set_permissions) KNARR_TRY(set_permissions(directory_));
  KNARR_TRY(Step("new link"));
  // One left by a crash would be in the way for ever.
  if (::unlinkat(dir, kNewDataLink, 0) != 0 && errno != ENOENT) return ErrnoError(errno, "remove {}", kNewDataLink);
  if (::symlinkat(stamp.c_str(), dir, kNewDataLink) != 0) return ErrnoError(errno, "symlink {}", kNewDataLink);
  KNARR_TRY(Step("swap"));
  if (::renameat(dir, kNewDataLink, dir, kDataLink) != 0) return ErrnoError(errno, "rename {}", kNewDataLink);
  return {};
}

// Removes links to files that are no more, the old data directory and whatever an interrupted Write left.
Status AtomicWriter::Tidy(int dir, const Payload& payload) const {
  const std::string current = ReadLink(dir, kDataLink);
  const std::set<std::string> wanted = VisibleNames(payload);
  const std::vector<std::string> names = KNARR_TRY(ListDir(directory_));
  for (const std::string& name : names) {
    if (name == kDataLink || name == current) continue;
    if (name.starts_with("..")) {
      KNARR_TRY(Step("remove old"));
      KNARR_TRY(RemoveAll(JoinPath(directory_, name)));
    } else if (!wanted.contains(name) && ReadLink(dir, name.c_str()) == JoinPath(kDataLink, name)) {
      KNARR_TRY(Step("remove link"));
      if (::unlinkat(dir, name.c_str(), 0) != 0 && errno != ENOENT) return ErrnoError(errno, "remove {}", name);
    }
  }
  return {};
}

}  // namespace knarr::kubelet
