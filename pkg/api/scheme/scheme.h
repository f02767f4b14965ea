// Group/version/kind <-> resource <-> C++ type, for every group that has a .proto. Built from generated tables.
// Mirrors: k8s.io/apimachinery/pkg/runtime/scheme.go and the discovery data of the built-in groups.
#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "pkg/base/status.h"

namespace knarr::scheme {

struct ResourceInfo {
  std::string_view group;     // "" for core
  std::string_view version;   // "v1"
  std::string_view kind;      // "Pod"
  std::string_view resource;  // "pods"
  std::string_view singular;  // "pod"
  bool namespaced;
  std::span<const std::string_view> short_names;
  std::span<const std::string_view> verbs;  // "create", "delete", ...
  std::span<const std::string_view> categories;
  const google::protobuf::Message& (*prototype)();
  std::string ApiVersion() const;  // "v1", "apps/v1"
};

// Every type that is a resource of its own, ordered by group, version, kind.
std::span<const ResourceInfo> AllResources();
const ResourceInfo* FindKind(std::string_view api_version, std::string_view kind);
const ResourceInfo* FindResource(std::string_view group, std::string_view version, std::string_view resource);
// By plural, singular, short name or kind, any case: what people type ("po", "Pod", "deploy").
const ResourceInfo* FindByName(std::string_view name);
// A new, empty object: also for kinds that are no resource (PodList, DeleteOptions, Status).
Result<std::unique_ptr<google::protobuf::Message>> New(std::string_view api_version, std::string_view kind);

}  // namespace knarr::scheme
