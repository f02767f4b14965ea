// Where a paged list goes on: resource version and next key, opaque to clients.
// Mirrors: staging/src/k8s.io/apiserver/pkg/storage/continue.go (the same bytes, so that either server reads it)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pkg/base/status.h"

namespace knarr::endpoints {

struct ContinueToken {
  int64_t revision = 0;   // -1: the newest (an "inconsistent" continuation)
  std::string start_key;  // relative to the prefix, inclusive
};

std::string EncodeContinue(const ContinueToken& token);
// kBadRequest: continue key is not valid: ...
Result<ContinueToken> DecodeContinue(std::string_view text);

}  // namespace knarr::endpoints
