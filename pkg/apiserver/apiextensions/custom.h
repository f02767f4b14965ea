// What Kind::custom holds of the kinds of this package.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "pkg/api/managedfields/managedfields.h"
#include "pkg/apiserver/apiextensions/apiextensions.h"
#include "pkg/apiserver/apiextensions/schema.h"

namespace knarr::apiextensions {

struct CustomInfo {
  struct PrinterColumn {
    std::string name, type, format, description;
    int priority = 0;
    JsonPath path;
    bool of_metadata = false;
  };
  std::string api_version;  // of the hub
  std::string kind;
  SchemaPtr schema;  // of the hub; null: everything is kept and nothing checked
  // By version, as text: documents are made of them now and then.
  std::map<std::string, std::string, std::less<>> schema_texts;
  bool has_status = false;
  std::vector<std::string> other_fields;  // at the root, beside status
  std::vector<PrinterColumn> columns;
  std::vector<std::pair<std::string, JsonPath>> selectable;
  mutable std::atomic<bool> terminating{false};

  // The shape of a version for server-side apply, made when first asked for.
  const managedfields::TypeSchema* Shape(std::string_view version) const;

 private:
  mutable std::mutex shapes_mutex_;
  mutable std::map<std::string, std::shared_ptr<const managedfields::TypeSchema>, std::less<>> shapes_;
};

// `custom` and what follows from it.
void SetCustom(registry::Kind* kind, std::shared_ptr<const CustomInfo> info);
// Its definition is being deleted: nothing new may be created.
void SetTerminating(const registry::Kind& kind);
registry::Kind DefinitionKind();
registry::Kind ApiServiceKind();
field::ErrorList ValidateDefinition(const registry::Object& definition);
field::ErrorList ValidateDefinitionUpdate(const registry::Object& updated, const registry::Object& old);

// status.conditions of an object: puts one in place; its time changes with its status only. False: it was like that.
bool SetCondition(json::object& body, std::string_view type, std::string_view status, std::string_view reason,
                  std::string_view message, WallTime now);
std::string_view ConditionStatus(const json::object& body, std::string_view type);

}  // namespace knarr::apiextensions
