// The CRI log line and its times.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <ctime>

#include "pkg/kubelet/logs/logs.h"

namespace knarr::kubelet {
namespace {

Status BadTime(std::string_view text) {
  return Error(Code::kInvalid, "parsing time \"{}\" as RFC 3339", text.substr(0, 64));
}

// Exactly `width` digits at `at`.
bool Digits(std::string_view text, size_t at, size_t width, int* out) {
  if (at + width > text.size()) return false;
  for (size_t i = at; i < at + width; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
  }
  std::from_chars(text.data() + at, text.data() + at + width, *out);
  return true;
}

int DaysIn(int year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

std::string_view TakeWord(std::string_view& line) {
  const size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  return word;
}

}  // namespace

Result<WallTime> ParseRfc3339(std::string_view text) {
  std::tm utc{};
  const auto at = [&](size_t i, char c) { return i < text.size() && text[i] == c; };
  const bool shaped = Digits(text, 0, 4, &utc.tm_year) && at(4, '-') && Digits(text, 5, 2, &utc.tm_mon) && at(7, '-') &&
                      Digits(text, 8, 2, &utc.tm_mday) && at(10, 'T') && Digits(text, 11, 2, &utc.tm_hour) &&
                      at(13, ':') && Digits(text, 14, 2, &utc.tm_min) && at(16, ':') &&
                      Digits(text, 17, 2, &utc.tm_sec);
  if (!shaped || utc.tm_mon < 1 || utc.tm_mon > 12 || utc.tm_mday < 1 ||
      utc.tm_mday > DaysIn(utc.tm_year, utc.tm_mon) || utc.tm_hour > 23 || utc.tm_min > 59 || utc.tm_sec > 59) {
    return BadTime(text);
  }
  size_t i = 19;
  int64_t nanoseconds = 0;
  if (at(i, '.')) {
    const size_t first = ++i;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
      if (i - first < 9) nanoseconds = nanoseconds * 10 + (text[i] - '0');
    }
    if (i == first) return BadTime(text);
    for (size_t digits = i - first; digits < 9; ++digits) nanoseconds *= 10;
  }
  int64_t offset = 0;
  if (at(i, '+') || at(i, '-')) {
    int hours = 0, minutes = 0;
    if (!Digits(text, i + 1, 2, &hours) || !at(i + 3, ':') || !Digits(text, i + 4, 2, &minutes) || hours > 23 ||
        minutes > 59)
      return BadTime(text);
    offset = (hours * 60 + minutes) * 60;
    if (text[i] == '-') offset = -offset;
    i += 6;
  } else if (at(i, 'Z')) {
    ++i;
  } else {
    return BadTime(text);
  }
  if (i != text.size()) return BadTime(text);
  utc.tm_year -= 1900;
  utc.tm_mon -= 1;
  const int64_t seconds = ::timegm(&utc) - offset;
  // Nanoseconds since 1970 fit an int64 from 1678 to 2262.
  if (seconds < -9'000'000'000 || seconds > 9'000'000'000) return BadTime(text);
  return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::seconds(seconds) +
                                                                 std::chrono::nanoseconds(nanoseconds)));
}

std::string FormatRfc3339Nano(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const std::time_t stamp = std::chrono::system_clock::to_time_t(seconds);
  std::tm utc{};
  ::gmtime_r(&stamp, &utc);
  char text[32];
  const size_t n = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
  return fmt::format("{}.{:09}Z", std::string_view(text, n),
                     std::chrono::duration_cast<std::chrono::nanoseconds>(time - seconds).count());
}

Result<LogEntry> ParseCriLogLine(std::string_view line) {
  LogEntry entry;
  entry.timestamp = TakeWord(line);
  Result<WallTime> time = ParseRfc3339(entry.timestamp);
  if (!time.ok()) return Error(Code::kInvalid, "unexpected timestamp format: {}", time.status().message());
  entry.time = *time;
  const std::string_view stream = TakeWord(line);
  if (stream == "stdout") {
    entry.stream = LogStream::kStdout;
  } else if (stream == "stderr") {
    entry.stream = LogStream::kStderr;
  } else {
    return Error(Code::kInvalid, "unexpected stream type \"{}\"", stream.substr(0, 64));
  }
  // Tags are separated by colons; the first says whether the line is whole.
  const std::string_view tags = TakeWord(line);
  const std::string_view first = tags.substr(0, tags.find(':'));
  if (first != "F" && first != "P") return Error(Code::kInvalid, "log tag is not found");
  entry.partial = first == "P";
  entry.content = line;
  return entry;
}

}  // namespace knarr::kubelet
