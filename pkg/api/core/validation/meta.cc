// Metadata of pods and what they contain: the functions of pkg/api/meta, appending.
#include "pkg/api/core/validation/internal.h"
#include "pkg/api/meta/validation.h"

namespace knarr::api::validation {

void ValidateLabelName(std::string_view name, const Path& path, ErrorList& errors) {
  AddInvalid(errors, path, name, names::IsQualifiedName(name));
}

void ValidateLabels(const google::protobuf::Map<std::string, std::string>& labels, const Path& path,
                    ErrorList& errors) {
  Append(errors, api::ValidateLabels(labels, path));
}

void ValidateAnnotations(const google::protobuf::Map<std::string, std::string>& annotations, const Path& path,
                         ErrorList& errors) {
  Append(errors, api::ValidateAnnotations(annotations, path));
}

void ValidateLabelSelector(const meta::LabelSelector& selector, const Path& path, ErrorList& errors) {
  Append(errors, api::ValidateLabelSelector(selector, path));
}

void ValidateObjectMeta(const meta::ObjectMeta& metadata, NameCheck check_name, const Path& path, ErrorList& errors) {
  Append(errors, api::ValidateObjectMeta(metadata, true, check_name, path));
}

void ValidateTemplateObjectMeta(const meta::ObjectMeta& metadata, const Path& path, ErrorList& errors) {
  Append(errors, api::ValidateTemplateObjectMeta(metadata, path));
}

}  // namespace knarr::api::validation
