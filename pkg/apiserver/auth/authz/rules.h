// Rules of RBAC: what one allows, what a set of them covers.
// Mirrors: pkg/apis/rbac/v1/evaluation_helpers.go, component-helpers/auth/rbac/validation, pkg/registry/rbac/validation
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pkg/apiserver/auth/user.h"

namespace k8s::io::api::rbac::v1 {
class PolicyRule;
}

namespace knarr::auth::rbac {

using Texts = std::vector<std::string_view>;

// Refers to texts that live elsewhere.
struct Rule {
  Texts verbs, api_groups, resources, resource_names, urls;
  friend bool operator==(const Rule&, const Rule&) = default;
};

Rule FromProto(const ::k8s::io::api::rbac::v1::PolicyRule& rule);
void ToProto(const Rule& rule, ::k8s::io::api::rbac::v1::PolicyRule* out);

bool Allows(const Rule& rule, const Attributes& attributes);

// What of `wanted` the owner's rules do not allow, in rules of one verb and one thing each; empty: all is covered.
std::vector<Rule> Missing(const std::vector<Rule>& owned, const std::vector<Rule>& wanted);
// Joins rules that differ in verbs only.
std::vector<Rule> Compact(const std::vector<Rule>& rules);
// {APIGroups:[""], Resources:["pods"], Verbs:["get"]}
std::string Describe(const Rule& rule);
// ["a" "b"], as Go prints a list with %q.
std::string QuotedList(const std::vector<std::string>& texts);

}  // namespace knarr::auth::rbac
