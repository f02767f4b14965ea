#include "pkg/api/batch/cron.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "pkg/api/field/quote.h"
#include "pkg/base/duration.h"

namespace knarr::cron {
namespace {

constexpr uint64_t kStar = uint64_t{1} << 63;
constexpr int64_t kDay = 86400;
constexpr size_t kZoneMax = 255;

struct Bounds {
  uint32_t min, max;
  std::span<const std::string_view> names;  // of min, min + 1, ...
};
constexpr std::string_view kMonths[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                        "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::string_view kDays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
constexpr Bounds kMinute{0, 59, {}}, kHour{0, 23, {}}, kDayOfMonth{1, 31, {}}, kMonth{1, 12, kMonths},
    kWeekday{0, 6, kDays};

std::vector<std::string_view> Split(std::string_view text, char by) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t at = text.find(by);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

bool IsSpace(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

std::vector<std::string_view> Fields(std::string_view text) {
  std::vector<std::string_view> fields;
  size_t i = 0;
  while (i < text.size()) {
    while (i < text.size() && IsSpace(text[i])) ++i;
    const size_t begin = i;
    while (i < text.size() && !IsSpace(text[i])) ++i;
    if (i > begin) fields.push_back(text.substr(begin, i - begin));
  }
  return fields;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  return lower;
}

// strconv.Atoi takes a sign.
Result<uint32_t> ParseInt(std::string_view text) {
  std::string_view digits = text;
  if (!digits.empty() && digits[0] == '+') digits.remove_prefix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool signs = text.size() != digits.size() && !digits.empty() && digits[0] == '-';
  if (error == std::errc::result_out_of_range) {
    return Error(Code::kInvalid, "failed to parse int from {}: strconv.Atoi: parsing {}: value out of range", text,
                 field::Quote(text));
  }
  if (error != std::errc() || end != digits.data() + digits.size() || signs) {
    return Error(Code::kInvalid, "failed to parse int from {}: strconv.Atoi: parsing {}: invalid syntax", text,
                 field::Quote(text));
  }
  if (value < 0) return Error(Code::kInvalid, "negative number ({}) not allowed: {}", value, text);
  return static_cast<uint32_t>(std::min<int64_t>(value, UINT32_MAX));
}

Result<uint32_t> ParseIntOrName(std::string_view text, const Bounds& bounds) {
  const std::string lower = Lower(text);
  for (size_t i = 0; i < bounds.names.size(); ++i) {
    if (bounds.names[i] == lower) return static_cast<uint32_t>(bounds.min + i);
  }
  return ParseInt(text);
}

Result<uint64_t> ParseRange(std::string_view expression, const Bounds& bounds) {
  const auto range_and_step = Split(expression, '/');
  const auto low_and_high = Split(range_and_step[0], '-');
  uint32_t start = 0, end = 0, step = 1;
  uint64_t extra = 0;
  if (low_and_high[0] == "*" || low_and_high[0] == "?") {
    start = bounds.min;
    end = bounds.max;
    extra = kStar;
  } else {
    start = KNARR_TRY(ParseIntOrName(low_and_high[0], bounds));
    end = start;
    if (low_and_high.size() == 2) end = KNARR_TRY(ParseIntOrName(low_and_high[1], bounds));
    if (low_and_high.size() > 2) return Error(Code::kInvalid, "too many hyphens: {}", expression);
  }
  if (range_and_step.size() == 2) {
    step = KNARR_TRY(ParseInt(range_and_step[1]));
    // "N/step" means "N-max/step".
    if (low_and_high.size() == 1) end = bounds.max;
    if (step > 1) extra = 0;
  } else if (range_and_step.size() > 2) {
    return Error(Code::kInvalid, "too many slashes: {}", expression);
  }
  if (start < bounds.min) {
    return Error(Code::kInvalid, "beginning of range ({}) below minimum ({}): {}", start, bounds.min, expression);
  }
  if (end > bounds.max) {
    return Error(Code::kInvalid, "end of range ({}) above maximum ({}): {}", end, bounds.max, expression);
  }
  if (start > end) {
    return Error(Code::kInvalid, "beginning of range ({}) beyond end of range ({}): {}", start, end, expression);
  }
  if (step == 0) return Error(Code::kInvalid, "step of range should be a positive number: {}", expression);
  uint64_t bits = 0;
  for (uint64_t i = start; i <= end; i += step) bits |= uint64_t{1} << i;
  return bits | extra;
}

Result<uint64_t> ParseField(std::string_view text, const Bounds& bounds) {
  uint64_t bits = 0;
  for (const std::string_view expression : Split(text, ',')) {
    if (!expression.empty()) bits |= KNARR_TRY(ParseRange(expression, bounds));
  }
  return bits;
}

std::string_view Expand(std::string_view descriptor) {
  if (descriptor == "@yearly" || descriptor == "@annually") return "0 0 1 1 *";
  if (descriptor == "@monthly") return "0 0 1 * *";
  if (descriptor == "@weekly") return "0 0 * * 0";
  if (descriptor == "@daily" || descriptor == "@midnight") return "0 0 * * *";
  if (descriptor == "@hourly") return "0 * * * *";
  return {};
}

bool Has(uint64_t bits, int value) {
  return (bits >> value & 1) != 0;
}

int64_t FloorDiv(int64_t a, int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

}  // namespace

Result<Schedule> Schedule::Parse(std::string_view text) {
  Schedule schedule;
  if (text.empty()) return Error(Code::kInvalid, "empty spec string");
  if (text.starts_with("TZ=") || text.starts_with("CRON_TZ=")) {
    const size_t space = text.find(' ');
    const size_t equals = text.find('=');
    // Upstream's parser does not survive a zone with nothing behind it.
    if (space == std::string_view::npos) return Error(Code::kInvalid, "provided bad location {}", text);
    schedule.zone_ = text.substr(equals + 1, space - equals - 1);
    if (!IsKnownTimeZone(schedule.zone_)) {
      return Error(Code::kInvalid, "provided bad location {}: unknown time zone {}", schedule.zone_, schedule.zone_);
    }
    text.remove_prefix(space);
    while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
    while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  }
  if (text.starts_with('@')) {
    constexpr std::string_view kEvery = "@every ";
    if (text.starts_with(kEvery)) {
      const auto duration = ParseDuration(text.substr(kEvery.size()));
      if (!duration.ok()) {
        return Error(Code::kInvalid, "failed to parse duration {}: {}", text, duration.error().message());
      }
      schedule.every_ = std::max<int64_t>(1, std::chrono::duration_cast<std::chrono::seconds>(*duration).count());
      return schedule;
    }
    const std::string_view expanded = Expand(text);
    if (expanded.empty()) return Error(Code::kInvalid, "unrecognized descriptor: {}", text);
    text = expanded;
  }
  const auto fields = Fields(text);
  if (fields.size() != 5) {
    return Error(Code::kInvalid, "expected exactly 5 fields, found {}: [{}]", fields.size(), fmt::join(fields, " "));
  }
  schedule.minute_ = KNARR_TRY(ParseField(fields[0], kMinute));
  schedule.hour_ = KNARR_TRY(ParseField(fields[1], kHour));
  schedule.day_ = KNARR_TRY(ParseField(fields[2], kDayOfMonth));
  schedule.month_ = KNARR_TRY(ParseField(fields[3], kMonth));
  schedule.weekday_ = KNARR_TRY(ParseField(fields[4], kWeekday));
  return schedule;
}

bool Schedule::DayMatches(int day, int weekday) const {
  const bool by_day = Has(day_, day);
  const bool by_weekday = Has(weekday_, weekday);
  // If both are restricted, either will do.
  if ((day_ & kStar) != 0 || (weekday_ & kStar) != 0) return by_day && by_weekday;
  return by_day || by_weekday;
}

std::optional<int64_t> Schedule::Next(int64_t after) const {
  return Next(after, [](int64_t) { return 0; });
}

std::optional<int64_t> Schedule::Next(int64_t after, const UtcOffset& offset) const {
  if (every_ > 0) return after + every_;
  // Minutes of the local calendar, one day after the other.
  const int64_t local = after + offset(after);
  int64_t day = FloorDiv(local, kDay);
  int64_t first_minute = FloorDiv(local - day * kDay, 60) + 1;
  const int64_t last_day = day + 5 * 366;
  for (; day <= last_day; ++day, first_minute = 0) {
    const std::chrono::sys_days date{std::chrono::days(day)};
    const std::chrono::year_month_day civil(date);
    if (!Has(month_, static_cast<int>(static_cast<unsigned>(civil.month())))) continue;
    const int weekday = static_cast<int>(std::chrono::weekday(date).c_encoding());
    if (!DayMatches(static_cast<int>(static_cast<unsigned>(civil.day())), weekday)) continue;
    for (int64_t minute = first_minute; minute < 24 * 60; ++minute) {
      if (!Has(hour_, static_cast<int>(minute / 60))) {
        minute = minute / 60 * 60 + 59;
        continue;
      }
      if (!Has(minute_, static_cast<int>(minute % 60))) continue;
      const int64_t wanted = day * kDay + minute * 60;
      // The offset there; guessed by the one a little before and after.
      for (const int64_t guess : {offset(wanted - offset(after)), offset(wanted - offset(after) - 3 * 3600)}) {
        const int64_t time = wanted - guess;
        if (time > after && time + offset(time) == wanted) return time;
      }
    }
  }
  return std::nullopt;
}

bool IsKnownTimeZone(std::string_view name) {
  if (name.empty() || name == "UTC") return true;
  if (name.size() > kZoneMax || name.front() == '/' || name.find("..") != std::string_view::npos ||
      name.find('\\') != std::string_view::npos || name.find('\0') != std::string_view::npos) {
    return false;
  }
  std::ifstream file("/usr/share/zoneinfo/" + std::string(name), std::ios::binary);
  std::array<char, 4> magic{};
  return file.read(magic.data(), magic.size()) && std::string_view(magic.data(), magic.size()) == "TZif";
}

}  // namespace knarr::cron
