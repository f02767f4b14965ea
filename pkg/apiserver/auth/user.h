// Who asks, and what about: what authentication finds and authorization and admission decide on.
// Mirrors: staging/src/k8s.io/apiserver/pkg/authentication/user, .../authorization/authorizer/interfaces.go
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/context.h"
#include "pkg/base/status.h"

namespace knarr::http {
struct Request;
}

namespace knarr::auth {

struct UserInfo {
  std::string name;
  std::string uid;
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> extra;
  bool InGroup(std::string_view group) const;
};

inline constexpr std::string_view kAnonymous = "system:anonymous";
inline constexpr std::string_view kUnauthenticatedGroup = "system:unauthenticated";
inline constexpr std::string_view kAuthenticatedGroup = "system:authenticated";
inline constexpr std::string_view kMastersGroup = "system:masters";
inline constexpr std::string_view kServiceAccountsGroup = "system:serviceaccounts";

// One way to prove who one is.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // nullopt: the request carries no credential of this kind. An error: it carries one that is not valid; the union
  // goes on with the next and answers 401 if none accepts. Sets of audiences are of tokens; empty: the server's own.
  virtual Result<std::optional<UserInfo>> Authenticate(const http::Request& request) = 0;
};

// Tokens apart from requests, so that TokenReview can ask too.
class TokenAuthenticator {
 public:
  struct Answer {
    UserInfo user;
    std::vector<std::string> audiences;
  };
  virtual ~TokenAuthenticator() = default;
  virtual Result<std::optional<Answer>> AuthenticateToken(const Context& ctx, const std::string& token,
                                                          const std::vector<std::string>& audiences) = 0;
};

struct Attributes {
  const UserInfo* user = nullptr;
  std::string verb;  // get, list, ..., or the HTTP method in lower case for paths
  bool resource_request = false;
  std::string api_group, api_version, resource, subresource, name, namespace_;  // of resource requests
  std::string path;                                                             // of the others
  // Of list, watch and deletecollection, as the client sent them: the Node authorizer lets a kubelet list its pods
  // only.
  std::string field_selector, label_selector;
  bool ReadOnly() const { return verb == "get" || verb == "list" || verb == "watch"; }
};

enum class Decision { kNoOpinion, kAllow, kDeny };

struct Verdict {
  Decision decision = Decision::kNoOpinion;
  std::string reason;
};

// What SelfSubjectRulesReview lists.
struct ResourceRule {
  std::vector<std::string> verbs, api_groups, resources, resource_names;
};
struct NonResourceRule {
  std::vector<std::string> verbs, paths;
};
struct Rules {
  std::vector<ResourceRule> resource;
  std::vector<NonResourceRule> non_resource;
  bool incomplete = false;
  std::string error;
};

class Authorizer {
 public:
  virtual ~Authorizer() = default;
  virtual Verdict Authorize(const Context& ctx, const Attributes& attributes) = 0;
  virtual Rules RulesFor(const Context& ctx, const UserInfo& user, std::string_view namespace_) = 0;
};

}  // namespace knarr::auth
