#include "pkg/kubelet/boot.h"

#include <filesystem>

#include <boost/test/unit_test.hpp>

#include "pkg/base/file.h"
#include "pkg/cri/fake/fake_runtime.h"

namespace knarr::kubelet {
namespace {

struct Fixture {
  Fixture() : runtime(clock) {
    char name[] = "/tmp/knarr-boot.XXXXXX";
    dir = ::mkdtemp(name);
    options = {.state_file = dir + "/boot-id", .boot_id = "boot-1"};
    cri::v1::PodSandboxConfig config;
    config.mutable_metadata()->set_name("web");
    config.mutable_metadata()->set_namespace_("default");
    config.mutable_metadata()->set_uid("1");
    sandbox = runtime.RunPodSandbox(Context::Background(), config).value();
  }
  ~Fixture() { std::filesystem::remove_all(dir); }
  BootReport Sweep() { return SweepAfterBoot(Context::Background(), runtime, options).value(); }
  size_t Sandboxes() { return runtime.ListPodSandbox(Context::Background())->size(); }

  FakeClock clock;
  cri::FakeRuntime runtime;
  std::string dir, sandbox;
  BootOptions options;
};

BOOST_AUTO_TEST_SUITE(boot)

BOOST_AUTO_TEST_CASE(the_first_run_ever_touches_nothing) {
  Fixture f;
  const BootReport report = f.Sweep();
  BOOST_TEST(report.new_boot);
  BOOST_TEST(f.Sandboxes() == 1u);
  BOOST_TEST(report.live_sandboxes.contains(f.sandbox));
}

BOOST_AUTO_TEST_CASE(a_restart_of_the_kubelet_touches_nothing) {
  Fixture f;
  f.Sweep();
  const BootReport report = f.Sweep();
  BOOST_TEST(!report.new_boot);
  BOOST_TEST(f.Sandboxes() == 1u);
}

BOOST_AUTO_TEST_CASE(another_boot_id_removes_every_sandbox_even_one_that_claims_to_run) {
  Fixture f;
  f.Sweep();
  f.options.boot_id = "boot-2";
  const BootReport report = f.Sweep();
  BOOST_TEST(report.new_boot);
  BOOST_TEST(report.sandboxes_removed == 1);
  BOOST_TEST(report.live_sandboxes.empty());
  BOOST_TEST(f.Sandboxes() == 0u);
  BOOST_TEST(ReadFile(f.options.state_file).value() == "boot-2");
}

BOOST_AUTO_TEST_CASE(a_sandbox_that_cannot_be_removed_is_named_and_does_not_stop_the_start) {
  Fixture f;
  f.Sweep();
  f.options.boot_id = "boot-2";
  f.runtime.FailNext("RemovePodSandbox", Error(Code::kInternal, "device busy"));
  const BootReport report = f.Sweep();
  BOOST_REQUIRE(report.problems.size() == 1u);
  BOOST_TEST(report.problems[0] == "remove sandbox " + f.sandbox + " of pod default/web: device busy");
}

BOOST_AUTO_TEST_CASE(a_runtime_that_does_not_answer_leaves_the_record_as_it_was) {
  Fixture f;
  f.Sweep();
  f.options.boot_id = "boot-2";
  f.runtime.SetAvailable(false);
  BOOST_TEST(!SweepAfterBoot(Context::Background(), f.runtime, f.options).ok());
  BOOST_TEST(ReadFile(f.options.state_file).value() == "boot-1");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
