#include "pkg/cri/events.h"

#include <boost/test/unit_test.hpp>
#include <condition_variable>
#include <mutex>

#include "pkg/cri/fake/fake_runtime.h"

namespace knarr::cri {
namespace {

using namespace std::chrono_literals;
using State = EventStream::State;

// Collects what the stream says; tests wait for it, with a generous bound.
struct Fixture {
  FakeClock clock;
  FakeRuntime runtime{clock};
  Context context;
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<State> states;
  std::vector<v1::ContainerEventType> events;

  EventStream::Callbacks Callbacks() {
    return {.on_state =
                [this](State state, const Status&) {
                  const std::lock_guard lock(mutex);
                  states.push_back(state);
                  wake.notify_all();
                },
            .on_event =
                [this](v1::ContainerEventResponse&& event) {
                  const std::lock_guard lock(mutex);
                  events.push_back(event.container_event_type());
                  wake.notify_all();
                }};
  }
  void WaitFor(const std::vector<State>& want) {
    std::unique_lock lock(mutex);
    wake.wait_for(lock, 10s, [&] { return states.size() >= want.size(); });
    BOOST_TEST((states == want));
  }
  void WaitForEvents(size_t count) {
    std::unique_lock lock(mutex);
    BOOST_TEST(wake.wait_for(lock, 10s, [&] { return events.size() >= count; }));
  }
  void RunPod(const std::string& name) {
    v1::PodSandboxConfig config;
    config.mutable_metadata()->set_name(name);
    BOOST_TEST(runtime.RunPodSandbox(context, config).ok());
  }
};

BOOST_FIXTURE_TEST_SUITE(cri_events, Fixture)

BOOST_AUTO_TEST_CASE(events_arrive_in_order) {
  EventStream stream(context, runtime, Callbacks());
  WaitFor({State::kConnecting, State::kStreaming});
  RunPod("a");
  WaitForEvents(2);
  BOOST_TEST((events == std::vector{v1::CONTAINER_CREATED_EVENT, v1::CONTAINER_STARTED_EVENT}));
}

BOOST_AUTO_TEST_CASE(a_broken_stream_is_opened_again) {
  EventStream stream(context, runtime, Callbacks(), {.min_backoff = 1ms, .max_backoff = 2ms});
  WaitFor({State::kConnecting, State::kStreaming});
  runtime.SetAvailable(false);
  WaitFor({State::kConnecting, State::kStreaming, State::kConnecting});
  runtime.SetAvailable(true);
  WaitFor({State::kConnecting, State::kStreaming, State::kConnecting, State::kStreaming});
  RunPod("a");
  WaitForEvents(2);
}

BOOST_AUTO_TEST_CASE(a_runtime_without_events_is_asked_once_until_retry) {
  runtime.SetEventsSupported(false);
  EventStream stream(context, runtime, Callbacks(), {.min_backoff = 1ms, .max_backoff = 2ms});
  WaitFor({State::kConnecting, State::kUnsupported});
  BOOST_TEST((stream.state() == State::kUnsupported));
  BOOST_TEST(runtime.CallsOf("GetContainerEvents").size() == 1u);
  runtime.SetEventsSupported(true);
  stream.Retry();
  WaitFor({State::kConnecting, State::kUnsupported, State::kConnecting, State::kStreaming});
}

BOOST_AUTO_TEST_CASE(it_ends_with_its_context) {
  std::stop_source stop;
  EventStream stream(context.WithStop(stop.get_token()), runtime, Callbacks());
  WaitFor({State::kConnecting, State::kStreaming});
  stop.request_stop();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::cri
