// Reads container logs in the CRI format:
//   2016-10-06T00:17:09.669794202Z stdout F The content of the log entry 1
// Tags are F (full) or P (partial: the line goes on in the next entry). Container output is hostile: a line is handled
// in pieces of bounded size however long it is. Files are opened O_NOFOLLOW beneath the log root and must be regular:
// a symlink planted by an image cannot show another file.
// Mirrors: staging/src/k8s.io/cri-client/pkg/logs/logs.go v1.32
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "pkg/base/clock.h"
#include "pkg/base/context.h"
#include "pkg/base/status.h"
#include "pkg/base/unique_fd.h"

namespace knarr::kubelet {

enum class LogStream { kStdout, kStderr };

struct LogEntry {
  std::string_view timestamp;  // as written, RFC 3339 with nanoseconds
  WallTime time;
  LogStream stream = LogStream::kStdout;
  bool partial = false;
  std::string_view content;  // without the newline
};
// One line without its newline.
Result<LogEntry> ParseCriLogLine(std::string_view line);
// RFC 3339 with an optional fraction: "2016-10-06T00:17:09.669794202Z", "...+02:00".
Result<WallTime> ParseRfc3339(std::string_view text);
// With nanoseconds, UTC.
std::string FormatRfc3339Nano(WallTime time);

struct LogOptions {
  bool follow = false;
  bool timestamps = false;
  std::optional<int64_t> tail_lines;
  std::optional<int64_t> limit_bytes;
  std::optional<WallTime> since;
};

// Writes the chosen entries to `sink` (blocking; an error of it ends the read and is returned). With follow, waits
// for more by inotify and goes on across rotation (the file is renamed and a new one appears) until `running` says
// that the container ended and all is read, or the Context is done. Before it waits, the sink gets an empty text: the
// moment to flush. Memory is bounded by about 100 KiB.
// root: the directory that the path must lie beneath, /var/log/pods; path: absolute.
Status ReadContainerLogs(const Context& ctx, const std::string& root, const std::string& path,
                         const LogOptions& options, const std::function<bool()>& running,
                         const std::function<Status(LogStream, std::string_view)>& sink);

// Opens a regular file (with O_DIRECTORY: a directory) beneath root without following any symlink in `relative`
// (openat2 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS); never blocks on a FIFO. check_owner: it must belong to root or to
// us.
Result<UniqueFd> OpenBeneath(const std::string& root, std::string_view relative, int flags, bool check_owner = true);

}  // namespace knarr::kubelet
