// What the files of the pod kind share. Internal to this package.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/api/types.h"
#include "pkg/apiserver/registry/kind.h"

namespace k8s::io::api::core::v1 {
class Pod;
class PodSpec;
class PodStatus;
class PodTemplateSpec;
}  // namespace k8s::io::api::core::v1

namespace knarr::registry::core_group {

// Removes what features that are off by default in 1.32 would write, unless the old pod has it already.
// Mirrors: DropDisabledPodFields in pkg/api/pod/util.go
void DropDisabledPodFields(core::Pod& pod, const core::Pod* old);
void DropDisabledTemplateFields(core::PodTemplateSpec& pod_template, const core::PodTemplateSpec* old);

// Mirrors: pkg/api/pod/warnings.go
std::vector<std::string> GetWarningsForPod(const core::Pod& pod);
std::vector<std::string> GetWarningsForPodTemplate(const core::PodTemplateSpec& pod_template, std::string_view path);

// Appends or changes the condition; the time of transition is `now` where the status is another.
// Mirrors: UpdatePodCondition in pkg/api/pod/util.go
void UpdatePodCondition(core::PodStatus& pod_status, std::string_view type, std::string_view status,
                        std::string_view reason, std::string_view message, WallTime now);

// kubectl's columns.
std::vector<Column> PodColumns();
std::vector<Cell> PodRow(const core::Pod& pod, WallTime now);

// pods/binding (POST), and the kind `bindings` that does the same.
Subresource BindingSubresource();
Kind BindingKind();
// pods/eviction (POST).
Subresource EvictionSubresource();

}  // namespace knarr::registry::core_group
