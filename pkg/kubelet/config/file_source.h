// The manifest directory (or single file) as a state machine: which files there are, what was last good in each, what
// is wrong with them, and when to look again. Owns the inotify descriptor but no thread: its owner polls fd(), calls
// HandleEvents() when it is readable and Advance() when NextDue() has come.
// Mirrors: pkg/kubelet/config/{file,file_linux}.go
//
// A look at a file happens when a writer has closed it and a moment (debounce) has passed; a file somebody is still
// writing is left alone. What cannot be read, parsed or validated keeps its last good content.
#pragma once

#include <sys/stat.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pkg/kubelet/config/manifest.h"
#include "pkg/kubelet/config/watcher.h"

namespace knarr::kubelet {

class LastGoodStore;

class FileSource {
 public:
  // store may be null: then a restart forgets what was last good.
  FileSource(const PodConfigOptions& options, Clock& clock, LastGoodStore* store);

  int fd() const { return watcher_ ? watcher_->fd() : -1; }
  void HandleEvents();
  // The mount table changed: something may have been mounted on the path.
  void HandleMounts();
  // Looks at everything now.
  void Rescan();
  // Does what is due.
  void Advance();
  std::optional<MonoTime> NextDue() const;

  // Good content, in the order of file names.
  std::vector<const Manifest*> Manifests() const;
  std::vector<ManifestProblem> Problems() const;
  // False until the path was read once, or was missing for the whole grace period.
  bool ready() const { return ready_; }
  // Writes what became good (and forgets what is gone) to the store; after the news is out, because it syncs.
  void SaveLastGood();

 private:
  // What stat says about a file whose content we know.
  struct Identity {
    dev_t dev = 0;
    ino_t ino = 0;
    off_t size = -1;
    timespec mtime{}, ctime{};
    bool Same(const struct stat& st) const;
  };
  struct File {
    Identity identity;
    bool settled = false;  // the identity proves that the content is the one we read
    std::string content_hash;
    std::vector<ManifestProblem> content_problems;  // what parsing that content gave
    std::shared_ptr<const Manifest> good;
    size_t good_bytes = 0;
    std::string unsaved;    // good content that the store does not have yet
    bool restored = false;  // the store was asked
    std::vector<ManifestProblem> problems;
  };
  struct Pending {
    std::optional<MonoTime> first;  // when a change that was not looked at yet was complete
    MonoTime due;
    bool writing = false;  // waits for the writer to close it
  };

  void OnEvent(const DirWatcher::Event& event);
  void Touch(const std::string& path, DirWatcher::What what);
  void ScheduleRescan(Duration delay);
  // Manifest names in the directory as paths, sorted; too many entries are a problem.
  Result<std::vector<std::string>> List();
  void Watch(const std::vector<std::string>& files);
  void WatchKnown(std::vector<std::string> more);
  void ScanDirectory(const struct stat& st);
  void ScanSingleFile();
  void PathFound(const struct stat& st);
  void PathGone(const std::string& why);
  void RestoreAll();
  bool RootUnchanged() const;
  void CheckDue();
  // Reads, parses and takes over one file; a file that is gone loses its pods.
  void Check(const std::string& path);
  void CheckContent(const std::string& path, File& file, std::string content);
  void Fail(const std::string& path, File& file, std::vector<ManifestProblem> problems);
  void Fail(const std::string& path, File& file, std::string message);
  void RestoreLastGood(const std::string& path, File& file);
  void Remove(const std::string& path);
  void SetGood(File& file, Manifest manifest, size_t bytes);
  void SetOwnProblem(const std::string& topic, std::string message);
  ParseOptions ParseOptionsFor(const std::string& path, const Manifest* previous) const;

  const PodConfigOptions options_;
  const std::string path_;  // absolute
  Clock& clock_;
  LastGoodStore* const store_;
  std::optional<DirWatcher> watcher_;
  std::map<std::string, File> files_;
  std::map<std::string, Pending> pending_;
  std::set<std::string> links_;                          // manifests that are symbolic links
  std::set<std::string> forgotten_;                      // to be removed from the store
  std::map<std::string, ManifestProblem> own_problems_;  // of the path itself, by topic
  size_t good_bytes_ = 0;
  std::optional<MonoTime> rescan_due_;
  std::optional<MonoTime> missing_since_;
  std::pair<dev_t, ino_t> root_id_{};
  bool single_file_ = false;
  bool ready_ = false;
  bool scanned_ = false;
};

}  // namespace knarr::kubelet
