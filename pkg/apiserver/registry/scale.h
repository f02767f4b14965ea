// The scale subresource: autoscaling/v1 Scale, read from and written to a controller.
// Mirrors: ScaleREST in pkg/registry/{apps,core}/*/storage/storage.go, pkg/apis/autoscaling/validation ValidateScale
#pragma once

#include <functional>
#include <string>

#include "pkg/apiserver/registry/kind.h"

namespace knarr::registry {

// What a Scale says of an object, beside its metadata.
struct ScaleState {
  int32_t desired = 0;   // spec.replicas
  int32_t observed = 0;  // status.replicas
  std::string selector;  // of the pods, as text: "app=web,tier in (a,b)"
};

// GET shows `read`; PUT and PATCH write the replicas, with the Scale's resourceVersion and uid as preconditions.
// `object_group` and `object_resource` are for errors: "apps", "deployments".
Subresource ScaleSubresource(std::string object_group, std::string object_resource,
                             std::function<Result<ScaleState>(const Object&)> read,
                             std::function<void(Object&, int32_t replicas)> write);

}  // namespace knarr::registry
