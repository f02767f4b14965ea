// A private containerd for a test: its own folder, socket, images and cgroups; stopped without a trace at the end.
//
//   BOOST_AUTO_TEST_SUITE(area, *boost::unit_test::precondition(testing::CanRun(testing::Containerd::Version::k1_7)))
//   auto containerd = testing::Containerd::Start({.version = testing::Containerd::Version::k1_7}).value();
//   containerd->runtime().RunPodSandbox(...)
//
// Needs root. A test that uses it has the Bazel tag "integration" and data = ["//ci/integration/lib:containerd_data"].
#pragma once

#include <boost/test/tree/decorator.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pkg/base/status.h"
#include "pkg/cri/runtime.h"

namespace knarr::testing {

class Containerd {
 public:
  enum class Version {
    k1_6,  // Debian 12's, from PATH; KNARR_CONTAINERD_1_6 names another folder
    k1_7,  // Debian 13's, unpacked by `make deps`; KNARR_CONTAINERD_1_7 names another folder
  };
  struct Options {
    Version version = Version::k1_6;
    // Of images/: pause, busybox, nginx.
    std::vector<std::string> images = {"pause", "busybox"};
    // Empty: Debian's plugins, and an empty configuration folder (so only host-network pods).
    std::string cni_bin_dir, cni_conf_dir;
  };

  // Why that version cannot run here; "" when it can.
  static std::string Missing(Version version);
  static Result<std::unique_ptr<Containerd>> Start(const Options& options);
  // Removes all pods (through CRI, so that their networks are taken down in order), then stops and deletes everything.
  ~Containerd();
  Containerd(const Containerd&) = delete;

  // A client, connected for as long as the object lives.
  cri::CriRuntime& runtime() { return *runtime_; }
  std::string endpoint() const { return "unix://" + dir_ + "/containerd.sock"; }
  const std::string& dir() const { return dir_; }
  // For PodSandboxConfig.log_directory; the test's own.
  std::string log_directory() const { return dir_ + "/pods"; }
  // For PodSandboxConfig.linux.cgroup_parent: pods below it are removed with their cgroups.
  const std::string& cgroup_parent() const { return cgroup_parent_; }
  // Where hosts.toml folders of registries go.
  std::string certs_dir() const { return dir_ + "/certs.d"; }

  // SIGKILL to containerd alone, as a crash; pods go on running.
  Status Kill();
  // Starts it again with the same state; returns when it answers.
  Status StartAgain();
  // Imports an archive and waits until CRI knows the image.
  Status Import(const std::string& archive, const std::string& reference);
  // The last lines of containerd's log.
  std::string LogTail(size_t bytes = 4000) const;

 private:
  Containerd(Options options, std::string dir);
  Status Script(const std::string& action, const std::vector<std::string>& arguments = {}) const;
  void RemovePods();

  const Options options_;
  const std::string dir_, cgroup_parent_;
  std::unique_ptr<cri::CriRuntime> runtime_;
};

// For boost::unit_test::precondition: false, with the reason, where the version cannot run.
std::function<boost::test_tools::assertion_result(boost::unit_test::test_unit_id)> CanRun(Containerd::Version version);

}  // namespace knarr::testing
