#include "pkg/apiserver/registry/builtin.h"

#include <iterator>

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
  return kinds;
}

}  // namespace knarr::registry
