// Mirrors: k8s.io/apimachinery/pkg/util/strategicpatch/patch.go as StrategicMergeMapPatch runs it: directives are
// carried out, nulls that match nothing are dropped.
#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "pkg/api/patch/patch.h"
#include "pkg/api/patch/tree.h"

namespace knarr::patch {
namespace json = boost::json;

namespace {

using FieldInfo = MergeSchema::FieldInfo;

constexpr std::string_view kDirective = "$patch";
constexpr std::string_view kRetainKeys = "$retainKeys";
constexpr std::string_view kDeleteFromPrimitiveList = "$deleteFromPrimitiveList";
constexpr std::string_view kSetElementOrder = "$setElementOrder";

// The errors with a status of their own (interpretStrategicMergePatchError); the others are plain.
Status BadPrimitiveList() {
  return Error(Code::kBadRequest, "invalid patch format of primitive list");
}
Status BadRetainKeys() {
  return Error(Code::kBadRequest, "invalid patch format of retainKeys");
}
Status BadElementOrder() {
  return Error(Code::kBadRequest, "invalid patch format of setElementOrder list");
}
Status ListOfLists() {
  return Error(Code::kInvalid, "the server rejected our request due to an error in our request").WithDetails({});
}
Status NoMergeKey(const json::value& map, std::string_view key) {
  return Error(Code::kUnknown, "map: {} does not contain declared merge key: {}", GoPrint(map), key);
}
Status BadType(std::string_view expected, const json::value& actual) {
  return Error(Code::kUnknown, "expected a {}, but received a {}", expected, GoType(actual));
}
constexpr std::string_view kMapType = "map[string]interface {}";
constexpr std::string_view kListType = "[]interface {}";

Status BadPatchType(const json::value& directive, const json::value& map) {
  // Go's %s of something that is no string says so.
  std::string shown;
  if (directive.is_string()) {
    shown = View(directive.get_string());
  } else if (directive.is_null()) {
    shown = "%!s(<nil>)";
  } else {
    shown = fmt::format("%!s({}={})", GoType(directive), GoPrint(directive));
  }
  return Error(Code::kUnknown, "unknown patch type: {} in map: {}", shown, GoPrint(map));
}

// What Go's == between two interface{} looks at, as a key for maps: type and value. nullopt for lists and maps, which
// are equal to nothing.
std::optional<std::string> IdentityOf(const json::value& value) {
  const auto number = [](char tag, auto n) {
    std::string out(1 + sizeof n, tag);
    std::memcpy(out.data() + 1, &n, sizeof n);
    return out;
  };
  switch (value.kind()) {
    case json::kind::null: return "n";
    case json::kind::bool_: return value.get_bool() ? "t" : "f";
    case json::kind::int64: return number('i', value.get_int64());
    case json::kind::uint64: return number('d', static_cast<double>(value.get_uint64()));
    case json::kind::double_: return number('d', value.get_double() + 0.0);
    case json::kind::string: return "s" + std::string(View(value.get_string()));
    default: return std::nullopt;
  }
}

bool IsString(const json::value& value, std::string_view text) {
  return value.is_string() && View(value.get_string()) == text;
}
const json::value* Member(const json::value& value, std::string_view name) {
  const auto* object = value.if_object();
  return object ? object->if_contains(JsonView(name)) : nullptr;
}

// The elements of a list by what tells them apart: their value, or the value under the merge key.
class Positions {
 public:
  Positions(const json::array& list, bool maps, std::string_view merge_key) : maps_(maps), merge_key_(merge_key) {
    for (size_t i = 0; i < list.size(); ++i) {
      if (auto identity = Identity(list[i])) first_.emplace(std::move(*identity), static_cast<int64_t>(i));
    }
  }
  // Of the first such element; -1 if there is none.
  int64_t Of(const json::value& element) const {
    const auto identity = Identity(element);
    if (!identity) return -1;
    const auto at = first_.find(*identity);
    return at == first_.end() ? -1 : at->second;
  }

 private:
  std::optional<std::string> Identity(const json::value& element) const {
    if (!maps_) return IdentityOf(element);
    const json::value* key = Member(element, merge_key_);
    return key ? IdentityOf(*key) : "n";
  }
  bool maps_;
  std::string_view merge_key_;
  std::unordered_map<std::string, int64_t> first_;
};

Status CheckMergeKeys(std::string_view merge_key, const json::array& list) {
  for (const json::value& item : list) {
    if (!item.is_object()) return BadType(kMapType, item);
    if (Member(item, merge_key) == nullptr) return NoMergeKey(item, merge_key);
  }
  return OkStatus();
}

bool IsDelete(const json::value& item) {
  const json::value* directive = Member(item, kDirective);
  return directive != nullptr && IsString(*directive, "delete");
}

// Stable, by the places in `order`. Upstream's comparison says "smaller" where one of the two is not in `order`; what
// comes of that is up to Go's sort, insertion as long as there are few elements. Longer lists have those first.
void SortBy(const Positions& order, json::array& list) {
  constexpr size_t kFew = 20;
  std::vector<std::pair<int64_t, size_t>> places;
  places.reserve(list.size());
  for (size_t i = 0; i < list.size(); ++i) places.emplace_back(order.Of(list[i]), i);
  if (list.size() <= kFew) {
    for (size_t i = 1; i < places.size(); ++i) {
      for (size_t j = i; j > 0; --j) {
        const int64_t left = places[j - 1].first, right = places[j].first;
        if (left >= 0 && right >= 0 && right >= left) break;
        std::swap(places[j - 1], places[j]);
      }
    }
  } else {
    std::stable_sort(places.begin(), places.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  json::array sorted(list.storage());
  sorted.reserve(list.size());
  for (const auto& place : places) sorted.push_back(std::move(list[place.second]));
  list = std::move(sorted);
}

Status NormalizeOrder(const json::array& order, bool maps, std::string_view merge_key, json::array& list) {
  json::array deletions(list.storage());
  if (maps) {
    KNARR_TRY(CheckMergeKeys(merge_key, list));
    KNARR_TRY(CheckMergeKeys(merge_key, order));
    json::array kept(list.storage());
    for (json::value& item : list) (IsDelete(item) ? deletions : kept).push_back(std::move(item));
    list = std::move(kept);
  }
  SortBy(Positions(order, maps, merge_key), list);
  for (json::value& item : deletions) list.push_back(std::move(item));
  return OkStatus();
}

// Both lists keep their own order; an element of `server_only` goes before the first of `from_patch` that comes later
// in `server_order`.
Result<json::array> MergeOrder(json::array from_patch, json::array server_only, const json::array& patch_order,
                               const json::array& server_order, std::string_view merge_key, bool maps) {
  KNARR_TRY(NormalizeOrder(patch_order, maps, merge_key, from_patch));
  KNARR_TRY(NormalizeOrder(server_order, maps, merge_key, server_only));
  const Positions positions(server_order, maps, merge_key);
  json::array out(from_patch.storage());
  out.reserve(from_patch.size() + server_only.size());
  size_t left = 0;
  for (json::value& item : from_patch) {
    const int64_t place = positions.Of(item);
    for (; left < server_only.size() && place >= 0; ++left) {
      const int64_t other = positions.Of(server_only[left]);
      if (other < 0 || other >= place) break;
      out.push_back(std::move(server_only[left]));
    }
    out.push_back(std::move(item));
  }
  for (; left < server_only.size(); ++left) out.push_back(std::move(server_only[left]));
  return out;
}

// All elements must be of one type, no list.
Result<bool> ElementsAreMaps(const json::array& a, const json::array& b) {
  const json::value* first = nullptr;
  for (const json::array* list : {&a, &b}) {
    for (const json::value& item : *list) {
      if (first == nullptr) {
        first = &item;
        if (item.is_array()) return ListOfLists();
      } else if (GoType(item) != GoType(*first)) {
        return Error(Code::kUnknown, "list element types are not identical: [{} {}]", GoPrint(a), GoPrint(b));
      }
    }
  }
  if (first == nullptr) return Error(Code::kUnknown, "no elements in any of the given slices");
  return first->is_object();
}

// The elements of `list` that are in `among`, and the others.
struct Parts {
  json::array in, out;
};
Result<Parts> Partition(json::array list, const json::array& among, std::string_view merge_key) {
  if (!merge_key.empty()) {
    KNARR_TRY(CheckMergeKeys(merge_key, list));
    for (size_t i = 0; i < among.size() && !list.empty(); ++i) {
      if (!among[i].is_object()) return Error(Code::kUnknown, "value for key {} is not a map", i);
    }
  }
  std::unordered_set<std::string> wanted;
  const auto identity = [&](const json::value& item) -> std::optional<std::string> {
    if (merge_key.empty()) return IdentityOf(item);
    const json::value* key = Member(item, merge_key);
    return key ? IdentityOf(*key) : std::nullopt;
  };
  for (const json::value& item : among) {
    if (auto id = identity(item)) wanted.insert(std::move(*id));
  }
  Parts parts;
  for (json::value& item : list) {
    const auto id = identity(item);
    (id && wanted.contains(*id) ? parts.in : parts.out).push_back(std::move(item));
  }
  return parts;
}

// Takes elements and members with $patch out of what is new to the document; false: `value` is one itself.
bool RemoveDirectives(json::value& value) {
  if (auto* object = value.if_object()) {
    if (object->contains(JsonView(kDirective))) return false;
    for (auto at = object->begin(); at != object->end();) {
      at = RemoveDirectives(at->value()) ? at + 1 : object->erase(at);
    }
  } else if (auto* list = value.if_array()) {
    json::array kept(list->storage());
    for (json::value& item : *list) {
      if (RemoveDirectives(item)) kept.push_back(std::move(item));
    }
    *list = std::move(kept);
  }
  return true;
}

void DiscardNulls(json::value& value) {
  if (auto* object = value.if_object()) {
    for (auto at = object->begin(); at != object->end();) {
      if (at->value().is_null()) {
        at = object->erase(at);
      } else {
        DiscardNulls(at->value());
        ++at;
      }
    }
  } else if (auto* list = value.if_array()) {
    for (json::value& item : *list) DiscardNulls(item);
  }
}

// `schema` null: the value is of no struct type.
Result<const FieldInfo*> Lookup(const MergeSchema* schema, std::string_view key) {
  if (schema == nullptr)
    return Error(Code::kUnknown, "merging an object in json but data type is not struct, instead is: map");
  const FieldInfo* info = schema->Find(key);
  if (info == nullptr) {
    return Error(Code::kUnknown, "unable to find api field in struct {} for the json field \"{}\"", schema->name(),
                 key);
  }
  return info;
}
Result<const FieldInfo*> LookupList(const MergeSchema* schema, std::string_view key) {
  const FieldInfo* info = KNARR_TRY(Lookup(schema, key));
  if (!info->is_list) return Error(Code::kUnknown, "expected slice or array type, but got: struct");
  return info;
}

Status MergeMap(json::value& original, json::value& patch, const MergeSchema* schema);

Status RetainKeys(json::object& original, json::object& patch) {
  const auto at = patch.find(JsonView(kRetainKeys));
  if (at == patch.end()) return OkStatus();
  const json::value list = std::move(at->value());
  patch.erase(at);
  if (!list.is_array()) return BadRetainKeys();
  std::unordered_set<std::string_view> retained;
  for (const json::value& key : list.get_array()) {
    if (key.is_string()) retained.insert(View(key.get_string()));
  }
  for (const auto& member : patch) {
    const std::string_view key = View(member.key());
    if (member.value().is_null() || key.starts_with(kDeleteFromPrimitiveList) || key.starts_with(kSetElementOrder)) {
      continue;
    }
    if (!retained.contains(key)) return BadRetainKeys();
  }
  for (auto member = original.begin(); member != original.end();) {
    member = retained.contains(View(member->key())) ? member + 1 : original.erase(member);
  }
  return OkStatus();
}

// "$setElementOrder/containers" -> "containers"
Result<std::string> FieldOf(std::string_view key, std::string_view prefix, Status (*error)()) {
  const size_t slash = key.find('/');
  if (slash == std::string_view::npos || key.substr(0, slash) != prefix) return error();
  return std::string(key.substr(slash + 1));
}

// The patch's elements must be in the order list, in its order.
Status CheckElementOrder(const json::array& patch, const json::array& order, std::string_view merge_key) {
  if (order.empty() || patch.empty()) return OkStatus();
  std::vector<const json::value*> items;
  for (const json::value& item : patch) {
    if (!merge_key.empty() && !item.is_object()) return BadType(kMapType, item);
    if (merge_key.empty() || !IsDelete(item)) items.push_back(&item);
  }
  size_t i = 0, j = 0;
  while (i < items.size() && j < order.size()) {
    if (Member(*items[i], kDirective) != nullptr) {
      ++i;
      continue;
    }
    const json::value *left = items[i], *right = &order[j];
    if (!merge_key.empty()) {
      if (!right->is_object()) return BadType(kMapType, *right);
      left = Member(*items[i], merge_key);
      if (left == nullptr) return NoMergeKey(*items[i], merge_key);
      right = Member(order[j], merge_key);
      if (right == nullptr) return NoMergeKey(order[j], merge_key);
    }
    const auto identity = IdentityOf(*left);
    if (identity && identity == IdentityOf(*right)) ++i;
    ++j;
  }
  if (i < items.size() && j >= order.size()) {
    return Error(Code::kUnknown, "The order in patch list:\n{}\n doesn't match {} list:\n{}\n", GoPrint(patch),
                 kSetElementOrder, GoPrint(order));
  }
  return OkStatus();
}

// Elements of the patch are merged into those with the same key, or appended.
Status MergeElements(json::array& original, json::array patch, std::string_view merge_key, const MergeSchema* schema) {
  for (size_t i = 0; i < original.size() && !patch.empty(); ++i) {
    if (!original[i].is_object()) return Error(Code::kUnknown, "value for key {} is not a map", i);
  }
  std::unordered_map<std::string, size_t> first;
  const auto add = [&](size_t i) {
    const json::value* key = Member(original[i], merge_key);
    if (key == nullptr) return;
    if (auto identity = IdentityOf(*key)) first.emplace(std::move(*identity), i);
  };
  for (size_t i = 0; i < original.size(); ++i) add(i);
  for (json::value& item : patch) {
    const json::value* key = Member(item, merge_key);
    if (key == nullptr) return NoMergeKey(item, merge_key);
    const auto identity = IdentityOf(*key);
    const auto at = identity ? first.find(*identity) : first.end();
    if (at != first.end()) {
      KNARR_TRY(MergeMap(original[at->second], item, schema));
    } else {
      original.push_back(std::move(item));
      add(original.size() - 1);
    }
  }
  return OkStatus();
}

// Carries out {$patch: delete} and {$patch: replace} among the patch's elements and takes them out of it. `kept` (may
// be null) gets what the deletions left.
Status ApplySpecialElements(json::array& original, json::array& patch, std::string_view merge_key,
                            json::array* kept_out) {
  json::array others(patch.storage());
  std::unordered_set<std::string> deleted;
  bool replace = false;
  for (json::value& item : patch) {
    const json::value* directive = Member(item, kDirective);
    if (directive == nullptr) {
      others.push_back(std::move(item));
    } else if (IsString(*directive, "delete")) {
      const json::value* key = Member(item, merge_key);
      if (key == nullptr) return NoMergeKey(item, merge_key);
      if (auto identity = IdentityOf(*key)) deleted.insert(std::move(*identity));
    } else if (IsString(*directive, "replace")) {
      replace = true;
    } else if (IsString(*directive, "merge")) {
      return Error(Code::kUnknown, "merging lists cannot yet be specified in the patch");
    } else {
      return BadPatchType(*directive, item);
    }
  }
  if (!deleted.empty()) {
    json::array kept(original.storage());
    for (json::value& item : original) {
      const json::value* key = Member(item, merge_key);
      const auto identity = key ? IdentityOf(*key) : std::nullopt;
      if (!identity || !deleted.contains(*identity)) kept.push_back(std::move(item));
    }
    original = std::move(kept);
  }
  if (kept_out != nullptr) *kept_out = original;
  patch = std::move(others);
  if (replace) {
    original = std::move(patch);
    patch = json::array();
  }
  return OkStatus();
}

// Each value once, at its first place. Upstream fills the gaps from the end of the list, which shows where no order is
// asked for; that takes quadratic time, so long lists just close the gaps.
void RemoveDuplicates(json::array& list) {
  constexpr size_t kLong = 1000;
  const auto identity = [](const json::value& item) { return IdentityOf(item).value_or(""); };
  if (list.size() > kLong) {
    std::unordered_set<std::string> seen;
    json::array unique(list.storage());
    for (json::value& item : list) {
      if (seen.insert(identity(item)).second) unique.push_back(std::move(item));
    }
    list = std::move(unique);
    return;
  }
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string wanted = identity(list[i]);
    for (size_t j = i + 1; j < list.size();) {
      if (identity(list[j]) != wanted) {
        ++j;
        continue;
      }
      if (j + 1 < list.size()) list[j] = std::move(list.back());
      list.pop_back();
    }
  }
}

// `live_order` (may be null) gets the order that upstream then takes for the live one: its lists share their memory, so
// what was deleted is gone from it, and new elements stand in its place.
Status MergeList(json::array& original, json::array patch, const FieldInfo& info, bool deletes,
                 json::array* live_order = nullptr) {
  if (original.empty() && patch.empty()) return OkStatus();
  const bool maps = KNARR_TRY(ElementsAreMaps(original, patch));
  json::array merged = original;
  if (!maps) {
    if (deletes) {
      std::unordered_set<std::string> seen;
      for (const json::value& item : patch) seen.insert(IdentityOf(item).value_or(""));
      json::array kept(original.storage());
      for (json::value& item : original) {
        if (!seen.contains(IdentityOf(item).value_or("-"))) kept.push_back(std::move(item));
      }
      original = std::move(kept);
      return OkStatus();
    }
    for (const json::value& item : patch) merged.push_back(item);
    RemoveDuplicates(merged);
  } else {
    if (info.merge_key.empty()) return Error(Code::kUnknown, "cannot merge lists without merge key for struct");
    const size_t before = original.size();
    json::array kept;
    KNARR_TRY(ApplySpecialElements(original, patch, info.merge_key, live_order ? &kept : nullptr));
    merged = original;
    KNARR_TRY(MergeElements(merged, patch, info.merge_key, info.type));
    if (live_order != nullptr) {
      for (size_t i = original.size(); i < merged.size() && kept.size() < before; ++i) kept.push_back(merged[i]);
      *live_order = std::move(kept);
    }
  }
  Parts parts = KNARR_TRY(Partition(std::move(merged), patch, info.merge_key));
  original = KNARR_TRY(MergeOrder(std::move(parts.in), std::move(parts.out), patch, original, info.merge_key, maps));
  return OkStatus();
}

// Carries out the $setElementOrder/x of a map, together with x itself.
Status ApplyElementOrders(json::object& original, json::object& patch, const MergeSchema* schema) {
  std::vector<std::string> keys;
  for (const auto& member : patch) {
    if (View(member.key()).starts_with(kSetElementOrder)) keys.emplace_back(View(member.key()));
  }
  for (const std::string& key : keys) {
    const json::value order_value = std::move(patch.at(key));
    patch.erase(key);
    if (!order_value.is_array()) return BadType(kListType, order_value);
    const json::array& order = order_value.get_array();
    const std::string name = KNARR_TRY(FieldOf(key, kSetElementOrder, BadElementOrder));
    json::value* in_original = original.if_contains(name);
    json::value* in_patch = patch.if_contains(name);
    if (in_original && !in_original->is_array()) return BadType(kListType, *in_original);
    if (in_patch && !in_patch->is_array()) return BadType(kListType, *in_patch);
    const FieldInfo& info = *KNARR_TRY(LookupList(schema, name));
    const json::array none;
    json::array live = in_original ? in_original->get_array() : none;
    const json::array change = in_patch ? in_patch->get_array() : none;
    KNARR_TRY(CheckElementOrder(change, order, info.merge_key));

    json::array merged = live;
    if (!in_original && !in_patch) continue;
    if (!in_original) {
      json::value fresh(change);
      RemoveDirectives(fresh);
      merged = std::move(fresh.get_array());
    } else if (in_patch && info.merge) {
      KNARR_TRY(MergeList(merged, change, info, false, &live));
    } else if (in_patch) {
      merged = change;
    }
    const bool maps = KNARR_TRY(ElementsAreMaps(live, change));
    Parts parts = KNARR_TRY(Partition(std::move(merged), order, info.merge_key));
    original[name] =
        KNARR_TRY(MergeOrder(std::move(parts.in), std::move(parts.out), order, live, info.merge_key, maps));
    patch.erase(name);
  }
  return OkStatus();
}

// Consumes `patch`. Both are objects.
Status MergeMap(json::value& original_value, json::value& patch_value, const MergeSchema* schema) {
  json::object& patch = patch_value.get_object();
  if (const json::value* directive = patch.if_contains(JsonView(kDirective))) {
    if (IsString(*directive, "replace")) {
      patch.erase(JsonView(kDirective));
      original_value = std::move(patch_value);
      return OkStatus();
    }
    if (IsString(*directive, "delete")) {
      original_value = json::object(original_value.storage());
      return OkStatus();
    }
    return BadPatchType(*directive, patch_value);
  }
  json::object& original = original_value.get_object();
  KNARR_TRY(RetainKeys(original, patch));
  KNARR_TRY(ApplyElementOrders(original, patch, schema));

  for (auto& member : patch) {
    std::string key(View(member.key()));
    json::value& change = member.value();
    const bool deletes = key.starts_with(kDeleteFromPrimitiveList);
    if (deletes) key = KNARR_TRY(FieldOf(key, kDeleteFromPrimitiveList, BadPrimitiveList));
    if (change.is_null()) {
      original.erase(key);
      continue;
    }
    json::value* present = original.if_contains(key);
    if (present == nullptr || GoType(*present) != GoType(change)) {
      if (deletes) continue;
      DiscardNulls(change);
      if (RemoveDirectives(change)) {
        original[key] = std::move(change);
      } else {
        original.erase(key);
      }
    } else if (change.is_object()) {
      const FieldInfo& info = *KNARR_TRY(Lookup(schema, key));
      if (info.replace) {
        *present = std::move(change);
      } else {
        KNARR_TRY(MergeMap(*present, change, info.type));
      }
    } else if (change.is_array()) {
      const FieldInfo& info = *KNARR_TRY(LookupList(schema, key));
      if (info.merge || deletes) {
        KNARR_TRY(MergeList(present->get_array(), std::move(change.get_array()), info, deletes));
      } else {
        *present = std::move(change);
      }
    } else {
      *present = std::move(change);
    }
  }
  return OkStatus();
}

}  // namespace

Status ApplyStrategicMergePatch(json::object& document, const json::object& patch, const MergeSchema& schema) {
  json::value tree(std::move(document));
  json::value change(patch);
  const Status status = MergeMap(tree, change, &schema);
  document = std::move(tree.get_object());
  return status;
}

}  // namespace knarr::patch
