#include "pkg/kubelet/kuberuntime/termination_message.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string_view>
#include <vector>

#include "pkg/base/file.h"

namespace knarr::kubelet {
namespace {

constexpr size_t kMaxMessage = 4096;
constexpr size_t kMaxLogBytes = 2048;
constexpr size_t kMaxLogLines = 80;
// Enough for 2 KiB of text however short its lines are: CRI puts about 50 bytes in front of each.
constexpr size_t kLogWindow = 128 << 10;

// The end of a regular file. kNotFound when it is not there.
Result<std::string> ReadTail(const std::string& path, size_t max_bytes) {
  const UniqueFd fd = KNARR_TRY(OpenFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return ErrnoError(errno, "stat {}", path);
  if (!S_ISREG(info.st_mode)) return Error(Code::kInvalid, "{} is not a regular file", path);
  const auto size = static_cast<size_t>(info.st_size);
  std::string text(std::min(size, max_bytes), '\0');
  const ssize_t got = pread(fd.get(), text.data(), text.size(), static_cast<off_t>(size - text.size()));
  if (got < 0) return ErrnoError(errno, "read {}", path);
  text.resize(static_cast<size_t>(got));
  return text;
}

// "2024-01-01T00:00:00.000000000Z stdout F text" -> "text\n", or "text" for a partial line (P).
std::optional<std::string> TextOfLine(std::string_view line) {
  const size_t stream = line.find(' ');
  if (stream == std::string_view::npos) return std::nullopt;
  const size_t tags = line.find(' ', stream + 1);
  if (tags == std::string_view::npos) return std::nullopt;
  const size_t text = line.find(' ', tags + 1);
  if (text == std::string_view::npos) return std::nullopt;
  const bool partial = line.substr(tags + 1, text - tags - 1).starts_with('P');
  return std::string(line.substr(text + 1)) + (partial ? "" : "\n");
}

}  // namespace

std::string TailOfLog(const std::string& path, size_t max_lines, size_t max_bytes) {
  const auto text = ReadTail(path, kLogWindow);
  if (!text.ok()) return fmt::format("Error on reading termination message from logs: {}", text.status());
  std::vector<std::string_view> lines;
  std::string_view rest = *text;
  while (!rest.empty() && lines.size() < max_lines) {
    if (rest.ends_with('\n')) rest.remove_suffix(1);
    const size_t start = rest.rfind('\n');
    // The first line of a window into a longer file is not whole.
    if (start == std::string_view::npos && text->size() == kLogWindow) break;
    lines.push_back(start == std::string_view::npos ? rest : rest.substr(start + 1));
    rest = start == std::string_view::npos ? std::string_view() : rest.substr(0, start + 1);
  }
  std::string out;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) out += TextOfLine(*line).value_or("");
  if (out.size() > max_bytes) out.erase(0, out.size() - max_bytes);
  return out;
}

std::string TerminationMessage(const cri_v1::ContainerStatus& status, const ContainerInfo& info) {
  // A container that could not even be started has no log.
  const bool fall_back = info.termination_message_policy == "FallbackToLogsOnError" && status.exit_code() != 0 &&
                         status.reason() != "ContainerCannotRun";
  std::string own;
  bool look_at_log = fall_back;
  for (const auto& mount : status.mounts()) {
    if (info.termination_message_path.empty() || mount.container_path() != info.termination_message_path) continue;
    const auto text = ReadTail(mount.host_path(), kMaxMessage);
    if (text.ok()) {
      own = *text;
      look_at_log = fall_back && own.empty();
    } else if (!text.status().Is(Code::kNotFound)) {
      own = fmt::format("Error on reading termination log {}: {}", mount.host_path(), text.status());
      look_at_log = false;
    }
    break;
  }
  if (look_at_log) own = TailOfLog(status.log_path(), kMaxLogLines, kMaxLogBytes);
  if (own.empty() || status.message().empty()) return own.empty() ? status.message() : own;
  return status.message() + ": " + own;
}

}  // namespace knarr::kubelet
