// The commands for the kubelet of this machine, over its unix socket: they work with no API server anywhere.
// Each takes its arguments without the command's name and returns the exit code. Tables and colours on a terminal,
// plain text elsewhere; -o json|yaml where there is something to print.
#pragma once

#include <string>
#include <vector>

namespace knarr::cli {

int GetMain(const std::vector<std::string>& args);       // knarr get pods|events|manifests [NAME]
int LogsMain(const std::vector<std::string>& args);      // knarr logs POD [-c CONTAINER] [-f] [--previous] ...
int ExecMain(const std::vector<std::string>& args);      // knarr exec [-it] POD [-c CONTAINER] -- COMMAND
int WhyMain(const std::vector<std::string>& args);       // knarr why [POD]
int ShutdownMain(const std::vector<std::string>& args);  // knarr shutdown [--timeout=DURATION]

}  // namespace knarr::cli
