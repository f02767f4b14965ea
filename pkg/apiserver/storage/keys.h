// What the implementations share: key ranges and the errors that mean the same in all of them.
#pragma once

#include <string>
#include <string_view>

#include "pkg/apiserver/storage/store.h"

namespace knarr::storage {

// The first key after all that start with the prefix; "" where there is none (the prefix is empty or all 0xff).
inline std::string PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

// etcd's words, which people search for.
inline Status CompactedError() {
  return Status(Code::kExpired, "mvcc: required revision has been compacted");
}
inline Status FutureRevisionError() {
  return Status(Code::kInvalid, "mvcc: required revision is a future revision");
}

// An empty store's revision, as etcd's; the first write gets the next one.
inline constexpr Revision kFirstRevision = 1;

}  // namespace knarr::storage
