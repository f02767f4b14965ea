// Tables and colour for people on a terminal, plain text for everybody else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace knarr::cli {

// kubectl's table: columns padded with three spaces, no lines; the last column is not padded.
class Table {
 public:
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

enum class Colour { kNone, kGreen, kYellow, kRed, kBold };
// Standard output is a terminal, and NO_COLOR is not set.
bool ColourWanted();
std::string Paint(std::string_view text, Colour colour);

// "3d4h", "12m", "45s" as kubectl's AGE. Mirrors: k8s.io/apimachinery/pkg/util/duration HumanDuration
std::string HumanDuration(long long seconds);
// Since an RFC 3339 time; "<unknown>" for an empty or broken one.
std::string AgeOf(std::string_view rfc3339);

}  // namespace knarr::cli
