// The bootstrap policy as a table. Private to this library.
//
// A rule is a line: verbs, what, and optionally "@groups" and "=names", separated by blanks; lists by commas. Verbs R
// and W stand for reading (get,list,watch) and for writing. Without "@" the group is core; in a list "core" names it.
// What begins with "/" or "url:" is a path. "events" alone is everybody's rule for events.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "pkg/apiserver/auth/authz/rules.h"

namespace knarr::auth::bootstrap {

struct RoleRow {
  std::string_view ns;  // "": a ClusterRole
  std::string_view name;
  std::string_view rules;
  std::string_view part_of;     // label rbac.authorization.k8s.io/aggregate-to-<part_of>
  std::string_view made_of;     // aggregationRule: roles with aggregate-to-<made_of>; no rules of its own
  std::string_view controller;  // its service account of kube-system is bound to it, by the role's name
};
struct BindingRow {
  std::string_view ns;  // "": a ClusterRoleBinding
  std::string_view name;
  std::string_view role;      // a ClusterRole, or with ns a Role
  std::string_view subjects;  // "group:system:masters user:x account:kube-system/y"
};

std::span<const RoleRow> Roles();
std::span<const BindingRow> Bindings();
// KNARR_CHECKs the line format.
std::vector<rbac::Rule> ParseRules(std::string_view text);
std::vector<rbac::Rule> NodeRules();

}  // namespace knarr::auth::bootstrap
