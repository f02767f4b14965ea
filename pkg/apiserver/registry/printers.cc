#include "pkg/apiserver/registry/printers.h"

#include <algorithm>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/labels/selector.h"

namespace knarr::registry {

Column NameColumn() {
  return {.name = "Name", .format = "name", .description = "The object's name, unique in its namespace."};
}

Column AgeColumn() {
  return {.name = "Age", .description = "The time since the server made the object."};
}

Column TextColumn(std::string_view name, int priority) {
  return {.name = name, .priority = priority};
}

Column NumberColumn(std::string_view name, int priority) {
  return {.name = name, .type = "integer", .priority = priority};
}

WallTime ToWallTime(const meta::Time& time) {
  return WallTime(std::chrono::seconds(time.seconds()));
}

WallTime ToWallTime(const meta::MicroTime& time) {
  return WallTime(std::chrono::seconds(time.seconds()) + std::chrono::microseconds(time.nanos() / 1000));
}

std::string Age(const meta::ObjectMeta& metadata, WallTime now) {
  return HumanAge(ToWallTime(metadata.creationtimestamp()), now);
}

std::string FormatLabels(const google::protobuf::Map<std::string, std::string>& labels) {
  if (labels.empty()) return "<none>";
  std::vector<std::string> pairs;
  for (const auto& [key, value] : labels) pairs.push_back(key + "=" + value);
  std::sort(pairs.begin(), pairs.end());
  std::string text;
  for (const std::string& pair : pairs) text.append(text.empty() ? "" : ",").append(pair);
  return text;
}

std::string FormatLabelSelector(const meta::LabelSelector& selector) {
  const Result<labels::Selector> parsed = labels::LabelSelectorAsSelector(&selector);
  if (!parsed.ok()) return "<error>";
  const std::string text = parsed->ToString();
  return text.empty() ? "<none>" : text;
}

std::pair<std::string, std::string> LayoutContainerCells(
    const google::protobuf::RepeatedPtrField<core::Container>& containers) {
  std::string names, images;
  for (int i = 0; i < containers.size(); ++i) {
    names.append(i > 0 ? "," : "").append(containers[i].name());
    images.append(i > 0 ? "," : "").append(containers[i].image());
  }
  return {std::move(names), std::move(images)};
}

}  // namespace knarr::registry
