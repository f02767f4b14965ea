// The table of programs and commands in the executable.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace knarr {

struct Program {
  const char* name;
  const char* summary;
  bool daemon;
  // args without the program's name; returns the exit code.
  int (*main)(const std::vector<std::string>& args);
};

std::span<const Program> Programs();

int ApiServerMain(const std::vector<std::string>& args);
int KubeletMain(const std::vector<std::string>& args);

}  // namespace knarr
