// relay_main as a child process that a test may kill, and the precondition of these tests.
#pragma once

#include <sys/types.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "pkg/base/unique_fd.h"

namespace knarr::integration {

// Isolates the process on its first success.
struct CanIsolate {
  boost::test_tools::assertion_result operator()(boost::unit_test::test_unit_id) const;
};

std::string RealPath(const std::string& path);

class Relay {
 public:
  // Returns once it serves. args: see relay_main.cc.
  explicit Relay(const std::vector<std::string>& args);
  ~Relay() { Kill(); }
  Relay(const Relay&) = delete;

  // The ids of the live sandboxes, separated by spaces -> "removed=0 forced=0 leases=0 namespaces=0 problems=0".
  std::string Collect(const std::string& live);
  void Kill();

 private:
  std::string Line();
  pid_t pid_ = -1;
  UniqueFd to_;
  FILE* from_ = nullptr;
};

}  // namespace knarr::integration
