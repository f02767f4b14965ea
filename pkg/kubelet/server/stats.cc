#include "pkg/kubelet/server/stats.h"

#include <ctime>

#include "pkg/kubelet/server/json_writer.h"

namespace knarr::kubelet {

std::string FormatSeconds(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  return std::string(text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc));
}

namespace stats {
namespace {

void Time(JsonWriter& w, std::string_view key, WallTime time) {
  w.Key(key);
  if (time == WallTime{}) {
    w.Raw("null");
  } else {
    w.String(FormatSeconds(time));
  }
}

void Write(JsonWriter& w, const Cpu& c) {
  w.BeginObject();
  Time(w, "time", c.time);
  w.OptionalField("usageNanoCores", c.usage_nano_cores);
  w.OptionalField("usageCoreNanoSeconds", c.usage_core_nano_seconds);
  w.EndObject();
}

void Write(JsonWriter& w, const Memory& m) {
  w.BeginObject();
  Time(w, "time", m.time);
  w.OptionalField("availableBytes", m.available_bytes);
  w.OptionalField("usageBytes", m.usage_bytes);
  w.OptionalField("workingSetBytes", m.working_set_bytes);
  w.OptionalField("rssBytes", m.rss_bytes);
  w.OptionalField("pageFaults", m.page_faults);
  w.OptionalField("majorPageFaults", m.major_page_faults);
  w.EndObject();
}

void Write(JsonWriter& w, const Swap& s) {
  w.BeginObject();
  Time(w, "time", s.time);
  w.OptionalField("swapAvailableBytes", s.available_bytes);
  w.OptionalField("swapUsageBytes", s.usage_bytes);
  w.EndObject();
}

void WriteFields(JsonWriter& w, const Filesystem& f) {
  Time(w, "time", f.time);
  w.OptionalField("availableBytes", f.available_bytes);
  w.OptionalField("capacityBytes", f.capacity_bytes);
  w.OptionalField("usedBytes", f.used_bytes);
  w.OptionalField("inodesFree", f.inodes_free);
  w.OptionalField("inodes", f.inodes);
  w.OptionalField("inodesUsed", f.inodes_used);
}

void Write(JsonWriter& w, const Filesystem& f) {
  w.BeginObject();
  WriteFields(w, f);
  w.EndObject();
}

void WriteFields(JsonWriter& w, const Interface& i) {
  w.Field("name", i.name);
  w.OptionalField("rxBytes", i.rx_bytes);
  w.OptionalField("rxErrors", i.rx_errors);
  w.OptionalField("txBytes", i.tx_bytes);
  w.OptionalField("txErrors", i.tx_errors);
}

void Write(JsonWriter& w, const Network& n) {
  w.BeginObject();
  Time(w, "time", n.time);
  WriteFields(w, n.primary);
  if (!n.interfaces.empty()) {
    w.Key("interfaces");
    w.BeginArray();
    for (const Interface& i : n.interfaces) {
      w.BeginObject();
      WriteFields(w, i);
      w.EndObject();
    }
    w.EndArray();
  }
  w.EndObject();
}

template <typename T>
void Optional(JsonWriter& w, std::string_view key, const std::optional<T>& value) {
  if (!value) return;
  w.Key(key);
  Write(w, *value);
}

void Write(JsonWriter& w, const Container& c) {
  w.BeginObject();
  w.Field("name", c.name);
  Time(w, "startTime", c.start_time);
  Optional(w, "cpu", c.cpu);
  Optional(w, "memory", c.memory);
  Optional(w, "rootfs", c.rootfs);
  Optional(w, "logs", c.logs);
  Optional(w, "swap", c.swap);
  w.EndObject();
}

void WriteContainers(JsonWriter& w, std::string_view key, const std::vector<Container>& containers) {
  w.Key(key);
  w.BeginArray();
  for (const Container& c : containers) Write(w, c);
  w.EndArray();
}

void Write(JsonWriter& w, const Node& n) {
  w.BeginObject();
  w.Field("nodeName", n.node_name);
  if (!n.system_containers.empty()) WriteContainers(w, "systemContainers", n.system_containers);
  Time(w, "startTime", n.start_time);
  Optional(w, "cpu", n.cpu);
  Optional(w, "memory", n.memory);
  Optional(w, "network", n.network);
  Optional(w, "fs", n.fs);
  if (n.image_fs || n.container_fs) {
    w.Key("runtime");
    w.BeginObject();
    Optional(w, "imageFs", n.image_fs);
    Optional(w, "containerFs", n.container_fs);
    w.EndObject();
  }
  if (n.rlimit) {
    w.Key("rlimit");
    w.BeginObject();
    Time(w, "time", n.rlimit->time);
    w.OptionalField("maxpid", n.rlimit->max_pid);
    w.OptionalField("curproc", n.rlimit->processes);
    w.EndObject();
  }
  w.EndObject();
}

void Write(JsonWriter& w, const Pod& p) {
  w.BeginObject();
  w.Key("podRef");
  w.BeginObject();
  w.Field("name", p.name);
  w.Field("namespace", p.pod_namespace);
  w.Field("uid", p.uid);
  w.EndObject();
  Time(w, "startTime", p.start_time);
  WriteContainers(w, "containers", p.containers);
  Optional(w, "cpu", p.cpu);
  Optional(w, "memory", p.memory);
  Optional(w, "network", p.network);
  if (!p.volumes.empty()) {
    w.Key("volume");
    w.BeginArray();
    for (const Volume& v : p.volumes) {
      w.BeginObject();
      WriteFields(w, v.filesystem);
      w.Field("name", v.name);
      w.EndObject();
    }
    w.EndArray();
  }
  Optional(w, "ephemeral-storage", p.ephemeral_storage);
  if (p.process_count) {
    w.Key("process_stats");
    w.BeginObject();
    w.OptionalField("process_count", p.process_count);
    w.EndObject();
  }
  w.EndObject();
}

}  // namespace

std::string ToJson(const Summary& summary) {
  JsonWriter w;
  w.BeginObject();
  w.Key("node");
  Write(w, summary.node);
  w.Key("pods");
  w.BeginArray();
  for (const Pod& pod : summary.pods) Write(w, pod);
  w.EndArray();
  w.EndObject();
  return w.Take();
}

}  // namespace stats
}  // namespace knarr::kubelet
