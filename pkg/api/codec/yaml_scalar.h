// What a YAML 1.1 scalar means. Mirrors: sigs.k8s.io/yaml/goyaml.v2/resolve.go
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pkg/base/status.h"

namespace knarr::codec {

struct YamlScalar {
  enum class Kind : uint8_t { kString, kNull, kBool, kInt, kFloat, kTimestamp } kind = Kind::kString;
  bool boolean = false;
  bool negative = false;  // of an integer: the value is -magnitude
  uint64_t magnitude = 0;
  double number = 0;
};

// An untagged plain scalar: true, on, 0777, 1e3, ~, .inf. Timestamps stay text for JSON, but are not plain strings.
YamlScalar ResolveYamlScalar(std::string_view text);

// The same for a scalar with an explicit tag (!!int, or its long form). Unknown tags give a string.
// Error: cannot decode !!str `x` as a !!int
Result<YamlScalar> ResolveYamlScalar(std::string_view text, std::string_view tag);

// YAML 1.1's sexagesimal floats, 1:20: not read as numbers, but quoted when written.
bool IsBase60Float(std::string_view text);

// Go's strconv.FormatFloat(value, 'g', -1, 64 or 32).
std::string FormatGoFloat(double value, bool single_precision);

}  // namespace knarr::codec
