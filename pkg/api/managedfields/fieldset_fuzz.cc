// FieldsV1 comes from clients: any of it decodes or is refused, what was decoded encodes to something that means the
// same, and the set operations keep their laws.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "pkg/api/managedfields/fieldset.h"

namespace json = boost::json;
using knarr::managedfields::Set;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const json::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t split = text.find('\0');
  boost::system::error_code error;
  const json::value one = json::parse(text.substr(0, split), error);
  if (error) return 0;
  const auto set = Set::Decode(one);
  if (!set.ok()) return 0;
  const auto again = Set::Decode(set->Encode());
  if (!again.ok() || !(*again == *set)) std::abort();
  (void)set->Paths();
  if (split == json::string_view::npos) return 0;
  const json::value two = json::parse(text.substr(split + 1), error);
  if (error) return 0;
  const auto other = Set::Decode(two);
  if (!other.ok()) return 0;
  const Set both = set->Intersection(*other), all = set->Union(*other), rest = set->Difference(*other);
  if (both.size() + rest.size() != set->size()) std::abort();
  if (all.size() + both.size() != set->size() + other->size()) std::abort();
  if (!both.Difference(*set).empty() || !set->RecursiveDifference(*set).empty()) std::abort();
  if (set->RecursiveDifference(*other).size() > rest.size()) std::abort();
  return 0;
}
