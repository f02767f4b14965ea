// The floor for a kubelet's pod starts: sandbox, create and start of N pods straight through CRI, at a given
// parallelism. Prints one JSON object; several parallelisms are tried in turn and the best is named.
//
//   raw_cri --endpoint unix:///run/containerd/containerd.sock --pods 30 --parallelism 1,2,4,8
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>

#include "pkg/cri/client.h"

namespace knarr {
namespace {

using Clock = std::chrono::steady_clock;
using Millis = std::chrono::duration<double, std::milli>;

struct Options {
  std::string endpoint = "unix:///run/containerd/containerd.sock";
  std::string image = "knarr.dev/test/busybox:1";
  std::vector<std::string> command{"sleep", "100000"};
  std::string cgroup_parent;
  int pods = 30;
  std::vector<int> parallelisms{4};
  bool host_network = false;
};

struct Times {
  double sandbox = 0, create = 0, start = 0;
  double total() const { return sandbox + create + start; }
};

cri::v1::PodSandboxConfig SandboxConfig(const Options& options, int index) {
  cri::v1::PodSandboxConfig config;
  const std::string name = fmt::format("raw-{}-{}", ::getpid(), index);
  config.mutable_metadata()->set_name(name);
  config.mutable_metadata()->set_namespace_("bench");
  config.mutable_metadata()->set_uid(name);
  if (!options.host_network) config.set_hostname(name);
  config.mutable_linux()->set_cgroup_parent(options.cgroup_parent);
  auto* namespaces = config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
  namespaces->set_network(options.host_network ? cri::v1::NODE : cri::v1::POD);
  namespaces->set_pid(cri::v1::CONTAINER);
  return config;
}

class Loop {
 public:
  Loop(cri::CriRuntime& runtime, const Options& options) : runtime_(runtime), options_(options) {}

  // Starts all pods; the wall time in milliseconds.
  Result<double> Run(int parallelism) {
    std::atomic<int> next{0};
    begin_unix_ms_ = Millis(std::chrono::system_clock::now().time_since_epoch()).count();
    const auto begin = Clock::now();
    {
      std::vector<std::jthread> workers;
      for (int i = 0; i < parallelism; ++i) {
        workers.emplace_back([&] {
          for (int pod = next++; pod < options_.pods; pod = next++) Keep(StartPod(pod));
        });
      }
    }
    const double took = Millis(Clock::now() - begin).count();
    if (!error_.ok()) return error_;
    return took;
  }

  void RemoveAll() {
    std::atomic<size_t> next{0};
    std::vector<std::jthread> workers;
    for (int i = 0; i < 4; ++i) {
      workers.emplace_back([&] {
        for (size_t pod = next++; pod < sandboxes_.size(); pod = next++) {
          Keep(runtime_.StopPodSandbox({}, sandboxes_[pod]));
          Keep(runtime_.RemovePodSandbox({}, sandboxes_[pod]));
        }
      });
    }
  }

  // When Run began, to set beside the time stamps of containerd's events.
  double begin_unix_ms() const { return begin_unix_ms_; }
  const std::vector<Times>& times() const { return times_; }
  const Status& error() const { return error_; }

 private:
  Status StartPod(int index) {
    const auto config = SandboxConfig(options_, index);
    Times times;
    auto mark = Clock::now();
    const auto lap = [&mark] {
      const auto now = Clock::now();
      return Millis(now - std::exchange(mark, now)).count();
    };
    const std::string sandbox = KNARR_TRY(runtime_.RunPodSandbox({}, config));
    {
      const std::lock_guard lock(mutex_);
      sandboxes_.push_back(sandbox);
    }
    times.sandbox = lap();
    cri::v1::ContainerConfig container;
    container.mutable_metadata()->set_name("main");
    container.mutable_image()->set_image(options_.image);
    for (const std::string& word : options_.command) container.add_command(word);
    *container.mutable_linux()->mutable_security_context()->mutable_namespace_options() =
        config.linux().security_context().namespace_options();
    const std::string id = KNARR_TRY(runtime_.CreateContainer({}, sandbox, container, config));
    times.create = lap();
    KNARR_TRY(runtime_.StartContainer({}, id));
    times.start = lap();
    const std::lock_guard lock(mutex_);
    times_.push_back(times);
    return OkStatus();
  }

  void Keep(const Status& status) {
    const std::lock_guard lock(mutex_);
    if (!status.ok() && error_.ok()) error_ = status;
  }

  cri::CriRuntime& runtime_;
  const Options& options_;
  std::mutex mutex_;
  std::vector<std::string> sandboxes_;
  std::vector<Times> times_;
  double begin_unix_ms_ = 0;
  Status error_;
};

double Median(const std::vector<Times>& times, double (*value)(const Times&)) {
  std::vector<double> values;
  for (const Times& t : times) values.push_back(value(t));
  if (values.empty()) return 0;
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

Status RunAll(const Options& options) {
  const auto runtime = KNARR_TRY(cri::Connect({.endpoint = options.endpoint}));
  std::string runs;
  double best = 0;
  int best_parallelism = 0;
  for (const int parallelism : options.parallelisms) {
    Loop loop(*runtime, options);
    const Result<double> took = loop.Run(parallelism);
    loop.RemoveAll();
    if (!took.ok()) return took.error();
    if (!loop.error().ok()) return loop.error();
    if (best_parallelism == 0 || *took < best) best = *took, best_parallelism = parallelism;
    runs += fmt::format(
        "{}{{\"parallelism\":{},\"begin_unix_ms\":{:.3f},\"total_ms\":{:.1f},\"pod_ms\":{:.1f},\"sandbox_ms\":{:.1f},"
        "\"create_ms\":{:.1f},\"start_ms\":{:.1f}}}",
        runs.empty() ? "" : ",", parallelism, loop.begin_unix_ms(), *took, Median(loop.times(), [](const Times& t) { return t.total(); }),
        Median(loop.times(), [](const Times& t) { return t.sandbox; }),
        Median(loop.times(), [](const Times& t) { return t.create; }),
        Median(loop.times(), [](const Times& t) { return t.start; }));
  }
  fmt::print("{{\"pods\":{},\"host_network\":{},\"best_parallelism\":{},\"best_total_ms\":{:.1f},\"runs\":[{}]}}\n",
             options.pods, options.host_network, best_parallelism, best, runs);
  return OkStatus();
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Starts pods straight through CRI and prints how long it took, as JSON.");
  app.add_option("--endpoint", options.endpoint, "CRI socket")->capture_default_str();
  app.add_option("--image", options.image, "image of the container; must be present")->capture_default_str();
  app.add_option("--command", options.command, "its command, words separated by commas")->delimiter(',');
  app.add_option("--pods", options.pods, "pods per run")->capture_default_str()->check(CLI::Range(1, 1000));
  app.add_option("--parallelism", options.parallelisms, "one run for each of these")
      ->delimiter(',')
      ->check(CLI::Range(1, 256));
  app.add_option("--cgroup-parent", options.cgroup_parent, "parent of the pods' cgroups");
  app.add_flag("--host-network", options.host_network, "without pod network");
  CLI11_PARSE(app, argc, argv);
  if (const Status status = RunAll(options); !status.ok()) {
    fmt::print(stderr, "raw_cri: {}\n", status);
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace knarr

int main(int argc, char** argv) {
  return knarr::Main(argc, argv);
}
