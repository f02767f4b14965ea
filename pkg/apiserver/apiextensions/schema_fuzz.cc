// Input: {"schema": ..., "object": ..., "path": "..."}: whatever they are, checking, pruning and validating end.
#include <cstddef>
#include <cstdint>

#include "pkg/apiserver/apiextensions/schema.h"

namespace apiextensions = knarr::apiextensions;
namespace json = boost::json;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  boost::system::error_code error;
  const json::value input = json::parse({reinterpret_cast<const char*>(data), size}, error);
  if (error || !input.is_object()) return 0;
  const json::object* schema = apiextensions::Obj(input.get_object(), "schema");
  const json::object* object = apiextensions::Obj(input.get_object(), "object");
  if (const auto path = apiextensions::JsonPath::Parse(apiextensions::Str(input.get_object(), "path"));
      path.ok() && object) {
    (void)path->Find(*object);
  }
  if (!schema) return 0;
  (void)apiextensions::ValidateSchema(*schema, knarr::field::Path("schema"), true);
  const auto compiled = apiextensions::Schema::Compile(*schema);
  if (!compiled.ok() || !object) return 0;
  json::object copy = *object;
  (*compiled)->Prune(copy);
  (*compiled)->Default(copy);
  json::object again = copy;
  (*compiled)->Prune(again);
  (void)(*compiled)->Validate(copy, object);
  return 0;
}
