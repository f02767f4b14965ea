#include "pkg/api/managedfields/typed.h"

#include <fmt/format.h>

#include <map>

#include "pkg/api/patch/tree.h"

namespace knarr::managedfields {
namespace json = boost::json;

namespace {

using Kind = TypeSchema::Kind;
using patch::View;

// The one of a type's forms that a value has.
enum class Form { kScalar, kList, kMap };

Form FormOf(const TypeSchema& schema, const json::value* value) {
  switch (schema.info().kind) {
    case Kind::kScalar: return Form::kScalar;
    case Kind::kMap:
    case Kind::kStruct: return Form::kMap;
    case Kind::kList:
    case Kind::kSet:
    case Kind::kAssociativeList: return Form::kList;
    case Kind::kAtomic:
    case Kind::kUntyped: break;
  }
  if (value == nullptr || value->is_object() || value->is_null()) return Form::kMap;
  return value->is_array() ? Form::kList : Form::kScalar;
}
bool ListIsAtomic(const TypeSchema& schema) {
  const Kind kind = schema.info().kind;
  return kind != Kind::kSet && kind != Kind::kAssociativeList;
}
bool MapIsAtomic(const TypeSchema& schema) {
  return schema.info().kind == Kind::kAtomic || schema.info().atomic;
}

// Of a member of a map. What is not declared (validation has complained) is anything.
const TypeSchema& ChildOf(const TypeSchema& schema, std::string_view name) {
  const TypeSchema* child = schema.Field(name);
  if (child == nullptr) child = schema.info().element;
  return child ? *child : Deduced();
}
const TypeSchema& ElementOf(const TypeSchema& schema) {
  return schema.info().element ? *schema.info().element : Deduced();
}

Result<PathElement> ItemElement(const TypeSchema& schema, const json::value& item) {
  const TypeSchema::Info& info = schema.info();
  if (info.kind == Kind::kSet) {
    if (item.is_object())
      return Error(Code::kUnknown, "associative list without keys has an element that's a map type");
    if (item.is_array()) return Error(Code::kUnknown, "not supported: associative list with lists as elements");
    if (item.is_null())
      return Error(Code::kUnknown, "associative list without keys has an element that's an explicit null");
    return PathElement::Value(item);
  }
  if (info.kind != Kind::kAssociativeList) return Error(Code::kUnknown, "invalid indexing of non-associative list");
  if (item.is_null()) return Error(Code::kUnknown, "associative list with keys may not have a null element");
  const json::object* object = item.if_object();
  if (object == nullptr) return Error(Code::kUnknown, "associative list with keys may not have non-map elements");
  json::object key;
  for (const std::string& name : info.keys) {
    if (const json::value* value = object->if_contains(name)) {
      key.emplace(name, *value);
      continue;
    }
    const auto at = std::find_if(info.key_defaults.begin(), info.key_defaults.end(),
                                 [&](const auto& entry) { return entry.first == name; });
    if (at == info.key_defaults.end()) {
      return Error(Code::kUnknown,
                   "associative list with keys has an element that omits key field \"{}\" (and doesn't have default "
                   "value)",
                   name);
    }
    boost::system::error_code error;
    key.emplace(name, json::parse(at->second, error));
  }
  return PathElement::Key(std::move(key));
}

const json::array* AsList(const json::value* value) {
  return value ? value->if_array() : nullptr;
}
const json::object* AsMap(const json::value* value) {
  return value ? value->if_object() : nullptr;
}

// Go's %#v of what a JSON value decodes into.
std::string GoSyntax(const json::value& value) {
  if (value.is_string()) return json::serialize(value);
  if (const auto* list = value.if_array()) {
    std::string out = "[]interface {}{";
    for (const json::value& item : *list) out += (out.back() == '{' ? "" : ", ") + GoSyntax(item);
    return out + "}";
  }
  if (const auto* object = value.if_object()) {
    std::string out = "map[string]interface {}{";
    for (const auto& member : *object) {
      out += fmt::format("{}\"{}\":{}", out.back() == '{' ? "" : ", ", View(member.key()), GoSyntax(member.value()));
    }
    return out + "}";
  }
  if (value.is_null()) return "interface {}(nil)";
  return patch::GoPrint(value);
}

class Validator {
 public:
  explicit Validator(bool allow_duplicates) : allow_duplicates_(allow_duplicates) {}

  void Walk(const TypeSchema& schema, const json::value& value) {
    if (errors_.size() >= kMaxErrors) return;
    switch (FormOf(schema, &value)) {
      case Form::kScalar: return Scalar(schema.info().scalar, value);
      case Form::kList: return List(schema, value);
      case Form::kMap: return Map(schema, value);
    }
  }

  Status Outcome() const {
    if (errors_.empty()) return OkStatus();
    if (errors_.size() == 1) return Error(Code::kUnknown, "{}", errors_[0]);
    std::string text = "errors:";
    for (const std::string& error : errors_) text += "\n  " + error;
    return Error(Code::kUnknown, "{}", text);
  }

 private:
  static constexpr size_t kMaxErrors = 100;

  // Most trees are valid: nothing is made of a path until it has to be told.
  struct Step {
    std::string_view field;
    const PathElement* element = nullptr;
    int64_t index = -1;
  };

  void Add(const std::string& error) {
    std::string path;
    for (const Step& step : path_) {
      if (step.element != nullptr) {
        path += step.element->ToString();
      } else if (step.index >= 0) {
        path += fmt::format("[{}]", step.index);
      } else {
        path += fmt::format(".{}", step.field);
      }
    }
    errors_.push_back(path.empty() ? error : path + ": " + error);
  }

  void Scalar(TypeSchema::Scalar type, const json::value& value) {
    if (value.is_null()) return;
    using enum TypeSchema::Scalar;
    if (type == kNumeric && !value.is_number()) {
      Add(fmt::format("expected numeric (int or float), got {}", patch::GoType(value)));
    } else if (type == kString && !value.is_string()) {
      Add(fmt::format("expected string, got &value.valueUnstructured{{Value:{}}}", GoSyntax(value)));
    } else if (type == kBoolean && !value.is_bool()) {
      Add(fmt::format("expected boolean, got &{{{}}}", patch::GoPrint(value)));
    } else if (type == kUntyped && value.is_structured()) {
      Add(fmt::format("expected any scalar, got &{{{}}}", patch::GoPrint(value)));
    }
  }

  void List(const TypeSchema& schema, const json::value& value) {
    if (value.is_null()) return;
    if (!value.is_array()) return Add(fmt::format("expected list, got &{{{}}}", patch::GoPrint(value)));
    std::map<PathElement, bool> seen;
    int64_t index = 0;
    for (const json::value& item : value.get_array()) {
      Step step{.index = index};
      if (!ListIsAtomic(schema)) {
        const Result<PathElement> key = ItemElement(schema, item);
        if (!key.ok()) return Add(fmt::format("element {}: {}", index, key.status()));
        const auto [at, is_new] = seen.emplace(*key, true);
        if (!is_new && !allow_duplicates_) Add(fmt::format("duplicate entries for key {}", key->ToString()));
        step.element = &at->first;
      }
      path_.push_back(step);
      Walk(ElementOf(schema), item);
      path_.pop_back();
      ++index;
    }
  }

  void Map(const TypeSchema& schema, const json::value& value) {
    if (value.is_null()) return;
    if (!value.is_object()) return Add(fmt::format("expected map, got &{{{}}}", patch::GoPrint(value)));
    const bool is_struct = schema.info().kind == Kind::kStruct;
    for (const auto& member : value.get_object()) {
      const std::string_view name = View(member.key());
      path_.push_back({.field = name});
      const TypeSchema* child = schema.Field(name);
      if (is_struct && child == nullptr && schema.info().element == nullptr) {
        Add("field not declared in schema");
        path_.pop_back();
        return;
      }
      Walk(child != nullptr ? *child : ChildOf(schema, name), member.value());
      path_.pop_back();
    }
  }

  const bool allow_duplicates_;
  std::vector<Step> path_;
  std::vector<std::string> errors_;
};

class FieldSetMaker {
 public:
  Set Take() { return std::move(set_); }

  void Walk(const TypeSchema& schema, const json::value& value) {
    switch (FormOf(schema, &value)) {
      case Form::kScalar: set_.Insert(path_); return;
      case Form::kList: return List(schema, value);
      case Form::kMap: return Map(schema, value);
    }
  }

 private:
  void List(const TypeSchema& schema, const json::value& value) {
    if (ListIsAtomic(schema)) return set_.Insert(path_);
    const json::array* list = value.if_array();
    if (list == nullptr) return;
    std::map<PathElement, std::vector<const json::value*>> items;
    for (const json::value& item : *list) {
      if (auto element = ItemElement(schema, item); element.ok()) items[*element].push_back(&item);
    }
    for (const auto& [element, values] : items) {
      path_.push_back(element);
      // Nothing can be said about what is inside duplicates.
      if (values.size() == 1) Walk(ElementOf(schema), *values[0]);
      set_.Insert(path_);
      path_.pop_back();
    }
  }

  void Map(const TypeSchema& schema, const json::value& value) {
    if (MapIsAtomic(schema)) return set_.Insert(path_);
    const json::object* object = value.if_object();
    if (object == nullptr) return;
    for (const auto& member : *object) {
      const std::string_view name = View(member.key());
      const json::value& inner = member.value();
      path_.push_back(PathElement::Field(name));
      Walk(ChildOf(schema, name), inner);
      const bool nothing = inner.is_null() || (inner.is_object() && inner.get_object().empty());
      if (nothing || schema.Field(name) == nullptr) set_.Insert(path_);
      path_.pop_back();
    }
  }

  Path path_;
  Set set_;
};

class Comparer {
 public:
  Comparison Take() { return std::move(out_); }

  // One of the two may be null.
  Status Walk(const TypeSchema& schema, const json::value* before, const json::value* after) {
    const Form left = FormOf(schema, before), right = FormOf(schema, after);
    bool leaf = false;
    if (after == nullptr) {
      KNARR_TRY(Handle(left, schema, before, after, leaf));
    } else if (before == nullptr || left == right) {
      KNARR_TRY(Handle(right, schema, before, after, leaf));
    } else {
      bool other_leaf = false;
      KNARR_TRY(Handle(left, schema, before, after, other_leaf));
      KNARR_TRY(Handle(right, schema, before, after, leaf));
    }
    if (leaf) return OkStatus();
    if (before == nullptr) {
      Insert(out_.added);
    } else if (after == nullptr) {
      Insert(out_.removed);
    }
    return OkStatus();
  }

 private:
  // Names of fields are kept as they are in the trees until there is a difference.
  struct Step {
    std::string_view field;
    const PathElement* element = nullptr;
  };

  void Insert(Set& set) const {
    Path path;
    path.reserve(path_.size());
    for (const Step& step : path_) path.push_back(step.element ? *step.element : PathElement::Field(step.field));
    set.Insert(path);
  }

  Status Handle(Form form, const TypeSchema& schema, const json::value* before, const json::value* after, bool& leaf) {
    if (form == Form::kList) {
      const json::array *left = AsList(before), *right = AsList(after);
      const bool empty = (left == nullptr || left->empty()) && (right == nullptr || right->empty());
      if (!ListIsAtomic(schema) && !empty) return Lists(schema, left, right);
    } else if (form == Form::kMap) {
      const json::object *left = AsMap(before), *right = AsMap(after);
      const bool empty = (left == nullptr || left->empty()) && (right == nullptr || right->empty());
      if (!MapIsAtomic(schema) && !empty) return Maps(schema, left, right);
    }
    leaf = true;
    if (before == nullptr) {
      Insert(out_.added);
    } else if (after == nullptr) {
      Insert(out_.removed);
    } else if (!patch::Equal(*before, *after)) {
      Insert(out_.modified);
    }
    return OkStatus();
  }

  Status Maps(const TypeSchema& schema, const json::object* left, const json::object* right) {
    const auto member = [&](std::string_view name, const json::value* before, const json::value* after) -> Status {
      path_.push_back({name, nullptr});
      KNARR_TRY(Walk(ChildOf(schema, name), before, after));
      path_.pop_back();
      return OkStatus();
    };
    if (left) {
      for (const auto& entry : *left) {
        KNARR_TRY(member(View(entry.key()), &entry.value(), right ? right->if_contains(entry.key()) : nullptr));
      }
    }
    if (right) {
      for (const auto& entry : *right) {
        if (left == nullptr || !left->contains(entry.key())) {
          KNARR_TRY(member(View(entry.key()), nullptr, &entry.value()));
        }
      }
    }
    return OkStatus();
  }

  struct Items {
    std::vector<const json::value*> before, after;
  };

  Status Lists(const TypeSchema& schema, const json::array* left, const json::array* right) {
    std::map<PathElement, Items> items;
    const auto gather = [&](const json::array* list, std::vector<const json::value*> Items::*side) -> Status {
      if (list == nullptr) return OkStatus();
      for (size_t i = 0; i < list->size(); ++i) {
        const Result<PathElement> element = ItemElement(schema, (*list)[i]);
        if (!element.ok()) return Error(Code::kUnknown, "element {}: {}", i, element.status());
        (items[*element].*side).push_back(&(*list)[i]);
      }
      return OkStatus();
    };
    KNARR_TRY(gather(left, &Items::before));
    KNARR_TRY(gather(right, &Items::after));
    for (const auto& [element, both] : items) {
      path_.push_back({{}, &element});
      KNARR_TRY(Item(ElementOf(schema), both));
      path_.pop_back();
    }
    return OkStatus();
  }

  // Elements with the same key are compared as one value.
  Status Item(const TypeSchema& schema, const Items& items) {
    const auto& [before, after] = items;
    if (before.size() <= 1 && after.size() <= 1)
      return Walk(schema, before.empty() ? nullptr : before[0], after.empty() ? nullptr : after[0]);
    if (before.size() > 1 && after.size() > 1) {
      const bool same = std::equal(before.begin(), before.end(), after.begin(), after.end(),
                                   [](const auto* a, const auto* b) { return patch::Equal(*a, *b); });
      if (!same) Insert(out_.modified);
    } else if (before.size() > 1) {
      if (!after.empty()) KNARR_TRY(Walk(schema, nullptr, after[0]));
      Insert(out_.removed);
    } else {
      if (!before.empty()) KNARR_TRY(Walk(schema, before[0], nullptr));
      Insert(out_.added);
    }
    return OkStatus();
  }

  std::vector<Step> path_;
  Comparison out_;
};

class Merger {
 public:
  using Out = std::optional<json::value>;

  Result<Out> Walk(const TypeSchema& schema, const json::value* live, const json::value* config) {
    const Form left = FormOf(schema, live), right = FormOf(schema, config);
    // Where the two are of different forms upstream merges twice and keeps what config's form gives.
    return Handle(config == nullptr ? left : right, schema, live, config);
  }

 private:
  Result<Out> Handle(Form form, const TypeSchema& schema, const json::value* live, const json::value* config) {
    if (form == Form::kList) {
      const json::array *left = AsList(live), *right = AsList(config);
      const bool empty = (left == nullptr || left->empty()) && (right == nullptr || right->empty());
      if (!ListIsAtomic(schema) && !empty) return Lists(schema, left, right);
    } else if (form == Form::kMap) {
      const json::object *left = AsMap(live), *right = AsMap(config);
      const bool empty = (left == nullptr || left->empty()) && (right == nullptr || right->empty());
      if (!MapIsAtomic(schema) && !empty) return Maps(schema, left, right);
    }
    return Out(config ? *config : *live);
  }

  Result<Out> Maps(const TypeSchema& schema, const json::object* left, const json::object* right) {
    json::object out;
    const auto member = [&](json::string_view name, const json::value* live, const json::value* config) -> Status {
      if (Out merged = KNARR_TRY(Walk(ChildOf(schema, View(name)), live, config)))
        out.emplace(name, std::move(*merged));
      return OkStatus();
    };
    if (left) {
      for (const auto& entry : *left) {
        KNARR_TRY(member(entry.key(), &entry.value(), right ? right->if_contains(entry.key()) : nullptr));
      }
    }
    if (right) {
      for (const auto& entry : *right) {
        if (left == nullptr || !left->contains(entry.key())) KNARR_TRY(member(entry.key(), nullptr, &entry.value()));
      }
    }
    if (out.empty()) return Out();
    return Out(std::move(out));
  }

  // A list's elements in order, and the first of each; null where there are several.
  struct Index {
    std::vector<PathElement> order;
    std::map<PathElement, const json::value*> first;
    bool Has(const PathElement& element) const { return first.contains(element); }
    const json::value* Find(const PathElement& element) const {
      const auto at = first.find(element);
      return at == first.end() ? nullptr : at->second;
    }
  };
  static Result<Index> MakeIndex(const TypeSchema& schema, const json::array* list, bool allow_duplicates) {
    static const json::value kNull;
    Index index;
    for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
      const Result<PathElement> element = ItemElement(schema, (*list)[i]);
      if (!element.ok()) return Error(Code::kUnknown, "element {}: {}", i, element.status());
      const auto [at, is_new] = index.first.emplace(*element, &(*list)[i]);
      if (!is_new) {
        if (!allow_duplicates) return Error(Code::kUnknown, "duplicate entries for key {}", element->ToString());
        at->second = &kNull;
      }
      index.order.push_back(*element);
    }
    return index;
  }

  Result<Out> Lists(const TypeSchema& schema, const json::array* left, const json::array* right) {
    const Index config = KNARR_TRY(MakeIndex(schema, right, false));
    const Index live = KNARR_TRY(MakeIndex(schema, left, true));
    json::array out;
    std::map<PathElement, bool> merged;
    // The elements of config that live has, too: live's others go before them where their order allows it.
    std::vector<const PathElement*> shared;
    for (const PathElement& element : config.order) {
      if (live.Has(element)) shared.push_back(&element);
    }
    size_t next = 0;
    const auto take = [&](const PathElement& element, const json::value* l, const json::value* r) -> Status {
      if (Out item = KNARR_TRY(Walk(ElementOf(schema), l, r))) out.push_back(std::move(*item));
      (void)element;
      return OkStatus();
    };
    const size_t left_size = live.order.size(), right_size = config.order.size();
    for (size_t l = 0, r = 0; l < left_size || r < right_size;) {
      if (l < left_size && r < right_size) {
        const PathElement& element = live.order[l];
        if (element == config.order[r]) {
          merged.emplace(element, true);
          KNARR_TRY(take(element, live.Find(element), config.Find(element)));
          ++l, ++r, ++next;
          continue;
        }
        if (config.Has(element) && next < shared.size() && !(*shared[next] == element)) {
          ++l;  // shared, but its turn comes later
          continue;
        }
      }
      if (l < left_size) {
        const PathElement& element = live.order[l];
        if (!config.Has(element)) {
          KNARR_TRY(take(element, &(*left)[l], nullptr));
          ++l;
          continue;
        }
        if (merged.contains(element)) ++l;
      }
      if (r < right_size) {
        const PathElement& element = config.order[r];
        merged.emplace(element, true);
        KNARR_TRY(take(element, live.Find(element), config.Find(element)));
        ++r;
        if (next < shared.size() && *shared[next] == element) ++next;
      }
    }
    if (out.empty()) return Out();
    return Out(std::move(out));
  }
};

}  // namespace

json::object TypeSchema::Empty() const {
  return {};
}

Status Validate(const TypeSchema& schema, const json::value& tree, bool allow_duplicates) {
  Validator validator(allow_duplicates);
  validator.Walk(schema, tree);
  return validator.Outcome();
}

Set ToFieldSet(const TypeSchema& schema, const json::value& tree) {
  FieldSetMaker maker;
  maker.Walk(schema, tree);
  return maker.Take();
}

Result<Comparison> CompareTrees(const TypeSchema& schema, const json::value& before, const json::value& after) {
  Comparer comparer;
  KNARR_TRY(comparer.Walk(schema, &before, &after));
  return comparer.Take();
}

Result<json::value> MergeTrees(const TypeSchema& schema, const json::value& live, const json::value& config) {
  auto out = KNARR_TRY(Merger().Walk(schema, &live, &config));
  return out ? std::move(*out) : json::value();
}

json::value RemoveItems(const TypeSchema& schema, const json::value& tree, const Set& items) {
  switch (FormOf(schema, &tree)) {
    case Form::kScalar: return tree;
    case Form::kList: {
      const json::array* list = tree.if_array();
      if (list == nullptr || ListIsAtomic(schema)) return {};
      json::array out;
      for (const json::value& item : *list) {
        const Result<PathElement> element = ItemElement(schema, item);
        if (!element.ok()) {
          out.push_back(item);
          continue;
        }
        if (items.HasMember(*element)) continue;
        const Set* below = items.Below(*element);
        out.push_back(below ? RemoveItems(ElementOf(schema), item, *below) : item);
      }
      if (out.empty()) return {};
      return out;
    }
    case Form::kMap: {
      const json::object* object = tree.if_object();
      if (object == nullptr || MapIsAtomic(schema)) return {};
      json::object out;
      for (const auto& member : *object) {
        const PathElement element = PathElement::Field(View(member.key()));
        if (items.HasMember(element)) continue;
        const Set* below = items.Below(element);
        out.emplace(member.key(),
                    below ? RemoveItems(ChildOf(schema, View(member.key())), member.value(), *below) : member.value());
      }
      if (out.empty()) return {};
      return out;
    }
  }
  return {};
}

namespace {

// `schema` null: nothing is declared here.
Set NamedFields(const TypeSchema* schema, const Set& set) {
  Set out;
  for (const PathElement& member : set.members()) out.AddMember(member);
  for (const Set::Child& child : set.children()) {
    const TypeSchema* below = nullptr;
    if (schema != nullptr && child.element.type() == PathElement::Type::kField &&
        FormOf(*schema, nullptr) == Form::kMap) {
      below = schema->Field(child.element.field_name());
      if (below != nullptr) out.AddMember(child.element);
      if (below == nullptr) below = schema->info().element;
    } else if (schema != nullptr && child.element.type() == PathElement::Type::kKey &&
               FormOf(*schema, nullptr) == Form::kList) {
      below = schema->info().element;
    }
    out.Descend(child.element) = NamedFields(below, child.set);
  }
  return out;
}

class Reconciler {
 public:
  // Free-form JSON is always granular.
  static bool IsUntypedMap(const TypeSchema::Info& info) {
    return info.kind == Kind::kMap && info.element != nullptr && info.element->info().kind == Kind::kUntyped;
  }

  void Walk(const TypeSchema& schema, const Set* set, bool is_atomic) {
    switch (FormOf(schema, nullptr)) {
      case Form::kScalar: return;
      case Form::kList:
        if (!is_atomic && ListIsAtomic(schema)) return Change();
        if (set) Below(schema, *set);
        return;
      case Form::kMap: {
        const TypeSchema::Info& info = schema.info();
        if (info.kind == Kind::kUntyped || IsUntypedMap(info)) return;
        if (!is_atomic && MapIsAtomic(schema)) {
          if (set != nullptr && !set->empty()) Change();
          return;
        }
        if (set) Below(schema, *set);
      }
    }
  }

  std::optional<Set> Outcome(const Set& set) const {
    if (changed_.empty()) return std::nullopt;
    return set.RecursiveDifference(changed_).Union(changed_);
  }

 private:
  void Change() { changed_.Insert(path_); }

  void Below(const TypeSchema& schema, const Set& set) {
    for (const Set::Child& child : set.children()) {
      if (!set.HasMember(child.element)) Element(schema, set, child.element, false);
    }
    for (const PathElement& member : set.members()) Element(schema, set, member, true);
  }

  void Element(const TypeSchema& schema, const Set& set, const PathElement& element, bool is_member) {
    const TypeSchema* type = nullptr;
    if (element.type() == PathElement::Type::kField) type = schema.Field(element.field_name());
    if (type == nullptr) type = schema.info().element;
    if (type == nullptr) return;
    const Set* below = set.Below(element);
    path_.push_back(element);
    Walk(*type, below, is_member && below == nullptr);
    path_.pop_back();
  }

  Path path_;
  Set changed_;
};

}  // namespace

Set WithNamedFields(const TypeSchema& schema, const Set& set) {
  return NamedFields(&schema, set);
}

std::optional<Set> Reconcile(const TypeSchema& schema, const Set& set) {
  Reconciler reconciler;
  reconciler.Walk(schema, &set, false);
  return reconciler.Outcome(set);
}

}  // namespace knarr::managedfields
