#include "pkg/apiserver/registry/builtin.h"

#include <iterator>

#include "pkg/apiserver/registry/core/kinds.h"

namespace knarr::registry {

std::vector<Kind> BuiltinKinds(const BuiltinDeps& deps) {
  std::vector<Kind> kinds;
  for (std::vector<Kind> (*group)(const BuiltinDeps&) : {
           CoreKinds,
       }) {
    std::vector<Kind> some = group(deps);
    kinds.insert(kinds.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
  }
  return kinds;
}

}  // namespace knarr::registry
