// What the columns of several kinds have in common. Mirrors: pkg/printers/internalversion/printers.go
#pragma once

#include <google/protobuf/map.h>
#include <google/protobuf/repeated_field.h>

#include <string>
#include <utility>

#include "pkg/api/types.h"
#include "pkg/apiserver/registry/kind.h"

namespace k8s::io::api::core::v1 {
class Container;
}
namespace k8s::io::apimachinery::pkg::apis::meta::v1 {
class LabelSelector;
class MicroTime;
class ObjectMeta;
class Time;
}  // namespace k8s::io::apimachinery::pkg::apis::meta::v1

namespace knarr::registry {

// The columns that nearly every kind has.
Column NameColumn();
Column AgeColumn();
// A column of text; `priority` 1: only -o wide.
Column TextColumn(std::string_view name, int priority = 0);
Column NumberColumn(std::string_view name, int priority = 0);

WallTime ToWallTime(const meta::Time& time);
WallTime ToWallTime(const meta::MicroTime& time);
std::string Age(const meta::ObjectMeta& metadata, WallTime now);

// "a=1,b=2" in the order of the keys; "<none>".
std::string FormatLabels(const google::protobuf::Map<std::string, std::string>& labels);
// metav1.FormatLabelSelector: "<none>" for everything, "<error>".
std::string FormatLabelSelector(const meta::LabelSelector& selector);
// Names and images, each comma separated.
std::pair<std::string, std::string> LayoutContainerCells(
    const google::protobuf::RepeatedPtrField<core::Container>& containers);

}  // namespace knarr::registry
