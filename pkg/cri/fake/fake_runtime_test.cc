// What the fake offers beyond the contract: time, failures, restarts.
#include "pkg/cri/fake/fake_runtime.h"

#include <boost/test/unit_test.hpp>
#include <thread>

namespace knarr::cri {
namespace {

using namespace std::chrono_literals;

struct Fixture {
  FakeClock clock;
  FakeRuntime runtime{clock};
  Context context;
  v1::PodSandboxConfig pod;
  v1::ContainerConfig container;

  Fixture() {
    runtime.AddImage("busybox");
    pod.mutable_metadata()->set_name("web");
    pod.mutable_metadata()->set_namespace_("default");
    container.mutable_metadata()->set_name("app");
    container.mutable_image()->set_image("busybox");
  }
  std::string Start() {
    const std::string sandbox = runtime.RunPodSandbox(context, pod).value();
    const std::string id = runtime.CreateContainer(context, sandbox, container, pod).value();
    BOOST_TEST(runtime.StartContainer(context, id).ok());
    return id;
  }
};

BOOST_FIXTURE_TEST_SUITE(cri_fake, Fixture)

BOOST_AUTO_TEST_CASE(a_program_exits_when_its_time_has_come) {
  runtime.SetProgram([](const v1::ContainerConfig&) { return Program{.exit_code = 4, .runs_for = 5s}; });
  const std::string id = Start();
  clock.Advance(4s);
  BOOST_TEST(runtime.FindContainer("web/app")->state() == v1::CONTAINER_RUNNING);
  clock.Advance(1s);
  BOOST_TEST(runtime.FindContainer("app")->state() == v1::CONTAINER_EXITED);
  BOOST_TEST(runtime.FindContainer("app")->exit_code() == 4);
}

BOOST_AUTO_TEST_CASE(a_removed_container_leaves_no_timer) {
  runtime.SetProgram([](const v1::ContainerConfig&) { return Program{.exit_code = 4, .runs_for = 5s}; });
  BOOST_TEST(runtime.RemoveContainer(context, Start()).ok());
  BOOST_TEST(clock.Pending() == 0u);
}

BOOST_AUTO_TEST_CASE(a_stubborn_program_is_killed_when_the_grace_is_over) {
  runtime.SetProgram([](const v1::ContainerConfig&) { return Program{.ignores_stop = true}; });
  const std::string id = Start();
  std::thread stopper([&] { BOOST_TEST(runtime.StopContainer(context, id, 30s).ok()); });
  while (clock.Pending() == 0) std::this_thread::yield();
  BOOST_TEST(runtime.FindContainer("app")->state() == v1::CONTAINER_RUNNING);
  clock.Advance(30s);
  stopper.join();
  BOOST_TEST(runtime.FindContainer("app")->exit_code() == 137);
  BOOST_TEST(runtime.CallsOf("StopContainer").front().grace.count() == 30);
}

BOOST_AUTO_TEST_CASE(a_stop_can_be_cancelled) {
  runtime.SetProgram([](const v1::ContainerConfig&) { return Program{.ignores_stop = true}; });
  const std::string id = Start();
  std::stop_source stop;
  std::thread stopper(
      [&] { BOOST_TEST(runtime.StopContainer(context.WithStop(stop.get_token()), id, 30s).Is(Code::kCancelled)); });
  while (clock.Pending() == 0) std::this_thread::yield();
  stop.request_stop();
  stopper.join();
  BOOST_TEST(runtime.FindContainer("app")->state() == v1::CONTAINER_RUNNING);
}

BOOST_AUTO_TEST_CASE(a_scripted_failure_changes_nothing_and_is_used_up) {
  runtime.FailNext("RunPodSandbox", Error(Code::kUnknown, "failed to setup network"));
  BOOST_TEST(runtime.RunPodSandbox(context, pod).error().message() == "failed to setup network");
  BOOST_TEST(!runtime.FindSandbox("web").has_value());
  BOOST_TEST(runtime.RunPodSandbox(context, pod).ok());
}

BOOST_AUTO_TEST_CASE(a_hook_sees_the_call_and_can_fail_it) {
  std::string seen;
  runtime.SetHook("StartContainer", [&](const Context&, const Call& call) {
    seen = call.name;
    return Error(Code::kUnknown, "no");
  });
  const std::string sandbox = runtime.RunPodSandbox(context, pod).value();
  const std::string id = runtime.CreateContainer(context, sandbox, container, pod).value();
  BOOST_TEST(!runtime.StartContainer(context, id).ok());
  BOOST_TEST(seen == "web/app");
}

BOOST_AUTO_TEST_CASE(containers_survive_a_dead_runtime_and_event_streams_do_not) {
  const std::string id = Start();
  bool connected = false;
  std::thread reader([&] {
    const Status end = runtime.GetContainerEvents(
        context, [&] { connected = true; },
        [&](v1::ContainerEventResponse&& event) {
          if (event.container_event_type() == v1::CONTAINER_STARTED_EVENT && event.container_id() == id)
            runtime.SetAvailable(false);
        });
    BOOST_TEST(end.Is(Code::kServiceUnavailable));
  });
  reader.join();
  BOOST_TEST(connected);
  BOOST_TEST(runtime.ListContainers(context).error().Is(Code::kServiceUnavailable));
  runtime.ExitContainer(id, 1);
  runtime.SetAvailable(true);
  BOOST_TEST(runtime.ContainerStatus(context, id)->status().exit_code() == 1);
}

BOOST_AUTO_TEST_CASE(pulls_know_the_registry_and_the_credentials) {
  runtime.AddRemoteImage("registry.local/app:1");
  v1::ImageSpec image;
  image.set_image("registry.local/app:1");
  v1::AuthConfig auth;
  auth.set_username("me");
  BOOST_TEST(runtime.PullImage(context, image, &auth).ok());
  BOOST_TEST(runtime.ImageStatus(context, image)->has_image());
  BOOST_TEST(runtime.Pulls().front().auth->username() == "me");
  runtime.SetPullError("registry.local/app:1", Error(Code::kUnknown, "unauthorized"));
  BOOST_TEST(runtime.PullImage(context, image).error().message() == "unauthorized");
}

BOOST_AUTO_TEST_CASE(short_image_names_get_their_registry_and_tag) {
  runtime.AddImage("quay.io/team/app");
  for (const auto& [given, full] : std::vector<std::pair<std::string, std::string>>{
           {"busybox", "docker.io/library/busybox:latest"},
           {"docker.io/library/busybox:latest", "docker.io/library/busybox:latest"},
           {"quay.io/team/app", "quay.io/team/app:latest"}}) {
    v1::ImageSpec image;
    image.set_image(given);
    BOOST_TEST(runtime.ImageStatus(context, image)->image().repo_tags(0) == full);
  }
}

BOOST_AUTO_TEST_CASE(an_error_reads_as_upstream_prints_it) {
  BOOST_TEST(RpcErrorText(Error(Code::kNotFound, "no such image")) ==
             "rpc error: code = NotFound desc = no such image");
  BOOST_TEST(RpcErrorText(Error(Code::kTimeout, "x")) == "rpc error: code = DeadlineExceeded desc = x");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::cri
