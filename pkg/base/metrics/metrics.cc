#include "pkg/base/metrics/metrics.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <type_traits>

#include "pkg/base/status.h"

namespace knarr::metrics {
namespace {

void AtomicAdd(std::atomic<double>& target, double by) {
  double seen = target.load(std::memory_order_relaxed);
  while (!target.compare_exchange_weak(seen, seen + by, std::memory_order_relaxed)) {
  }
}

void AppendEscaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

template <typename Metric>
constexpr std::string_view TypeName() {
  if constexpr (std::is_same_v<Metric, Counter>) return "counter";
  if constexpr (std::is_same_v<Metric, Gauge>) return "gauge";
  return "histogram";
}

void WriteChild(TextWriter& writer, const std::string& name, const Labels& labels, const Histogram& histogram) {
  const std::vector<uint64_t> counts = histogram.Cumulative();
  const std::string bucket = name + "_bucket";
  Labels with_bound = labels;
  with_bound.emplace_back("le", "");
  for (size_t i = 0; i < counts.size(); ++i) {
    const std::string bound = i < histogram.bounds().size() ? FormatValue(histogram.bounds()[i]) : "+Inf";
    with_bound.back().second = bound;
    writer.Sample(bucket, with_bound, static_cast<double>(counts[i]));
  }
  writer.Sample(name + "_sum", labels, histogram.Sum());
  writer.Sample(name + "_count", labels, static_cast<double>(counts.back()));
}

template <typename Metric>
void WriteChild(TextWriter& writer, const std::string& name, const Labels& labels, const Metric& metric) {
  writer.Sample(name, labels, metric.Value());
}

}  // namespace

std::string FormatValue(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value == 0) return std::signbit(value) ? "-0" : "0";
  // The shortest digits that read back the same. Go writes an exponent below -4 and from 6 on.
  char buffer[64];
  const auto scientific = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<size_t>(scientific.ptr - buffer));
  const size_t e = text.find('e');
  int exponent = 0;
  std::from_chars(text.data() + e + 2, text.data() + text.size(), exponent);
  if (text[e + 1] == '-') exponent = -exponent;
  if (exponent < -4 || exponent >= 6) return std::string(text);
  const auto fixed = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed);
  return std::string(buffer, fixed.ptr);
}

void TextWriter::Family(std::string_view name, std::string_view help, std::string_view type) {
  text_.append("# HELP ").append(name).append(" ");
  AppendEscaped(text_, help, false);
  text_.append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
}

void TextWriter::Sample(std::string_view name, const Labels& labels, double value,
                        std::optional<int64_t> timestamp_ms) {
  text_ += name;
  char separator = '{';
  for (const auto& [key, label] : labels) {
    text_ += separator;
    text_.append(key).append("=\"");
    AppendEscaped(text_, label, true);
    text_ += '"';
    separator = ',';
  }
  if (!labels.empty()) text_ += '}';
  text_.append(" ").append(FormatValue(value));
  if (timestamp_ms) text_.append(" ").append(std::to_string(*timestamp_ms));
  text_ += '\n';
}

void Counter::Inc(double by) {
  if (by > 0) AtomicAdd(value_, by);
}

void Gauge::Add(double by) {
  AtomicAdd(value_, by);
}

Histogram::Histogram(const std::vector<double>& bounds)
    : bounds_(bounds), counts_(std::make_unique<std::atomic<uint64_t>[]>(bounds.size() + 1)) {}

void Histogram::Observe(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  AtomicAdd(sum_, value);
}

std::vector<uint64_t> Histogram::Cumulative() const {
  std::vector<uint64_t> counts(bounds_.size() + 1);
  uint64_t total = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    total += counts_[i].load(std::memory_order_relaxed);
    counts[i] = total;
  }
  return counts;
}

uint64_t Histogram::Count() const {
  return Cumulative().back();
}

const std::vector<double>& DefaultBuckets() {
  static const std::vector<double> kBuckets = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};
  return kBuckets;
}

std::vector<double> ExponentialBuckets(double start, double factor, int count) {
  std::vector<double> bounds;
  for (int i = 0; i < count; ++i, start *= factor) bounds.push_back(start);
  return bounds;
}

Labels internal::FamilyBase::LabelsOf(const std::vector<std::string>& values) const {
  Labels labels;
  labels.reserve(labels_.size() + 1);
  for (size_t i = 0; i < labels_.size(); ++i) labels.emplace_back(labels_[i], values[i]);
  return labels;
}

template <typename Metric>
Family<Metric>::Family(std::string name, std::string help, std::vector<std::string> labels, std::vector<double> bounds)
    : FamilyBase(std::move(name), std::move(help), std::move(labels)), bounds_(std::move(bounds)) {}

template <typename Metric>
std::unique_ptr<Metric> Family<Metric>::Make() const {
  if constexpr (std::is_same_v<Metric, Histogram>) {
    return std::make_unique<Metric>(bounds_);
  } else {
    return std::make_unique<Metric>();
  }
}

template <typename Metric>
Metric& Family<Metric>::With(const std::vector<std::string>& values) {
  KNARR_CHECK(values.size() == labels_.size());
  std::lock_guard lock(mutex_);
  const auto found = children_.find(values);
  if (found != children_.end()) return *found->second;
  if (children_.size() >= kMaxChildren) {
    if (!overflow_) overflow_ = Make();
    return *overflow_;
  }
  return *children_.emplace(values, Make()).first->second;
}

template <typename Metric>
void Family<Metric>::Remove(const std::vector<std::string>& values) {
  std::lock_guard lock(mutex_);
  children_.erase(values);
}

template <typename Metric>
void Family<Metric>::RemoveWhere(std::string_view label, std::string_view value) {
  const auto at = std::find(labels_.begin(), labels_.end(), label);
  KNARR_CHECK(at != labels_.end());
  const auto index = static_cast<size_t>(at - labels_.begin());
  std::lock_guard lock(mutex_);
  std::erase_if(children_, [&](const auto& child) { return child.first[index] == value; });
}

template <typename Metric>
void Family<Metric>::Clear() {
  std::lock_guard lock(mutex_);
  children_.clear();
}

template <typename Metric>
void Family<Metric>::Write(TextWriter& writer) const {
  std::lock_guard lock(mutex_);
  if (children_.empty()) return;
  writer.Family(name_, help_, TypeName<Metric>());
  for (const auto& [values, child] : children_) WriteChild(writer, name_, LabelsOf(values), *child);
}

template class Family<Counter>;
template class Family<Gauge>;
template class Family<Histogram>;

template <typename Metric>
Family<Metric>& Registry::Add(const std::string& name, const std::string& help, std::vector<std::string> labels,
                              std::vector<double> bounds) {
  std::lock_guard lock(mutex_);
  std::unique_ptr<internal::FamilyBase>& slot = families_[name];
  if (!slot) slot = std::make_unique<Family<Metric>>(name, help, std::move(labels), std::move(bounds));
  auto* family = dynamic_cast<Family<Metric>*>(slot.get());
  KNARR_CHECK(family != nullptr);
  return *family;
}

Family<Counter>& Registry::AddCounters(const std::string& name, const std::string& help,
                                       std::vector<std::string> labels) {
  return Add<Counter>(name, help, std::move(labels), {});
}

Family<Gauge>& Registry::AddGauges(const std::string& name, const std::string& help, std::vector<std::string> labels) {
  return Add<Gauge>(name, help, std::move(labels), {});
}

Family<Histogram>& Registry::AddHistograms(const std::string& name, const std::string& help,
                                           std::vector<std::string> labels, std::vector<double> bounds) {
  return Add<Histogram>(name, help, std::move(labels), std::move(bounds));
}

void Registry::AddCollector(const std::string& name, std::function<void(TextWriter&)> collect) {
  std::lock_guard lock(mutex_);
  collectors_[name] = std::move(collect);
}

std::string Registry::Expose() const {
  TextWriter writer;
  std::lock_guard lock(mutex_);
  auto collector = collectors_.begin();
  for (const auto& [name, family] : families_) {
    for (; collector != collectors_.end() && collector->first < name; ++collector) collector->second(writer);
    family->Write(writer);
  }
  for (; collector != collectors_.end(); ++collector) collector->second(writer);
  return writer.Take();
}

Registry& Registry::Default() {
  static Registry& registry = [&]() -> Registry& {
    auto* created = new Registry;  // never destroyed: code that runs until exit counts in it
    AddProcessMetrics(*created);
    return *created;
  }();
  return registry;
}

}  // namespace knarr::metrics
