// Durable creates per second with 1 and 64 writers, beside the floor: writing the same bytes to a file of the same
// folder and waiting for fdatasync, one after another.
//
//   creates sqlite FOLDER [SECONDS]      creates etcd ENDPOINT [SECONDS [FOLDER-FOR-THE-FLOOR]]
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "pkg/apiserver/storage/etcd3.h"
#include "pkg/apiserver/storage/sqlite.h"
#include "pkg/base/file.h"

namespace knarr::storage {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kValueBytes = 1000;  // a small pod

double Seconds(timeval time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}
double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}

Status Floor(const std::string& folder, std::chrono::seconds time) {
  const std::string file = JoinPath(folder, fmt::format("floor.{}", ::getpid()));
  const UniqueFd fd = KNARR_TRY(OpenFile(file, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  const std::string value(kValueBytes, 'x');
  int64_t count = 0;
  const auto begin = Clock::now();
  while (Clock::now() - begin < time) {
    // Round and round in 4 MiB, as a write-ahead log is.
    const auto at = static_cast<off_t>(static_cast<size_t>(count % 4096) * kValueBytes);
    if (::pwrite(fd.get(), value.data(), value.size(), at) < 0) return ErrnoError(errno, "write {}", file);
    if (::fdatasync(fd.get()) != 0) return ErrnoError(errno, "fdatasync {}", file);
    ++count;
  }
  ::unlink(file.c_str());
  std::printf("%-12s %10.0f /s\n", "fdatasync", static_cast<double>(count) / static_cast<double>(time.count()));
  return OkStatus();
}

void Measure(Store& store, int writers, std::chrono::seconds time) {
  std::atomic<bool> stop{false};
  std::atomic<int64_t> failures{0};
  std::vector<std::vector<double>> took(static_cast<size_t>(writers));
  const double cpu = CpuSeconds();
  {
    std::vector<std::jthread> threads;
    for (int w = 0; w < writers; ++w) {
      threads.emplace_back([&, w] {
        const std::string value(kValueBytes, 'x');
        for (int64_t i = 0; !stop; ++i) {
          const auto begin = Clock::now();
          const auto result =
              store.Create({}, fmt::format("/registry/bench/{}/{}/{}/{}", ::getpid(), writers, w, i), value, 0);
          if (!result.ok() || !result->succeeded) ++failures;
          took[static_cast<size_t>(w)].push_back(
              std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
        }
      });
    }
    std::this_thread::sleep_for(time);
    stop = true;
  }
  std::vector<double> all;
  for (const auto& one : took) all.insert(all.end(), one.begin(), one.end());
  std::sort(all.begin(), all.end());
  const auto at = [&](double part) { return all[static_cast<size_t>(part * static_cast<double>(all.size() - 1))]; };
  std::printf("%2d writer%s  %10.0f /s   p50 %.2f ms   p99 %.2f ms   %.0f us of CPU each%s\n", writers,
              writers == 1 ? " " : "s", static_cast<double>(all.size()) / static_cast<double>(time.count()), at(0.5),
              at(0.99), (CpuSeconds() - cpu) * 1e6 / static_cast<double>(all.size()),
              failures > 0 ? "   WITH FAILURES" : "");
}

Status Run(const std::vector<std::string>& args) {
  if (args.size() < 2)
    return Error(Code::kInvalid, "creates sqlite FOLDER [SECONDS] | etcd ENDPOINT [SECONDS [FOLDER]]");
  const std::chrono::seconds time(args.size() > 2 ? std::max(1, std::atoi(args[2].c_str())) : 5);
  const bool sqlite = args[0] == "sqlite";
  const std::string folder = sqlite ? args[1] : args.size() > 3 ? args[3] : ".";
  KNARR_TRY(MakeDirs(folder));
  KNARR_TRY(Floor(folder, time));
  auto store = sqlite ? KNARR_TRY(OpenSqlite({.data_dir = folder}))
                      : KNARR_TRY(OpenEtcd3({.endpoints = {args[1]}, .compaction_interval = std::chrono::seconds(0)}));
  for (const int writers : {1, 64}) Measure(*store, writers, time);
  return OkStatus();
}

}  // namespace
}  // namespace knarr::storage

int main(int argc, char** argv) {
  const knarr::Status status = knarr::storage::Run({argv + 1, argv + argc});
  if (!status.ok()) std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
