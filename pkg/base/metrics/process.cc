// process_* of the running process, read from /proc/self while being scraped: an idle process reads nothing.
// Mirrors: github.com/prometheus/client_golang/prometheus/process_collector.go
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "pkg/base/file.h"
#include "pkg/base/metrics/metrics.h"

namespace knarr::metrics {
namespace {

// Fields of /proc/self/stat after the command's name; [0] is the state.
std::vector<std::string> StatFields() {
  const Result<std::string> text = ReadFile("/proc/self/stat", 4096);
  std::vector<std::string> fields;
  if (!text.ok()) return fields;
  const size_t name_end = text->rfind(')');
  if (name_end == std::string::npos) return fields;
  std::istringstream rest(text->substr(name_end + 1));
  for (std::string field; rest >> field;) fields.push_back(std::move(field));
  return fields;
}

double Number(const std::vector<std::string>& fields, size_t index) {
  return index < fields.size() ? std::strtod(fields[index].c_str(), nullptr) : 0;
}

double BootTime() {
  const Result<std::string> text = ReadFile("/proc/stat", 1 << 20);
  if (!text.ok()) return 0;
  const size_t at = text->find("\nbtime ");
  return at == std::string::npos ? 0 : std::strtod(text->c_str() + at + 7, nullptr);
}

double SoftLimit(__rlimit_resource resource) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return 0;
  return static_cast<double>(limit.rlim_cur);  // RLIM_INFINITY prints as 1.8446744073709552e+19, as upstream's does
}

void Single(TextWriter& writer, std::string_view name, std::string_view help, std::string_view type, double value) {
  writer.Family(name, help, type);
  writer.Sample(name, {}, value);
}

void WriteProcess(TextWriter& writer) {
  const std::vector<std::string> fields = StatFields();
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  Single(writer, "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", "counter",
         (Number(fields, 11) + Number(fields, 12)) / ticks);
  Single(writer, "process_max_fds", "Maximum number of open file descriptors.", "gauge", SoftLimit(RLIMIT_NOFILE));
  const Result<std::vector<std::string>> open = ListDir("/proc/self/fd");
  // The listing's own descriptor is one of them.
  Single(writer, "process_open_fds", "Number of open file descriptors.", "gauge",
         open.ok() && !open->empty() ? static_cast<double>(open->size() - 1) : 0);
  Single(writer, "process_resident_memory_bytes", "Resident memory size in bytes.", "gauge",
         Number(fields, 21) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  static const double boot_time = BootTime();
  Single(writer, "process_start_time_seconds", "Start time of the process since unix epoch in seconds.", "gauge",
         boot_time + Number(fields, 19) / ticks);
  Single(writer, "process_virtual_memory_bytes", "Virtual memory size in bytes.", "gauge", Number(fields, 20));
  Single(writer, "process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes.", "gauge",
         SoftLimit(RLIMIT_AS));
}

}  // namespace

void AddProcessMetrics(Registry& registry) {
  registry.AddCollector("process_", WriteProcess);
  registry.AddCollector("knarr_bug_total", [](TextWriter& writer) {
    Single(writer, "knarr_bug_total", "States that should have been impossible and were survived.", "counter",
           static_cast<double>(BugCount()));
  });
}

}  // namespace knarr::metrics
