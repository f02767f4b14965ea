#include "pkg/kubelet/config/watcher.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <deque>

#include "pkg/base/file.h"

namespace knarr::kubelet {
namespace {

constexpr uint32_t kNameMask = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;
constexpr uint32_t kContentMask = IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB;
constexpr uint32_t kSelfMask = IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB;
constexpr uint32_t kFlags = IN_ONLYDIR | IN_EXCL_UNLINK | IN_MASK_ADD;
constexpr int kMaxSymlinks = 40;
constexpr size_t kMaxReasons = 3;

void PushComponents(std::deque<std::string>& rest, const std::string& path) {
  std::deque<std::string> parts;
  size_t begin = 0;
  while (begin <= path.size()) {
    size_t end = path.find('/', begin);
    if (end == std::string::npos) end = path.size();
    if (end > begin) parts.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  rest.insert(rest.begin(), parts.begin(), parts.end());
}

}  // namespace

std::vector<std::pair<std::string, std::string>> ResolvePlaces(const std::string& path) {
  std::vector<std::pair<std::string, std::string>> places;
  std::deque<std::string> rest;
  PushComponents(rest, path);
  std::string at = "/";
  int symlinks = 0;
  while (!rest.empty()) {
    const std::string name = std::move(rest.front());
    rest.pop_front();
    if (name == ".") continue;
    if (name == "..") {
      at = std::string(DirName(at));
      continue;
    }
    const std::string here = JoinPath(at, name);
    struct stat st {};
    if (::lstat(here.c_str(), &st) != 0) {
      places.emplace_back(at, name);
      return places;
    }
    if (S_ISLNK(st.st_mode)) {
      places.emplace_back(at, name);
      char target[PATH_MAX];
      const ssize_t length = ::readlink(here.c_str(), target, sizeof(target));
      if (length <= 0 || ++symlinks > kMaxSymlinks) return places;
      const std::string to(target, static_cast<size_t>(length));
      if (to[0] == '/') at = "/";
      PushComponents(rest, to);
      continue;
    }
    if (rest.empty()) places.emplace_back(at, name);
    at = here;
  }
  return places;
}

Result<DirWatcher> DirWatcher::Create() {
  const int fd = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd < 0) return ErrnoError(errno, "inotify_init1");
  return DirWatcher(UniqueFd(fd));
}

std::vector<std::string> DirWatcher::SetInterests(const std::map<std::string, Interest>& by_dir) {
  std::map<int, Interest> next;
  std::vector<std::string> reasons;
  for (const auto& [dir, interest] : by_dir) {
    const uint32_t mask = kFlags | kNameMask | (interest.contents ? kContentMask : 0) | (interest.self ? kSelfMask : 0);
    const int wd = ::inotify_add_watch(fd_.get(), dir.c_str(), mask);
    if (wd < 0) {
      // Gone again or not a directory: the next event or rescan tells. Only limits are worth a word.
      if (errno != ENOENT && errno != ENOTDIR && reasons.size() < kMaxReasons) {
        reasons.push_back(std::string(ErrnoError(errno, "watch {}", dir).message()));
      }
      continue;
    }
    // Two paths may lead to one directory.
    Interest& merged = next[wd];
    merged.contents |= interest.contents;
    merged.self |= interest.self;
    for (const auto& [name, manifests] : interest.names) merged.names[name].insert(manifests.begin(), manifests.end());
  }
  for (const auto& [wd, watch] : watches_) {
    if (!next.contains(wd)) ::inotify_rm_watch(fd_.get(), wd);
  }
  watches_ = std::move(next);
  return reasons;
}

bool DirWatcher::Read(const OnEvent& on_event) {
  bool complete = true;
  alignas(inotify_event) char buffer[16 << 10];
  while (true) {
    const ssize_t length = ::read(fd_.get(), buffer, sizeof(buffer));
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) return complete;
    for (ssize_t at = 0; at < length;) {
      inotify_event event;
      std::memcpy(&event, buffer + at, sizeof(event));
      const std::string name = event.len > 0 ? std::string(buffer + at + sizeof(event)) : std::string();
      at += static_cast<ssize_t>(sizeof(event) + event.len);
      if ((event.mask & IN_Q_OVERFLOW) != 0) complete = false;
      Deliver(event.wd, event.mask, name, on_event);
    }
  }
}

void DirWatcher::Deliver(int wd, uint32_t mask, const std::string& name, const OnEvent& on_event) {
  const auto watch = watches_.find(wd);
  if (watch == watches_.end()) return;
  const Interest& interest = watch->second;
  Event event{What::kChanged, interest.self, name, {}};
  if (name.empty()) {
    event.what = What::kSelf;
    if ((mask & IN_IGNORED) != 0) watches_.erase(watch);
    return on_event(event);
  }
  if (const auto depends = interest.names.find(name); depends != interest.names.end())
    event.manifests = depends->second;
  if ((mask & IN_MODIFY) != 0) event.what = What::kWriting;
  if ((mask & IN_CREATE) != 0) event.what = What::kCreated;
  if ((mask & IN_ATTRIB) != 0) event.what = What::kAttributes;
  on_event(event);
}

}  // namespace knarr::kubelet
