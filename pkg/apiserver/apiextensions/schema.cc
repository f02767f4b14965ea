#include "pkg/apiserver/apiextensions/schema.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "pkg/base/metrics/metrics.h"

namespace knarr::apiextensions {

std::string_view Str(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains({key.data(), key.size()});
  if (!value || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

bool Bool(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains({key.data(), key.size()});
  return value && value->is_bool() && value->get_bool();
}

const json::object* Obj(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains({key.data(), key.size()});
  return value ? value->if_object() : nullptr;
}

const json::array* Arr(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains({key.data(), key.size()});
  return value ? value->if_array() : nullptr;
}

std::string GoText(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_double()) return metrics::FormatValue(value.get_double());
  if (value.is_null()) return "<nil>";
  return json::serialize(value);
}

namespace {

void SortKeysIn(json::value& value) {
  if (json::object* object = value.if_object()) {
    SortKeys(*object);
  } else if (json::array* array = value.if_array()) {
    for (json::value& item : *array) SortKeysIn(item);
  }
}

}  // namespace

void SortKeys(json::object& object) {
  const auto less = [](const json::key_value_pair& a, const json::key_value_pair& b) { return a.key() < b.key(); };
  for (auto& member : object) SortKeysIn(member.value());
  if (std::is_sorted(object.begin(), object.end(), less)) return;
  std::vector<json::key_value_pair*> members;
  for (auto& member : object) members.push_back(&member);
  std::sort(members.begin(), members.end(), [&less](const auto* a, const auto* b) { return less(*a, *b); });
  json::object sorted(object.storage());
  sorted.reserve(object.size());
  for (json::key_value_pair* member : members) sorted.emplace(member->key(), std::move(member->value()));
  object = std::move(sorted);
}

// Compiling -----------------------------------------------------------------------------------------------------------

class Compiler {
 public:
  Result<std::shared_ptr<Schema>> Compile(const json::object& props, int depth) {
    if (depth > Schema::kMaxDepth) return Error(Code::kInvalid, "the schema is nested too deeply");
    auto schema = std::make_shared<Schema>();
    Schema& s = *schema;
    s.type_ = Str(props, "type");
    s.format_ = Str(props, "format");
    s.nullable_ = Bool(props, "nullable");
    s.int_or_string_ = Bool(props, "x-kubernetes-int-or-string");
    s.preserve_ = Bool(props, "x-kubernetes-preserve-unknown-fields");
    s.embedded_ = Bool(props, "x-kubernetes-embedded-resource");
    s.atomic_map_ = Str(props, "x-kubernetes-map-type") == "atomic";
    s.unique_items_ = Bool(props, "uniqueItems");
    if (const std::string_view list = Str(props, "x-kubernetes-list-type"); !list.empty()) {
      s.list_type_ = list == "set"   ? Schema::ListType::kSet
                     : list == "map" ? Schema::ListType::kMap
                                     : Schema::ListType::kAtomic;
    }
    Strings(props, "x-kubernetes-list-map-keys", &s.map_keys_);
    Strings(props, "required", &s.required_);
    Number(props, "minimum", &s.minimum_);
    Number(props, "maximum", &s.maximum_);
    Number(props, "multipleOf", &s.multiple_of_);
    s.exclusive_minimum_ = Bool(props, "exclusiveMinimum");
    s.exclusive_maximum_ = Bool(props, "exclusiveMaximum");
    Integer(props, "minLength", &s.min_length_);
    Integer(props, "maxLength", &s.max_length_);
    Integer(props, "minItems", &s.min_items_);
    Integer(props, "maxItems", &s.max_items_);
    Integer(props, "minProperties", &s.min_properties_);
    Integer(props, "maxProperties", &s.max_properties_);
    s.pattern_ = Str(props, "pattern");
    if (!s.pattern_.empty()) {
      re2::RE2::Options options(re2::RE2::Quiet);
      options.set_max_mem(1 << 20);
      s.regex_ = std::make_unique<re2::RE2>(s.pattern_, options);
      if (!s.regex_->ok()) s.regex_.reset();
    }
    if (const json::array* values = Arr(props, "enum")) s.enum_.emplace(values->begin(), values->end());
    if (const json::value* value = props.if_contains("default"); value && !value->is_null()) s.default_ = *value;
    if (const json::array* rules = Arr(props, "x-kubernetes-validations")) s.has_rules_ = !rules->empty();

    if (const json::object* properties = Obj(props, "properties")) {
      for (const auto& [name, value] : *properties) {
        if (!value.is_object()) continue;
        s.properties_[std::string(name)] = KNARR_TRY(Child(value.get_object(), depth, &s));
      }
    }
    if (const json::value* additional = props.if_contains("additionalProperties")) {
      s.has_additional_ = additional->is_object() || additional->is_bool();
      s.forbids_additional_ = additional->is_bool() && !additional->get_bool();
      if (additional->is_object()) s.additional_ = KNARR_TRY(Child(additional->get_object(), depth, &s));
    }
    if (const json::object* items = Obj(props, "items")) s.items_ = KNARR_TRY(Child(*items, depth, &s));
    if (const json::object* negated = Obj(props, "not")) s.not_ = KNARR_TRY(Child(*negated, depth, &s));
    KNARR_TRY(Children(props, "allOf", depth, &s, &s.all_of_));
    KNARR_TRY(Children(props, "anyOf", depth, &s, &s.any_of_));
    KNARR_TRY(Children(props, "oneOf", depth, &s, &s.one_of_));
    return schema;
  }

 private:
  Result<SchemaPtr> Child(const json::object& props, int depth, Schema* parent) {
    SchemaPtr child = KNARR_TRY(Compile(props, depth + 1));
    parent->has_rules_ |= child->has_rules_;
    return child;
  }
  Status Children(const json::object& props, std::string_view key, int depth, Schema* parent,
                  std::vector<SchemaPtr>* out) {
    const json::array* list = Arr(props, key);
    if (!list) return {};
    for (const json::value& value : *list) {
      if (value.is_object()) out->push_back(KNARR_TRY(Child(value.get_object(), depth, parent)));
    }
    return {};
  }
  static void Strings(const json::object& props, std::string_view key, std::vector<std::string>* out) {
    const json::array* list = Arr(props, key);
    if (!list) return;
    for (const json::value& value : *list) {
      if (value.is_string()) out->emplace_back(value.get_string());
    }
  }
  static void Number(const json::object& props, std::string_view key, std::optional<double>* out) {
    const json::value* value = props.if_contains({key.data(), key.size()});
    if (value && value->is_number()) *out = value->to_number<double>();
  }
  static void Integer(const json::object& props, std::string_view key, std::optional<int64_t>* out) {
    const json::value* value = props.if_contains({key.data(), key.size()});
    if (value && value->is_int64()) *out = value->get_int64();
  }
};

Result<SchemaPtr> Schema::Compile(const json::object& props) {
  std::shared_ptr<Schema> schema = KNARR_TRY(Compiler().Compile(props, 0));
  return SchemaPtr(std::move(schema));
}

std::vector<std::string> Schema::PropertyNames() const {
  std::vector<std::string> names;
  for (const auto& [name, schema] : properties_) names.push_back(name);
  return names;
}

// Pruning -------------------------------------------------------------------------------------------------------------

namespace {

bool IsMetaField(std::string_view key) {
  return key == "apiVersion" || key == "kind" || key == "metadata";
}

std::string Join(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : path + '.' + std::string(key);
}

void ClearMaps(json::value& value, const std::string& path, std::vector<std::string>* unknown) {
  if (json::object* object = value.if_object()) {
    if (unknown) {
      for (const auto& member : *object) unknown->push_back(Join(path, member.key()));
    }
    object->clear();
  } else if (json::array* array = value.if_array()) {
    for (size_t i = 0; i < array->size(); ++i) ClearMaps((*array)[i], fmt::format("{}[{}]", path, i), unknown);
  }
}

}  // namespace

void Schema::Prune(json::object& root, std::vector<std::string>* unknown) const {
  PruneObject(root, true, "", unknown);
}

void Schema::PruneValue(json::value& value, bool resource, const std::string& path,
                        std::vector<std::string>* unknown) const {
  if (json::object* object = value.if_object()) {
    PruneObject(*object, resource || embedded_, path, unknown);
  } else if (json::array* array = value.if_array()) {
    for (size_t i = 0; i < array->size(); ++i) {
      const std::string at = unknown ? fmt::format("{}[{}]", path, i) : std::string();
      if (items_) {
        items_->PruneValue((*array)[i], false, at, unknown);
      } else if (!preserve_) {
        ClearMaps((*array)[i], at, unknown);
      }
    }
  }
}

void Schema::PruneObject(json::object& object, bool resource, const std::string& path,
                         std::vector<std::string>* unknown) const {
  std::vector<std::string> remove;
  for (auto& member : object) {
    const std::string_view key(member.key().data(), member.key().size());
    if (resource && IsMetaField(key)) continue;
    const std::string at = unknown ? Join(path, key) : std::string();
    if (const auto property = properties_.find(key); property != properties_.end()) {
      property->second->PruneValue(member.value(), false, at, unknown);
    } else if (has_additional_) {
      if (additional_) {
        additional_->PruneValue(member.value(), false, at, unknown);
      } else if (!forbids_additional_) {
        ClearMaps(member.value(), at, unknown);
      }
    } else if (!preserve_) {
      remove.emplace_back(key);
      if (unknown) unknown->push_back(at);
    }
  }
  for (const std::string& key : remove) object.erase(key);
}

// Defaulting ----------------------------------------------------------------------------------------------------------

void Schema::DropNulls(json::value& value) const {
  if (json::object* object = value.if_object()) {
    std::vector<std::string> remove;
    for (auto& member : *object) {
      const auto property = properties_.find(std::string_view(member.key().data(), member.key().size()));
      const Schema* schema = property != properties_.end() ? property->second.get() : additional_.get();
      if (!schema) continue;
      if (member.value().is_null() && property != properties_.end() && !schema->nullable_ && !schema->default_) {
        remove.emplace_back(member.key());
      } else {
        schema->DropNulls(member.value());
      }
    }
    for (const std::string& key : remove) object->erase(key);
  } else if (json::array* array = value.if_array(); array && items_) {
    for (json::value& item : *array) items_->DropNulls(item);
  }
}

void Schema::Default(json::object& root) const {
  json::value value(std::move(root));
  DropNulls(value);
  root = std::move(value.get_object());
  DefaultObject(root);
}

void Schema::DefaultObject(json::object& object) const {
  for (const auto& [name, schema] : properties_) {
    if (!schema->default_) continue;
    json::value* value = object.if_contains(name);
    if (!value) {
      object.emplace(name, *schema->default_);
    } else if (value->is_null() && !schema->nullable_) {
      *value = *schema->default_;
    }
  }
  for (auto& member : object) {
    const auto property = properties_.find(std::string_view(member.key().data(), member.key().size()));
    const Schema* schema = property != properties_.end() ? property->second.get() : additional_.get();
    if (!schema) continue;
    if (property == properties_.end() && member.value().is_null() && !schema->nullable_ && schema->default_) {
      member.value() = *schema->default_;
    }
    schema->DefaultValue(member.value());
  }
}

void Schema::DefaultValue(json::value& value) const {
  if (json::object* object = value.if_object()) {
    DefaultObject(*object);
  } else if (json::array* array = value.if_array(); array && items_) {
    for (json::value& item : *array) {
      if (item.is_null() && !items_->nullable_ && items_->default_) item = *items_->default_;
      items_->DefaultValue(item);
    }
  }
}

// Paths ---------------------------------------------------------------------------------------------------------------

Result<std::vector<JsonPath::Step>> JsonPath::ParseSteps(std::string_view rest, int depth) {
  const auto bad = [](std::string_view why) { return Error(Code::kInvalid, "is an invalid json path: {}", why); };
  if (depth > 2) return bad("filters within filters");
  std::vector<Step> steps;
  while (!rest.empty()) {
    if (rest.front() == '.') {
      rest.remove_prefix(1);
      if (rest.starts_with('.')) return bad("recursive descent is not supported");
      Step step;
      while (!rest.empty() && rest.front() != '.' && rest.front() != '[') {
        if (rest.front() == '\\' && rest.size() > 1) rest.remove_prefix(1);  // dots of labels and annotations
        step.name += rest.front();
        rest.remove_prefix(1);
      }
      if (step.name == "*") step.kind = Kind::kAll;
      if (step.name.empty()) {
        if (steps.empty() && (rest.empty() || rest.front() == '[')) continue;  // "." and ".['x']"
        return bad("a name is missing after \".\"");
      }
      steps.push_back(std::move(step));
      continue;
    }
    if (rest.front() != '[') return bad("a name must follow a dot");
    Step step;
    if (rest.starts_with("['") || rest.starts_with("[\"")) {
      const size_t end = rest.find(std::string(1, rest[1]) + "]", 2);
      if (end == std::string_view::npos) return bad("unterminated array");
      step.name = rest.substr(2, end - 2);
      rest.remove_prefix(end + 2);
    } else if (rest.starts_with("[?(")) {
      const size_t end = rest.find(")]");
      if (end == std::string_view::npos) return bad("unterminated filter");
      std::string_view filter = rest.substr(3, end - 3);
      rest.remove_prefix(end + 2);
      step.kind = Kind::kFilter;
      size_t op = filter.find("==");
      if (const size_t differs = filter.find("!="); differs < op) {
        op = differs;
        step.equal = false;
      }
      std::string_view left = filter.substr(0, std::min(op, filter.size()));
      while (!left.empty() && left.back() == ' ') left.remove_suffix(1);
      while (!left.empty() && left.front() == ' ') left.remove_prefix(1);
      if (!left.starts_with('@')) return bad("a filter must begin with @");
      step.filter = KNARR_TRY(ParseSteps(left.substr(1), depth + 1));
      if (op == std::string_view::npos) {
        step.exists = true;
      } else {
        std::string_view right = filter.substr(op + 2);
        while (!right.empty() && right.front() == ' ') right.remove_prefix(1);
        while (!right.empty() && right.back() == ' ') right.remove_suffix(1);
        if (right.size() >= 2 && (right.front() == '"' || right.front() == '\'') && right.back() == right.front()) {
          right = right.substr(1, right.size() - 2);
        }
        step.name = right;
      }
    } else {
      const size_t end = rest.find(']');
      if (end == std::string_view::npos) return bad("unterminated array");
      const std::string_view index = rest.substr(1, end - 1);
      rest.remove_prefix(end + 1);
      if (index == "*") {
        step.kind = Kind::kAll;
      } else {
        step.kind = Kind::kIndex;
        const auto parsed = std::from_chars(index.data(), index.data() + index.size(), step.index);
        if (parsed.ec != std::errc() || parsed.ptr != index.data() + index.size()) {
          return bad(fmt::format("invalid array index {}", index));
        }
      }
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

Result<JsonPath> JsonPath::Parse(std::string_view text) {
  JsonPath path;
  path.steps_ = KNARR_TRY(ParseSteps(text, 0));
  return path;
}

const json::value* JsonPath::Walk(const json::value& from, const std::vector<Step>& steps, size_t at, int* budget) {
  if (at == steps.size()) return &from;
  if (--*budget <= 0) return nullptr;
  const Step& step = steps[at];
  const json::array* array = from.if_array();
  const json::object* object = from.if_object();
  switch (step.kind) {
    case Kind::kName: {
      const json::value* next = object ? object->if_contains(step.name) : nullptr;
      return next ? Walk(*next, steps, at + 1, budget) : nullptr;
    }
    case Kind::kIndex: {
      if (!array) return nullptr;
      const auto size = static_cast<int64_t>(array->size());
      const int64_t index = step.index < 0 ? size + step.index : step.index;
      if (index < 0 || index >= size) return nullptr;
      return Walk((*array)[static_cast<size_t>(index)], steps, at + 1, budget);
    }
    case Kind::kAll:
    case Kind::kFilter: {
      const auto visit = [&](const json::value& item) -> const json::value* {
        if (step.kind == Kind::kFilter && !Matches(item, step, budget)) return nullptr;
        return Walk(item, steps, at + 1, budget);
      };
      if (array) {
        for (const json::value& item : *array) {
          if (const json::value* found = visit(item)) return found;
        }
      } else if (object && step.kind == Kind::kAll) {
        for (const auto& member : *object) {
          if (const json::value* found = visit(member.value())) return found;
        }
      }
      return nullptr;
    }
  }
  return nullptr;
}

bool JsonPath::Matches(const json::value& item, const Step& filter, int* budget) {
  const json::value* value = Walk(item, filter.filter, 0, budget);
  if (filter.exists) return value != nullptr;
  if (!value) return false;
  return (GoText(*value) == filter.name) == filter.equal;
}

const json::value* JsonPath::Find(const json::object& root) const {
  if (steps_.empty() || steps_.front().kind != Kind::kName) return nullptr;
  const json::value* first = root.if_contains(steps_.front().name);
  int budget = 10'000;
  return first ? Walk(*first, steps_, 1, &budget) : nullptr;
}

bool JsonPath::Set(json::object& root, json::value value) const {
  json::object* object = &root;
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].kind != Kind::kName) return false;
    json::value& next = (*object)[steps_[i].name];
    if (i + 1 == steps_.size()) {
      next = std::move(value);
      return true;
    }
    if (next.is_null()) next = json::object();
    object = next.if_object();
    if (!object) return false;
  }
  return false;
}

}  // namespace knarr::apiextensions
