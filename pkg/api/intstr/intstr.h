// IntOrString: ports by number or name, counts by number or percentage.
// Mirrors: k8s.io/apimachinery/pkg/util/intstr/intstr.go
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pkg/base/status.h"

namespace k8s::io::apimachinery::pkg::util::intstr {
class IntOrString;
}

namespace knarr::intstr {

using IntOrString = ::k8s::io::apimachinery::pkg::util::intstr::IntOrString;

inline constexpr int64_t kInt = 0;  // IntOrString.type
inline constexpr int64_t kString = 1;

IntOrString FromInt32(int32_t value);
IntOrString FromString(std::string_view value);
// A number where the text is one that fits int32, else the text.
IntOrString Parse(std::string_view text);

bool IsString(const IntOrString& value);
std::string ToString(const IntOrString& value);
// The number, also of a text that is one; 0 for other texts.
int64_t IntValue(const IntOrString& value);
// A number as it is, a percentage of `total` rounded up or down. Other texts are errors:
//   invalid value for IntOrString: invalid type: string is not a percentage
Result<int64_t> GetScaledValueFromIntOrPercent(const IntOrString& value, int64_t total, bool round_up);

}  // namespace knarr::intstr
