// A network of its own for a test: the process moves into a new network and mount namespace with an empty /run, so the
// machine's interfaces, rules and files are out of reach. Pods are network namespaces under /run/netns, as containerd
// makes them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pkg/base/unique_fd.h"

namespace knarr::integration {

// Empty when this machine can run such tests, else why not.
std::string CannotIsolate();
// Once per process, before its first thread.
void Isolate();

// A network namespace bound to /run/netns/<name>; the path.
std::string MakePodNamespace(const std::string& name);
void RemovePodNamespace(const std::string& path);
// Runs on a thread of its own in that namespace.
void InNamespace(const std::string& path, const std::function<void()>& body);

void SetUp(const std::string& interface);
std::vector<std::string> Interfaces();
bool HasInterfaceLike(const std::string& prefix);

// Accepts connections on 0.0.0.0:port in the namespace ("" for ours) and answers each with the address of the peer.
class EchoServer {
 public:
  EchoServer(const std::string& netns, int port);
  ~EchoServer();

 private:
  UniqueFd listen_, stop_;
  void* thread_ = nullptr;
};
// What the server at the address says, or "error: ...", within a few seconds.
std::string Ask(const std::string& netns, const std::string& address, int port);

// `command` by the shell; its output. For looking at iptables and such.
std::string Shell(const std::string& command);

}  // namespace knarr::integration
