#include "pkg/apiserver/auth/user.h"

#include <algorithm>

namespace knarr::auth {

bool UserInfo::InGroup(std::string_view group) const {
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

}  // namespace knarr::auth
