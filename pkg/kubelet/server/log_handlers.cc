#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "pkg/base/file.h"
#include "pkg/kubelet/logs/logs.h"
#include "pkg/kubelet/server/handlers.h"

namespace knarr::kubelet {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";

// As the API's query parameters are read: present means true, unless "0" or "false".
bool Flag(const http::Request& request, std::string_view key) {
  if (!request.HasQuery(key)) return false;
  const std::string_view value = request.QueryValue(key);
  return value != "0" && value != "false";
}

Status Undecodable() {
  return Error(Code::kBadRequest, "{{\"message\": \"Unable to decode query.\"}}");
}
Status InvalidRequest() {
  return Error(Code::kInvalid, "{{\"message\": \"Invalid request.\"}}");
}

Result<std::optional<int64_t>> Number(const http::Request& request, std::string_view key) {
  const std::string_view text = request.QueryValue(key);
  if (text.empty()) return std::optional<int64_t>();
  const Result<int64_t> value = ParseInt(text);
  if (!value.ok()) return Undecodable();
  return std::optional<int64_t>(*value);
}

// v1.PodLogOptions from the query, validated.
Result<LogOptions> ParseLogOptions(const http::Request& request, WallTime now) {
  LogOptions options;
  options.follow = Flag(request, "follow");
  options.timestamps = Flag(request, "timestamps");
  options.tail_lines = KNARR_TRY(Number(request, "tailLines"));
  // The older name; "all" is the same as leaving it out.
  if (const std::string_view tail = request.QueryValue("tail"); tail == "all") {
    options.tail_lines.reset();
  } else if (!tail.empty()) {
    options.tail_lines = KNARR_TRY(Number(request, "tail"));
  }
  options.limit_bytes = KNARR_TRY(Number(request, "limitBytes"));
  const std::optional<int64_t> since_seconds = KNARR_TRY(Number(request, "sinceSeconds"));
  const std::string_view since_time = request.QueryValue("sinceTime");
  if (!since_time.empty()) {
    const Result<WallTime> time = ParseRfc3339(since_time);
    if (!time.ok()) return Undecodable();
    options.since = *time;
  }
  const bool bad =
      (options.tail_lines && *options.tail_lines < 0) || (options.limit_bytes && *options.limit_bytes < 1) ||
      (since_seconds && (*since_seconds < 1 || *since_seconds > int64_t{1} << 32)) || (since_seconds && options.since);
  if (bad) return InvalidRequest();
  if (since_seconds) options.since = now - std::chrono::seconds(*since_seconds);
  return options;
}

std::string HtmlEscape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&#34;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

void ListDirectory(const UniqueFd& dir, http::ResponseWriter& response) {
  const Result<std::vector<std::string>> names = ListDir("/proc/self/fd/" + std::to_string(dir.get()));
  if (!names.ok()) return ReplyError(response, names.status());
  std::string page = "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n";
  for (std::string name : *names) {
    struct stat st {};
    if (::fstatat(dir.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) name += '/';
    const bool slash = name.ends_with('/');
    const std::string link =
        http::PercentEncode(slash ? std::string_view(name).substr(0, name.size() - 1) : std::string_view(name));
    page += fmt::format("<a href=\"{}{}\">{}</a>\n", link, slash ? "/" : "", HtmlEscape(name));
  }
  response.Reply(200, "text/html; charset=utf-8", page + "</pre>\n");
}

void SendFile(const http::Request& request, const UniqueFd& file, http::ResponseWriter& response) {
  response.headers().Set("Content-Type", std::string(kText));
  response.headers().Set("X-Content-Type-Options", "nosniff");
  response.WriteHeader(200);
  std::string buffer(32 << 10, '\0');
  // To the end that the file has now; one that grows is not followed.
  struct stat st {};
  if (::fstat(file.get(), &st) != 0) return;
  for (off_t left = st.st_size; left > 0 && !request.ctx.Done();) {
    const ssize_t n = ::read(file.get(), buffer.data(), std::min(buffer.size(), static_cast<size_t>(left)));
    if (n <= 0 || !response.Write({buffer.data(), static_cast<size_t>(n)}).ok()) return;
    left -= n;
  }
}

}  // namespace

void HandleContainerLogs(ServerState& state, const http::Request& request, http::ResponseWriter& response) {
  const Result<LogOptions> options = ParseLogOptions(request, state.clock.Now());
  if (!options.ok()) return ReplyError(response, options.status());
  const Result<KubeletView::ContainerRef> found =
      state.view.FindContainer(std::string(request.Param("namespace")), std::string(request.Param("pod")),
                               std::string(request.Param("container")), Flag(request, "previous"));
  if (!found.ok()) return ReplyError(response, found.status());
  const std::string id = found->container_id;
  response.headers().Set("Content-Type", std::string(kText));
  const auto running = [&] { return found->running && state.view.ContainerRunning(id); };
  // An empty text: the reader is about to wait for more, so what is there goes out.
  const auto sink = [&](LogStream, std::string_view text) {
    return text.empty() ? response.Flush() : response.Write(text);
  };
  const Status status =
      ReadContainerLogs(request.ctx, state.options.pod_log_dir, found->log_path, *options, running, sink);
  if (status.ok() || response.status() != 0 || status.Is(Code::kCancelled)) return;
  ReplyError(response, status);
}

void HandleSystemLogs(ServerState& state, const http::Request& request, http::ResponseWriter& response) {
  std::string path(request.Param("path"));
  while (path.ends_with('/')) path.pop_back();
  Result<UniqueFd> file = OpenBeneath(state.options.system_log_dir, path, O_RDONLY | O_DIRECTORY, false);
  if (file.ok()) return ListDirectory(*file, response);
  file = OpenBeneath(state.options.system_log_dir, path, O_RDONLY, false);
  if (file.ok()) return SendFile(request, *file, response);
  if (file.status().Is(Code::kNotFound)) return response.Error(404, "404 page not found");
  response.Error(403, "403 Forbidden");
}

}  // namespace knarr::kubelet
