// Validation of what all kinds share: metadata, labels, selectors, options of requests. In upstream's words.
// Mirrors: k8s.io/apimachinery/pkg/api/validation/objectmeta.go, pkg/apis/meta/v1/validation/validation.go of 1.32
//
// Pure functions. Map keys are taken sorted (Go takes them in random order).
#pragma once

#include <google/protobuf/map.h>
#include <google/protobuf/repeated_field.h>

#include <string>
#include <string_view>

#include "pkg/api/field/field.h"
#include "pkg/api/names/names.h"
#include "pkg/api/types.h"

namespace k8s::io::apimachinery::pkg::apis::meta::v1 {
class Condition;
class DeleteOptions;
class LabelSelector;
class ObjectMeta;
}  // namespace k8s::io::apimachinery::pkg::apis::meta::v1

namespace knarr::api {

using NameCheck = names::Messages (*)(std::string_view name, bool prefix);
using StringMapField = google::protobuf::Map<std::string, std::string>;

inline constexpr std::string_view kFieldImmutable = "field is immutable";

// Which finalizers may have a name without a domain: those of built-in kinds must be standard ones.
enum class Finalizers { kBuiltin, kAny };

// Of a new object; a name that generateName asks for has been made. Namespaces of cluster-scoped objects are cleared
// before.
field::ErrorList ValidateObjectMeta(const meta::ObjectMeta& metadata, bool requires_namespace, NameCheck check_name,
                                    const field::Path& path, Finalizers finalizers = Finalizers::kBuiltin);
// Of a changed one: what is immutable, what can only grow.
field::ErrorList ValidateObjectMetaUpdate(const meta::ObjectMeta& updated, const meta::ObjectMeta& old,
                                          const field::Path& path, Finalizers finalizers = Finalizers::kBuiltin);

// The check of names that only have to be a part of a URL's path (rbac). Mirrors: pkg/api/validation/path/name.go
names::Messages ValidatePathSegmentName(std::string_view name, bool prefix);

field::ErrorList ValidateLabelName(std::string_view name, const field::Path& path);
field::ErrorList ValidateLabels(const StringMapField& labels, const field::Path& path);
field::ErrorList ValidateAnnotations(const StringMapField& annotations, const field::Path& path);
// A name without a domain must be kubernetes, orphan or foregroundDeletion.
field::ErrorList ValidateFinalizerName(std::string_view name, const field::Path& path);

struct LabelSelectorOptions {
  // Of old objects that have them already.
  bool allow_invalid_label_value = false;
  bool allow_unknown_operator = false;
};
field::ErrorList ValidateLabelSelector(const meta::LabelSelector& selector, const field::Path& path,
                                       const LabelSelectorOptions& options = {});
// metadata of templates: only labels and annotations may be set.
field::ErrorList ValidateTemplateObjectMeta(const meta::ObjectMeta& metadata, const field::Path& path);
field::ErrorList ValidateConditions(const google::protobuf::RepeatedPtrField<meta::Condition>& conditions,
                                    const field::Path& path);

field::ErrorList ValidateDeleteOptions(const meta::DeleteOptions& options);
// The parameters of POST, PUT and PATCH.
field::ErrorList ValidateFieldManager(std::string_view manager, const field::Path& path);
field::ErrorList ValidateDryRun(const google::protobuf::RepeatedPtrField<std::string>& dry_run,
                                const field::Path& path);
field::ErrorList ValidateFieldValidation(std::string_view value, const field::Path& path);

// What Go's %#v prints for a []string.
std::string GoStrings(const google::protobuf::RepeatedPtrField<std::string>& values);

// Puts back the metadata that an update of a status or the like may not change.
void ResetObjectMetaForStatus(meta::ObjectMeta& updated, const meta::ObjectMeta& old);

}  // namespace knarr::api
