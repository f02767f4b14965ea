// What the patches share about JSON trees.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>

namespace knarr::patch {

inline std::string_view View(boost::json::string_view text) {
  return {text.data(), text.size()};
}
inline boost::json::string_view JsonView(std::string_view text) {
  return {text.data(), text.size()};
}

// The same value: numbers by value, however they are written; members in any order.
bool Equal(const boost::json::value& a, const boost::json::value& b);
// Whether `value` is nested deeper than `levels` (a scalar has depth 0, an empty list 1). Recursion ends there.
bool DeeperThan(const boost::json::value& value, int levels);
// As Go's fmt prints it with %v when it is decoded into an interface{}: map[a:1 b:[x y]], members in order.
std::string GoPrint(const boost::json::value& value);
// As Go's reflection names its type: map[string]interface {}, []interface {}, string, int64, float64, bool.
std::string_view GoType(const boost::json::value& value);
// The bytes of its text, nearly: enough to limit growth by.
int64_t TextSize(const boost::json::value& value);

}  // namespace knarr::patch
