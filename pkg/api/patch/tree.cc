#include "pkg/api/patch/tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "pkg/api/codec/json_text.h"
#include "pkg/api/patch/patch.h"

namespace knarr::patch {
namespace json = boost::json;

namespace {

std::vector<const json::key_value_pair*> Sorted(const json::object& object) {
  std::vector<const json::key_value_pair*> members;
  members.reserve(object.size());
  for (const auto& member : object) members.push_back(&member);
  std::sort(members.begin(), members.end(), [](const auto* a, const auto* b) { return a->key() < b->key(); });
  return members;
}

bool NumbersEqual(const json::value& a, const json::value& b) {
  if (a.is_double() || b.is_double()) {
    if (a.is_double() && b.is_double()) return a.get_double() == b.get_double();
    const double fraction = a.is_double() ? a.get_double() : b.get_double();
    const json::value& whole = a.is_double() ? b : a;
    if (fraction != std::floor(fraction)) return false;
    // Exact: 2^53 + 1 is not 2^53.
    if (whole.is_int64()) {
      return fraction >= -0x1p63 && fraction < 0x1p63 && static_cast<int64_t>(fraction) == whole.get_int64();
    }
    return fraction >= 0 && fraction < 0x1p64 && static_cast<uint64_t>(fraction) == whole.get_uint64();
  }
  if (a.is_int64() && b.is_int64()) return a.get_int64() == b.get_int64();
  if (a.is_uint64() && b.is_uint64()) return a.get_uint64() == b.get_uint64();
  const int64_t small = a.is_int64() ? a.get_int64() : b.get_int64();
  const uint64_t large = a.is_uint64() ? a.get_uint64() : b.get_uint64();
  return small >= 0 && static_cast<uint64_t>(small) == large;
}

void Print(const json::value& value, std::string* out) {
  switch (value.kind()) {
    case json::kind::null: *out += "<nil>"; return;
    case json::kind::bool_: *out += value.get_bool() ? "true" : "false"; return;
    case json::kind::int64: *out += std::to_string(value.get_int64()); return;
    case json::kind::uint64: {
      // An integer beyond int64 is a float64 in Go.
      *out += codec::FormatShortest(static_cast<double>(value.get_uint64()), false, true);
      return;
    }
    case json::kind::double_: {
      const double number = value.get_double();
      const double size = std::fabs(number);
      *out += codec::FormatShortest(number, false, size != 0 && (size < 1e-4 || size >= 1e21));
      return;
    }
    case json::kind::string: *out += View(value.get_string()); return;
    case json::kind::array: {
      *out += '[';
      const char* separator = "";
      for (const json::value& item : value.get_array()) {
        *out += separator;
        separator = " ";
        Print(item, out);
      }
      *out += ']';
      return;
    }
    case json::kind::object: {
      *out += "map[";
      const char* separator = "";
      for (const auto* member : Sorted(value.get_object())) {
        *out += separator;
        separator = " ";
        *out += View(member->key());
        *out += ':';
        Print(member->value(), out);
      }
      *out += ']';
      return;
    }
  }
}

}  // namespace

bool Equal(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number()) return NumbersEqual(a, b);
  if (a.kind() != b.kind()) return false;
  if (a.is_array()) {
    const json::array &left = a.get_array(), &right = b.get_array();
    return left.size() == right.size() && std::equal(left.begin(), left.end(), right.begin(), Equal);
  }
  if (a.is_object()) {
    const json::object &left = a.get_object(), &right = b.get_object();
    if (left.size() != right.size()) return false;
    for (const auto& member : left) {
      const json::value* other = right.if_contains(member.key());
      if (other == nullptr || !Equal(member.value(), *other)) return false;
    }
    return true;
  }
  return a == b;
}

bool DeeperThan(const json::value& value, int levels) {
  if (value.is_array()) {
    if (levels <= 0) return true;
    for (const json::value& item : value.get_array()) {
      if (item.is_structured() && DeeperThan(item, levels - 1)) return true;
    }
  } else if (value.is_object()) {
    if (levels <= 0) return true;
    for (const auto& member : value.get_object()) {
      if (member.value().is_structured() && DeeperThan(member.value(), levels - 1)) return true;
    }
  }
  return false;
}

std::string GoPrint(const json::value& value) {
  std::string out;
  Print(value, &out);
  return out;
}

std::string_view GoType(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return "%!s(<nil>)";
    case json::kind::bool_: return "bool";
    case json::kind::int64: return "int64";
    case json::kind::uint64:
    case json::kind::double_: return "float64";
    case json::kind::string: return "string";
    case json::kind::array: return "[]interface {}";
    case json::kind::object: return "map[string]interface {}";
  }
  return "";
}

void SortMembers(json::value& value) {
  if (auto* list = value.if_array()) {
    for (json::value& item : *list) SortMembers(item);
    return;
  }
  auto* object = value.if_object();
  if (object == nullptr) return;
  const auto less = [](const json::key_value_pair& a, const json::key_value_pair& b) { return a.key() < b.key(); };
  for (auto& member : *object) SortMembers(member.value());
  if (std::is_sorted(object->begin(), object->end(), less)) return;
  json::object sorted(object->size(), object->storage());
  for (const auto* member : Sorted(*object)) {
    sorted.emplace(member->key(), std::move(const_cast<json::value&>(member->value())));
  }
  *object = std::move(sorted);
}

int64_t TextSize(const json::value& value) {
  switch (value.kind()) {
    case json::kind::array: {
      int64_t size = 2;
      for (const json::value& item : value.get_array()) size += TextSize(item) + 1;
      return size;
    }
    case json::kind::object: {
      int64_t size = 2;
      for (const auto& member : value.get_object()) {
        size += static_cast<int64_t>(member.key().size()) + TextSize(member.value()) + 4;
      }
      return size;
    }
    case json::kind::string: return static_cast<int64_t>(value.get_string().size()) + 2;
    case json::kind::null: return 4;
    case json::kind::bool_: return value.get_bool() ? 4 : 5;
    default: return static_cast<int64_t>(json::serialize(value).size());
  }
}

}  // namespace knarr::patch
