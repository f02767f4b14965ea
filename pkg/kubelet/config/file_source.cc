#include "pkg/kubelet/config/file_source.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>

#include "pkg/base/duration.h"
#include "pkg/base/file.h"
#include "pkg/kubelet/config/last_good.h"

namespace knarr::kubelet {
namespace {

constexpr size_t kMaxEntries = 100'000;  // of any kind, in the directory
constexpr size_t kMaxFiles = 10'000;
constexpr size_t kMaxTotalBytes = 64 << 20;
constexpr size_t kMaxWatchedDirs = 1000;
// A stream of changes is looked at after this many debounce periods at the latest.
constexpr int kMaxDebounces = 10;
// The first change after a time of quiet waits for this part of it.
constexpr int kQuickPart = 5;
// A file that appeared without anybody writing to it (a hard link, a rename we did not see) is looked at after this.
constexpr Duration kQuiet = std::chrono::seconds(1);
// A writer that neither writes nor closes for so long is taken for one that never will.
constexpr Duration kWriterPatience = std::chrono::minutes(5);

bool IsManifestName(std::string_view name) {
  if (name.empty() || name[0] == '.') return false;
  return name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json");
}

std::string AbsolutePath(const std::string& path) {
  std::error_code ignored;
  std::string absolute = std::filesystem::absolute(path, ignored).string();
  while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  return absolute;
}

bool SameTime(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

// Kernel time stamps tick in steps of up to 10 ms: only a change time well in the past tells a later write apart. The
// kernel's own clock is meant here, not the Clock that tests drive.
bool LongAgo(const timespec& change) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const int64_t age = (now.tv_sec - change.tv_sec) * 1'000'000'000LL + (now.tv_nsec - change.tv_nsec);
  return age > 100'000'000;
}

// A file that just appeared: its creator has it open and will close it, unless it is a link of some kind.
bool IsBeingWritten(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1;
}

std::string PodNames(const Manifest& manifest) {
  std::string names;
  for (const ManifestPod& entry : manifest.pods) {
    if (!names.empty()) names += ",";
    names += entry.pod->metadata().namespace_() + "/" + entry.pod->metadata().name();
  }
  return names;
}

}  // namespace

bool FileSource::Identity::Same(const struct stat& st) const {
  return dev == st.st_dev && ino == st.st_ino && size == st.st_size && SameTime(mtime, st.st_mtim) &&
         SameTime(ctime, st.st_ctim);
}

FileSource::FileSource(const PodConfigOptions& options, Clock& clock, LastGoodStore* store)
    : options_(options), path_(AbsolutePath(options.static_pod_path)), clock_(clock), store_(store) {
  if (Result<DirWatcher> watcher = DirWatcher::Create(); watcher.ok()) {
    watcher_ = std::move(*watcher);
  } else {
    SetOwnProblem("inotify", fmt::format("changes are seen every {} only: {}",
                                         FormatDuration(options_.file_check_frequency), watcher.error()));
  }
}

void FileSource::SetOwnProblem(const std::string& topic, std::string message) {
  if (message.empty()) {
    own_problems_.erase(topic);
    return;
  }
  ManifestProblem& problem = own_problems_[topic];
  if (problem.message == message) return;
  problem = {};
  problem.file = path_;
  problem.message = std::move(message);
  problem.since = clock_.Now();
}

// ---- events

void FileSource::HandleEvents() {
  if (!watcher_) return;
  if (watcher_->Read([this](const DirWatcher::Event& event) { OnEvent(event); })) return;
  // Events were dropped, maybe the close of a writer too.
  pending_.clear();
  ScheduleRescan(options_.debounce);
}

void FileSource::OnEvent(const DirWatcher::Event& event) {
  using What = DirWatcher::What;
  if (event.what == What::kSelf) return ScheduleRescan(options_.debounce);
  std::set<std::string> touched = event.manifests;
  if (event.in_root && !single_file_ && IsManifestName(event.name)) touched.insert(JoinPath(path_, event.name));
  // The empty name stands for the path itself.
  if (touched.erase("") > 0 && (event.what == What::kChanged || event.what == What::kCreated)) {
    ScheduleRescan(options_.debounce);
  }
  for (const std::string& path : touched) Touch(path, event.what);
}

void FileSource::Touch(const std::string& path, DirWatcher::What what) {
  using What = DirWatcher::What;
  const MonoTime now = clock_.Monotonic();
  Pending& pending = pending_[path];
  if (what == What::kAttributes && pending.writing) return;
  pending.writing = what == What::kWriting || (what == What::kCreated && IsBeingWritten(path));
  if (pending.writing) {
    pending.due = now + (what == What::kWriting ? kWriterPatience : kQuiet);
    return;
  }
  // A file that was closed once is as good as it gets; one that is gone may be about to come back (editors, rm && cp),
  // and one that changes again will go on changing.
  const bool single = !pending.first.has_value();
  if (single) pending.first = now;
  struct stat st {};
  const bool there = ::lstat(path.c_str(), &st) == 0;
  const Duration wait = single && there ? options_.debounce / kQuickPart : options_.debounce;
  pending.due = std::min(now + wait, *pending.first + kMaxDebounces * options_.debounce);
}

void FileSource::HandleMounts() {
  if (!RootUnchanged()) ScheduleRescan(Duration::zero());
}

bool FileSource::RootUnchanged() const {
  struct stat st {};
  if (::stat(path_.c_str(), &st) != 0) return missing_since_.has_value();
  return !missing_since_ && root_id_ == std::pair(st.st_dev, st.st_ino);
}

void FileSource::ScheduleRescan(Duration delay) {
  const MonoTime due = clock_.Monotonic() + delay;
  if (!rescan_due_ || due < *rescan_due_) rescan_due_ = due;
}

std::optional<MonoTime> FileSource::NextDue() const {
  std::optional<MonoTime> next = rescan_due_;
  for (const auto& [path, pending] : pending_) {
    if (!next || pending.due < *next) next = pending.due;
  }
  return next;
}

void FileSource::Advance() {
  if (rescan_due_ && *rescan_due_ <= clock_.Monotonic()) Rescan();
  CheckDue();
}

void FileSource::CheckDue() {
  const MonoTime now = clock_.Monotonic();
  std::vector<std::string> due;
  for (const auto& [path, pending] : pending_) {
    if (pending.due <= now) due.push_back(path);
  }
  if (due.empty()) return;
  // A file that is gone together with its directory is no file that was removed.
  if (missing_since_ || (!single_file_ && !RootUnchanged())) return Rescan();
  bool rewatch = false;
  for (const std::string& path : due) {
    pending_.erase(path);
    struct stat st {};
    const bool link = ::lstat(path.c_str(), &st) == 0 && S_ISLNK(st.st_mode);
    rewatch |= link || links_.contains(path);
  }
  if (rewatch) WatchKnown(due);
  for (const std::string& path : due) Check(path);
}

// ---- the whole path

void FileSource::Rescan() {
  const MonoTime now = clock_.Monotonic();
  rescan_due_ = now + options_.file_check_frequency;
  std::erase_if(pending_, [&](const auto& entry) { return !entry.second.writing || entry.second.due <= now; });
  struct stat st {};
  int error = ::stat(path_.c_str(), &st) == 0 ? 0 : errno;
  if (error == ENOENT || error == ENOTDIR) {
    Watch({});  // first, lest it appears unseen
    error = ::stat(path_.c_str(), &st) == 0 ? 0 : errno;
  }
  if (error == 0) return PathFound(st);
  if (error == ENOENT || error == ENOTDIR) return PathGone("no such file or directory");
  SetOwnProblem("path", fmt::format("{}; what ran from it keeps running", ErrnoError(error, "read manifests")));
}

void FileSource::PathFound(const struct stat& st) {
  if (S_ISDIR(st.st_mode)) return ScanDirectory(st);
  if (S_ISREG(st.st_mode)) {
    single_file_ = true;
    missing_since_.reset();
    root_id_ = {st.st_dev, st.st_ino};
    return ScanSingleFile();
  }
  SetOwnProblem("path", "is not a directory or file");
}

void FileSource::ScanSingleFile() {
  SetOwnProblem("path", "");
  Watch({path_});
  std::erase_if(files_, [&](const auto& entry) { return entry.first != path_; });
  good_bytes_ = files_.contains(path_) ? files_[path_].good_bytes : 0;
  if (!pending_.contains(path_)) Check(path_);
  scanned_ = ready_ = true;
}

void FileSource::ScanDirectory(const struct stat& st) {
  if (single_file_) {
    single_file_ = false;
    Remove(path_);
  }
  WatchKnown({});  // whatever changes from here on is an event
  Result<std::vector<std::string>> listed = List();
  if (!listed.ok()) {
    SetOwnProblem("path", fmt::format("{}; what ran from it keeps running", listed.error()));
    return;
  }
  const std::pair id(st.st_dev, st.st_ino);
  if (listed->empty() && !files_.empty() && root_id_ != id) return PathGone("an empty directory took its place");
  root_id_ = id;
  missing_since_.reset();
  SetOwnProblem("path", "");
  Watch(*listed);
  std::vector<std::string> gone;
  for (const auto& [path, file] : files_) {
    if (!std::binary_search(listed->begin(), listed->end(), path)) gone.push_back(path);
  }
  for (const std::string& path : gone) Remove(path);
  for (const std::string& path : *listed) {
    if (!pending_.contains(path)) Check(path);
  }
  if (!scanned_ && store_ != nullptr) {
    for (const auto& [path, content] : store_->LoadAll()) {
      if (DirName(path) == path_ && !files_.contains(path)) forgotten_.insert(path);
    }
  }
  scanned_ = ready_ = true;
}

Result<std::vector<std::string>> FileSource::List() {
  DIR* dir = ::opendir(path_.c_str());
  if (dir == nullptr) return ErrnoError(errno, "open");
  std::vector<std::string> files;
  size_t entries = 0;
  while (const dirent* entry = ::readdir(dir)) {
    if (++entries > kMaxEntries || files.size() >= kMaxFiles) break;
    if (IsManifestName(entry->d_name)) files.push_back(JoinPath(path_, entry->d_name));
  }
  ::closedir(dir);
  const bool cut = entries > kMaxEntries || files.size() >= kMaxFiles;
  SetOwnProblem(
      "size",
      cut ? fmt::format("has more than {} entries or {} manifests; the rest is ignored", kMaxEntries, kMaxFiles) : "");
  std::sort(files.begin(), files.end());
  return files;
}

void FileSource::WatchKnown(std::vector<std::string> more) {
  for (const auto& [path, file] : files_) more.push_back(path);
  Watch(more);
}

void FileSource::Watch(const std::vector<std::string>& files) {
  if (!watcher_) return;
  std::map<std::string, DirWatcher::Interest> interests;
  for (const auto& [dir, name] : ResolvePlaces(path_)) interests[dir].names[name].insert("");
  if (!single_file_) {
    interests[path_].contents = true;
    interests[path_].self = true;
  }
  links_.clear();
  bool cut = false;
  for (const std::string& path : files) {
    struct stat st {};
    const bool link = ::lstat(path.c_str(), &st) == 0 && S_ISLNK(st.st_mode);
    if (link) links_.insert(path);
    if (!link && !single_file_) continue;
    for (const auto& [dir, name] : ResolvePlaces(path)) {
      if (!interests.contains(dir) && interests.size() >= kMaxWatchedDirs) {
        cut = true;
        continue;
      }
      interests[dir].contents = true;
      interests[dir].names[name].insert(path);
    }
  }
  const std::vector<std::string> reasons = watcher_->SetInterests(interests);
  std::string text;
  if (!reasons.empty()) text = reasons.front();
  if (cut) text = fmt::format("symbolic links lead to more than {} directories", kMaxWatchedDirs);
  if (!text.empty())
    text = fmt::format("some changes are seen every {} only: {}", FormatDuration(options_.file_check_frequency), text);
  SetOwnProblem("inotify", text);
}

void FileSource::PathGone(const std::string& why) {
  const MonoTime now = clock_.Monotonic();
  if (!missing_since_) missing_since_ = now;
  if (!scanned_ && files_.empty()) RestoreAll();
  pending_.clear();
  const MonoTime end = *missing_since_ + options_.missing_path_grace;
  if (now < end) {
    rescan_due_ = std::min(*rescan_due_, end);
    SetOwnProblem("path", fmt::format("{}; its pods keep running for {} and then stop", why,
                                      FormatDuration(options_.missing_path_grace)));
    if (!files_.empty() && own_problems_["path"].keeps.empty()) {
      for (const auto& [path, file] : files_) {
        if (!file.good || file.good->pods.empty()) continue;
        std::string& keeps = own_problems_["path"].keeps;
        keeps += (keeps.empty() ? "" : ",") + PodNames(*file.good);
      }
    }
    return;
  }
  for (const auto& [path, file] : files_) forgotten_.insert(path);
  files_.clear();
  good_bytes_ = 0;
  SetOwnProblem("path", why);
  scanned_ = ready_ = true;
}

// A kubelet that starts while the path is missing knows from the store what must not be stopped.
void FileSource::RestoreAll() {
  if (store_ == nullptr) return;
  for (const auto& [path, content] : store_->LoadAll()) {
    if (path == path_ || DirName(path) == path_) RestoreLastGood(path, files_[path]);
  }
}

// ---- one file

ParseOptions FileSource::ParseOptionsFor(const std::string& path, const Manifest* previous) const {
  ParseOptions options;
  options.origin = {"file", path, options_.node_name};
  options.max_bytes = options_.max_manifest_bytes;
  options.previous = previous;
  options.now = clock_.Now();
  return options;
}

void FileSource::Check(const std::string& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0 && errno == ENOENT) return Remove(path);
  const bool link = S_ISLNK(st.st_mode);
  if (::stat(path.c_str(), &st) != 0) {
    File& file = files_[path];
    file.settled = false;
    if (errno == ENOENT && link) return Fail(path, file, "symbolic link to a file that does not exist");
    return Fail(path, file, std::string(ErrnoError(errno, "stat").message()));
  }
  if (S_ISDIR(st.st_mode)) return Remove(path);
  File& file = files_[path];
  if (file.settled && file.identity.Same(st)) return;
  file.settled = false;
  // Not even opened: opening a device or the end of a pipe has effects.
  if (!S_ISREG(st.st_mode)) return Fail(path, file, "is not a regular file");
  Result<UniqueFd> fd = OpenFile(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd.ok()) return Fail(path, file, std::string(fd.error().message()));
  if (::fstat(fd->get(), &st) != 0 || !S_ISREG(st.st_mode)) return Fail(path, file, "is not a regular file");
  const bool settled = LongAgo(st.st_ctim);
  file.identity = {st.st_dev, st.st_ino, st.st_size, st.st_mtim, st.st_ctim};
  if (static_cast<size_t>(st.st_size) > options_.max_manifest_bytes) {
    file.settled = settled;
    file.content_hash.clear();
    return Fail(path, file, fmt::format("is larger than {} bytes", options_.max_manifest_bytes));
  }
  Result<std::string> content = ReadFd(fd->get(), options_.max_manifest_bytes, path);
  if (!content.ok()) return Fail(path, file, std::string(content.error().message()));
  file.settled = settled;
  CheckContent(path, file, std::move(*content));
}

void FileSource::CheckContent(const std::string& path, File& file, std::string content) {
  std::string hash = Md5Hex(content);
  if (hash == file.content_hash) {  // chmod, touch, or a transient failure is over
    file.problems = file.content_problems;
    return;
  }
  ParsedManifest parsed = ParseManifest(content, ParseOptionsFor(path, file.good.get()));
  file.content_hash = std::move(hash);
  if (!parsed.problems.empty()) {
    Fail(path, file, std::move(parsed.problems));
    file.content_problems = file.problems;
    return;
  }
  if (good_bytes_ - file.good_bytes + content.size() > kMaxTotalBytes) {
    file.content_hash.clear();
    return Fail(path, file, fmt::format("all manifests together are larger than {} bytes", kMaxTotalBytes));
  }
  SetGood(file, std::move(parsed.manifest), content.size());
  file.restored = true;
  file.problems.clear();
  file.content_problems.clear();
  forgotten_.erase(path);
  if (store_ != nullptr) file.unsaved = std::move(content);
}

void FileSource::Fail(const std::string& path, File& file, std::vector<ManifestProblem> problems) {
  if (!file.good) RestoreLastGood(path, file);
  for (ManifestProblem& problem : problems) {
    if (file.good) problem.keeps = PodNames(*file.good);
    for (const ManifestProblem& old : file.problems) {
      if (old.line == problem.line && old.field == problem.field && old.message == problem.message)
        problem.since = old.since;
    }
  }
  file.problems = std::move(problems);
}

void FileSource::Fail(const std::string& path, File& file, std::string message) {
  ManifestProblem problem;
  problem.file = path;
  problem.message = std::move(message);
  problem.since = clock_.Now();
  Fail(path, file, std::vector<ManifestProblem>{std::move(problem)});
}

void FileSource::RestoreLastGood(const std::string& path, File& file) {
  if (store_ == nullptr || file.restored) return;
  file.restored = true;
  const Result<std::string> content = store_->Load(path);
  if (!content.ok()) return;
  ParsedManifest parsed = ParseManifest(*content, ParseOptionsFor(path, nullptr));
  if (!parsed.problems.empty()) return;
  SetGood(file, std::move(parsed.manifest), content->size());
}

void FileSource::SetGood(File& file, Manifest manifest, size_t bytes) {
  good_bytes_ += bytes - file.good_bytes;
  file.good = std::make_shared<const Manifest>(std::move(manifest));
  file.good_bytes = bytes;
}

void FileSource::Remove(const std::string& path) {
  pending_.erase(path);
  const auto it = files_.find(path);
  if (it == files_.end()) return;
  good_bytes_ -= it->second.good_bytes;
  files_.erase(it);
  forgotten_.insert(path);
}

// ---- results

std::vector<const Manifest*> FileSource::Manifests() const {
  std::vector<const Manifest*> manifests;
  for (const auto& [path, file] : files_) {
    if (file.good) manifests.push_back(file.good.get());
  }
  return manifests;
}

std::vector<ManifestProblem> FileSource::Problems() const {
  std::vector<ManifestProblem> problems;
  for (const auto& [topic, problem] : own_problems_) problems.push_back(problem);
  for (const auto& [path, file] : files_) problems.insert(problems.end(), file.problems.begin(), file.problems.end());
  return problems;
}

void FileSource::SaveLastGood() {
  if (store_ == nullptr) return;
  std::string text;
  for (auto& [path, file] : files_) {
    if (file.unsaved.empty()) continue;
    if (Status status = store_->Save(path, file.unsaved); !status.ok()) text = status.message();
    file.unsaved = std::string();
  }
  for (const std::string& path : forgotten_) {
    if (Status status = store_->Forget(path); !status.ok()) text = status.message();
  }
  forgotten_.clear();
  SetOwnProblem("store", text.empty() ? "" : fmt::format("last good manifests cannot be kept for a restart: {}", text));
}

}  // namespace knarr::kubelet
