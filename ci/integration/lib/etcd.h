// A real etcd for tests: one member, on loopback ports, with its data in a folder of its own.
#pragma once

#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ci/integration/lib/command.h"
#include "pkg/base/status.h"

namespace knarr::testing {

class Etcd {
 public:
  enum class Version { k3_4, k3_5 };  // Debian 12's and Debian 13's

  struct Options {
    Version version = Version::k3_4;
    // All three: clients need a certificate of this CA.
    std::string ca_file, cert_file, key_file;
  };
  // Runs and answers when this returns.
  static Result<std::unique_ptr<Etcd>> Start(Options options);
  ~Etcd();

  const std::string& endpoint() const { return endpoint_; }
  // SIGKILL; its data stays.
  void Kill();
  // On the same ports and data. Returns at once: clients find it when it is there.
  Status Restart();

  // "" where it can run, else what is missing.
  static std::string Missing(Version version);

 private:
  Etcd() = default;
  Status Launch();
  Status AwaitPort() const;

  Options options_;
  std::string dir_, endpoint_;
  int client_port_ = 0, peer_port_ = 0;
  std::unique_ptr<BackgroundCommand> process_;
};

// For boost::unit_test::precondition.
std::function<boost::test_tools::assertion_result(boost::unit_test::test_unit_id)> CanRun(Etcd::Version version);

}  // namespace knarr::testing
