#include "pkg/cni/json.h"

namespace knarr::cni::internal {

Result<json::value> ParseJson(std::string_view text, std::string_view what) {
  if (text.size() > kMaxJsonBytes) {
    return Error(Code::kRequestEntityTooLarge, "{}: {} bytes of JSON, the limit is {}", what, text.size(), kMaxJsonBytes);
  }
  json::error_code error;
  json::stream_parser parser;
  const size_t at = parser.write_some(text.data(), text.size(), error);
  if (!error && at == text.size()) parser.finish(error);
  if (!error && at == text.size()) return parser.release();
  // "unexpected end of JSON input" is Go's for the commonest case.
  if (error == json::error::incomplete) return Error(Code::kInvalid, "{}: unexpected end of JSON input", what);
  return Error(Code::kInvalid, "{}: {} at offset {}", what, error ? error.message() : "extra data", at);
}

Result<json::object> ParseJsonObject(std::string_view text, std::string_view what) {
  json::value value = KNARR_TRY(ParseJson(text, what));
  if (!value.is_object()) return Error(Code::kInvalid, "{}: a JSON object is needed, not {}", what, GoTypeOf(value));
  return std::move(value.as_object());
}

std::string_view StringAt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

const json::object* ObjectAt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr ? value->if_object() : nullptr;
}

const json::array* ArrayAt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr ? value->if_array() : nullptr;
}

std::string_view GoTypeOf(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return "<nil>";
    case json::kind::bool_: return "bool";
    case json::kind::string: return "string";
    case json::kind::array: return "[]interface {}";
    case json::kind::object: return "map[string]interface {}";
    default: return "float64";
  }
}

}  // namespace knarr::cni::internal
