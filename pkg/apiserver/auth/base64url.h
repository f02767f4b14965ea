// base64url without padding, as tokens use it. Strict: no foreign characters, no stray bits.
#pragma once

#include <string>
#include <string_view>

#include "pkg/base/status.h"

namespace knarr::auth {

std::string EncodeBase64Url(std::string_view bytes);
Result<std::string> DecodeBase64Url(std::string_view text);

}  // namespace knarr::auth
