// Schedules of CronJobs: five fields, names of months and days, @hourly and the like, @every.
// Mirrors: github.com/robfig/cron v3 ParseStandard and SpecSchedule.Next, with its error texts.
//
// Values; parsing is linear in the length of the text.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "pkg/base/status.h"

namespace knarr::cron {

// Seconds east of UTC at a time (Unix seconds).
using UtcOffset = std::function<int32_t(int64_t)>;

class Schedule {
 public:
  // "TZ=Europe/Berlin * * * * *" is accepted as upstream's parser does; the zone is left to the caller (zone()).
  static Result<Schedule> Parse(std::string_view text);

  // The first time after `after` (Unix seconds) that matches, in the zone; none within five years: nullopt. A local
  // time that daylight saving skips does not come that day; one that comes twice comes once.
  std::optional<int64_t> Next(int64_t after, const UtcOffset& offset) const;
  std::optional<int64_t> Next(int64_t after) const;  // UTC
  // What stood behind TZ= or CRON_TZ=; empty where nothing did.
  std::string_view zone() const { return zone_; }

 private:
  bool DayMatches(int day, int weekday) const;
  // Bits of the values that match; kStar where the field was one.
  uint64_t minute_ = 0, hour_ = 0, day_ = 0, month_ = 0, weekday_ = 0;
  int64_t every_ = 0;  // seconds, of @every
  std::string zone_;
};

// Whether the machine's zone database has it ("Europe/Berlin"); UTC always is known.
bool IsKnownTimeZone(std::string_view name);

}  // namespace knarr::cron
