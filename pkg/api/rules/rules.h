// What the validations of the API's groups share beside pkg/api/meta: simple rules of fields, and Go's way to print a
// bad value that is no string or number. Functions append what they find to `errors`.
// Mirrors: parts of pkg/apis/core/validation/validation.go, k8s.io/apimachinery/pkg/util/validation/field/errors.go
#pragma once

#include <google/protobuf/map.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/api/field/field.h"
#include "pkg/api/labels/selector.h"
#include "pkg/api/names/names.h"
#include "pkg/api/types.h"

namespace k8s::io::apimachinery::pkg::apis::meta::v1 {
class LabelSelector;
class ObjectMeta;
}  // namespace k8s::io::apimachinery::pkg::apis::meta::v1
namespace k8s::io::apimachinery::pkg::util::intstr {
class IntOrString;
}

namespace knarr::rules {

using field::ErrorList;
using field::Path;
using Labels = google::protobuf::Map<std::string, std::string>;

// One error for each message.
void AddInvalid(ErrorList& errors, const Path& path, std::string_view value, const names::Messages& messages);
void AddInvalid(ErrorList& errors, const Path& path, int64_t value, const names::Messages& messages);
// must be greater than or equal to 0
void Nonnegative(ErrorList& errors, const Path& path, int64_t value);
void Immutable(ErrorList& errors, const Path& path, bool same, std::string_view go_value);
void ImmutableText(ErrorList& errors, const Path& path, std::string_view updated, std::string_view old);

// An enumeration that must be set.
template <size_t N>
void RequireOneOf(ErrorList& errors, const Path& path, std::string_view value, const std::string_view (&supported)[N]) {
  if (value.empty()) {
    errors.push_back(field::Required(path, ""));
  } else if (std::find(std::begin(supported), std::end(supported), value) == std::end(supported)) {
    errors.push_back(field::NotSupported(path, value, supported));
  }
}

// An integer or a percentage, not negative.
void PositiveIntOrPercent(ErrorList& errors, const Path& path, const intstr_pb::IntOrString& value);
void NotMoreThan100Percent(ErrorList& errors, const Path& path, const intstr_pb::IntOrString& value);
// The number, or that of the percentage.
int64_t IntOrPercentValue(const intstr_pb::IntOrString& value);

// The selector of a controller with its template's labels: what upstream says where they do not match. `path` is the
// template's. Null where the selector cannot be read.
void SelectorMatches(ErrorList& errors, const Path& path, const meta::LabelSelector* selector,
                     const meta::ObjectMeta& metadata);

// --- %#v
std::string GoValue(const Labels& labels);                 // map[string]string{"a":"b"}
std::string GoValue(const meta::LabelSelector& selector);  // v1.LabelSelector{MatchLabels:..., MatchExpressions:...}
std::string GoValue(const intstr_pb::IntOrString& value);  // intstr.IntOrString{Type:0, IntVal:1, StrVal:""}
std::string GoValue(const std::vector<std::string>& strings);  // []string{"a"}
std::string GoBytes(std::string_view bytes);                   // []byte{0x61}

template <typename Map>
std::vector<std::string> SortedKeys(const Map& map) {
  std::vector<std::string> keys;
  keys.reserve(map.size());
  for (const auto& [key, value] : map) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace knarr::rules
