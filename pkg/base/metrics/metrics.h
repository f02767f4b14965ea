// Counters, gauges and histograms in Prometheus's text format 0.0.4, printed as client_golang prints them.
//
//   auto& total = registry.AddCounters("prober_probe_total", "Cumulative number of ...", {"probe_type", "result"});
//   total.With({"Liveness", "successful"}).Inc();
//
// Lives as long as its Registry; references handed out stay valid until Remove or Clear of that child. Thread-safe:
// values are atomics, families take a short lock to find a child (keep the reference where it is hot).
// Mirrors: github.com/prometheus/client_golang/prometheus and common/expfmt.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace knarr::metrics {

using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

// Writes samples. Collectors and hand-made pages (/metrics/resource) use it; families are printed through it too.
class TextWriter {
 public:
  // HELP and TYPE lines ("counter", "gauge", "histogram", "untyped"); the samples that follow belong to it.
  void Family(std::string_view name, std::string_view help, std::string_view type);
  void Sample(std::string_view name, const Labels& labels, double value,
              std::optional<int64_t> timestamp_ms = std::nullopt);
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

// As Go's strconv.FormatFloat(v, 'g', -1, 64), with +Inf, -Inf and NaN.
std::string FormatValue(double value);

class Counter {
 public:
  void Inc(double by = 1);  // negative steps are ignored
  double Value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Gauge {
 public:
  void Set(double value) { value_.store(value, std::memory_order_relaxed); }
  void Add(double by);
  double Value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Histogram {
 public:
  // bounds: ascending upper bounds without +Inf.
  explicit Histogram(const std::vector<double>& bounds);
  void Observe(double value);
  uint64_t Count() const;
  double Sum() const { return sum_.load(std::memory_order_relaxed); }
  const std::vector<double>& bounds() const { return bounds_; }
  // Observations <= bounds[i]; the last one (i == bounds.size()) counts all.
  std::vector<uint64_t> Cumulative() const;

 private:
  const std::vector<double>& bounds_;
  std::unique_ptr<std::atomic<uint64_t>[]> counts_;
  std::atomic<double> sum_{0};
};

// prometheus.DefBuckets, in seconds.
const std::vector<double>& DefaultBuckets();
std::vector<double> ExponentialBuckets(double start, double factor, int count);

namespace internal {
class FamilyBase {
 public:
  FamilyBase(std::string name, std::string help, std::vector<std::string> labels)
      : name_(std::move(name)), help_(std::move(help)), labels_(std::move(labels)) {}
  virtual ~FamilyBase() = default;
  virtual void Write(TextWriter& writer) const = 0;

 protected:
  Labels LabelsOf(const std::vector<std::string>& values) const;
  const std::string name_, help_;
  const std::vector<std::string> labels_;
};
}  // namespace internal

// Children of one name, one for each combination of label values. At most kMaxChildren are kept: a label fed by
// hostile input must not eat the memory; what comes later lands in one child that is not printed.
template <typename Metric>
class Family : public internal::FamilyBase {
 public:
  static constexpr size_t kMaxChildren = 20'000;
  Family(std::string name, std::string help, std::vector<std::string> labels, std::vector<double> bounds = {});
  // As many values as label names, in their order.
  Metric& With(const std::vector<std::string>& values);
  void Remove(const std::vector<std::string>& values);
  // Removes every child whose label has this value (a pod that went away).
  void RemoveWhere(std::string_view label, std::string_view value);
  void Clear();
  void Write(TextWriter& writer) const override;

 private:
  std::unique_ptr<Metric> Make() const;
  const std::vector<double> bounds_;
  mutable std::mutex mutex_;
  std::map<std::vector<std::string>, std::unique_ptr<Metric>> children_;
  std::unique_ptr<Metric> overflow_;
};
extern template class Family<Counter>;
extern template class Family<Gauge>;
extern template class Family<Histogram>;

class Registry {
 public:
  // Adding a name twice returns the first family; its labels must be the same.
  Counter& AddCounter(const std::string& name, const std::string& help) { return AddCounters(name, help, {}).With({}); }
  Gauge& AddGauge(const std::string& name, const std::string& help) { return AddGauges(name, help, {}).With({}); }
  Histogram& AddHistogram(const std::string& name, const std::string& help,
                          std::vector<double> bounds = DefaultBuckets()) {
    return AddHistograms(name, help, {}, std::move(bounds)).With({});
  }
  Family<Counter>& AddCounters(const std::string& name, const std::string& help, std::vector<std::string> labels);
  Family<Gauge>& AddGauges(const std::string& name, const std::string& help, std::vector<std::string> labels);
  Family<Histogram>& AddHistograms(const std::string& name, const std::string& help, std::vector<std::string> labels,
                                   std::vector<double> bounds = DefaultBuckets());
  // Values computed while being asked: `collect` prints one or more families, in the place of `name`.
  void AddCollector(const std::string& name, std::function<void(TextWriter&)> collect);
  // Families in the order of their names.
  std::string Expose() const;

  // The process's registry. Carries process_* and knarr_bug_total.
  static Registry& Default();

 private:
  template <typename Metric>
  Family<Metric>& Add(const std::string& name, const std::string& help, std::vector<std::string> labels,
                      std::vector<double> bounds);

  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<internal::FamilyBase>> families_;
  std::map<std::string, std::function<void(TextWriter&)>> collectors_;
};

// process_cpu_seconds_total, process_open_fds, ... from /proc/self, and knarr_bug_total.
void AddProcessMetrics(Registry& registry);

// Content-Type of Expose().
inline constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8; escaping=values";

}  // namespace knarr::metrics
