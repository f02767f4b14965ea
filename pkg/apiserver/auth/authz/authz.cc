#include "pkg/apiserver/auth/authz/authz.h"

#include <algorithm>

#include "pkg/api/errors/errors.h"
#include "pkg/api/field/quote.h"
#include "pkg/apiserver/auth/authz/rules.h"

namespace knarr::auth {
namespace {

using field::Quote;

class AlwaysAllow final : public Authorizer {
 public:
  Verdict Authorize(const Context&, const Attributes&) override { return {Decision::kAllow, ""}; }
  Rules RulesFor(const Context&, const UserInfo&, std::string_view) override {
    Rules rules;
    rules.resource.push_back({.verbs = {"*"}, .api_groups = {"*"}, .resources = {"*"}, .resource_names = {}});
    rules.non_resource.push_back({.verbs = {"*"}, .paths = {"*"}});
    return rules;
  }
};

class AlwaysDeny final : public Authorizer {
 public:
  Verdict Authorize(const Context&, const Attributes&) override {
    return {Decision::kNoOpinion, "Everything is forbidden."};
  }
  Rules RulesFor(const Context&, const UserInfo&, std::string_view) override { return {}; }
};

class PrivilegedGroups final : public Authorizer {
 public:
  explicit PrivilegedGroups(std::vector<std::string> groups) : groups_(std::move(groups)) {}
  Verdict Authorize(const Context&, const Attributes& attributes) override {
    const auto member = [&](const std::string& group) { return attributes.user->InGroup(group); };
    return {std::any_of(groups_.begin(), groups_.end(), member) ? Decision::kAllow : Decision::kNoOpinion, ""};
  }
  Rules RulesFor(const Context&, const UserInfo&, std::string_view) override { return {}; }

 private:
  const std::vector<std::string> groups_;
};

class Union final : public Authorizer {
 public:
  explicit Union(std::vector<AuthorizerPtr> parts) : parts_(std::move(parts)) {}
  Verdict Authorize(const Context& ctx, const Attributes& attributes) override {
    Verdict all;
    for (const AuthorizerPtr& part : parts_) {
      Verdict verdict = part->Authorize(ctx, attributes);
      if (verdict.decision != Decision::kNoOpinion) return verdict;
      if (verdict.reason.empty()) continue;
      if (!all.reason.empty()) all.reason += '\n';
      all.reason += verdict.reason;
    }
    return all;
  }
  Rules RulesFor(const Context& ctx, const UserInfo& user, std::string_view ns) override {
    Rules all;
    std::vector<std::string> errors;
    for (const AuthorizerPtr& part : parts_) {
      Rules rules = part->RulesFor(ctx, user, ns);
      std::move(rules.resource.begin(), rules.resource.end(), std::back_inserter(all.resource));
      std::move(rules.non_resource.begin(), rules.non_resource.end(), std::back_inserter(all.non_resource));
      all.incomplete = all.incomplete || rules.incomplete;
      if (!rules.error.empty() && std::find(errors.begin(), errors.end(), rules.error) == errors.end())
        errors.push_back(rules.error);
    }
    if (errors.size() == 1) all.error = errors[0];
    if (errors.size() > 1) {
      for (const std::string& error : errors) all.error += (all.error.empty() ? "[" : ", ") + error;
      all.error += "]";
    }
    return all;
  }

 private:
  const std::vector<AuthorizerPtr> parts_;
};

}  // namespace

AuthorizerPtr NewAlwaysAllow() {
  return std::make_unique<AlwaysAllow>();
}
AuthorizerPtr NewAlwaysDeny() {
  return std::make_unique<AlwaysDeny>();
}
AuthorizerPtr NewPrivilegedGroups(std::vector<std::string> groups) {
  return std::make_unique<PrivilegedGroups>(std::move(groups));
}
AuthorizerPtr NewAuthorizerUnion(std::vector<AuthorizerPtr> parts) {
  return std::make_unique<Union>(std::move(parts));
}

Result<AuthorizerPtr> NewAuthorizer(const std::vector<std::string>& modes, registry::Access& access, Clock& clock) {
  if (modes.empty()) return Error(Code::kInvalid, "at least one authorization-mode must be passed");
  std::vector<AuthorizerPtr> parts;
  parts.push_back(NewPrivilegedGroups({std::string(kMastersGroup)}));
  for (size_t i = 0; i < modes.size(); ++i) {
    const std::string& mode = modes[i];
    if (std::find(modes.begin(), modes.begin() + static_cast<std::ptrdiff_t>(i), mode) !=
        modes.begin() + static_cast<std::ptrdiff_t>(i)) {
      return Error(Code::kInvalid, "authorization-mode {} has mode specified more than once", rbac::QuotedList(modes));
    }
    if (mode == "AlwaysAllow") {
      parts.push_back(NewAlwaysAllow());
    } else if (mode == "AlwaysDeny") {
      parts.push_back(NewAlwaysDeny());
    } else if (mode == "RBAC") {
      parts.push_back(NewRbacAuthorizer(access));
    } else if (mode == "Node") {
      parts.push_back(NewNodeAuthorizer(access, clock));
    } else if (mode == "Webhook" || mode == "ABAC") {
      return Error(Code::kInvalid, "authorization-mode \"{}\" is not supported yet", mode);
    } else {
      return Error(Code::kInvalid, "authorization-mode \"{}\" is not a valid mode", mode);
    }
  }
  return NewAuthorizerUnion(std::move(parts));
}

std::string ForbiddenMessage(const Attributes& attributes) {
  const std::string user = Quote(attributes.user != nullptr ? attributes.user->name : "");
  std::string text;
  if (!attributes.resource_request) {
    text = fmt::format("User {} cannot {} path {}", user, attributes.verb, Quote(attributes.path));
  } else {
    std::string resource = attributes.resource;
    if (!attributes.subresource.empty()) resource += "/" + attributes.subresource;
    text = fmt::format("User {} cannot {} resource {} in API group {} ", user, attributes.verb, Quote(resource),
                       Quote(attributes.api_group));
    text += attributes.namespace_.empty() ? "at the cluster scope"
                                          : fmt::format("in the namespace {}", Quote(attributes.namespace_));
  }
  // Nothing that a browser would take for HTML.
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      default: out += c;
    }
  }
  return out;
}

Status Forbidden(const Attributes& attributes, std::string_view reason) {
  std::string why = ForbiddenMessage(attributes);
  if (!reason.empty()) why.append(": ").append(reason);
  return errors::Forbidden(attributes.api_group, attributes.resource, attributes.name, why);
}

bool IsNode(const UserInfo& user, std::string* name) {
  constexpr std::string_view kPrefix = "system:node:";
  name->clear();
  if (!user.name.starts_with(kPrefix) || !user.InGroup("system:nodes")) return false;
  *name = user.name.substr(kPrefix.size());
  return true;
}

}  // namespace knarr::auth
