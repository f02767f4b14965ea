#include "pkg/kubelet/server/auth.h"

#include <unistd.h>

#include <algorithm>

namespace knarr::kubelet {
namespace {

class AlwaysAllow : public Authorizer {
 public:
  Result<bool> Authorize(const Context&, const AuthAttributes&) override { return true; }
};

class GroupAuthorizer : public Authorizer {
 public:
  GroupAuthorizer(std::vector<std::string> users, std::vector<std::string> groups)
      : users_(std::move(users)), groups_(std::move(groups)) {}
  Result<bool> Authorize(const Context&, const AuthAttributes& attributes) override {
    const auto holds = [](const std::vector<std::string>& list, const std::string& text) {
      return std::find(list.begin(), list.end(), text) != list.end();
    };
    if (holds(users_, attributes.user.name)) return true;
    return std::any_of(attributes.user.groups.begin(), attributes.user.groups.end(),
                       [&](const std::string& group) { return holds(groups_, group); });
  }

 private:
  const std::vector<std::string> users_, groups_;
};

std::string VerbOf(std::string_view method) {
  if (method == "POST") return "create";
  if (method == "GET" || method == "HEAD") return "get";
  if (method == "PUT") return "update";
  if (method == "PATCH") return "patch";
  if (method == "DELETE") return "delete";
  return {};
}

}  // namespace

std::unique_ptr<Authorizer> MakeAlwaysAllowAuthorizer() {
  return std::make_unique<AlwaysAllow>();
}

std::unique_ptr<Authorizer> MakeGroupAuthorizer(std::vector<std::string> users, std::vector<std::string> groups) {
  return std::make_unique<GroupAuthorizer>(std::move(users), std::move(groups));
}

std::optional<User> Authenticate(const http::Peer& peer, bool anonymous) {
  if (peer.unix_socket) {
    // The socket's mode lets nobody else in; this holds should somebody loosen it.
    if (peer.uid != 0 && peer.uid != ::geteuid()) return std::nullopt;
    return User{"system:admin", {"system:masters", "system:authenticated"}};
  }
  if (peer.certificate && !peer.certificate->common_name.empty()) {
    User user{peer.certificate->common_name, peer.certificate->organizations};
    user.groups.push_back("system:authenticated");
    return user;
  }
  if (anonymous) return User{"system:anonymous", {"system:unauthenticated"}};
  return std::nullopt;
}

AuthAttributes AttributesOf(const http::Request& request, const User& user, std::string_view subresource,
                            const std::string& node) {
  return {.user = user,
          .verb = VerbOf(request.method),
          .subresource = std::string(subresource),
          .path = request.path,
          .node = node};
}

}  // namespace knarr::kubelet
