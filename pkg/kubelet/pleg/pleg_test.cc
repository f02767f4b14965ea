#include "pkg/kubelet/pleg/pleg.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "pkg/cri/fake/fake_runtime.h"
#include "pkg/kubelet/pleg/exit_watcher.h"

namespace knarr::kubelet {
namespace {

// Collects names that arrive on other threads; waiting has a generous limit and ends at once when the name is there.
class Inbox {
 public:
  void Put(const std::string& name) {
    std::lock_guard lock(mutex_);
    names_.push_back(name);
    wake_.notify_all();
  }
  bool WaitFor(const std::string& name, long times = 1) {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, std::chrono::seconds(20), [&] { return std::count(names_.begin(), names_.end(), name) >= times; });
  }
  size_t Count(const std::string& name) {
    std::lock_guard lock(mutex_);
    return static_cast<size_t>(std::count(names_.begin(), names_.end(), name));
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::string> names_;
};

// A child that lives until its end of the pipe is closed.
struct Child {
  Child() {
    int fds[2];
    BOOST_REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
    pid = ::fork();
    if (pid == 0) {
      ::close(fds[1]);
      char c;
      ::_exit(::read(fds[0], &c, 1) == 0 ? 0 : 1);
    }
    ::close(fds[0]);
    end = UniqueFd(fds[1]);
  }
  ~Child() {
    end.reset();
    ::waitpid(pid, nullptr, 0);
  }
  pid_t pid = 0;
  UniqueFd end;
};

BOOST_AUTO_TEST_SUITE(pleg)

BOOST_AUTO_TEST_CASE(the_watcher_reports_an_exit_once_and_forgets_it) {
  Inbox inbox;
  ExitWatcher watcher([&](const std::string& key) { inbox.Put(key); });
  Child child;
  BOOST_TEST(watcher.Watch("a", child.pid).ok());
  BOOST_TEST(watcher.Watch("a", child.pid).ok());
  BOOST_TEST(watcher.Size() == 1u);
  child.end.reset();
  BOOST_TEST(inbox.WaitFor("a"));
  BOOST_TEST(watcher.Size() == 0u);
  BOOST_TEST(inbox.Count("a") == 1u);
}

BOOST_AUTO_TEST_CASE(a_process_that_is_already_gone_is_reported_at_once) {
  Inbox inbox;
  ExitWatcher watcher([&](const std::string& key) { inbox.Put(key); });
  pid_t pid;
  {
    const Child child;
    pid = child.pid;
  }
  BOOST_TEST(watcher.Watch("gone", pid).ok());
  BOOST_TEST(inbox.Count("gone") == 1u);
}

BOOST_AUTO_TEST_CASE(a_forgotten_process_is_not_reported) {
  Inbox inbox;
  ExitWatcher watcher([&](const std::string& key) { inbox.Put(key); });
  Child first, second;
  BOOST_TEST(watcher.Watch("first", first.pid).ok());
  BOOST_TEST(watcher.Watch("second", second.pid).ok());
  watcher.Forget("first");
  first.end.reset();
  second.end.reset();
  BOOST_TEST(inbox.WaitFor("second"));
  BOOST_TEST(inbox.Count("first") == 0u);
}

struct Fixture {
  explicit Fixture(bool events) : runtime(clock) {
    runtime.AddImage("busybox");
    runtime.SetEventsSupported(events);
    pleg.emplace(runtime, clock,
                 Pleg::Callbacks{.on_change = [this](const std::string& uid) { inbox.Put(uid); }, .on_relist = [this] { inbox.Put("relist"); }},
                 Logger());
  }
  std::string StartPod(const std::string& uid) {
    const Context ctx = Context::Background();
    cri::v1::PodSandboxConfig sandbox;
    sandbox.mutable_metadata()->set_name("web");
    sandbox.mutable_metadata()->set_namespace_("default");
    sandbox.mutable_metadata()->set_uid(uid);
    sandbox_id = runtime.RunPodSandbox(ctx, sandbox).value();
    cri::v1::ContainerConfig config;
    config.mutable_metadata()->set_name("c");
    config.mutable_image()->set_image("busybox");
    const std::string id = runtime.CreateContainer(ctx, sandbox_id, config, sandbox).value();
    BOOST_REQUIRE(runtime.StartContainer(ctx, id).ok());
    return id;
  }
  RuntimePodStatus Running(const std::string& uid, const std::string& id) {
    RuntimePodStatus status{.uid = uid, .name = "web", .ns = "default", .ips = {}, .sandboxes = {}, .containers = {}};
    status.containers.push_back({.id = id, .name = "c", .state = ContainerState::kRunning});
    return status;
  }
  FakeClock clock;
  cri::FakeRuntime runtime;
  Inbox inbox;
  std::string sandbox_id;
  std::optional<Pleg> pleg;
};

BOOST_AUTO_TEST_CASE(an_exit_event_wakes_its_pod_and_our_own_starts_do_not) {
  Fixture f(/*events=*/true);
  BOOST_TEST(f.inbox.WaitFor("relist"));
  const std::string id = f.StartPod("uid-1");
  BOOST_TEST(f.inbox.Count("uid-1") == 0u);
  f.runtime.ExitContainer(id, 1);
  BOOST_TEST(f.inbox.WaitFor("uid-1"));
  BOOST_TEST(f.pleg->Mode() == "events");
  BOOST_TEST(f.pleg->Watched() == 0u);
}

BOOST_AUTO_TEST_CASE(a_runtime_that_was_away_is_listed_again) {
  Fixture f(/*events=*/true);
  BOOST_TEST(f.inbox.WaitFor("relist"));
  f.runtime.SetAvailable(false);
  f.runtime.SetAvailable(true);
  BOOST_TEST(f.inbox.WaitFor("relist", 2));
}

BOOST_AUTO_TEST_CASE(ten_minutes_without_news_mean_a_full_look) {
  Fixture f(/*events=*/true);
  BOOST_TEST(f.inbox.WaitFor("relist"));
  f.clock.Advance(std::chrono::minutes(10));
  BOOST_TEST(f.inbox.WaitFor("relist", 2));
}

BOOST_AUTO_TEST_CASE(without_events_and_pids_the_interval_doubles_up_to_ten_seconds) {
  Fixture f(/*events=*/false);
  const std::string id = f.StartPod("uid-1");
  for (int i = 0; f.pleg->Mode() != "pidfd" && i < 1000000; ++i) std::this_thread::yield();
  BOOST_REQUIRE(f.pleg->Mode() == "pidfd");
  // The fake tells no pid, so the pod is looked at by the clock.
  f.pleg->Observe(f.Running("uid-1", id));
  for (int i = 0; f.runtime.CallsOf("ContainerStatus").empty() && i < 1000000; ++i) std::this_thread::yield();
  long looks = 0;
  for (const int wait : {1, 2, 4, 8, 10, 10}) {
    for (int i = 0; f.clock.Pending() < 2 && i < 1000000; ++i) std::this_thread::yield();
    f.clock.Advance(std::chrono::seconds(wait));
    BOOST_TEST(f.inbox.WaitFor("uid-1", ++looks));
    f.pleg->Observe(f.Running("uid-1", id));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
