// Validation of a custom resource by its schema, in upstream's words.
#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "pkg/api/field/quote.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/apiextensions/schema.h"
#include "pkg/base/metrics/metrics.h"

namespace knarr::apiextensions {
namespace {

using field::ErrorList;
using field::ErrorType;
using field::FieldError;

// fmt's %#v.
std::string GoLiteral(const json::value& value) {
  switch (value.kind()) {
    case json::kind::string: return field::Quote({value.get_string().data(), value.get_string().size()});
    case json::kind::null: return "interface {}(nil)";
    case json::kind::object: {
      std::map<std::string, std::string> sorted;
      for (const auto& member : value.get_object()) sorted[std::string(member.key())] = GoLiteral(member.value());
      std::string text = "map[string]interface {}{";
      for (const auto& [key, item] : sorted) {
        if (text.back() != '{') text += ", ";
        text += field::Quote(key) + ":" + item;
      }
      return text + "}";
    }
    case json::kind::array: {
      std::string text = "[]interface {}{";
      for (const json::value& item : value.get_array()) {
        if (text.back() != '{') text += ", ";
        text += GoLiteral(item);
      }
      return text + "}";
    }
    default: return GoText(value);
  }
}

int64_t Runes(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

std::string_view TypeName(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return "null";
    case json::kind::bool_: return "boolean";
    case json::kind::int64:
    case json::kind::uint64: return "integer";
    case json::kind::double_: return "number";
    case json::kind::string: return "string";
    case json::kind::array: return "array";
    case json::kind::object: return "object";
  }
  return "";
}

bool IsInteger(double value) {
  return std::isfinite(value) && std::floor(value) == value;
}

// Formats that upstream checks. Mirrors: k8s.io/kube-openapi/pkg/validation/strfmt, apiextensions' supportedFormats
bool MatchesFormat(std::string_view format, std::string_view text) {
  const auto full = [text](const re2::RE2& regex) {
    return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), regex);
  };
  if (format == "ipv4") return names::IsValidIPv4Address(text).empty();
  if (format == "ipv6") {
    const auto address = names::ParseIPSloppy(text);
    return address && text.find(':') != std::string_view::npos;
  }
  if (format == "cidr") return names::IsValidCIDR(text).empty();
  if (format == "mac") {
    static const re2::RE2 regex("([0-9A-Fa-f]{2}[:-]){5}([0-9A-Fa-f]{2})|([0-9A-Fa-f]{4}\\.){2}[0-9A-Fa-f]{4}");
    return full(regex);
  }
  if (format == "uuid" || format == "uuid3" || format == "uuid4" || format == "uuid5") {
    static const re2::RE2 any("(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}");
    if (!full(any)) return false;
    if (format == "uuid") return true;
    std::string digits(text);
    std::erase(digits, '-');
    return digits[12] == format.back() &&
           (format == "uuid3" || std::string_view("89abAB").find(digits[16]) != std::string_view::npos);
  }
  if (format == "date") {
    static const re2::RE2 regex("[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])");
    return full(regex);
  }
  if (format == "date-time" || format == "datetime") {
    static const re2::RE2 regex(
        "(?i)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[t ]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)"
        "([.,][0-9]+)?(z|[+-][0-9]{2}:?[0-9]{2})?");
    return full(regex);
  }
  if (format == "byte") {
    static const re2::RE2 regex("([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?");
    return full(regex);
  }
  if (format == "uri") {
    static const re2::RE2 regex("[A-Za-z][A-Za-z0-9+.-]*:[^\\s\"<>\\\\^`{|}]+|/[^\\s\"<>\\\\^`{|}]*");
    return full(regex);
  }
  if (format == "hostname") {
    static const re2::RE2 regex(
        "([a-zA-Z0-9\\p{L}]([a-zA-Z0-9\\p{L}-]{0,61}[a-zA-Z0-9\\p{L}])?)(\\.[a-zA-Z0-9\\p{L}]([a-zA-Z0-9\\p{L}-]{0,61}["
        "a-zA-Z0-9\\p{L}])?)*\\.?");
    return text.size() <= 255 && full(regex);
  }
  if (format == "email") {
    static const re2::RE2 regex("[^@\\s<>]+@[^@\\s<>]+");
    return full(regex);
  }
  if (format == "hexcolor") {
    static const re2::RE2 regex("#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})");
    return full(regex);
  }
  if (format == "duration") {
    static const re2::RE2 regex(
        "(?i)[+-]?(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)\\s*(ns|us|µs|μs|ms|nano|micro|milli|s|sec|secs|second|seconds|m|min|"
        "mins|minute|minutes|h|hr|hrs|hour|hours|d|day|days|w|wk|wks|week|weeks)s?\\s*)+|0");
    return full(regex);
  }
  // password, isbn, creditcard, ssn, rgbcolor, bsonobjectid and what nobody knows.
  return true;
}

}  // namespace

class Validation {
 public:
  ErrorList Run(const Schema& schema, const json::object& root, const json::object* old) {
    // Object members one by one: the root is a plain object, not a value.
    Outcome outcome;
    outcome.Inc();
    Combinations(schema, nullptr, &root, "", &outcome);
    Members(schema, root, "", old, &outcome);
    ErrorList errors = std::move(outcome.errors);
    if (errors.empty()) Lists(schema, root, "", old, &errors);
    if (errors.empty()) Embedded(schema, root, "", old, &errors);
    if (steps_ > Schema::kMaxSteps) {
      errors.push_back({ErrorType::kInternal, "<nil>", "", "the object takes too long to validate"});
    }
    return errors;
  }

 private:
  struct Outcome {
    ErrorList errors;
    int64_t matches = 0;
    bool ok() const { return errors.empty(); }
    void Inc() { ++matches; }
    void Merge(Outcome other) {
      matches += other.matches;
      field::Append(errors, std::move(other.errors));
    }
  };

  static std::string Name(const std::string& path) {
    const std::string name = path.starts_with('.') ? path.substr(1) : path;
    return name.empty() ? "<nil>" : name;
  }
  static std::string Child(const std::string& path, std::string_view key) {
    return path.empty() ? std::string(key) : path + "." + std::string(key);
  }
  static std::string Printed(const json::value& value) {
    return value.is_string() || value.is_structured() ? GoLiteral(value) : GoText(value);
  }
  static void Add(Outcome* out, ErrorType type, const std::string& path, std::string value, std::string detail) {
    out->errors.push_back({type, Name(path), std::move(value), std::move(detail)});
  }
  static void Invalid(Outcome* out, const std::string& path, std::string value, const std::string& what) {
    Add(out, ErrorType::kInvalid, path, std::move(value), path + " in body " + what);
  }
  // Of anyOf and its kin: upstream loses the path.
  static void Composite(Outcome* out, const std::string& path, std::string_view what) {
    out->errors.push_back({ErrorType::kInvalid, "<nil>", "\"\"", field::Quote(path) + " " + std::string(what)});
  }

  Outcome Value(const Schema& s, const json::value& v, const std::string& path, const json::value* old) {
    Outcome out;
    if (++steps_ > Schema::kMaxSteps) return out;
    if (old && *old == v) return out;  // ratcheting
    if (!Type(s, v, path, &out)) return out;
    if (v.is_null()) {
      Enum(s, v, path, &out);
      return out;
    }
    Combinations(s, &v, v.if_object(), path, &out);
    if (v.is_string()) {
      Text(s, v, path, &out);
    } else if (v.is_number()) {
      Number(s, v, path, &out);
    } else if (const json::array* array = v.if_array()) {
      Items(s, *array, path, &out);
    }
    Enum(s, v, path, &out);
    if (const json::object* object = v.if_object()) {
      Members(s, *object, path, old ? old->if_object() : nullptr, &out);
    }
    out.Inc();
    return out;
  }

  // False: nothing else is worth saying.
  static bool Type(const Schema& s, const json::value& v, const std::string& path, Outcome* out) {
    out->Inc();
    const std::string wanted = s.int_or_string_ ? "integer,string" : s.type_;
    if (wanted.empty()) return true;
    const std::string_view got = TypeName(v);
    bool fits = false;
    if (v.is_null()) {
      fits = s.nullable_;
    } else if (s.int_or_string_) {
      fits = got == "integer" || got == "string" || (v.is_double() && IsInteger(v.get_double()));
    } else {
      fits = got == wanted || (wanted == "number" && got == "integer") ||
             (wanted == "integer" && v.is_double() && IsInteger(v.get_double()));
    }
    if (fits) return true;
    Add(out, ErrorType::kTypeInvalid, path, field::Quote(got),
        fmt::format("{} in body must be of type {}: {}", path, wanted, field::Quote(got)));
    return false;
  }

  void Enum(const Schema& s, const json::value& v, const std::string& path, Outcome* out) {
    out->Inc();
    if (!s.enum_ || s.enum_->empty()) return;
    std::string supported = "supported values: ";
    bool first = true;
    for (const json::value& allowed : *s.enum_) {
      ++steps_;
      if (allowed == v ||
          (allowed.is_number() && v.is_number() && allowed.to_number<double>() == v.to_number<double>())) {
        return;
      }
      if (!std::exchange(first, false)) supported += ", ";
      supported += field::Quote(allowed.is_string() ? std::string(allowed.get_string()) : json::serialize(allowed));
    }
    Add(out, ErrorType::kNotSupported, path, Printed(v), std::move(supported));
  }

  static void Text(const Schema& s, const json::value& v, const std::string& path, Outcome* out) {
    const std::string_view text(v.get_string().data(), v.get_string().size());
    if (s.max_length_ && Runes(text) > *s.max_length_) {
      FieldError error = field::TooLong(field::Path(Name(path)), text, static_cast<int>(*s.max_length_));
      out->errors.push_back(std::move(error));
      return;
    }
    if (s.min_length_ && Runes(text) < *s.min_length_) {
      return Invalid(out, path, field::Quote(text), fmt::format("should be at least {} chars long", *s.min_length_));
    }
    if (!s.pattern_.empty() &&
        (!s.regex_ || !re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *s.regex_))) {
      return Invalid(out, path, field::Quote(text), fmt::format("should match '{}'", s.pattern_));
    }
    out->Inc();
    if (!s.format_.empty() && !s.int_or_string_ && !MatchesFormat(s.format_, text)) {
      Add(out, ErrorType::kTypeInvalid, path, field::Quote(text),
          fmt::format("{} in body must be of type {}: {}", path, s.format_, field::Quote(text)));
      return;
    }
    out->Inc();
  }

  static void Number(const Schema& s, const json::value& v, const std::string& path, Outcome* out) {
    const double number = v.to_number<double>();
    const auto say = [&](std::string_view what, double limit) {
      Invalid(out, path, GoText(v), fmt::format("should be {} {}", what, metrics::FormatValue(limit)));
    };
    if (s.multiple_of_ && *s.multiple_of_ > 0) {
      const double quotient = *s.multiple_of_ < 1 ? 1 / *s.multiple_of_ * number : number / *s.multiple_of_;
      if (!IsInteger(quotient)) say("a multiple of", *s.multiple_of_);
    }
    if (s.maximum_ && (s.exclusive_maximum_ ? number >= *s.maximum_ : number > *s.maximum_)) {
      say(s.exclusive_maximum_ ? "less than" : "less than or equal to", *s.maximum_);
    }
    if (s.minimum_ && (s.exclusive_minimum_ ? number <= *s.minimum_ : number < *s.minimum_)) {
      say(s.exclusive_minimum_ ? "greater than" : "greater than or equal to", *s.minimum_);
    }
    out->Inc();
  }

  void Items(const Schema& s, const json::array& array, const std::string& path, Outcome* out) {
    if (s.items_) {
      for (size_t i = 0; i < array.size() && steps_ <= Schema::kMaxSteps; ++i) {
        out->Merge(Value(*s.items_, array[i], fmt::format("{}[{}]", path, i), nullptr));
      }
    }
    const auto size = static_cast<int64_t>(array.size());
    if (s.min_items_ && size < *s.min_items_) {
      Invalid(out, path, std::to_string(size), fmt::format("should have at least {} items", *s.min_items_));
    }
    if (s.max_items_ && size > *s.max_items_) {
      out->errors.push_back(field::TooMany(field::Path(Name(path)), size, *s.max_items_));
    }
    out->Inc();
  }

  void Members(const Schema& s, const json::object& object, const std::string& path, const json::object* old,
               Outcome* out) {
    const auto size = static_cast<int64_t>(object.size());
    if (s.min_properties_ && size < *s.min_properties_) {
      return Invalid(out, path, std::to_string(*s.min_properties_),
                     fmt::format("should have at least {} properties", *s.min_properties_));
    }
    if (s.max_properties_ && size > *s.max_properties_) {
      out->errors.push_back(field::TooMany(field::Path(Name(path)), size, *s.max_properties_));
      return;
    }
    for (const auto& member : object) {
      const std::string_view key(member.key().data(), member.key().size());
      const auto property = s.properties_.find(key);
      if (property != s.properties_.end()) {
        const json::value* before = old ? old->if_contains(member.key()) : nullptr;
        out->Merge(Value(*property->second, member.value(), Child(path, key), before));
      } else if (s.forbids_additional_) {
        Add(out, ErrorType::kInvalid, path, field::Quote(key),
            fmt::format("{}.{} in body is a forbidden property", path, key));
      } else if (s.additional_) {
        const json::value* before = old ? old->if_contains(member.key()) : nullptr;
        out->Merge(Value(*s.additional_, member.value(), path + "." + std::string(key), before));
      }
      if (steps_ > Schema::kMaxSteps) return;
    }
    for (const std::string& required : s.required_) {
      ++steps_;
      if (!object.contains(required)) Add(out, ErrorType::kRequired, path + "." + required, "", "");
    }
    out->Inc();
  }

  // `v` null: the root object.
  void Combinations(const Schema& s, const json::value* v, const json::object* object, const std::string& path,
                    Outcome* out) {
    const auto check = [&](const Schema& sub) {
      if (v) return Value(sub, *v, path, nullptr);
      Outcome outcome;
      Combinations(sub, nullptr, object, path, &outcome);
      Members(sub, *object, path, nullptr, &outcome);
      outcome.Inc();
      return outcome;
    };
    if (!s.any_of_.empty()) {
      std::optional<Outcome> best;
      bool succeeded = false;
      for (const SchemaPtr& sub : s.any_of_) {
        Outcome outcome = check(*sub);
        if (outcome.ok()) {
          succeeded = true;
          out->matches += outcome.matches;
          break;
        }
        if (!best || outcome.matches > best->matches) best = std::move(outcome);
      }
      if (!succeeded) {
        Composite(out, path, "must validate at least one schema (anyOf)");
        out->Merge(std::move(*best));
      }
    }
    if (!s.one_of_.empty()) {
      std::optional<Outcome> best;
      int valid = 0;
      for (const SchemaPtr& sub : s.one_of_) {
        Outcome outcome = check(*sub);
        if (outcome.ok()) {
          if (valid++ == 0) out->matches += outcome.matches;
          best.reset();
        } else if (valid == 0 && (!best || outcome.matches > best->matches)) {
          best = std::move(outcome);
        }
      }
      if (valid != 1) {
        Composite(out, path,
                  valid == 0 ? std::string("must validate one and only one schema (oneOf). Found none valid")
                             : fmt::format("must validate one and only one schema (oneOf). Found {} valid alternatives",
                                           valid));
        if (best) out->Merge(std::move(*best));
      }
    }
    if (!s.all_of_.empty()) {
      size_t valid = 0;
      for (const SchemaPtr& sub : s.all_of_) {
        Outcome outcome = check(*sub);
        if (outcome.ok()) ++valid;
        out->Merge(std::move(outcome));
      }
      if (valid != s.all_of_.size()) {
        Composite(out, path,
                  valid == 0 ? "must validate all the schemas (allOf). None validated"
                             : "must validate all the schemas (allOf)");
      }
    }
    if (s.not_ && check(*s.not_).ok()) Composite(out, path, "must not validate the schema (not)");
    out->Inc();
  }

  // x-kubernetes-list-type. Mirrors: apiextensions-apiserver/pkg/apiserver/schema/listtype/validation.go
  void Lists(const Schema& s, const json::object& object, const std::string& path, const json::object* old,
             ErrorList* errors) {
    for (const auto& member : object) {
      const std::string_view key(member.key().data(), member.key().size());
      const json::value* before = old ? old->if_contains(member.key()) : nullptr;
      const auto property = s.properties_.find(key);
      if (property != s.properties_.end()) {
        ListsIn(*property->second, member.value(), Child(path, key), before, errors);
      } else if (s.additional_) {
        ListsIn(*s.additional_, member.value(), fmt::format("{}[{}]", path, key), before, errors);
      }
    }
  }

  void ListsIn(const Schema& s, const json::value& v, const std::string& path, const json::value* old,
               ErrorList* errors) {
    if (++steps_ > Schema::kMaxSteps || (old && *old == v)) return;
    if (const json::object* object = v.if_object()) {
      return Lists(s, *object, path, old ? old->if_object() : nullptr, errors);
    }
    const json::array* array = v.if_array();
    if (!array) return;
    if (s.list_type_ == Schema::ListType::kSet || s.list_type_ == Schema::ListType::kMap) {
      std::map<std::string, int> seen;
      for (size_t i = 0; i < array->size(); ++i) {
        const json::value& item = (*array)[i];
        json::value identity = item;
        if (s.list_type_ == Schema::ListType::kMap) {
          if (!item.is_object() && !item.is_null()) {
            errors->push_back({ErrorType::kInvalid, fmt::format("{}[{}]", path, i), Printed(item),
                               "must be an object for an array of list-type map"});
            return;
          }
          json::object keys;
          for (const std::string& key : s.map_keys_) {
            const json::value* value = item.is_object() ? item.get_object().if_contains(key) : nullptr;
            if (value) keys.emplace(key, *value);
          }
          identity = std::move(keys);
        }
        if (++seen[GoLiteral(identity)] == 2) {
          errors->push_back({ErrorType::kDuplicate, fmt::format("{}[{}]", path, i), Printed(identity), ""});
        }
      }
    }
    if (!s.items_) return;
    for (size_t i = 0; i < array->size(); ++i) {
      ListsIn(*s.items_, (*array)[i], fmt::format("{}[{}]", path, i), nullptr, errors);
    }
  }

  // x-kubernetes-embedded-resource. Mirrors: apiextensions-apiserver/pkg/apiserver/schema/objectmeta/validation.go
  void Embedded(const Schema& s, const json::object& object, const std::string& path, const json::object* old,
                ErrorList* errors) {
    for (const auto& member : object) {
      const std::string_view key(member.key().data(), member.key().size());
      const json::value* before = old ? old->if_contains(member.key()) : nullptr;
      const auto property = s.properties_.find(key);
      if (property != s.properties_.end()) {
        EmbeddedIn(*property->second, member.value(), Child(path, key), before, errors);
      } else if (s.additional_) {
        EmbeddedIn(*s.additional_, member.value(), fmt::format("{}[{}]", path, key), before, errors);
      }
    }
  }

  void EmbeddedIn(const Schema& s, const json::value& v, const std::string& path, const json::value* old,
                  ErrorList* errors) {
    if (++steps_ > Schema::kMaxSteps || (old && *old == v)) return;
    if (const json::array* array = v.if_array(); array && s.items_) {
      for (size_t i = 0; i < array->size(); ++i) {
        EmbeddedIn(*s.items_, (*array)[i], fmt::format("{}[{}]", path, i), nullptr, errors);
      }
      return;
    }
    const json::object* object = v.if_object();
    if (!object) return;
    if (s.embedded_) {
      for (const std::string_view name : {"apiVersion", "kind"}) {
        const json::value* value = object->if_contains({name.data(), name.size()});
        const std::string at = Child(path, name);
        if (!value) {
          errors->push_back({ErrorType::kRequired, at, "", "must not be empty"});
        } else if (!value->is_string()) {
          errors->push_back({ErrorType::kInvalid, at, Printed(*value), "must be a string"});
        } else if (value->get_string().empty()) {
          errors->push_back({ErrorType::kInvalid, at, "\"\"", "must not be empty"});
        }
      }
      if (const json::value* metadata = object->if_contains("metadata"); metadata && !metadata->is_object()) {
        errors->push_back({ErrorType::kInvalid, Child(path, "metadata"), Printed(*metadata), "must be an object"});
      }
    }
    Embedded(s, *object, path, old ? old->if_object() : nullptr, errors);
  }

  int64_t steps_ = 0;
};

field::ErrorList Schema::Validate(const json::object& root, const json::object* old) const {
  return Validation().Run(*this, root, old);
}

}  // namespace knarr::apiextensions
