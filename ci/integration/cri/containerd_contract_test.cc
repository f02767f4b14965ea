// The contract on real containerd, both versions.
#include <boost/test/unit_test.hpp>

#include "ci/integration/lib/containerd.h"
#include "pkg/cri/contract_test.h"

namespace knarr::cri {
namespace {

using testing::Containerd;

// One containerd for all cases of a suite.
std::unique_ptr<Containerd> shared;

void StartShared(Containerd::Version version) {
  auto started = Containerd::Start({.version = version});
  BOOST_REQUIRE_MESSAGE(started.ok(), started.status().message());
  shared = std::move(*started);
}
void Start16() {
  StartShared(Containerd::Version::k1_6);
}
void Start17() {
  StartShared(Containerd::Version::k1_7);
}
void StopShared() {
  shared.reset();
}

ContractSubject Subject(bool has_events) {
  return {.runtime = &shared->runtime(),
          .image = "knarr.dev/test/busybox:1",
          .log_directory = shared->log_directory(),
          .cgroup_parent = shared->cgroup_parent(),
          .has_events = has_events};
}

BOOST_AUTO_TEST_SUITE(cri_containerd_1_6, *boost::unit_test::precondition(testing::CanRun(Containerd::Version::k1_6)) *
                                              boost::unit_test::fixture(Start16, StopShared))
KNARR_CRI_CONTRACT([] { return Subject(false); });
BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(cri_containerd_1_7, *boost::unit_test::precondition(testing::CanRun(Containerd::Version::k1_7)) *
                                              boost::unit_test::fixture(Start17, StopShared))
KNARR_CRI_CONTRACT([] { return Subject(true); });
BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::cri
