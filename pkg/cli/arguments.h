// What the small commands share on their command line: --help, --socket, -n, errors as upstream words them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pkg/base/flags/flags.h"
#include "pkg/base/status.h"

namespace knarr::cli {

class Arguments {
 public:
  // usage: "knarr get pods|events|manifests [NAME]"; summary: one sentence.
  Arguments(std::string usage, std::string summary);

  flags::FlagSet& flags() { return flags_; }
  // nullopt: go on. A value: exit with it (help was printed, or the error).
  std::optional<int> Parse(const std::vector<std::string>& args);

  std::string socket;
  std::string ns;  // "": default
  std::vector<std::string> words;

 private:
  const std::string usage_, summary_;
  flags::FlagSet flags_;
  bool help_ = false;
};

// Prints "error: ..." and gives exit code 1.
int Fail(const Status& status);

}  // namespace knarr::cli
