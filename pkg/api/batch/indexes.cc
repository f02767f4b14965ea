#include "pkg/api/batch/indexes.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "pkg/api/field/quote.h"

namespace knarr::batch_indexes {
namespace {

struct Interval {
  int32_t first, last;
};

Result<int32_t> ParseIndex(std::string_view text, int32_t completions) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Error(Code::kInvalid, "cannot convert string to integer for index: {}", field::Quote(text));
  }
  if (value >= completions) return Error(Code::kInvalid, "too large index: {}", field::Quote(text));
  return static_cast<int32_t>(std::max<int64_t>(value, INT32_MIN));
}

Result<Interval> ParseInterval(std::string_view text, int32_t completions) {
  const size_t dash = text.find('-');
  if (dash != std::string_view::npos && text.find('-', dash + 1) != std::string_view::npos) {
    return Error(Code::kInvalid,
                 "the fragment {} violates the requirement that an index interval can have at most two parts "
                 "separated by '-'",
                 field::Quote(text));
  }
  const int32_t first = KNARR_TRY(ParseIndex(text.substr(0, dash), completions));
  if (dash == std::string_view::npos) return Interval{first, first};
  const int32_t last = KNARR_TRY(ParseIndex(text.substr(dash + 1), completions));
  if (first >= last) {
    return Error(Code::kInvalid, "non-increasing order, previous: {}, current: {}", first, last);
  }
  return Interval{first, last};
}

// Takes the part before the next comma off.
std::string_view NextPart(std::string_view* rest, bool* more) {
  const size_t comma = rest->find(',');
  const std::string_view part = rest->substr(0, comma);
  *more = comma != std::string_view::npos;
  if (*more) rest->remove_prefix(comma + 1);
  return part;
}

std::vector<Interval> Readable(std::string_view text, int32_t completions) {
  std::vector<Interval> intervals;
  bool more = !text.empty();
  while (more) {
    const auto interval = ParseInterval(NextPart(&text, &more), completions);
    if (interval.ok()) intervals.push_back(*interval);
  }
  return intervals;
}

}  // namespace

Result<int32_t> Count(std::string_view text, int32_t completions) {
  std::optional<int32_t> previous;
  int32_t total = 0;
  bool more = !text.empty();
  while (more) {
    const Interval interval = KNARR_TRY(ParseInterval(NextPart(&text, &more), completions));
    if (previous && *previous >= interval.first) {
      return Error(Code::kInvalid, "non-increasing order, previous: {}, current: {}", *previous, interval.first);
    }
    total += interval.last - interval.first + 1;
    previous = interval.last;
  }
  return total;
}

std::optional<int32_t> Overlap(std::string_view completed, std::string_view failed, int32_t completions) {
  const std::vector<Interval> a = Readable(completed, completions);
  const std::vector<Interval> b = Readable(failed, completions);
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i].first <= b[j].last && b[j].first <= a[i].last) return std::max(a[i].first, b[j].first);
    if (a[i].first <= b[j].first) {
      ++i;
    } else {
      ++j;
    }
  }
  return std::nullopt;
}

}  // namespace knarr::batch_indexes
