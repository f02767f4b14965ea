#include "pkg/kubelet/options/config_binder.h"

#include <boost/json.hpp>

#include <algorithm>
#include <limits>

#include "pkg/base/duration.h"

namespace knarr::config {
namespace {

namespace json = boost::json;

std::string_view KindOf(const json::value& value) {
  switch (value.kind()) {
    case json::kind::bool_: return "bool";
    case json::kind::string: return "string";
    case json::kind::array: return "array";
    case json::kind::object: return "object";
    case json::kind::null: return "null";
    default: return "number";
  }
}

// Go's words are: json: cannot unmarshal <kind> into Go struct field <Type>.<path> of type <type>
struct Mismatch {
  std::string go_type;
  std::string other;  // another text instead
};
using Decoded = std::optional<Mismatch>;
Decoded Wrong(std::string go_type) {
  return Mismatch{std::move(go_type), ""};
}
Decoded Text(std::string text) {
  return Mismatch{"", std::move(text)};
}

Decoded ReadInteger(const json::value& value, int64_t min, int64_t max, const char* type, int64_t& out) {
  if (value.is_int64()) {
    out = value.get_int64();
  } else if (value.is_uint64() && value.get_uint64() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    out = static_cast<int64_t>(value.get_uint64());
  } else {
    return Wrong(type);
  }
  return out < min || out > max ? Wrong(type) : std::nullopt;
}

Decoded ReadDuration(const json::value& value, std::chrono::nanoseconds& out) {
  if (!value.is_string()) return Wrong("v1.Duration");
  const json::string& text = value.get_string();
  const Result<std::chrono::nanoseconds> parsed = ParseDuration(std::string_view(text.data(), text.size()));
  if (!parsed.ok()) return Text(std::string(parsed.error().message()));
  out = *parsed;
  return std::nullopt;
}

std::string ToString(const json::string& text) {
  return std::string(text.data(), text.size());
}

Decoded ReadStrings(const json::value& value, std::vector<std::string>& out) {
  if (!value.is_array()) return Wrong("[]string");
  std::vector<std::string> items;
  for (const json::value& item : value.get_array()) {
    if (!item.is_string()) return Wrong("[]string");
    items.push_back(ToString(item.get_string()));
  }
  out = std::move(items);
  return std::nullopt;
}

json::array Strings(const std::vector<std::string>& items) {
  json::array array;
  for (const std::string& item : items) array.emplace_back(item);
  return array;
}

}  // namespace

struct Binder::Impl {
  struct Node {
    std::string name;
    // A leaf has both; a struct has children.
    std::function<Decoded(const json::value&)> decode;
    std::function<std::optional<json::value>()> encode;
    std::vector<std::unique_ptr<Node>> children;

    Node* Child(std::string_view child) const {
      const auto it = std::find_if(children.begin(), children.end(), [&](const auto& c) { return c->name == child; });
      return it == children.end() ? nullptr : it->get();
    }
  };

  std::string type_name;
  Node root;
  std::vector<Finding>* nested_findings = nullptr;  // where lists put theirs
  std::string nested_path;

  Node* Make(std::string_view path) {
    Node* node = &root;
    while (true) {
      const size_t dot = path.find('.');
      const std::string_view name = path.substr(0, dot);
      Node* child = node->Child(name);
      if (child == nullptr) {
        node->children.push_back(std::make_unique<Node>());
        child = node->children.back().get();
        child->name = name;
      }
      if (dot == std::string_view::npos) return child;
      node = child;
      path = path.substr(dot + 1);
    }
  }

  void Leaf(std::string_view path, std::function<Decoded(const json::value&)> decode,
            std::function<std::optional<json::value>()> encode) {
    Node* node = Make(path);
    node->decode = std::move(decode);
    node->encode = std::move(encode);
  }

  void Decode(const Node& node, const json::object& object, const std::string& prefix, bool top,
              std::vector<Finding>& findings) {
    for (const auto& [key, value] : object) {
      const std::string name(key.data(), key.size());
      const std::string path = prefix.empty() ? name : prefix + "." + name;
      if (top && (name == "apiVersion" || name == "kind")) continue;
      const Node* child = node.Child(name);
      if (child == nullptr) {
        findings.push_back({path, fmt::format("unknown field \"{}\"", path)});
        continue;
      }
      if (value.is_null()) continue;
      DecodeNode(*child, value, path, findings);
    }
  }

  void DecodeNode(const Node& node, const json::value& value, const std::string& path, std::vector<Finding>& findings) {
    Decoded wrong;
    if (!node.decode) {
      if (value.is_object()) return Decode(node, value.get_object(), path, false, findings);
      wrong = Wrong("struct");
    } else {
      nested_findings = &findings;
      nested_path = path;
      wrong = node.decode(value);
    }
    if (!wrong) return;
    findings.push_back({path, !wrong->other.empty()
                                  ? fmt::format("{}: {}", path, wrong->other)
                                  : fmt::format("json: cannot unmarshal {} into Go struct field {}.{} of type {}",
                                                KindOf(value), type_name, path, wrong->go_type)});
  }

  static json::object Encode(const Node& node) {
    json::object object;
    for (const auto& child : node.children) {
      if (!child->encode) {
        object[child->name] = Encode(*child);
      } else if (std::optional<json::value> value = child->encode()) {
        object[child->name] = std::move(*value);
      }
    }
    return object;
  }
};

Binder::Binder(std::string name) : impl_(std::make_unique<Impl>()) {
  impl_->type_name = std::move(name);
}
Binder::~Binder() = default;

void Binder::Field(std::string_view path, bool* target, Go go) {
  impl_->Leaf(
      path,
      [target, go](const json::value& value) -> Decoded {
        if (!value.is_bool()) return Wrong("bool");
        if (value.get_bool() || go == Go::kPointer) *target = value.get_bool();
        return std::nullopt;
      },
      [target, go]() -> std::optional<json::value> {
        if (go == Go::kValue && !*target) return std::nullopt;
        return *target;
      });
}

void Binder::Field(std::string_view path, std::optional<bool>* target) {
  impl_->Leaf(
      path,
      [target](const json::value& value) -> Decoded {
        if (!value.is_bool()) return Wrong("bool");
        *target = value.get_bool();
        return std::nullopt;
      },
      [target]() -> std::optional<json::value> {
        if (!*target) return std::nullopt;
        return json::value(**target);
      });
}

void Binder::Field(std::string_view path, int* target, Go go) {
  impl_->Leaf(
      path,
      [target, go](const json::value& value) -> Decoded {
        int64_t number = 0;
        using Limits = std::numeric_limits<int32_t>;
        if (Decoded wrong = ReadInteger(value, Limits::min(), Limits::max(), "int32", number)) return wrong;
        if (number != 0 || go == Go::kPointer) *target = static_cast<int>(number);
        return std::nullopt;
      },
      [target, go]() -> std::optional<json::value> {
        if (go == Go::kValue && *target == 0) return std::nullopt;
        return *target;
      });
}

void Binder::Field(std::string_view path, std::optional<int>* target) {
  impl_->Leaf(
      path,
      [target](const json::value& value) -> Decoded {
        int64_t number = 0;
        using Limits = std::numeric_limits<int32_t>;
        if (Decoded wrong = ReadInteger(value, Limits::min(), Limits::max(), "int32", number)) return wrong;
        *target = static_cast<int>(number);
        return std::nullopt;
      },
      [target]() -> std::optional<json::value> {
        if (!*target) return std::nullopt;
        return json::value(**target);
      });
}

void Binder::Field(std::string_view path, int64_t* target, Go go) {
  impl_->Leaf(
      path,
      [target, go](const json::value& value) -> Decoded {
        int64_t number = 0;
        using Limits = std::numeric_limits<int64_t>;
        if (Decoded wrong = ReadInteger(value, Limits::min(), Limits::max(), "int64", number)) return wrong;
        if (number != 0 || go == Go::kPointer) *target = number;
        return std::nullopt;
      },
      [target, go]() -> std::optional<json::value> {
        if (go == Go::kValue && *target == 0) return std::nullopt;
        return *target;
      });
}

void Binder::Field(std::string_view path, std::optional<double>* target) {
  impl_->Leaf(
      path,
      [target](const json::value& value) -> Decoded {
        if (!value.is_number()) return Wrong("float64");
        *target = value.to_number<double>();
        return std::nullopt;
      },
      [target]() -> std::optional<json::value> {
        if (!*target) return std::nullopt;
        return json::value(**target);
      });
}

void Binder::Field(std::string_view path, std::string* target, Go go) {
  impl_->Leaf(
      path,
      [target, go](const json::value& value) -> Decoded {
        if (!value.is_string()) return Wrong("string");
        if (!value.get_string().empty() || go == Go::kPointer) *target = ToString(value.get_string());
        return std::nullopt;
      },
      [target, go]() -> std::optional<json::value> {
        if (go == Go::kValue && target->empty()) return std::nullopt;
        return json::value(*target);
      });
}

void Binder::Field(std::string_view path, std::chrono::nanoseconds* target, Go go) {
  impl_->Leaf(
      path,
      [target, go](const json::value& value) -> Decoded {
        std::chrono::nanoseconds parsed{};
        if (Decoded wrong = ReadDuration(value, parsed)) return wrong;
        if (parsed.count() != 0 || go == Go::kPointer) *target = parsed;
        return std::nullopt;
      },
      // A Go struct is never omitted.
      [target]() -> std::optional<json::value> { return json::value(FormatDuration(*target)); });
}

void Binder::Field(std::string_view path, std::optional<std::chrono::nanoseconds>* target) {
  impl_->Leaf(
      path,
      [target](const json::value& value) -> Decoded {
        std::chrono::nanoseconds parsed{};
        if (Decoded wrong = ReadDuration(value, parsed)) return wrong;
        *target = parsed;
        return std::nullopt;
      },
      [target]() -> std::optional<json::value> {
        if (!*target) return std::nullopt;
        return json::value(FormatDuration(**target));
      });
}

void Binder::Field(std::string_view path, std::vector<std::string>* target) {
  impl_->Leaf(
      path, [target](const json::value& value) { return ReadStrings(value, *target); },
      [target]() -> std::optional<json::value> {
        if (target->empty()) return std::nullopt;
        return Strings(*target);
      });
}

void Binder::Field(std::string_view path, std::map<std::string, std::string>* target) {
  impl_->Leaf(
      path,
      [target](const json::value& value) -> Decoded {
        if (!value.is_object()) return Wrong("map[string]string");
        std::map<std::string, std::string> parsed;
        for (const auto& [key, item] : value.get_object()) {
          if (!item.is_string()) return Wrong("map[string]string");
          parsed[std::string(key.data(), key.size())] = ToString(item.get_string());
        }
        *target = std::move(parsed);
        return std::nullopt;
      },
      [target]() -> std::optional<json::value> {
        if (target->empty()) return std::nullopt;
        json::object object;
        for (const auto& [key, item] : *target) object[key] = item;
        return object;
      });
}

void Binder::Field(std::string_view path, std::map<std::string, bool>* target) {
  impl_->Leaf(
      path,
      [target](const json::value& value) -> Decoded {
        if (!value.is_object()) return Wrong("map[string]bool");
        std::map<std::string, bool> parsed;
        for (const auto& [key, item] : value.get_object()) {
          if (!item.is_bool()) return Wrong("map[string]bool");
          parsed[std::string(key.data(), key.size())] = item.get_bool();
        }
        *target = std::move(parsed);
        return std::nullopt;
      },
      [target]() -> std::optional<json::value> {
        if (target->empty()) return std::nullopt;
        json::object object;
        for (const auto& [key, item] : *target) object[key] = item;
        return object;
      });
}

void Binder::Field(std::string_view path, std::map<std::string, std::vector<std::string>>* target) {
  impl_->Leaf(
      path,
      [target](const json::value& value) -> Decoded {
        if (!value.is_object()) return Wrong("map[string][]string");
        std::map<std::string, std::vector<std::string>> parsed;
        for (const auto& [key, item] : value.get_object()) {
          if (ReadStrings(item, parsed[std::string(key.data(), key.size())])) return Wrong("map[string][]string");
        }
        *target = std::move(parsed);
        return std::nullopt;
      },
      [target]() -> std::optional<json::value> {
        if (target->empty()) return std::nullopt;
        json::object object;
        for (const auto& [key, items] : *target) object[key] = Strings(items);
        return object;
      });
}

void Binder::List(std::string_view path, std::function<void(Binder& item, size_t index)> bind,
                  std::function<size_t()> count, std::function<void(size_t)> resize) {
  impl_->Leaf(
      path,
      [this, bind, resize](const json::value& value) -> Decoded {
        if (!value.is_array()) return Wrong("[]struct");
        const json::array& items = value.get_array();
        std::vector<Finding>& findings = *impl_->nested_findings;
        const std::string at = impl_->nested_path;
        resize(items.size());
        for (size_t i = 0; i < items.size(); ++i) {
          const std::string item_path = fmt::format("{}[{}]", at, i);
          if (!items[i].is_object()) {
            findings.push_back(
                {item_path, fmt::format("json: cannot unmarshal {} into Go struct field {}.{} of type struct",
                                        KindOf(items[i]), impl_->type_name, item_path)});
            continue;
          }
          Binder item(impl_->type_name);
          bind(item, i);
          item.impl_->Decode(item.impl_->root, items[i].get_object(), item_path, false, findings);
        }
        return std::nullopt;
      },
      [bind, count]() -> std::optional<json::value> {
        json::array items;
        for (size_t i = 0; i < count(); ++i) {
          Binder item("");
          bind(item, i);
          items.push_back(Impl::Encode(item.impl_->root));
        }
        if (items.empty()) return std::nullopt;
        return items;
      });
}

void Binder::Opaque(std::string_view path) {
  auto kept = std::make_shared<std::optional<json::value>>();
  impl_->Leaf(
      path,
      [kept](const json::value& value) -> Decoded {
        *kept = value;
        return std::nullopt;
      },
      [kept]() { return *kept; });
}

std::vector<Finding> Binder::Decode(std::string_view text) {
  std::vector<Finding> findings;
  json::error_code error;
  json::parse_options options;
  options.max_depth = 32;
  const json::value value = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  if (error) {
    findings.push_back({"", error.message()});
  } else if (!value.is_object()) {
    findings.push_back(
        {"", fmt::format("json: cannot unmarshal {} into Go value of type {}", KindOf(value), impl_->type_name)});
  } else {
    impl_->Decode(impl_->root, value.get_object(), "", true, findings);
  }
  return findings;
}

std::string Binder::Encode(std::string_view api_version, std::string_view kind) const {
  json::object object;
  object["kind"] = json::string_view(kind.data(), kind.size());
  object["apiVersion"] = json::string_view(api_version.data(), api_version.size());
  for (auto& [key, value] : Impl::Encode(impl_->root)) object[key] = std::move(value);
  return json::serialize(object);
}

namespace {

void Merge(json::object& target, const json::object& patch) {
  for (const auto& [key, value] : patch) {
    if (value.is_null()) {
      target.erase(key);
    } else if (value.is_object()) {
      json::value& into = target[key];
      if (!into.is_object()) into = json::object();
      Merge(into.get_object(), value.get_object());
    } else {
      target[key] = value;
    }
  }
}

Result<json::object> ParseObject(std::string_view text) {
  json::error_code error;
  const json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !value.is_object()) return Error(Code::kInvalid, "not a JSON object");
  return value.get_object();
}

}  // namespace

Result<std::string> MergeJson(std::string_view target, std::string_view patch) {
  json::object merged = KNARR_TRY(ParseObject(target));
  Merge(merged, KNARR_TRY(ParseObject(patch)));
  return json::serialize(merged);
}

bool HasPath(std::string_view text, std::string_view path) {
  const Result<json::object> object = ParseObject(text);
  if (!object.ok()) return false;
  const json::object* at = &*object;
  while (true) {
    const size_t dot = path.find('.');
    const std::string_view name = path.substr(0, dot);
    const json::value* value = at->if_contains(json::string_view(name.data(), name.size()));
    if (value == nullptr || value->is_null()) return false;
    if (dot == std::string_view::npos) return true;
    if (!value->is_object()) return false;
    at = &value->get_object();
    path = path.substr(dot + 1);
  }
}

}  // namespace knarr::config
