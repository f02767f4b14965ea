#include "cmd/knarr/programs.h"

#include "pkg/cli/cli.h"
#include "pkg/cli/datastore.h"

namespace knarr {
namespace {

constexpr Program kPrograms[] = {
    {"kubelet", "runs pods from manifests on the container runtime of this machine", true, KubeletMain},
    {"kube-apiserver", "serves the Kubernetes API from SQLite or etcd", true, ApiServerMain},
    {"get", "lists pods, events or manifests that are not accepted", false, cli::GetMain},
    {"logs", "prints the output of a container", false, cli::LogsMain},
    {"exec", "runs a command in a container", false, cli::ExecMain},
    {"why", "says why a pod is not Ready and what to do", false, cli::WhyMain},
    {"datastore", "saves, restores, moves and shows what keeps the API server's objects", false, cli::DatastoreMain},
    {"shutdown", "stops all pods, dependents first", false, cli::ShutdownMain},
};

}  // namespace

std::span<const Program> Programs() {
  return kPrograms;
}

}  // namespace knarr
