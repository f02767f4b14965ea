// Mirrors evanphx/json-patch v4, with what is lenient there: "replace" and "copy" of a missing member, negative
// indices, a path whose first segment is not empty. A failed patch is answered without saying what failed, as the API
// server does; the words here are for tests and logs.
#include <charconv>

#include "pkg/api/patch/json_patch.h"
#include "pkg/api/patch/patch.h"
#include "pkg/api/patch/tree.h"

namespace knarr::patch {
namespace json = boost::json;

namespace {

constexpr int kMaxPathSegments = 256;

std::string Unescape(std::string_view segment) {
  std::string out;
  out.reserve(segment.size());
  for (size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] == '~' && i + 1 < segment.size() && (segment[i + 1] == '0' || segment[i + 1] == '1')) {
      out += segment[++i] == '0' ? '~' : '/';
    } else {
      out += segment[i];
    }
  }
  return out;
}

// strconv.Atoi
bool ParseIndex(std::string_view text, int64_t* out) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return false;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

Status Missing(std::string_view what, std::string_view path) {
  return Error(Code::kInvalid, "{} operation does not apply: doc is missing path: \"{}\": missing value", what, path);
}
Status BadIndex(int64_t index) {
  return Error(Code::kInvalid, "Unable to access invalid index: {}: invalid index referenced", index);
}

// Where a path leads: a member of an object or an element of a list, there or not yet.
struct Place {
  json::value* container = nullptr;
  std::string key;
  int segments = 0;
};

class Patcher {
 public:
  Patcher(json::value& document, const Limits& limits) : document_(document), limits_(limits) {}

  Status Apply(const json::object& operation) {
    const std::string_view op = Text(operation, "op");
    if (op == "add") return Add(operation);
    if (op == "remove") return Remove(operation);
    if (op == "replace") return Replace(operation);
    if (op == "move") return Move(operation);
    if (op == "copy") return Copy(operation);
    if (op == "test") return Test(operation);
    return Error(Code::kInvalid, "Unexpected kind: {}", op.data() ? op : "unknown");
  }

 private:
  static std::string_view Text(const json::object& operation, std::string_view name) {
    const json::value* value = operation.if_contains(JsonView(name));
    return value && value->is_string() ? View(value->get_string()) : std::string_view();
  }
  static Result<std::string_view> Path(const json::object& operation, std::string_view name) {
    const std::string_view path = Text(operation, name);
    if (path.data() == nullptr)
      return Error(Code::kInvalid, "{} operation failed to decode {}: missing value", Text(operation, "op"), name);
    return path;
  }
  static json::value ValueOf(const json::object& operation) {
    const json::value* value = operation.if_contains("value");
    return value ? *value : json::value();
  }

  // nullopt where something on the way is missing or is no container.
  std::optional<Place> Find(std::string_view path) const {
    size_t slash = path.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    Place place;
    place.container = &document_;
    for (std::string_view rest = path.substr(slash + 1);;) {
      if (++place.segments > kMaxPathSegments) return std::nullopt;
      slash = rest.find('/');
      place.key = Unescape(rest.substr(0, slash));
      if (!place.container->is_structured()) return std::nullopt;
      if (slash == std::string_view::npos) return place;
      rest.remove_prefix(slash + 1);
      const Result<json::value*> next = Get(place);
      if (!next.ok() || *next == nullptr) return std::nullopt;
      place.container = *next;
    }
  }

  // A missing member of an object is nullptr, a missing element an error.
  static Result<json::value*> Get(const Place& place) {
    if (auto* object = place.container->if_object()) return object->if_contains(place.key);
    json::array& list = place.container->get_array();
    const size_t index = KNARR_TRY(ElementIndex(place.key, list.size()));
    return &list[index];
  }

  // Of an element that is there; negative ones count from the end.
  static Result<size_t> ElementIndex(const std::string& key, size_t size) {
    int64_t index = 0;
    if (!ParseIndex(key, &index)) return Error(Code::kInvalid, "value was not a proper array index: '{}'", key);
    const auto count = static_cast<int64_t>(size);
    if (index >= count || index < -count) return BadIndex(index);
    return static_cast<size_t>(index < 0 ? index + count : index);
  }

  Status CheckDepth(int segments, const json::value& value) const {
    if (DeeperThan(value, limits_.max_depth - segments))
      return Error(Code::kInvalid, "the document would be nested deeper than {} levels", limits_.max_depth);
    return OkStatus();
  }

  Status Insert(const Place& place, json::value value) const {
    KNARR_TRY(CheckDepth(place.segments, value));
    if (auto* object = place.container->if_object()) {
      (*object)[place.key] = std::move(value);
      return OkStatus();
    }
    json::array& list = place.container->get_array();
    if (place.key == "-") {
      list.push_back(std::move(value));
      return OkStatus();
    }
    // The place behind the last element counts.
    const size_t index = KNARR_TRY(ElementIndex(place.key, list.size() + 1));
    list.insert(list.begin() + static_cast<std::ptrdiff_t>(index), std::move(value));
    return OkStatus();
  }

  static Status Erase(const Place& place) {
    if (auto* object = place.container->if_object()) {
      const auto at = object->find(place.key);
      if (at == object->end())
        return Error(Code::kInvalid, "Unable to remove nonexistent key: {}: missing value", place.key);
      object->erase(at);
      return OkStatus();
    }
    json::array& list = place.container->get_array();
    const size_t index = KNARR_TRY(ElementIndex(place.key, list.size()));
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(index));
    return OkStatus();
  }

  Status Add(const json::object& operation) {
    const std::string_view path = KNARR_TRY(Path(operation, "path"));
    const auto place = Find(path);
    if (!place) return Missing("add", path);
    return Insert(*place, ValueOf(operation));
  }

  Status Remove(const json::object& operation) {
    const std::string_view path = KNARR_TRY(Path(operation, "path"));
    const auto place = Find(path);
    if (!place) return Missing("remove", path);
    return Erase(*place);
  }

  Status Replace(const json::object& operation) {
    const std::string_view path = KNARR_TRY(Path(operation, "path"));
    if (path.empty()) {
      json::value value = ValueOf(operation);
      // Upstream notices and wraps no error: nothing happens.
      if (!value.is_structured()) return OkStatus();
      KNARR_TRY(CheckDepth(0, value));
      document_ = std::move(value);
      return OkStatus();
    }
    const auto place = Find(path);
    if (!place) return Missing("replace", path);
    json::value value = ValueOf(operation);
    KNARR_TRY(CheckDepth(place->segments, value));
    json::value* old = KNARR_TRY(Get(*place));
    if (old != nullptr) {
      *old = std::move(value);
    } else {
      place->container->get_object()[place->key] = std::move(value);
    }
    return OkStatus();
  }

  Status Move(const json::object& operation) {
    const std::string_view from = KNARR_TRY(Path(operation, "from"));
    const auto source = Find(from);
    if (!source) return Missing("move", from);
    json::value* found = KNARR_TRY(Get(*source));
    json::value value = found ? std::move(*found) : json::value();
    KNARR_TRY(Erase(*source));
    const std::string_view path = KNARR_TRY(Path(operation, "path"));
    const auto place = Find(path);
    if (!place) return Missing("move", path);
    return Insert(*place, std::move(value));
  }

  Status Copy(const json::object& operation) {
    const std::string_view from = KNARR_TRY(Path(operation, "from"));
    const auto source = Find(from);
    if (!source) return Missing("copy", from);
    const json::value* found = KNARR_TRY(Get(*source));
    const std::string_view path = KNARR_TRY(Path(operation, "path"));
    const auto place = Find(path);
    if (!place) return Missing("copy", path);
    if (found == nullptr) return Insert(*place, json::value());
    copied_ += TextSize(*found);
    if (copied_ > limits_.result_bytes) {
      return Error(Code::kInvalid,
                   "Unable to complete the copy, the accumulated size increase of copy is {}, exceeding the limit {}",
                   copied_, limits_.result_bytes);
    }
    return Insert(*place, json::value(*found));
  }

  Status Test(const json::object& operation) {
    const std::string_view path = KNARR_TRY(Path(operation, "path"));
    const json::value* found = &document_;
    if (!path.empty()) {
      const auto place = Find(path);
      if (!place) return Missing("test", path);
      found = KNARR_TRY(Get(*place));
    }
    static const json::value kNull;
    const json::value* wanted = operation.if_contains("value");
    if (Equal(found ? *found : kNull, wanted ? *wanted : kNull)) return OkStatus();
    return Error(Code::kInvalid, "testing value {} failed: test failed", path);
  }

  json::value& document_;
  const Limits& limits_;
  int64_t copied_ = 0;
};

std::string_view GoKind(const json::value& value) {
  switch (value.kind()) {
    case json::kind::array: return "array";
    case json::kind::object: return "object";
    case json::kind::string: return "string";
    case json::kind::bool_: return "bool";
    default: return "number";
  }
}

// What decoding the patch into []jsonPatchOp says.
Status CheckShape(const json::value& patch) {
  constexpr std::string_view kPrefix = "error decoding patch: json: cannot unmarshal";
  if (!patch.is_array())
    return Error(Code::kBadRequest, "{} {} into Go value of type []handlers.jsonPatchOp", kPrefix, GoKind(patch));
  for (const json::value& operation : patch.get_array()) {
    if (operation.is_null()) continue;
    if (!operation.is_object())
      return Error(Code::kBadRequest, "{} {} into Go value of type handlers.jsonPatchOp", kPrefix, GoKind(operation));
    for (const char* name : {"op", "path", "from"}) {
      const json::value* value = operation.get_object().if_contains(name);
      if (value == nullptr || value->is_null() || value->is_string()) continue;
      return Error(Code::kBadRequest, "{} {} into Go struct field jsonPatchOp.{} of type string", kPrefix,
                   GoKind(*value), name);
    }
  }
  return OkStatus();
}

}  // namespace

Status RunJsonPatch(json::value& document, const json::value& patch, const Limits& limits) {
  if (patch.is_null()) return OkStatus();
  KNARR_TRY(CheckShape(patch));
  const json::array& operations = patch.get_array();
  if (static_cast<int64_t>(operations.size()) > limits.operations) {
    return Error(Code::kRequestEntityTooLarge, "The allowed maximum operations in a JSON patch is {}, got {}",
                 limits.operations, operations.size());
  }
  Patcher patcher(document, limits);
  static const json::object kEmpty;
  for (const json::value& operation : operations) {
    KNARR_TRY(patcher.Apply(operation.is_object() ? operation.get_object() : kEmpty));
  }
  return OkStatus();
}

Status ApplyJsonPatch(json::value& document, const json::value& patch, const Limits& limits) {
  const Status status = RunJsonPatch(document, patch, limits);
  if (!status.Is(Code::kInvalid)) return status;
  return Error(Code::kInvalid, "the server rejected our request due to an error in our request").WithDetails({});
}

}  // namespace knarr::patch
