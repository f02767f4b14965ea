// Go's %q: text in double quotes with Go's escapes, as validation messages and decoder errors print strings.
// Mirrors: strconv.Quote
#pragma once

#include <string>
#include <string_view>

namespace knarr::field {

// Invalid UTF-8 becomes \xNN, characters that do not print become \n, \t, \u00ad and so on.
std::string Quote(std::string_view text);

}  // namespace knarr::field
