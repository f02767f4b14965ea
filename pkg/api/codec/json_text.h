// JSON text as Go's encoding/json writes it: strings with HTML escaping, compacted raw values, floats, base64.
#pragma once

#include <string>
#include <string_view>

#include "pkg/base/status.h"

namespace knarr::codec {

// With quotes. <, >, &, U+2028 and U+2029 are escaped, invalid UTF-8 becomes \ufffd.
void AppendJsonString(std::string_view text, std::string* out);
// A JSON value without white space, HTML characters escaped, as json.Marshal embeds what a MarshalJSON returns.
// False, and nothing appended, where `raw` is not one JSON value.
bool AppendCompactJson(std::string_view raw, std::string* out);
// The fewest digits that read back as the same finite number, with or without an exponent (of two digits at least).
std::string FormatShortest(double value, bool single_precision, bool exponent);
// As encoding/json: exponents below 1e-6 and from 1e21.
void AppendJsonDouble(double value, bool single_precision, std::string* out);

void AppendBase64(std::string_view bytes, std::string* out);
// Standard alphabet with padding; line breaks are skipped. Error text: illegal base64 data at input byte N
Result<std::string> DecodeBase64(std::string_view text);

}  // namespace knarr::codec
