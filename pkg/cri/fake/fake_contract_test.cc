// The fake passes what real containerd passes.
#include <boost/test/unit_test.hpp>

#include "pkg/cri/contract_test.h"
#include "pkg/cri/fake/fake_runtime.h"

namespace knarr::cri {
namespace {

Program ProgramOf(const v1::ContainerConfig& config) {
  const auto& annotations = config.annotations();
  Program program;
  if (const auto exit = annotations.find(kContractExit); exit != annotations.end())
    program.exit_code = std::stoi(exit->second);
  if (const auto stop = annotations.find(kContractStopExit); stop != annotations.end()) {
    program.ignores_stop = stop->second == "ignore";
    if (!program.ignores_stop) program.stop_exit_code = std::stoi(stop->second);
  }
  if (annotations.contains(kContractNoCommand)) {
    program.start_error =
        Error(Code::kUnknown,
              "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create "
              "failed: unable to start container process: exec: \"{0}\": stat {0}: no such file or directory: unknown",
              config.command(0));
  }
  return program;
}

Result<v1::ExecSyncResponse> RunCommand(const Call& call) {
  if (call.command.front() == "sleep")
    return Error(Code::kTimeout, "failed to exec in container: timeout {}s exceeded: context deadline exceeded",
                 call.grace.count());
  v1::ExecSyncResponse response;
  response.set_stdout("out\n");
  response.set_stderr("err\n");
  response.set_exit_code(7);
  return response;
}

ContractSubject MakeSubject() {
  static FakeRuntime runtime(Clock::Real());
  runtime.AddImage("knarr.dev/test/busybox:1");
  runtime.SetProgram(ProgramOf);
  runtime.SetExec(RunCommand);
  runtime.SetPullError("127.0.0.1:1/none:1",
                       Error(Code::kUnknown,
                             "failed to pull and unpack image \"127.0.0.1:1/none:1\": failed to resolve reference "
                             "\"127.0.0.1:1/none:1\": dial tcp 127.0.0.1:1: connect: connection refused"));
  return {.runtime = &runtime, .image = "knarr.dev/test/busybox:1"};
}

BOOST_AUTO_TEST_SUITE(cri_fake_contract)

KNARR_CRI_CONTRACT(MakeSubject);

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::cri
