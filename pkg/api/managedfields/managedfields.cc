// The layers of upstream's field manager, from the outside in: version check, last-applied annotation, objects that
// nobody applied, cap on updaters, identifiers, times, stripping of system fields, and the merge itself.
#include "pkg/api/managedfields/managedfields.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "pkg/api/codec/go_time.h"
#include "pkg/api/codec/json_text.h"
#include "pkg/api/field/quote.h"
#include "pkg/api/managedfields/fieldset.h"
#include "pkg/api/managedfields/typed.h"
#include "pkg/api/patch/tree.h"

namespace knarr::managedfields {
namespace json = boost::json;

namespace {

using patch::JsonView;
using patch::View;

constexpr size_t kMaxUpdateManagers = 10;
constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
constexpr size_t kTotalAnnotationSize = 256 << 10;

// Who manages: upstream's manager identifier, the JSON of an entry without time and fields, and without the version
// where it was applied.
struct Id {
  Id(std::string_view manager, std::string_view operation, std::string_view api_version, std::string_view subresource)
      : manager(manager),
        operation(operation),
        api_version(operation == "Apply" ? std::string_view() : api_version),
        subresource(subresource) {
    text = "{";
    Add("manager", this->manager);
    Add("operation", this->operation);
    Add("apiVersion", this->api_version);
    Add("subresource", this->subresource);
    text += '}';
  }
  friend bool operator<(const Id& a, const Id& b) { return a.text < b.text; }
  friend bool operator==(const Id& a, const Id& b) { return a.text == b.text; }

  std::string manager, operation, api_version, subresource;
  std::string text;

 private:
  void Add(std::string_view name, const std::string& value) {
    if (value.empty()) return;
    if (text.size() > 1) text += ',';
    codec::AppendJsonString(name, &text);
    text += ':';
    codec::AppendJsonString(value, &text);
  }
};

struct VersionedSet {
  Set set;
  std::string api_version;
  bool applied = false;
};
using Managers = std::map<Id, VersionedSet>;
struct Managed {
  Managers fields;
  std::map<Id, std::string> times;  // as written, "" for none
};

const json::value* Member(const json::object& object, std::string_view name) {
  return object.if_contains(JsonView(name));
}
std::string_view Text(const json::object& object, std::string_view name) {
  const json::value* value = Member(object, name);
  return value && value->is_string() ? View(value->get_string()) : std::string_view();
}
const json::object* Metadata(const json::object& object) {
  const json::value* value = Member(object, "metadata");
  return value ? value->if_object() : nullptr;
}
std::string_view MetaText(const json::object& object, std::string_view name) {
  const json::object* metadata = Metadata(object);
  return metadata ? Text(*metadata, name) : std::string_view();
}
const json::value* EntriesOf(const json::object& object) {
  const json::object* metadata = Metadata(object);
  return metadata ? Member(*metadata, "managedFields") : nullptr;
}
void RemoveEntries(json::object& object) {
  if (json::value* metadata = object.if_contains("metadata"); metadata && metadata->is_object())
    metadata->get_object().stable_erase("managedFields");
}

// default/web; apps/v1, Kind=Deployment
std::string Describe(const json::object& object) {
  const std::string_view version = Text(object, "apiVersion");
  return fmt::format("{}/{}; {}{}, Kind={}", MetaText(object, "namespace"), MetaText(object, "name"),
                     version.find('/') == std::string_view::npos ? "/" : "", version, Text(object, "kind"));
}

// ---- entries

Result<Managed> Decode(const json::value* entries) {
  Managed managed;
  if (entries == nullptr || !entries->is_array()) return managed;
  size_t index = 0;
  for (const json::value& item : entries->get_array()) {
    const json::object* entry = item.if_object();
    if (entry == nullptr) return Error(Code::kUnknown, "operation must be `Apply` or `Update`");
    const std::string_view operation = Text(*entry, "operation"), version = Text(*entry, "apiVersion");
    if (operation != "Apply" && operation != "Update")
      return Error(Code::kUnknown, "operation must be `Apply` or `Update`");
    if (version.empty()) return Error(Code::kUnknown, "apiVersion must not be empty");
    const std::string_view type = Text(*entry, "fieldsType");
    if (type.empty()) return Error(Code::kUnknown, "missing fieldsType in managed fields entry {}", index);
    if (type != "FieldsV1") {
      return Error(Code::kUnknown, "invalid fieldsType {} in managed fields entry {}", field::Quote(type), index);
    }
    const Id id(Text(*entry, "manager"), operation, version, Text(*entry, "subresource"));
    VersionedSet set{{}, std::string(version), operation == "Apply"};
    if (const json::value* fields = Member(*entry, "fieldsV1")) {
      set.set =
          KNARR_TRY_CTX(Set::Decode(*fields), "error decoding versioned set from {}: error decoding set", id.text);
    }
    managed.fields.insert_or_assign(id, std::move(set));
    managed.times.insert_or_assign(id, std::string(Text(*entry, "time")));
    ++index;
  }
  return managed;
}

int64_t SecondsOf(const Managed& managed, const Id& id) {
  const auto at = managed.times.find(id);
  if (at == managed.times.end() || at->second.empty()) return 0;
  const auto time = codec::ParseGoTime(at->second, false);
  return time.ok() ? time->seconds : 0;
}

void Encode(const Managed& managed, json::object& object) {
  RemoveEntries(object);
  if (managed.fields.empty()) return;
  std::vector<const Managers::value_type*> order;
  for (const auto& entry : managed.fields) order.push_back(&entry);
  const auto key = [&](const Managers::value_type* entry) {
    const Id& id = entry->first;
    return std::tuple(std::string_view(entry->second.applied ? "Apply" : id.operation), SecondsOf(managed, id),
                      std::string_view(id.manager), std::string_view(entry->second.api_version),
                      std::string_view(id.subresource));
  };
  std::sort(order.begin(), order.end(), [&](const auto* a, const auto* b) { return key(a) < key(b); });
  json::array list;
  for (const auto* entry : order) {
    const Id& id = entry->first;
    json::object out;
    const auto add = [&](json::string_view name, std::string_view value) {
      if (!value.empty()) out.emplace(name, JsonView(value));
    };
    add("manager", id.manager);
    add("operation", entry->second.applied ? "Apply" : std::string_view(id.operation));
    add("apiVersion", entry->second.api_version);
    const auto time = managed.times.find(id);
    if (time != managed.times.end()) add("time", time->second);
    add("fieldsType", "FieldsV1");
    out.emplace("fieldsV1", entry->second.set.Encode());
    add("subresource", id.subresource);
    list.push_back(std::move(out));
  }
  json::value& metadata = object["metadata"];
  if (!metadata.is_object()) metadata = json::object();
  metadata.get_object().insert_or_assign("managedFields", std::move(list));
}

// ---- conflicts

struct Conflict {
  Id id;
  Path path;
};

std::string PrintManager(const Id& id) {
  std::string out = field::Quote(id.manager);
  if (!id.subresource.empty()) out += " with subresource " + field::Quote(id.subresource);
  if (id.operation == "Update") out += " using " + id.api_version;
  return out;
}

Status ConflictError(const std::vector<Conflict>& conflicts) {
  StatusDetails details;
  for (const Conflict& conflict : conflicts) {
    details.causes.push_back(
        {"FieldManagerConflict", "conflict with " + PrintManager(conflict.id), ToString(conflict.path)});
  }
  std::string message;
  if (conflicts.size() == 1) {
    message = fmt::format("Apply failed with 1 conflict: {}: {}", details.causes[0].message, details.causes[0].field);
  } else {
    message = fmt::format("Apply failed with {} conflicts: ", conflicts.size());
    const Id* previous = nullptr;
    for (const Conflict& conflict : conflicts) {
      if (previous == nullptr || !(*previous == conflict.id)) {
        message += fmt::format("{}conflicts with {}:", previous ? "\n" : "", PrintManager(conflict.id));
      }
      message += "\n- " + ToString(conflict.path);
      previous = &conflict.id;
    }
  }
  return Status(Code::kConflict, std::move(message)).WithDetails(std::move(details));
}

// ---- the merge

const Set& SystemFields() {
  static const auto* const set = [] {
    auto* made = new Set();
    const PathElement metadata = PathElement::Field("metadata");
    for (const char* name : {"apiVersion", "kind", "metadata"}) made->AddMember(PathElement::Field(name));
    for (const char* name : {"name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation",
                             "managedFields", "resourceVersion"}) {
      made->Descend(metadata).AddMember(PathElement::Field(name));
    }
    return made;
  }();
  return *set;
}

class Manager {
 public:
  Manager(const TypeSchema& schema, const Request& request) : schema_(schema), request_(request) {
    for (const std::string& path : request.reset_fields) {
      Path elements;
      for (std::string_view rest = path; !rest.empty();) {
        const size_t dot = rest.find('.');
        elements.push_back(PathElement::Field(rest.substr(0, dot)));
        rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
      }
      reset_.Insert(elements);
    }
  }

  // updates that go through the cap and the rule for objects that nobody ever applied.
  Result<Managed> Update(const json::value& live, const json::value& updated, Managed managed, std::string_view name) {
    if (managed.fields.empty() && !MetaText(live.get_object(), "uid").empty()) return managed;
    managed = KNARR_TRY(UpdateTracked(live, updated, std::move(managed), name));
    Cap(managed);
    return managed;
  }

  struct Applied {
    json::value object;
    Managed managed;
    std::vector<Conflict> conflicts;  // not empty: nothing was applied
  };
  Result<Applied> Apply(json::value live, const json::value& config, Managed managed, bool force) {
    if (managed.fields.empty()) {
      const json::value empty = schema_.Empty();
      managed = KNARR_TRY(UpdateTracked(empty, live, std::move(managed), "before-first-apply"));
      Cap(managed);
    }
    const Id id(request_.manager.empty() ? "unknown" : request_.manager, "Apply", request_.api_version,
                request_.subresource);
    KNARR_TRY_CTX(Validate(schema_, config, false), "failed to create typed patch object ({})",
                  Describe(config.get_object()));
    KNARR_TRY_CTX(Validate(schema_, live, true), "failed to create typed live object ({})",
                  Describe(live.get_object()));
    Managers managers = KNARR_TRY(ReconcileAll(live, std::move(managed.fields)));
    json::value merged = KNARR_TRY_CTX(MergeTrees(schema_, live, config), "failed to merge config");
    std::optional<VersionedSet> last;
    if (const auto at = managers.find(id); at != managers.end()) last = std::move(at->second);
    Set set = ToFieldSet(schema_, config).RecursiveDifference(reset_);
    managers.insert_or_assign(id, VersionedSet{std::move(set), request_.api_version, true});
    if (last && !last->set.empty()) {
      merged = KNARR_TRY_CTX(Prune(std::move(merged), managers, *last), "failed to prune fields");
    }
    Applied out;
    (void)KNARR_TRY(TakeAway(live, merged, managers, &id, force, &out.conflicts));
    if (!out.conflicts.empty()) return out;
    out.managed.times = std::move(managed.times);
    const bool changed = !patch::Equal(live, merged);
    Strip(managers, id);
    out.managed.fields = std::move(managers);
    if (changed) out.managed.times.insert_or_assign(id, Now());
    out.object = changed ? std::move(merged) : std::move(live);
    return out;
  }

  // The fields that client-side apply wrote and that are still as it wrote them. nullopt: cannot be told.
  std::optional<Set> FieldsOfLastApplied(const json::value& live) const {
    const json::object* metadata = Metadata(live.get_object());
    const json::value* annotations = metadata ? Member(*metadata, "annotations") : nullptr;
    if (annotations == nullptr || !annotations->is_object()) return std::nullopt;
    const std::string_view text = Text(annotations->get_object(), kLastApplied);
    if (text.empty()) return std::nullopt;
    json::parse_options options;
    options.max_depth = 128;
    boost::system::error_code error;
    const json::value last = json::parse(JsonView(text), error, {}, options);
    if (error || !last.is_object() || Text(last.get_object(), "apiVersion") != request_.api_version)
      return std::nullopt;
    if (!Validate(schema_, live, false).ok() || !Validate(schema_, last, false).ok()) return std::nullopt;
    const auto changes = CompareTrees(schema_, last, live);
    if (!changes.ok()) return std::nullopt;
    return ToFieldSet(schema_, last)
        .Difference(changes->modified)
        .Difference(changes->added)
        .Difference(changes->removed);
  }

 private:
  std::string Now() const {
    std::string out;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(request_.now.time_since_epoch());
    codec::AppendGoTime({.seconds = seconds.count()}, false, &out);
    return out;
  }

  // A tree in a version and that version's schema. kNotFound: no such version.
  struct Typed {
    const TypeSchema* schema;
    json::value tree;
    std::string version;
  };
  Result<Typed> Convert(const Typed& from, const std::string& version) const {
    if (from.version == version) return from;
    // Round trips through other versions end where they began.
    const TypeSchema* schema = version == request_.api_version ? &schema_
                               : request_.schema_of            ? request_.schema_of(version)
                                                               : &schema_;
    if (!request_.convert || schema == nullptr) return Error(Code::kNotFound, "no version {}", version);
    json::object tree = KNARR_TRY(request_.convert(from.tree.get_object(), version));
    return Typed{schema, std::move(tree), version};
  }
  Typed Here(json::value tree) const { return {&schema_, std::move(tree), request_.api_version}; }

  // Managers' sets after changes of the schema; managers of versions that are gone are dropped.
  Result<Managers> ReconcileAll(const json::value& live, Managers managers) const {
    (void)live;
    for (auto at = managers.begin(); at != managers.end();) {
      VersionedSet& set = at->second;
      const TypeSchema* schema = &schema_;
      if (set.api_version != request_.api_version) {
        // What matters is whether there is such a version; objects of it are made when they are compared.
        schema = !request_.convert ? nullptr : request_.schema_of ? request_.schema_of(set.api_version) : &schema_;
      }
      if (schema == nullptr) {
        at = managers.erase(at);
        continue;
      }
      if (auto changed = Reconcile(*schema, set.set)) set.set = std::move(*changed);
      ++at;
    }
    return managers;
  }

  // Takes from the other managers what changed from `before` to `after`, or (not forced) says what conflicts.
  Result<Comparison> TakeAway(const json::value& before, const json::value& after, Managers& managers, const Id* self,
                              bool force, std::vector<Conflict>* conflicts) const {
    Comparison here = KNARR_TRY_CTX(CompareTrees(schema_, before, after), "failed to compare objects");
    Filter(here);
    std::map<std::string, Comparison> others;
    std::map<Id, Set> taken;
    std::map<Id, const Comparison*> compared;
    for (auto at = managers.begin(); at != managers.end();) {
      const auto& [id, set] = *at;
      if (self != nullptr && id == *self) {
        ++at;
        continue;
      }
      const Comparison* comparison = &here;
      if (set.api_version != request_.api_version) {
        auto known = others.find(set.api_version);
        if (known == others.end()) {
          auto other = CompareIn(set.api_version, before, after);
          if (!other.ok()) {
            if (!other.status().Is(Code::kNotFound)) return other.status();
            at = managers.erase(at);
            continue;
          }
          known = others.emplace(set.api_version, std::move(*other)).first;
        }
        comparison = &known->second;
      }
      compared.emplace(id, comparison);
      Set lost = set.set.Intersection(comparison->modified).Union(set.set.Intersection(comparison->added));
      if (!lost.empty()) taken.emplace(id, std::move(lost));
      ++at;
    }
    if (!force && !taken.empty()) {
      for (const auto& [id, lost] : taken) {
        for (Path& path : lost.Paths()) conflicts->push_back({id, std::move(path)});
      }
      return here;
    }
    for (const auto& [id, lost] : taken) {
      Set& set = managers.at(id).set;
      set = set.Difference(lost);
    }
    for (const auto& [id, comparison] : compared) {
      if (comparison->removed.empty()) continue;
      Set& set = managers.at(id).set;
      set = set.Difference(comparison->removed);
    }
    std::erase_if(managers, [](const auto& entry) { return entry.second.set.empty(); });
    return here;
  }

  Result<Comparison> CompareIn(const std::string& version, const json::value& before, const json::value& after) const {
    const Typed old = KNARR_TRY_CTX(Convert(Here(before), version), "failed to convert old object");
    const Typed updated = KNARR_TRY_CTX(Convert(Here(after), version), "failed to convert new object");
    Comparison out = KNARR_TRY_CTX(CompareTrees(*old.schema, old.tree, updated.tree), "failed to compare objects");
    Filter(out);
    return out;
  }

  void Filter(Comparison& comparison) const {
    if (reset_.empty()) return;
    for (Set* set : {&comparison.removed, &comparison.modified, &comparison.added}) {
      *set = set->RecursiveDifference(reset_);
    }
  }

  static void Strip(Managers& managers, const Id& id) {
    const auto at = managers.find(id);
    if (at == managers.end()) return;
    at->second.set = at->second.set.Difference(SystemFields());
    if (at->second.set.empty()) managers.erase(at);
  }

  Result<Managed> UpdateTracked(const json::value& live, const json::value& updated, Managed managed,
                                std::string_view name) const {
    KNARR_TRY_CTX(Validate(schema_, updated, true), "failed to convert new object ({}) to smd typed",
                  Describe(updated.get_object()));
    KNARR_TRY_CTX(Validate(schema_, live, true), "failed to convert live object ({}) to smd typed",
                  Describe(live.get_object()));
    Managers managers = KNARR_TRY(ReconcileAll(live, std::move(managed.fields)));
    const Comparison changes = KNARR_TRY(TakeAway(live, updated, managers, nullptr, true, nullptr));
    const Set set = changes.modified.Union(changes.added).RecursiveDifference(reset_).Difference(SystemFields());
    managed.fields = std::move(managers);
    if (set.empty()) return managed;
    const Id id(name.empty() ? "unknown" : name, "Update", request_.api_version, request_.subresource);
    auto& entry = managed.fields[id];
    entry = {set.Union(entry.set), request_.api_version, false};
    managed.times.insert_or_assign(id, Now());
    return managed;
  }

  // Merges the oldest updaters of each version into one entry until there are few enough.
  static void Cap(Managed& managed) {
    std::vector<Id> updaters;
    for (const auto& [id, set] : managed.fields) {
      if (!set.applied) updaters.push_back(id);
    }
    if (updaters.size() <= kMaxUpdateManagers) return;
    std::stable_sort(updaters.begin(), updaters.end(),
                     [&](const Id& a, const Id& b) { return SecondsOf(managed, a) < SecondsOf(managed, b); });
    std::map<std::string, Id> first_of_version;
    size_t count = updaters.size();
    for (const Id& id : updaters) {
      if (count <= kMaxUpdateManagers) return;
      const VersionedSet set = managed.fields.at(id);
      const auto [first, is_new] = first_of_version.emplace(set.api_version, id);
      if (is_new) continue;
      const Id bucket("ancient-changes", "Update", set.api_version, "");
      if (!managed.fields.contains(bucket)) {
        managed.fields.insert_or_assign(bucket, std::move(managed.fields.at(first->second)));
        managed.fields.erase(first->second);
      }
      VersionedSet& into = managed.fields.at(bucket);
      into = {set.set.Union(into.set), set.api_version, set.applied};
      managed.fields.erase(id);
      --count;
      managed.times.insert_or_assign(bucket, managed.times[id]);
    }
  }

  // Removes what the manager applied last time and does not apply now, unless somebody else owns it.
  Result<json::value> Prune(json::value merged_tree, const Managers& managers, const VersionedSet& last) const {
    const Typed here = Here(std::move(merged_tree));
    const auto converted = Convert(here, last.api_version);
    if (!converted.ok()) {
      if (converted.status().Is(Code::kNotFound)) return here.tree;
      return converted.status().WithContext("failed to convert merged object to last applied version");
    }
    const Typed& merged = *converted;
    Typed pruned = merged;
    pruned.tree = RemoveItems(*merged.schema, merged.tree, WithNamedFields(*merged.schema, last.set));
    pruned = KNARR_TRY_CTX(AddBackOwned(merged, std::move(pruned), managers), "failed add back owned items");
    pruned = KNARR_TRY_CTX(AddBackDangling(merged, pruned, last), "failed add back dangling items");
    return KNARR_TRY(Convert(pruned, request_.api_version)).tree;
  }

  Result<Typed> AddBackOwned(Typed merged, Typed pruned, const Managers& managers) const {
    std::map<std::string, Set> owned;
    for (const auto& [id, set] : managers) {
      Set& at_version = owned[set.api_version];
      at_version = at_version.Union(set.set);
    }
    std::vector<std::string> versions;
    // The version at hand first: what was pruned may be needed for conversion.
    if (owned.contains(pruned.version)) versions.push_back(pruned.version);
    for (const auto& [version, set] : owned) {
      if (version != pruned.version) versions.push_back(version);
    }
    for (const std::string& version : versions) {
      auto merged_there = Convert(merged, version);
      auto pruned_there = merged_there.ok() ? Convert(pruned, version) : merged_there;
      if (!pruned_there.ok()) {
        if (pruned_there.status().Is(Code::kNotFound)) continue;
        return pruned_there.status().WithContext(fmt::format("failed to convert object at version {}", version));
      }
      merged = std::move(*merged_there);
      const TypeSchema& schema = *merged.schema;
      const Set all = WithNamedFields(schema, ToFieldSet(schema, merged.tree));
      const Set kept = WithNamedFields(schema, ToFieldSet(schema, pruned_there->tree));
      const Set mine = WithNamedFields(schema, owned.at(version));
      pruned = merged;
      pruned.tree = RemoveItems(schema, merged.tree, all.Difference(kept.Union(mine)));
    }
    return pruned;
  }

  // What was not the manager's before stays.
  Result<Typed> AddBackDangling(const Typed& merged, const Typed& pruned, const VersionedSet& last) const {
    const auto there = Convert(pruned, last.api_version);
    if (!there.ok()) {
      if (there.status().Is(Code::kNotFound)) return merged;
      return there.status().WithContext("failed to convert pruned object to last applied version");
    }
    const TypeSchema& schema = *merged.schema;
    const Set kept = WithNamedFields(schema, ToFieldSet(schema, there->tree));
    const Set all = WithNamedFields(schema, ToFieldSet(schema, merged.tree));
    Typed out = merged;
    out.tree = RemoveItems(schema, merged.tree, all.Difference(kept).Intersection(WithNamedFields(schema, last.set)));
    return out;
  }

  const TypeSchema& schema_;
  const Request& request_;
  Set reset_;
};

bool IsReset(const json::value* entries) {
  if (entries == nullptr || !entries->is_array()) return false;
  const json::array& list = entries->get_array();
  return list.empty() || (list.size() == 1 && list[0].is_object() && list[0].get_object().empty());
}

Managed DecodeOrEmpty(const json::value* entries) {
  Result<Managed> managed = Decode(entries);
  return managed.ok() ? std::move(*managed) : Managed();
}

// The annotation that kubectl's client-side apply compares with.
void SetLastApplied(json::object& object, const json::object& config) {
  json::value* metadata = object.if_contains("metadata");
  json::value* annotations =
      metadata && metadata->is_object() ? metadata->get_object().if_contains("annotations") : nullptr;
  if (annotations == nullptr || !annotations->is_object()) return;
  json::object& list = annotations->get_object();
  if (Text(list, kLastApplied).empty()) return;
  json::object clean = config;
  if (json::value* meta = clean.if_contains("metadata"); meta && meta->is_object()) {
    if (json::value* own = meta->get_object().if_contains("annotations"); own && own->is_object())
      own->get_object().stable_erase(JsonView(kLastApplied));
  }
  const std::string text = KeyText(clean) + "\n";
  list[JsonView(kLastApplied)] = JsonView(text);
  size_t size = 0;
  for (const auto& annotation : list) {
    size += annotation.key().size();
    if (annotation.value().is_string()) size += annotation.value().get_string().size();
  }
  if (size > kTotalAnnotationSize) list.stable_erase(JsonView(kLastApplied));
}

}  // namespace

Status Update(const TypeSchema& schema, const json::object* live, json::object& updated, const Request& request) {
  Managed managed;
  const json::value* live_entries = live ? EntriesOf(*live) : nullptr;
  if (!request.subresource.empty()) {
    // What a request to a subresource says is not looked at.
    managed = DecodeOrEmpty(live_entries);
  } else if (const json::value* entries = EntriesOf(updated); !IsReset(entries)) {
    Result<Managed> own = Decode(entries);
    managed = own.ok() && !own->fields.empty() ? std::move(*own) : DecodeOrEmpty(live_entries);
  }
  RemoveEntries(updated);
  json::value before(live ? *live : schema.Empty());
  RemoveEntries(before.get_object());
  json::value after(std::move(updated));
  Result<Managed> result = Manager(schema, request).Update(before, after, std::move(managed), request.manager);
  updated = std::move(after.get_object());
  if (!result.ok()) return result.status();
  Encode(*result, updated);
  return OkStatus();
}

Result<json::object> Apply(const TypeSchema& schema, const json::object* live, const json::object& applied,
                           const Request& request) {
  const std::string_view version = Text(applied, "apiVersion"), kind = Text(applied, "kind");
  const std::string_view live_kind = live ? Text(*live, "kind") : std::string_view();
  if (version != request.api_version || (!live_kind.empty() && kind != live_kind)) {
    return Error(Code::kBadRequest, "invalid object type: {}{}, Kind={}",
                 version.find('/') == std::string_view::npos ? "/" : "", version, kind);
  }
  if (const json::value* entries = EntriesOf(applied); entries && !entries->is_null())
    return Error(Code::kBadRequest, "metadata.managedFields must be nil");
  Managed managed = KNARR_TRY_CTX(Decode(live ? EntriesOf(*live) : nullptr), "failed to decode managed fields");
  json::value before(live ? *live : schema.Empty());
  RemoveEntries(before.get_object());
  const json::value config(applied);

  Manager manager(schema, request);
  auto outcome = KNARR_TRY(manager.Apply(before, config, managed, request.force));
  if (!outcome.conflicts.empty() && request.manager == "kubectl") {
    // What client-side apply wrote belongs to the same person.
    if (const auto allowed = manager.FieldsOfLastApplied(before)) {
      std::erase_if(outcome.conflicts, [&](const Conflict& conflict) { return allowed->Has(conflict.path); });
      if (outcome.conflicts.empty()) outcome = KNARR_TRY(manager.Apply(before, config, std::move(managed), true));
    }
  }
  if (!outcome.conflicts.empty()) return ConflictError(outcome.conflicts);
  if (!outcome.object.is_object()) outcome.object = json::object();
  json::object& object = outcome.object.get_object();
  if (request.manager == "kubectl") SetLastApplied(object, applied);
  Encode(outcome.managed, object);
  return std::move(object);
}

std::string ManagerFromUserAgent(std::string_view user_agent) {
  constexpr size_t kMaxBytes = 128;
  std::string out;
  std::string_view rest = user_agent.substr(0, user_agent.find('/'));
  while (!rest.empty()) {
    const auto lead = static_cast<unsigned char>(rest[0]);
    size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
    length = std::min(length, rest.size());
    std::string_view rune = rest.substr(0, length);
    std::string quoted = field::Quote(rune);
    if (lead >= 0x80 && quoted.starts_with("\"\\x")) {
      // Not UTF-8: byte by byte, each the replacement character.
      length = 1;
      rune = "\xef\xbf\xbd";
      quoted = fmt::format("\"{}\"", rune);
    }
    rest.remove_prefix(length);
    const bool prints = rune == "\"" || rune == "\\" || quoted == fmt::format("\"{}\"", rune);
    if (!prints) continue;
    if (out.size() + rune.size() > kMaxBytes) break;
    out += rune;
  }
  return out;
}

Status ValidateEntries(const json::value& managed_fields) {
  return Decode(&managed_fields).status();
}

void KeepTimesIfUnchanged(const json::object& live, json::object& updated) {
  const json::value *before = EntriesOf(live), *after = EntriesOf(updated);
  if (before == nullptr || after == nullptr || !before->is_array() || !after->is_array()) return;
  const json::array &old_list = before->get_array(), &new_list = after->get_array();
  if (old_list.size() != new_list.size()) return;
  for (size_t i = 0; i < old_list.size(); ++i) {
    json::value a = old_list[i], b = new_list[i];
    if (!a.is_object() || !b.is_object()) return;
    a.get_object().erase("time");
    b.get_object().erase("time");
    if (!patch::Equal(a, b)) return;
  }
  const auto same = [](const json::object& a, const json::object& b, const auto& same_member) {
    for (const auto& member : a) {
      if (!same_member(member, Member(b, View(member.key())))) return false;
    }
    return a.size() == b.size();
  };
  const auto in_metadata = [](const auto& member, const json::value* other) {
    const std::string_view name = View(member.key());
    if (name == "managedFields") return true;
    if (name == "resourceVersion") return true;
    return other != nullptr && patch::Equal(member.value(), *other);
  };
  // An update may come without resourceVersion.
  json::object old_meta = Metadata(live) ? *Metadata(live) : json::object();
  json::object new_meta = Metadata(updated) ? *Metadata(updated) : json::object();
  old_meta.erase("resourceVersion");
  new_meta.erase("resourceVersion");
  if (!same(old_meta, new_meta, in_metadata)) return;
  const auto at_top = [](const auto& member, const json::value* other) {
    return View(member.key()) == "metadata" || (other != nullptr && patch::Equal(member.value(), *other));
  };
  if (!same(live, updated, at_top)) return;
  json::value entries = *before;
  updated["metadata"].get_object()["managedFields"] = std::move(entries);
}

}  // namespace knarr::managedfields
