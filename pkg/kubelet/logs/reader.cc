#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stop_token>
#include <utility>

#include "pkg/base/file.h"
#include "pkg/kubelet/logs/logs.h"

namespace knarr::kubelet {
namespace {

constexpr size_t kChunk = 32 << 10;
constexpr size_t kMaxLine = 64 << 10;
constexpr int kStateCheckMs = 1000;  // how late the end of a followed container may be noticed

// Turns bytes of a log file into output, with bounded memory.
class Writer {
 public:
  using Sink = std::function<Status(LogStream, std::string_view)>;
  Writer(const LogOptions& options, const Sink& sink) : options_(options), sink_(sink), left_(options.limit_bytes) {}

  Status Feed(std::string_view bytes) {
    buffer_ += bytes;
    size_t begin = 0;
    while (begin < buffer_.size() && !Full()) {
      const std::string_view rest = std::string_view(buffer_).substr(begin);
      const size_t newline = rest.find('\n');
      if (newline == std::string_view::npos && !inside_ && rest.size() < kMaxLine) break;
      const bool ends = newline != std::string_view::npos;
      const std::string_view piece = rest.substr(0, newline);
      KNARR_TRY(inside_ ? GoOn(piece, ends) : Line(piece, ends));
      begin += ends ? newline + 1 : rest.size();
    }
    buffer_.erase(0, begin);
    return {};
  }
  // A last line without its newline; it is shown as far as it was written.
  Status Flush() {
    const std::string rest = std::exchange(buffer_, {});
    if (rest.empty() || Full()) return {};
    return Line(rest, false);
  }
  // Another file begins.
  void NextFile() {
    inside_ = false;
    skip_ = false;
  }
  // The limit is reached: nothing more is wanted.
  bool Full() const { return left_ && *left_ <= 0; }

 private:
  // ends: the newline was there. Without it the entry is longer than the buffer and GoOn gets the rest.
  Status Line(std::string_view line, bool ends) {
    inside_ = !ends;
    const Result<LogEntry> entry = ParseCriLogLine(line);
    skip_ = !entry.ok() || (options_.since && entry->time < *options_.since);
    if (skip_) return {};
    stream_ = entry->stream;
    partial_ = entry->partial;
    if (options_.timestamps && !after_partial_) KNARR_TRY(Put(std::string(entry->timestamp) + " "));
    after_partial_ = partial_;
    std::string text(entry->content);
    if (ends && !partial_) text += '\n';
    return Put(text);
  }
  Status GoOn(std::string_view piece, bool ends) {
    inside_ = !ends;
    if (skip_) return {};
    KNARR_TRY(Put(piece));
    return ends && !partial_ ? Put("\n") : Status();
  }
  Status Put(std::string_view text) {
    if (left_) {
      text = text.substr(0, static_cast<size_t>(std::clamp<int64_t>(*left_, 0, static_cast<int64_t>(text.size()))));
      *left_ -= static_cast<int64_t>(text.size());
    }
    return text.empty() ? Status() : sink_(stream_, text);
  }

  const LogOptions& options_;
  const Sink& sink_;
  std::optional<int64_t> left_;
  std::string buffer_;
  LogStream stream_ = LogStream::kStdout;
  bool inside_ = false;         // in the middle of an entry that is longer than the buffer
  bool skip_ = false;           // that entry is not shown
  bool partial_ = false;        // that entry has the tag P
  bool after_partial_ = false;  // the entry before had the tag P: this one goes on with its line
};

// Where the last n lines begin.
Result<off_t> TailStart(int fd, int64_t n) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return ErrnoError(errno, "stat log file");
  if (n < 0) return 0;
  char buffer[kChunk];
  int64_t newlines = -1;  // the one that ends the last line does not count
  for (off_t right = st.st_size; right > 0;) {
    const off_t left = std::max<off_t>(0, right - static_cast<off_t>(kChunk));
    const ssize_t got = ::pread(fd, buffer, static_cast<size_t>(right - left), left);
    if (got < 0) return ErrnoError(errno, "read log file");
    for (off_t i = got; i-- > 0;) {
      if (buffer[i] == '\n' && ++newlines == n) return left + i + 1;
    }
    right = left;
  }
  return 0;
}

// What tells a follower to look again: changes in the log's directory, or cancellation.
class Watcher {
 public:
  Status Start(const Context& ctx, const std::string& root, const std::string& directory) {
    const UniqueFd dir = KNARR_TRY(OpenBeneath(root, directory, O_RDONLY | O_DIRECTORY));
    inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!inotify_ || !wake_) return ErrnoError(errno, "watch {}", directory);
    const std::string path = "/proc/self/fd/" + std::to_string(dir.get());
    if (::inotify_add_watch(inotify_.get(), path.c_str(),
                            IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE) < 0) {
      return ErrnoError(errno, "watch {}", JoinPath(root, directory));
    }
    on_stop_.emplace(ctx.stop_token(), Wake{wake_.get()});
    return {};
  }
  Status Wait(const Context& ctx) {
    pollfd fds[2] = {{inotify_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    int timeout = kStateCheckMs;
    if (const auto left = ctx.Remaining()) {
      timeout =
          static_cast<int>(std::min<int64_t>(timeout, std::chrono::ceil<std::chrono::milliseconds>(*left).count()));
    }
    if (::poll(fds, 2, timeout) < 0 && errno != EINTR) return ErrnoError(errno, "poll");
    char events[4096];
    while (::read(inotify_.get(), events, sizeof(events)) > 0) {
    }
    return ctx.Err();
  }

 private:
  struct Wake {
    int fd;
    void operator()() const {
      const uint64_t one = 1;
      if (::write(fd, &one, sizeof(one)) < 0) return;  // full means awake already
    }
  };
  UniqueFd inotify_, wake_;
  std::optional<std::stop_callback<Wake>> on_stop_;
};

struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId&) const = default;
};

FileId IdOf(int fd) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return {};
  return {st.st_dev, st.st_ino};
}

// Everything the file has now.
Status Drain(const Context& ctx, int fd, Writer& writer) {
  char buffer[kChunk];
  for (;;) {
    KNARR_TRY(ctx.Err());
    if (writer.Full()) return {};
    const ssize_t n = ::read(fd, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(errno, "read log file");
    if (n == 0) return {};
    KNARR_TRY(writer.Feed({buffer, static_cast<size_t>(n)}));
  }
}

}  // namespace

Status ReadContainerLogs(const Context& ctx, const std::string& root, const std::string& path,
                         const LogOptions& options, const std::function<bool()>& running,
                         const std::function<Status(LogStream, std::string_view)>& sink) {
  if (!path.starts_with(root + "/")) return Error(Code::kForbidden, "log file {} is not beneath {}", path, root);
  const std::string relative = path.substr(root.size() + 1);
  UniqueFd fd = KNARR_TRY_CTX(OpenBeneath(root, relative, O_RDONLY), "failed to open log file \"{}\"", path);
  Watcher watcher;
  // Watching begins before the first read, so that nothing written in between is missed.
  if (options.follow) KNARR_TRY(watcher.Start(ctx, root, std::string(DirName(relative))));
  if (options.tail_lines) {
    const off_t start = KNARR_TRY(TailStart(fd.get(), *options.tail_lines));
    if (::lseek(fd.get(), start, SEEK_SET) < 0) return ErrnoError(errno, "seek in {}", path);
  }
  Writer writer(options, sink);
  for (;;) {
    // Asked before reading: what the container wrote until its end is then read below.
    const bool ended = !options.follow || !running();
    KNARR_TRY(Drain(ctx, fd.get(), writer));
    if (writer.Full()) return {};
    // A file of another identity under the name: the runtime writes there now, and the old one is complete.
    Result<UniqueFd> next = options.follow ? OpenBeneath(root, relative, O_RDONLY)
                                           : Result<UniqueFd>(Error(Code::kNotFound, "not followed"));
    if (next.ok() && IdOf(next->get()) != IdOf(fd.get())) {
      KNARR_TRY(Drain(ctx, fd.get(), writer));
      KNARR_TRY(writer.Flush());
      writer.NextFile();
      fd = std::move(*next);
      continue;
    }
    if (ended) return writer.Flush();
    KNARR_TRY(sink(LogStream::kStdout, ""));
    KNARR_TRY(watcher.Wait(ctx));
  }
}

}  // namespace knarr::kubelet
