// What all commands share: finding the kubelet's socket, asking it, and what it answers.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "pkg/base/context.h"
#include "pkg/net/http/client.h"

namespace knarr::cli {

// --socket, else $KNARR_SOCKET, else /run/knarr/kubelet.sock.
std::string DefaultSocket();

class KubeletClient {
 public:
  explicit KubeletClient(std::string socket) : socket_(std::move(socket)) {}

  // A request to the kubelet; a kubelet that is not there is an error that says how to start one.
  http::ClientRequest Request(const std::string& target) const;
  // GET, and the body parsed; another status than 200 is an error with the body's text.
  Result<boost::json::value> GetJson(const Context& ctx, const std::string& target) const;
  Status Post(const Context& ctx, const std::string& target) const;
  const std::string& socket() const { return socket_; }

 private:
  Status Explain(const Status& status) const;
  std::string socket_;
};

// The answer of /knarr/v1/pods.
struct PodRow {
  struct Container {
    std::string name, kind, state, reason, message, image;
    bool ready = false;
    int restarts = 0;
  };
  struct Event {
    std::string time, type, reason, message;
    int count = 1;
  };
  std::string ns, name, uid, source, phase, ip, reason, why, next, start_time;
  bool ready = false;
  std::vector<Container> containers;
  std::vector<Event> events;
};
struct ManifestRow {
  std::string file, error, since;
};
struct NodeProblemRow {
  std::string reason, why, next;
};
struct NodeState {
  std::vector<PodRow> pods;
  std::vector<ManifestRow> bad_manifests;
  std::vector<NodeProblemRow> problems;  // of the node itself
};
Result<NodeState> ReadNodeState(const Context& ctx, const KubeletClient& client);

// "web", "web-node1", "default/web": the pod people mean. The static pod's node suffix may be left out.
Result<PodRow> FindPod(const NodeState& state, const std::string& ns, const std::string& name);

}  // namespace knarr::cli
