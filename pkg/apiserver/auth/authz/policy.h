// All roles and bindings of a moment, indexed by who they are for. Immutable. Private to this library.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pkg/apiserver/auth/authz/rules.h"
#include "pkg/base/context.h"

namespace knarr::registry {
class Access;
}

namespace knarr::auth::rbac {

class Policy {
 public:
  static Result<std::shared_ptr<const Policy>> Compile(const Context& ctx, registry::Access& access);

  struct Subject {
    std::string_view kind, name, ns;
  };
  struct Binding {
    std::string_view name, ns;  // ns "": a ClusterRoleBinding
    std::string_view role_kind, role_name;
    std::vector<Subject> subjects;
    const std::vector<Rule>* rules = nullptr;  // null: the role is missing
    // ClusterRoleBinding "x" of ClusterRole "y" to Group "z"
    std::string Describe(size_t subject) const;
    std::string Error() const;  // why rules is null
  };
  // Every binding that applies to the user in the namespace, those of the cluster first. `visit` returns false to end.
  void Visit(const UserInfo& user, std::string_view ns,
             const std::function<bool(const Binding& binding, size_t subject)>& visit) const;
  std::vector<Rule> RulesFor(const UserInfo& user, std::string_view ns, std::vector<std::string>* errors) const;
  // The rules of a role; null where there is none.
  const std::vector<Rule>* FindRole(std::string_view kind, std::string_view ns, std::string_view name) const;

 private:
  struct Hit {
    size_t binding, subject;
  };
  struct Index {
    std::unordered_map<std::string_view, std::vector<Hit>> users, groups;
  };
  std::string_view Intern(const std::string& text) { return *texts_.insert(text).first; }
  void AddTo(Index& index, size_t binding);
  void Collect(const Index& index, const UserInfo& user, std::vector<Hit>* hits) const;

  std::set<std::string, std::less<>> texts_;  // what everything else refers to; rules repeat themselves a lot
  std::map<std::pair<std::string_view, std::string_view>, std::vector<Rule>> roles_;  // ns "": ClusterRole
  std::vector<Binding> bindings_;
  Index cluster_;
  std::unordered_map<std::string_view, Index> namespaces_;
};

}  // namespace knarr::auth::rbac
