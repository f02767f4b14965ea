// knarr logs POD
#include <unistd.h>

#include <cstdio>

#include "pkg/base/duration.h"
#include "pkg/base/file.h"
#include "pkg/cli/arguments.h"
#include "pkg/cli/cli.h"
#include "pkg/cli/client.h"

namespace knarr::cli {
namespace {

struct Options {
  std::string container, since, since_time;
  int64_t tail = -1, limit_bytes = 0;
  bool follow = false, previous = false, timestamps = false;
};

Result<std::string> TargetOf(const PodRow& pod, const Options& options) {
  std::string container = options.container;
  if (container.empty()) {
    std::string names;
    for (const PodRow::Container& c : pod.containers) {
      if (c.kind == "init") continue;
      if (container.empty()) container = c.name;
      names += (names.empty() ? "" : ", ") + c.name;
    }
    if (names.find(',') != std::string::npos) std::fprintf(stderr, "Defaulted container \"%s\" out of: %s\n", container.c_str(), names.c_str());
  }
  http::Query query;
  if (options.follow) query.emplace_back("follow", "true");
  if (options.previous) query.emplace_back("previous", "true");
  if (options.timestamps) query.emplace_back("timestamps", "true");
  if (options.tail >= 0) query.emplace_back("tailLines", fmt::format("{}", options.tail));
  if (options.limit_bytes > 0) query.emplace_back("limitBytes", fmt::format("{}", options.limit_bytes));
  if (!options.since.empty()) {
    const auto since = KNARR_TRY_CTX(ParseDuration(options.since), "--since");
    query.emplace_back("sinceSeconds", fmt::format("{}", std::chrono::ceil<std::chrono::seconds>(since).count()));
  }
  if (!options.since_time.empty()) query.emplace_back("sinceTime", options.since_time);
  return fmt::format("/containerLogs/{}/{}/{}?{}", pod.ns, pod.name, http::PercentEncode(container), http::EncodeQuery(query));
}

Status Print(const KubeletClient& client, const std::string& target) {
  bool failed = false;
  std::string text;
  KNARR_TRY(http::Stream(
      Context::Background(), client.Request(target),
      [&](const http::Response& head) {
        failed = head.status != 200;
        return Status();
      },
      [&](std::string_view bytes) {
        if (!failed) return WriteAll(STDOUT_FILENO, bytes, "standard output");
        text += bytes;
        return Status();
      }));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return failed ? Error(Code::kUnknown, "{}", text) : Status();
}

}  // namespace

int LogsMain(const std::vector<std::string>& args) {
  Arguments arguments("knarr logs POD [-c CONTAINER] [flags]", "Prints the output of a container.");
  Options options;
  arguments.flags().String(&options.container, "container", "The container; without it the first.").Shorthand('c');
  arguments.flags().Bool(&options.follow, "follow", "Go on as more is written.").Shorthand('f');
  arguments.flags().Bool(&options.previous, "previous", "Of the instance before the present one.").Shorthand('p');
  arguments.flags().Bool(&options.timestamps, "timestamps", "With the time of each line.");
  arguments.flags().Int64(&options.tail, "tail", "Only this many lines from the end; -1 for all.");
  arguments.flags().Int64(&options.limit_bytes, "limit-bytes", "At most this many bytes; 0 for all.");
  arguments.flags().String(&options.since, "since", "Only what is newer than a duration like 5s, 2m or 3h.");
  arguments.flags().String(&options.since_time, "since-time", "Only what is newer than a time in RFC 3339.");
  if (const auto code = arguments.Parse(args)) return *code;
  if (arguments.words.empty() || arguments.words.size() > 2) return Fail(Error(Code::kInvalid, "expected POD [CONTAINER]"));
  if (arguments.words.size() == 2) options.container = arguments.words[1];
  const KubeletClient client(arguments.socket);
  const Result<NodeState> state = ReadNodeState(Context::Background().WithTimeout(std::chrono::seconds(30)), client);
  if (!state.ok()) return Fail(state.status());
  const Result<PodRow> pod = FindPod(*state, arguments.ns, arguments.words[0]);
  if (!pod.ok()) return Fail(pod.status());
  const Result<std::string> target = TargetOf(*pod, options);
  if (!target.ok()) return Fail(target.status());
  const Status status = Print(client, *target);
  return status.ok() ? 0 : Fail(status);
}

}  // namespace knarr::cli
