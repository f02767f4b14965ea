// Boost.JSON with limits, for the .cc files of pkg/cni and its users' .cc files; never included by a public header.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "pkg/base/status.h"

namespace knarr::cni::internal {

namespace json = boost::json;

inline constexpr size_t kMaxJsonBytes = 1 << 20;

// Depth is limited to 32. The message is the parser's, with the offset; what: "error parsing configuration list".
Result<json::value> ParseJson(std::string_view text, std::string_view what);
Result<json::object> ParseJsonObject(std::string_view text, std::string_view what);

// Members of an object; empty or null where absent or of another type.
std::string_view StringAt(const json::object& object, std::string_view key);
const json::object* ObjectAt(const json::object& object, std::string_view key);
const json::array* ArrayAt(const json::object& object, std::string_view key);

// What Go prints for %T after decoding into interface{}: "float64", "map[string]interface {}", "<nil>".
std::string_view GoTypeOf(const json::value& value);

}  // namespace knarr::cni::internal
