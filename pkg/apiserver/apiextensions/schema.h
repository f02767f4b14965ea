// Structural schemas (openAPIV3Schema of a CRD's version): pruning, defaulting and validation of JSON values.
// For .cc files of this package. A Schema is immutable and may be used by several threads.
//
// Hostile input: a schema is as large as its CRD may be, at most kMaxDepth deep; patterns are RE2's (linear);
// validation of one object takes at most kMaxSteps comparisons. Mirrors:
// k8s.io/apiextensions-apiserver/pkg/apiserver/{schema,validation}, k8s.io/kube-openapi/pkg/validation/validate
#pragma once

#include <re2/re2.h>

#include <boost/json.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/api/field/field.h"

namespace knarr::apiextensions {

namespace json = boost::json;

class Schema;
using SchemaPtr = std::shared_ptr<const Schema>;

class Schema {
 public:
  static constexpr int kMaxDepth = 64;
  static constexpr int64_t kMaxSteps = 20'000'000;

  // Reads what it knows; ValidateSchema says what is wrong with the rest. An error: deeper than kMaxDepth.
  static Result<SchemaPtr> Compile(const json::object& props);

  // Removes what the schema does not specify. The root's apiVersion, kind and metadata stay. `unknown` (may be null)
  // gets the paths of what was removed: spec.foo, spec.list[0].bar.
  void Prune(json::object& root, std::vector<std::string>* unknown = nullptr) const;
  // Removes nulls where null is not allowed and nothing is default, then fills in defaults.
  void Default(json::object& root) const;
  // `old`: what is there now; values that have not changed are not looked at again (ratcheting). Null: a new object.
  field::ErrorList Validate(const json::object& root, const json::object* old = nullptr) const;
  // Whether any x-kubernetes-validations are in it: they are not evaluated.
  bool HasRules() const { return has_rules_; }
  // Of the root.
  std::vector<std::string> PropertyNames() const;

 private:
  friend class Compiler;
  friend class Validation;
  enum class ListType { kAtomic, kSet, kMap };

  std::string type_;  // "" : any
  std::string format_;
  bool int_or_string_ = false, preserve_ = false, embedded_ = false, nullable_ = false;
  bool atomic_map_ = false;
  std::map<std::string, SchemaPtr, std::less<>> properties_;
  SchemaPtr additional_;         // of additionalProperties with a schema
  bool has_additional_ = false;  // additionalProperties is there: a schema, true or false
  bool forbids_additional_ = false;
  SchemaPtr items_;
  std::vector<std::string> required_;
  std::optional<double> minimum_, maximum_, multiple_of_;
  bool exclusive_minimum_ = false, exclusive_maximum_ = false;
  std::optional<int64_t> min_length_, max_length_, min_items_, max_items_, min_properties_, max_properties_;
  std::string pattern_;
  std::unique_ptr<re2::RE2> regex_;
  std::optional<std::vector<json::value>> enum_;
  std::optional<json::value> default_;
  std::vector<SchemaPtr> all_of_, any_of_, one_of_;
  SchemaPtr not_;
  std::optional<ListType> list_type_;
  std::vector<std::string> map_keys_;
  bool unique_items_ = false;
  bool has_rules_ = false;

  void PruneValue(json::value& value, bool resource, const std::string& path, std::vector<std::string>* unknown) const;
  void PruneObject(json::object& object, bool resource, const std::string& path,
                   std::vector<std::string>* unknown) const;
  void DropNulls(json::value& value) const;
  void DefaultObject(json::object& object) const;
  void DefaultValue(json::value& value) const;
};

// What upstream refuses in a CRD's openAPIV3Schema: not structural, unsupported keywords, bad lists and defaults.
field::ErrorList ValidateSchema(const json::object& props, const field::Path& path, bool status_enabled);

// The subset of JSONPath that CRDs use: .spec.a['b.c'].d[0], .status.conditions[?(@.type=="Ready")].status, [*].
class JsonPath {
 public:
  static Result<JsonPath> Parse(std::string_view text);
  // The first thing that it leads to; null: nothing. Looks at a bounded number of values.
  const json::value* Find(const json::object& root) const;
  // Names only: makes objects on the way; false where something else is in the way.
  bool Set(json::object& root, json::value value) const;
  bool Empty() const { return steps_.empty(); }

 private:
  enum class Kind { kName, kIndex, kAll, kFilter };
  struct Step {
    Kind kind = Kind::kName;
    std::string name;          // of a filter: the text that the value is compared with
    int64_t index = 0;         // from the end if negative
    std::vector<Step> filter;  // the path below @
    bool equal = true;
    bool exists = false;  // [?(@.a)]
  };
  static Result<std::vector<Step>> ParseSteps(std::string_view text, int depth);
  static const json::value* Walk(const json::value& from, const std::vector<Step>& steps, size_t at, int* budget);
  static bool Matches(const json::value& item, const Step& filter, int* budget);
  std::vector<Step> steps_;
};

// Keys in order, at every depth, as Go prints maps: equal objects are equal bytes.
void SortKeys(json::object& object);
// What Go's %v prints of a value in messages, and JSON where it would print a map.
std::string GoText(const json::value& value);
std::string_view Str(const json::object& object, std::string_view key);
bool Bool(const json::object& object, std::string_view key);
const json::object* Obj(const json::object& object, std::string_view key);
const json::array* Arr(const json::object& object, std::string_view key);

}  // namespace knarr::apiextensions
