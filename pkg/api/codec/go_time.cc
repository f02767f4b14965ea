#include "pkg/api/codec/go_time.h"

#include "pkg/api/field/quote.h"

namespace knarr::codec {
namespace {

using field::Quote;

bool IsDigit(std::string_view text, size_t at) {
  return at < text.size() && text[at] >= '0' && text[at] <= '9';
}

bool IsLeap(int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int DaysIn(int64_t year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeap(year) ? 29 : kDays[month - 1];
}

// Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and back (Howard Hinnant's algorithms).
int64_t DaysFromCivil(int64_t year, int month, int day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

struct Civil {
  int64_t year;
  int month;
  int day;
};

Civil CivilFromDays(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t day_of_era = days - era * 146097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t mp = (5 * day_of_year + 2) / 153;
  const int month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  return {year_of_era + era * 400 + (month <= 2), month, static_cast<int>(day_of_year - (153 * mp + 2) / 5 + 1)};
}

class Parser {
 public:
  Parser(std::string_view text, bool micro)
      : text_(text),
        rest_(text),
        layout_(micro ? "2006-01-02T15:04:05.000000Z07:00" : "2006-01-02T15:04:05Z07:00"),
        micro_(micro) {}

  Result<GoTime> Parse() {
    int64_t year = 0;
    int month = 0, day = 0, hour = 0, minute = 0, second = 0;
    GoTime time;
    if (!Year(&year) || !Skip("-") || !Number("01", true, 1, 12, "month", &month) || !Skip("-") ||
        !Number("02", true, 0, 99, "day", &day) || !Skip("T") || !Number("15", false, 0, 23, "hour", &hour) ||
        !Skip(":") || !Number("04", true, 0, 59, "minute", &minute) || !Skip(":") ||
        !Number("05", true, 0, 59, "second", &second) || !Fraction(&time.nanos)) {
      return error_;
    }
    int64_t offset = 0;
    if (!Zone(&offset)) return error_;
    if (!rest_.empty()) return Error(Code::kBadRequest, "parsing time {}: extra text: {}", Quote(text_), Quote(rest_));
    if (day < 1 || day > DaysIn(year, month))
      return Error(Code::kBadRequest, "parsing time {}: day out of range", Quote(text_));
    time.seconds = DaysFromCivil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    return time;
  }

 private:
  bool Fail(std::string_view element, std::string_view at) {
    error_ = Error(Code::kBadRequest, "parsing time {} as {}: cannot parse {} as {}", Quote(text_), Quote(layout_),
                   Quote(at), Quote(element));
    return false;
  }
  bool FailRange(std::string_view what) {
    error_ = Error(Code::kBadRequest, "parsing time {}: {} out of range", Quote(text_), what);
    return false;
  }

  bool Skip(std::string_view literal) {
    if (!rest_.starts_with(literal)) return Fail(literal, rest_);
    rest_.remove_prefix(literal.size());
    return true;
  }

  bool Year(int64_t* out) {
    for (size_t i = 0; i < 4; ++i) {
      if (!IsDigit(rest_, i)) return Fail("2006", rest_);
      *out = *out * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(4);
    return true;
  }

  bool Number(std::string_view element, bool two_digits, int low, int high, std::string_view what, int* out) {
    if (!IsDigit(rest_, 0) || (two_digits && !IsDigit(rest_, 1))) return Fail(element, rest_);
    *out = rest_[0] - '0';
    rest_.remove_prefix(1);
    if (IsDigit(rest_, 0)) {
      *out = *out * 10 + (rest_[0] - '0');
      rest_.remove_prefix(1);
    }
    return (*out >= low && *out <= high) || FailRange(what);
  }

  bool Fraction(int32_t* nanos) {
    const bool point = !rest_.empty() && (rest_[0] == '.' || rest_[0] == ',') && IsDigit(rest_, 1);
    size_t digits = 0;
    while (point && IsDigit(rest_, 1 + digits)) ++digits;
    if (micro_) {
      if (digits < 6) return Fail(".000000", rest_);
      digits = 6;
    }
    int64_t value = 0;
    for (size_t i = 0; i < 9; ++i) value = value * 10 + (i < digits ? rest_[1 + i] - '0' : 0);
    *nanos = static_cast<int32_t>(value);
    if (digits > 0) rest_.remove_prefix(1 + digits);
    return true;
  }

  bool Zone(int64_t* offset) {
    if (rest_.starts_with('Z')) {
      rest_.remove_prefix(1);
      return true;
    }
    const bool shaped = rest_.size() >= 6 && (rest_[0] == '+' || rest_[0] == '-') && rest_[3] == ':' &&
                        IsDigit(rest_, 1) && IsDigit(rest_, 2) && IsDigit(rest_, 4) && IsDigit(rest_, 5);
    if (!shaped) return Fail("Z07:00", rest_);
    const int hours = (rest_[1] - '0') * 10 + (rest_[2] - '0');
    const int minutes = (rest_[4] - '0') * 10 + (rest_[5] - '0');
    if (hours > 24) return FailRange("time zone offset hour");
    if (minutes > 60) return FailRange("time zone offset minute");
    *offset = (hours * 60 + minutes) * 60 * (rest_[0] == '-' ? -1 : 1);
    rest_.remove_prefix(6);
    return true;
  }

  std::string_view text_;
  std::string_view rest_;
  std::string_view layout_;
  bool micro_;
  Status error_;
};

}  // namespace

Result<GoTime> ParseGoTime(std::string_view text, bool micro) {
  return Parser(text, micro).Parse();
}

void AppendGoTime(GoTime time, bool micro, std::string* out) {
  int64_t days = time.seconds / 86400;
  int64_t rest = time.seconds % 86400;
  if (rest < 0) {
    rest += 86400;
    --days;
  }
  const Civil date = CivilFromDays(days);
  out->append(fmt::format("{}{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", date.year < 0 ? "-" : "",
                          date.year < 0 ? -date.year : date.year, date.month, date.day, rest / 3600, rest / 60 % 60,
                          rest % 60));
  if (micro) out->append(fmt::format(".{:06}", time.nanos / 1000));
  out->push_back('Z');
}

}  // namespace knarr::codec
