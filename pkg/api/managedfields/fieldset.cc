#include "pkg/api/managedfields/fieldset.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "pkg/api/codec/json_text.h"
#include "pkg/api/field/quote.h"

namespace knarr::managedfields {
namespace json = boost::json;

namespace {

std::string_view View(json::string_view text) {
  return {text.data(), text.size()};
}

template <typename T>
int Order(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

int Rank(const json::value& value) {
  switch (value.kind()) {
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_: return 0;
    case json::kind::string: return 1;
    case json::kind::bool_: return 2;
    case json::kind::array: return 3;
    case json::kind::object: return 4;
    case json::kind::null: return 5;
  }
  return 6;
}

double AsDouble(const json::value& number) {
  if (number.is_double()) return number.get_double();
  return number.is_int64() ? static_cast<double>(number.get_int64()) : static_cast<double>(number.get_uint64());
}

std::vector<const json::key_value_pair*> Sorted(const json::object& object) {
  std::vector<const json::key_value_pair*> members;
  members.reserve(object.size());
  for (const auto& member : object) members.push_back(&member);
  std::sort(members.begin(), members.end(), [](const auto* a, const auto* b) { return a->key() < b->key(); });
  return members;
}

int CompareObjects(const json::object& a, const json::object& b) {
  const auto left = Sorted(a), right = Sorted(b);
  size_t i = 0;
  for (; i < left.size() && i < right.size(); ++i) {
    if (const int order = left[i]->key().compare(right[i]->key())) return order < 0 ? -1 : 1;
    if (const int order = CompareValues(left[i]->value(), right[i]->value())) return order;
  }
  return Order(left.size(), right.size());
}

// The parts of a key, in order of their names: first name, then value.
int CompareKeys(const json::object& a, const json::object& b) {
  auto left = a.begin();
  auto right = b.begin();
  for (; left != a.end() && right != b.end(); ++left, ++right) {
    if (const int order = left->key().compare(right->key())) return order < 0 ? -1 : 1;
    if (const int order = CompareValues(left->value(), right->value())) return order;
  }
  return Order(a.size(), b.size());
}

// json-iterator's WriteString, which escapes less than encoding/json.
void AppendPlainString(std::string_view text, std::string* out) {
  *out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
      case '\\': *out += '\\', *out += c; break;
      case '\n': *out += "\\n"; break;
      case '\r': *out += "\\r"; break;
      case '\t': *out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          *out += fmt::format("\\u{:04x}", c);
        } else {
          *out += c;
        }
    }
  }
  *out += '"';
}

void AppendValue(const json::value& value, std::string* out) {
  switch (value.kind()) {
    case json::kind::null: *out += "null"; return;
    case json::kind::bool_: *out += value.get_bool() ? "true" : "false"; return;
    case json::kind::int64: *out += std::to_string(value.get_int64()); return;
    case json::kind::uint64: *out += std::to_string(value.get_uint64()); return;
    case json::kind::double_: codec::AppendJsonDouble(value.get_double(), false, out); return;
    case json::kind::string: codec::AppendJsonString(View(value.get_string()), out); return;
    case json::kind::array: {
      *out += '[';
      for (const json::value& item : value.get_array()) {
        if (out->back() != '[') *out += ',';
        AppendValue(item, out);
      }
      *out += ']';
      return;
    }
    case json::kind::object: {
      *out += '{';
      bool first = true;
      for (const auto* member : Sorted(value.get_object())) {
        if (!first) *out += ',';
        first = false;
        codec::AppendJsonString(View(member->key()), out);
        *out += ':';
        AppendValue(member->value(), out);
      }
      *out += '}';
      return;
    }
  }
}

std::string PrintValue(const json::value& value) {
  switch (value.kind()) {
    case json::kind::string: return field::Quote(View(value.get_string()));
    case json::kind::array: {
      std::string out = "[";
      for (const json::value& item : value.get_array()) {
        if (out.size() > 1) out += ',';
        out += PrintValue(item);
      }
      return out + "]";
    }
    case json::kind::object: {
      std::string out;
      for (const auto* member : Sorted(value.get_object())) {
        out += View(member->key());
        out += '=' + PrintValue(member->value());
      }
      return out;
    }
    default: {
      std::string out;
      AppendValue(value, &out);
      return out;
    }
  }
}

Result<json::value> ParseValue(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse({text.data(), text.size()}, error);
  if (error) return Error(Code::kInvalid, "{}: {}", text, error.message());
  return value;
}

}  // namespace

int CompareValues(const json::value& a, const json::value& b) {
  if (const int order = Order(Rank(a), Rank(b))) return order;
  switch (a.kind()) {
    case json::kind::string: {
      const int order = a.get_string().compare(b.get_string());
      return Order(order, 0);
    }
    case json::kind::bool_: return Order(a.get_bool(), b.get_bool());
    case json::kind::array: {
      const json::array &left = a.get_array(), &right = b.get_array();
      for (size_t i = 0; i < left.size() && i < right.size(); ++i) {
        if (const int order = CompareValues(left[i], right[i])) return order;
      }
      return Order(left.size(), right.size());
    }
    case json::kind::object: return CompareObjects(a.get_object(), b.get_object());
    case json::kind::null: return 0;
    default:
      if (a.is_int64() && b.is_int64()) return Order(a.get_int64(), b.get_int64());
      return Order(AsDouble(a), AsDouble(b));
  }
}

std::string KeyText(const json::value& value) {
  std::string out;
  AppendValue(value, &out);
  return out;
}

PathElement PathElement::Field(std::string_view name) {
  PathElement out;
  out.text_ = name;
  return out;
}

PathElement PathElement::Key(json::object members) {
  PathElement out;
  out.type_ = Type::kKey;
  json::object sorted;
  out.text_ = "{";
  for (const auto* member : Sorted(members)) {
    if (out.text_.size() > 1) out.text_ += ',';
    AppendPlainString(View(member->key()), &out.text_);
    out.text_ += ':';
    AppendValue(member->value(), &out.text_);
    sorted.emplace(member->key(), member->value());
  }
  out.text_ += '}';
  out.value_ = std::make_shared<const json::value>(std::move(sorted));
  return out;
}

PathElement PathElement::Value(json::value value) {
  PathElement out;
  out.type_ = Type::kValue;
  AppendValue(value, &out.text_);
  out.value_ = std::make_shared<const json::value>(std::move(value));
  return out;
}

PathElement PathElement::Index(int64_t index) {
  PathElement out;
  out.type_ = Type::kIndex;
  out.index_ = index;
  out.text_ = std::to_string(index);
  return out;
}

Result<PathElement> PathElement::Parse(std::string_view text) {
  if (text.size() < 2) return Error(Code::kInvalid, "key must be 2 characters long:");
  if (text[1] != ':') return Error(Code::kInvalid, "missing colon: {}", text);
  const std::string_view rest = text.substr(2);
  switch (text[0]) {
    case 'f': return Field(rest);
    case 'v': return Value(KNARR_TRY(ParseValue(rest)));
    case 'k': {
      json::value key = KNARR_TRY(ParseValue(rest));
      if (key.is_null()) return Key({});
      if (!key.is_object()) return Error(Code::kInvalid, "{}: expected an object", rest);
      return Key(std::move(key.get_object()));
    }
    case 'i': {
      int64_t index = 0;
      const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), index);
      if (error != std::errc() || end != rest.data() + rest.size())
        return Error(Code::kInvalid, "strconv.Atoi: parsing {}: invalid syntax", field::Quote(rest));
      return Index(index);
    }
    default: return Error(Code::kUnimplemented, "unknown path element type");
  }
}

std::string PathElement::Serialize() const {
  constexpr char kPrefixes[] = "fkvi";
  std::string out{kPrefixes[static_cast<size_t>(type_)], ':'};
  return out += text_;
}

std::string PathElement::ToString() const {
  switch (type_) {
    case Type::kField: return "." + text_;
    case Type::kIndex: return "[" + text_ + "]";
    case Type::kValue: return "[=" + PrintValue(*value_) + "]";
    case Type::kKey: {
      std::string out = "[";
      for (const auto& member : value_->get_object()) {
        if (out.size() > 1) out += ',';
        out += View(member.key());
        out += '=' + PrintValue(member.value());
      }
      return out + "]";
    }
  }
  return {};
}

int Compare(const PathElement& a, const PathElement& b) {
  if (a.type_ != b.type_) return Order(a.type_, b.type_);
  switch (a.type_) {
    case PathElement::Type::kField: return Order(a.text_.compare(b.text_), 0);
    case PathElement::Type::kKey: return CompareKeys(a.value_->get_object(), b.value_->get_object());
    case PathElement::Type::kValue: return CompareValues(*a.value_, *b.value_);
    case PathElement::Type::kIndex: return Order(a.index_, b.index_);
  }
  return 0;
}

std::string ToString(const Path& path) {
  std::string out;
  for (const PathElement& element : path) out += element.ToString();
  return out;
}

namespace {

const PathElement& ElementOf(const PathElement& element) {
  return element;
}
const PathElement& ElementOf(const Set::Child& child) {
  return child.element;
}
template <typename List>
auto Find(List& list, const PathElement& element) {
  return std::lower_bound(list.begin(), list.end(), element,
                          [](const auto& item, const PathElement& wanted) { return ElementOf(item) < wanted; });
}

// Walks two ordered lists: left(a), right(b) for what only one has, both(a, b) for what both have.
template <typename A, typename B, typename Left, typename Right, typename Both>
void Zip(const std::vector<A>& a, const std::vector<B>& b, Left left, Right right, Both both) {
  size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    const int order = i == a.size() ? 1 : j == b.size() ? -1 : Compare(ElementOf(a[i]), ElementOf(b[j]));
    if (order < 0) {
      left(a[i++]);
    } else if (order > 0) {
      right(b[j++]);
    } else {
      both(a[i++], b[j++]);
    }
  }
}
constexpr auto kNothing = [](const auto&...) {};

}  // namespace

void Set::AddMember(PathElement element) {
  if (members_.empty() || members_.back() < element) {
    members_.push_back(std::move(element));
    return;
  }
  const auto at = Find(members_, element);
  if (!(*at == element)) members_.insert(at, std::move(element));
}

Set& Set::Descend(const PathElement& element) {
  if (!children_.empty() && children_.back().element == element) return children_.back().set;
  const auto at = Find(children_, element);
  if (at != children_.end() && at->element == element) return at->set;
  return children_.insert(at, Child{element, {}})->set;
}

void Set::Insert(std::span<const PathElement> path) {
  if (path.empty()) return;
  Set* set = this;
  for (; path.size() > 1; path = path.subspan(1)) set = &set->Descend(path[0]);
  set->AddMember(path[0]);
}

bool Set::HasMember(const PathElement& element) const {
  const auto at = Find(members_, element);
  return at != members_.end() && *at == element;
}

const Set* Set::Below(const PathElement& element) const {
  const auto at = Find(children_, element);
  return at != children_.end() && at->element == element ? &at->set : nullptr;
}

bool Set::Has(std::span<const PathElement> path) const {
  if (path.empty()) return false;
  const Set* set = this;
  for (; path.size() > 1; path = path.subspan(1)) {
    set = set->Below(path[0]);
    if (set == nullptr) return false;
  }
  return set->HasMember(path[0]);
}

size_t Set::size() const {
  size_t size = members_.size();
  for (const Child& child : children_) size += child.set.size();
  return size;
}

Set Set::Union(const Set& other) const {
  Set out;
  const auto add = [&](const PathElement& element) { out.members_.push_back(element); };
  Zip(members_, other.members_, add, add, [&](const PathElement& a, const PathElement&) { add(a); });
  const auto keep = [&](const Child& child) { out.children_.push_back(child); };
  Zip(children_, other.children_, keep, keep, [&](const Child& a, const Child& b) {
    out.children_.push_back({a.element, a.set.Union(b.set)});
  });
  return out;
}

Set Set::Intersection(const Set& other) const {
  Set out;
  Zip(members_, other.members_, kNothing, kNothing,
      [&](const PathElement& a, const PathElement&) { out.members_.push_back(a); });
  Zip(children_, other.children_, kNothing, kNothing, [&](const Child& a, const Child& b) {
    if (Set both = a.set.Intersection(b.set); !both.empty()) out.children_.push_back({a.element, std::move(both)});
  });
  return out;
}

Set Set::Difference(const Set& other) const {
  Set out;
  Zip(
      members_, other.members_, [&](const PathElement& a) { out.members_.push_back(a); }, kNothing, kNothing);
  Zip(
      children_, other.children_, [&](const Child& a) { out.children_.push_back(a); }, kNothing,
      [&](const Child& a, const Child& b) {
        if (Set rest = a.set.Difference(b.set); !rest.empty()) out.children_.push_back({a.element, std::move(rest)});
      });
  return out;
}

Set Set::RecursiveDifference(const Set& other) const {
  Set out;
  Zip(
      members_, other.members_, [&](const PathElement& a) { out.members_.push_back(a); }, kNothing, kNothing);
  for (const Child& child : children_) {
    if (other.HasMember(child.element)) continue;
    const Set* below = other.Below(child.element);
    if (below == nullptr) {
      out.children_.push_back(child);
    } else if (Set rest = child.set.RecursiveDifference(*below); !rest.empty()) {
      out.children_.push_back({child.element, std::move(rest)});
    }
  }
  return out;
}

void Set::Visit(Path& prefix, const std::function<void(const Path&)>& visit) const {
  for (const PathElement& member : members_) {
    prefix.push_back(member);
    visit(prefix);
    prefix.pop_back();
  }
  for (const Child& child : children_) {
    prefix.push_back(child.element);
    child.set.Visit(prefix, visit);
    prefix.pop_back();
  }
}

void Set::ForEach(const std::function<void(const Path&)>& visit) const {
  Path prefix;
  Visit(prefix, visit);
}

std::vector<Path> Set::Paths() const {
  std::vector<Path> out;
  ForEach([&](const Path& path) { out.push_back(path); });
  return out;
}

void Set::EncodeInto(bool self, json::object& out) const {
  if (self && !empty()) out.emplace(".", json::object());
  const auto below = [&](const Child& child, bool member) {
    json::object inner;
    child.set.EncodeInto(member, inner);
    out.emplace(child.element.Serialize(), std::move(inner));
  };
  Zip(
      members_, children_, [&](const PathElement& member) { out.emplace(member.Serialize(), json::object()); },
      [&](const Child& child) { below(child, false); },
      [&](const PathElement&, const Child& child) { below(child, true); });
}

json::object Set::Encode() const {
  json::object out;
  EncodeInto(false, out);
  return out;
}

Status Set::DecodeInto(const json::value& fields, Set& out, bool& member) {
  member = false;
  if (fields.is_object()) {
    for (const auto& entry : fields.get_object()) {
      const std::string_view key = View(entry.key());
      if (key == ".") {
        member = true;
        continue;
      }
      Result<PathElement> element = PathElement::Parse(key);
      if (!element.ok()) {
        if (element.status().Is(Code::kUnimplemented)) continue;
        return element.status().WithContext("parsing key as path element");
      }
      Set below;
      bool is_member = false;
      KNARR_TRY(DecodeInto(entry.value(), below, is_member));
      if (is_member) out.AddMember(*element);
      if (!below.empty()) out.Descend(*element) = std::move(below);
    }
  } else if (!fields.is_null()) {
    return Error(Code::kInvalid, "ReadMapCB: expect {{ or n");
  }
  // Nothing below: the element itself is meant.
  if (out.empty()) member = true;
  return OkStatus();
}

Result<Set> Set::Decode(const json::value& fields) {
  Set out;
  bool member = false;
  KNARR_TRY(DecodeInto(fields, out, member));
  return out;
}

bool operator==(const Set& a, const Set& b) {
  return a.members_ == b.members_ &&
         std::equal(a.children_.begin(), a.children_.end(), b.children_.begin(), b.children_.end(),
                    [](const Set::Child& x, const Set::Child& y) { return x.element == y.element && x.set == y.set; });
}

}  // namespace knarr::managedfields
