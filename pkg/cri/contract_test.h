// What every CriRuntime does, as one list of test cases: run against the fake as a unit test and against real
// containerd as an integration test, so that the fake cannot drift from the truth.
//
//   BOOST_AUTO_TEST_SUITE(containerd, ...)
//   KNARR_CRI_CONTRACT(MakeSubject);   // adds the cases to this suite
//   BOOST_AUTO_TEST_SUITE_END()
#pragma once

#include <functional>
#include <string>

#include "pkg/cri/runtime.h"

namespace knarr::cri {

struct ContractSubject {
  CriRuntime* runtime = nullptr;
  // Present, with sh, sleep, true and echo.
  std::string image;
  // An image reference whose registry nobody answers for.
  std::string unreachable_image = "127.0.0.1:1/none:1";
  // Host folder for container logs; "" where logs are not real.
  std::string log_directory;
  // Parent of the pods' cgroups; "" for the runtime's own choice.
  std::string cgroup_parent;
  bool has_events = true;
};

// Containers of the contract say in annotations what their command does; the fake has no shell and reads these.
inline constexpr const char* kContractExit = "contract.knarr.dev/exit";             // exits with this code at once
inline constexpr const char* kContractStopExit = "contract.knarr.dev/stop-exit";    // on SIGTERM; "ignore": not at all
inline constexpr const char* kContractNoCommand = "contract.knarr.dev/no-command";  // the command does not exist

bool RegisterContract(const std::function<ContractSubject()>& make, const char* file, size_t line);

}  // namespace knarr::cri

#define KNARR_CRI_CONTRACT(make)                                 \
  [[maybe_unused]] static const bool knarr_contract_registered = \
      ::knarr::cri::RegisterContract(make, __FILE__, __LINE__)
