// The process that the crash test kills: 64 threads that write, and a watch.
//
//   crash_writer sqlite|etcd DIRECTORY|ENDPOINT FIRST-NUMBER WATCH-AFTER
//
// Thread T owns the key /registry/crash/T. Its operations have ascending numbers; one whose number divided by 5 leaves
// 4 deletes the key if it is there, the others write the number as the value. What happened goes to standard output:
//   A T NUMBER REVISION        acknowledged
//   U T NUMBER                 an error: done or not, nobody knows
//   W REVISION KEY VALUE|-     the watch saw it
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "pkg/apiserver/storage/etcd3.h"
#include "pkg/apiserver/storage/sqlite.h"
#include "pkg/base/file.h"

namespace knarr::storage {
namespace {

using namespace std::chrono_literals;

constexpr int kThreads = 64;

void Say(const std::string& lines) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (!WriteAll(1, lines, "standard output").ok()) std::exit(3);
}

class SayingSink : public WatchSink {
 public:
  void OnEvents(std::vector<Event> events, Revision) override {
    std::string lines;
    for (const Event& event : events)
      lines += fmt::format("W {} {} {}\n", event.kv.mod_revision, event.kv.key,
                           event.type == EventType::kDelete ? "-" : event.kv.value);
    Say(lines);
  }
  void OnProgress(Revision) override {}
  void OnEnd(const Status& status) override { Say(fmt::format("E {}\n", status)); }
};

void Write(Store& store, int thread, int64_t number) {
  const std::string key = fmt::format("/registry/crash/{:02}", thread);
  const auto context = [] { return Context::Background().WithTimeout(5s); };
  for (;;) {
    auto read = store.Get(context(), key);
    if (!read.ok()) {
      std::this_thread::sleep_for(10ms);
      continue;
    }
    Revision at = *read ? (*read)->mod_revision : 0;
    for (;; ++number) {
      const bool remove = number % 5 == 4 && at != 0;
      const std::string value = std::to_string(number);
      const auto result = remove    ? store.Delete(context(), key, at)
                          : at == 0 ? store.Create(context(), key, value, 0)
                                    : store.Update(context(), key, value, at, 0);
      if (!result.ok() || !result->succeeded) {
        Say(fmt::format("U {} {}\n", thread, number++));
        break;  // look what is there
      }
      Say(fmt::format("A {} {} {}\n", thread, number, result->revision));
      at = remove ? 0 : result->revision;
    }
  }
}

int Main(const std::vector<std::string>& args) {
  if (args.size() != 4) return 2;
  auto store =
      args[0] == "sqlite"
          ? OpenSqlite({.data_dir = args[1], .compaction_interval = std::chrono::hours(24), .max_log_bytes = 1 << 30})
          : OpenEtcd3({.endpoints = {args[1]}, .compaction_interval = 0s});
  if (!store.ok()) {
    Say(fmt::format("E {}\n", store.status()));
    return 1;
  }
  SayingSink sink;
  const auto watch = (*store)->Watch({}, "/registry/crash/", std::atoll(args[3].c_str()), sink);
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) threads.emplace_back([&, t] { Write(**store, t, std::atoll(args[2].c_str())); });
  threads.clear();
  return 0;
}

}  // namespace
}  // namespace knarr::storage

int main(int argc, char** argv) {
  return knarr::storage::Main({argv + 1, argv + argc});
}
