#include "pkg/api/schema/tables.h"

#include <algorithm>

namespace knarr::schema {

uint16_t FindMessage(std::string_view full_name) {
  const auto all = Messages();
  const auto at = std::lower_bound(all.begin(), all.end(), full_name,
                                   [](const Message& row, std::string_view name) { return row.full_name() < name; });
  if (at == all.end() || at->full_name() != full_name) return kNoMessage;
  return static_cast<uint16_t>(at - all.begin());
}

const FieldExtras* FindExtras(uint16_t message, uint16_t number) {
  const std::span<const FieldExtras> all{kFieldExtras, kFieldExtrasCount};
  auto at = std::lower_bound(all.begin(), all.end(), message,
                             [](const FieldExtras& row, uint16_t wanted) { return row.message < wanted; });
  for (; at != all.end() && at->message == message; ++at) {
    if (at->number == number) return &*at;
  }
  return nullptr;
}

}  // namespace knarr::schema
