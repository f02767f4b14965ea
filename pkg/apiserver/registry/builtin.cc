#include "pkg/apiserver/registry/builtin.h"

#include <iterator>

#include "pkg/apiserver/auth/reviews/reviews.h"
#include "pkg/apiserver/auth/serviceaccount/serviceaccount.h"
#include "pkg/apiserver/registry/apps/kinds.h"
#include "pkg/apiserver/registry/autoscaling/kinds.h"
#include "pkg/apiserver/registry/batch/kinds.h"
#include "pkg/apiserver/registry/coordination/kinds.h"
#include "pkg/apiserver/registry/core/kinds.h"
#include "pkg/apiserver/registry/policy/kinds.h"
#include "pkg/apiserver/registry/rbac/kinds.h"
#include "pkg/apiserver/registry/scheduling/kinds.h"

namespace knarr::registry {

std::vector<Kind> BuiltinKinds(const BuiltinDeps& deps) {
  std::vector<Kind> kinds;
  for (std::vector<Kind> (*group)(const BuiltinDeps&) : {
           CoreKinds,
           AppsKinds,
           auth::ReviewKinds,
           AutoscalingKinds,
           BatchKinds,
           CoordinationKinds,
           PolicyKinds,
           RbacKinds,
           SchedulingKinds,
       }) {
    std::vector<Kind> some = group(deps);
    kinds.insert(kinds.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
  }
  if (deps.service_account_keys) {
    for (Kind& kind : kinds) {
      if (kind.group.empty() && kind.resource == "serviceaccounts")
        kind.subresources.push_back(auth::TokenSubresource(deps.service_account_keys));
    }
  }
  return kinds;
}

}  // namespace knarr::registry
