// The summary as metrics.
#include <functional>

#include "pkg/base/metrics/metrics.h"
#include "pkg/kubelet/server/stats.h"

namespace knarr::kubelet::stats {
namespace {

using metrics::Labels;
using metrics::TextWriter;

int64_t Milliseconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}
double Seconds(uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e9;
}

struct Value {
  double value;
  std::optional<int64_t> time_ms;
};
using MaybeValue = std::optional<Value>;

MaybeValue CpuSeconds(const std::optional<Cpu>& cpu) {
  if (!cpu || !cpu->usage_core_nano_seconds) return std::nullopt;
  return Value{Seconds(*cpu->usage_core_nano_seconds), Milliseconds(cpu->time)};
}

MaybeValue MemoryOf(const std::optional<Memory>& memory, std::optional<uint64_t> Memory::*field) {
  if (!memory || !((*memory).*field)) return std::nullopt;
  return Value{static_cast<double>(*((*memory).*field)), Milliseconds(memory->time)};
}

MaybeValue SwapUsage(const std::optional<Swap>& swap) {
  if (!swap || !swap->usage_bytes) return std::nullopt;
  return Value{static_cast<double>(*swap->usage_bytes), Milliseconds(swap->time)};
}

MaybeValue StartTime(const Container& c) {
  if (c.start_time <= WallTime{}) return std::nullopt;
  return Value{std::chrono::duration<double>(c.start_time.time_since_epoch()).count(), std::nullopt};
}

// Prints a family once it has a sample.
class Family {
 public:
  Family(TextWriter& writer, std::string_view name, std::string_view help, std::string_view type)
      : writer_(writer), name_(name), help_(help), type_(type) {}
  void Sample(const Labels& labels, const MaybeValue& value) {
    if (!value) return;
    if (!begun_) writer_.Family(name_, help_, type_);
    begun_ = true;
    writer_.Sample(name_, labels, value->value, value->time_ms);
  }

 private:
  TextWriter& writer_;
  const std::string_view name_, help_, type_;
  bool begun_ = false;
};

using OfContainer = std::function<MaybeValue(const Container&)>;

void ContainerFamily(TextWriter& writer, const Summary& summary, std::string_view name, std::string_view help,
                     std::string_view type, const OfContainer& value) {
  Family family(writer, name, help, type);
  for (const Pod& pod : summary.pods) {
    for (const Container& c : pod.containers) {
      family.Sample({{"container", c.name}, {"namespace", pod.pod_namespace}, {"pod", pod.name}}, value(c));
    }
  }
}

void PodFamily(TextWriter& writer, const Summary& summary, std::string_view name, std::string_view help,
               std::string_view type, const std::function<MaybeValue(const Pod&)>& value) {
  Family family(writer, name, help, type);
  for (const Pod& pod : summary.pods) family.Sample({{"namespace", pod.pod_namespace}, {"pod", pod.name}}, value(pod));
}

// cAdvisor's labels; what the summary does not know is empty.
void CadvisorFamily(TextWriter& writer, const Summary& summary, std::string_view name, std::string_view help,
                    std::string_view type, const OfContainer& value) {
  Family family(writer, name, help, type);
  for (const Pod& pod : summary.pods) {
    for (const Container& c : pod.containers) {
      Labels labels = {{"container", c.name}, {"id", ""}, {"image", ""}, {"name", ""}, {"namespace", pod.pod_namespace},
                       {"pod", pod.name}};
      if (name == "container_cpu_usage_seconds_total") labels.insert(labels.begin() + 1, {"cpu", "total"});
      family.Sample(labels, value(c));
    }
  }
}

void NetworkFamily(TextWriter& writer, const Summary& summary, std::string_view name, std::string_view help,
                   std::optional<uint64_t> Interface::*field) {
  Family family(writer, name, help, "counter");
  for (const Pod& pod : summary.pods) {
    if (!pod.network) continue;
    for (const Interface& i : pod.network->interfaces) {
      if (!(i.*field)) continue;
      family.Sample({{"container", ""},
                     {"id", ""},
                     {"image", ""},
                     {"interface", i.name},
                     {"name", ""},
                     {"namespace", pod.pod_namespace},
                     {"pod", pod.name}},
                    Value{static_cast<double>(*(i.*field)), Milliseconds(pod.network->time)});
    }
  }
}

}  // namespace

std::string ResourceMetrics(const Summary& summary) {
  TextWriter w;
  ContainerFamily(w, summary, "container_cpu_usage_seconds_total",
                  "[STABLE] Cumulative cpu time consumed by the container in core-seconds", "counter",
                  [](const Container& c) { return CpuSeconds(c.cpu); });
  ContainerFamily(w, summary, "container_memory_working_set_bytes",
                  "[STABLE] Current working set of the container in bytes", "gauge",
                  [](const Container& c) { return MemoryOf(c.memory, &Memory::working_set_bytes); });
  ContainerFamily(w, summary, "container_start_time_seconds",
                  "[STABLE] Start time of the container since unix epoch in seconds", "gauge", StartTime);
  ContainerFamily(w, summary, "container_swap_usage_bytes",
                  "[ALPHA] Current amount of the container swap usage in bytes. Reported only on non-windows systems",
                  "gauge", [](const Container& c) { return SwapUsage(c.swap); });
  Family(w, "node_cpu_usage_seconds_total", "[STABLE] Cumulative cpu time consumed by the node in core-seconds",
         "counter")
      .Sample({}, CpuSeconds(summary.node.cpu));
  Family(w, "node_memory_working_set_bytes", "[STABLE] Current working set of the node in bytes", "gauge")
      .Sample({}, MemoryOf(summary.node.memory, &Memory::working_set_bytes));
  PodFamily(w, summary, "pod_cpu_usage_seconds_total",
            "[STABLE] Cumulative cpu time consumed by the pod in core-seconds", "counter",
            [](const Pod& p) { return CpuSeconds(p.cpu); });
  PodFamily(w, summary, "pod_memory_working_set_bytes", "[STABLE] Current working set of the pod in bytes", "gauge",
            [](const Pod& p) { return MemoryOf(p.memory, &Memory::working_set_bytes); });
  return w.Take();
}

std::string CadvisorMetrics(const Summary& summary) {
  TextWriter w;
  CadvisorFamily(w, summary, "container_cpu_usage_seconds_total", "Cumulative cpu time consumed in seconds.", "counter",
                 [](const Container& c) { return CpuSeconds(c.cpu); });
  CadvisorFamily(w, summary, "container_fs_usage_bytes",
                 "Number of bytes that are consumed by the container on this filesystem.", "gauge",
                 [](const Container& c) -> MaybeValue {
                   if (!c.rootfs || !c.rootfs->used_bytes) return std::nullopt;
                   return Value{static_cast<double>(*c.rootfs->used_bytes), Milliseconds(c.rootfs->time)};
                 });
  CadvisorFamily(w, summary, "container_memory_rss", "Size of RSS in bytes.", "gauge",
                 [](const Container& c) { return MemoryOf(c.memory, &Memory::rss_bytes); });
  CadvisorFamily(w, summary, "container_memory_usage_bytes",
                 "Current memory usage in bytes, including all memory regardless of when it was accessed", "gauge",
                 [](const Container& c) { return MemoryOf(c.memory, &Memory::usage_bytes); });
  CadvisorFamily(w, summary, "container_memory_working_set_bytes", "Current working set in bytes.", "gauge",
                 [](const Container& c) { return MemoryOf(c.memory, &Memory::working_set_bytes); });
  NetworkFamily(w, summary, "container_network_receive_bytes_total", "Cumulative count of bytes received",
                &Interface::rx_bytes);
  NetworkFamily(w, summary, "container_network_receive_errors_total",
                "Cumulative count of errors encountered while receiving", &Interface::rx_errors);
  NetworkFamily(w, summary, "container_network_transmit_bytes_total", "Cumulative count of bytes transmitted",
                &Interface::tx_bytes);
  NetworkFamily(w, summary, "container_network_transmit_errors_total",
                "Cumulative count of errors encountered while transmitting", &Interface::tx_errors);
  CadvisorFamily(w, summary, "container_start_time_seconds", "Start time of the container since unix epoch in seconds.",
                 "gauge", StartTime);
  return w.Take();
}

}  // namespace knarr::kubelet::stats
