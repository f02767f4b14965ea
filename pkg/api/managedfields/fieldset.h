// Sets of fields of an object: a trie of path elements, and its JSON form, metav1.FieldsV1:
//   {"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:image":{}}}}}
// Mirrors: sigs.k8s.io/structured-merge-diff/v4/fieldpath
//
// Values; const access from several threads is safe. Include this in .cc files only: it needs Boost.JSON.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"

namespace knarr::managedfields {

// How to get from a value to a value inside it. In the order of Compare: fields, keys, values, indices.
class PathElement {
 public:
  enum class Type : uint8_t { kField, kKey, kValue, kIndex };
  static PathElement Field(std::string_view name);
  // The element of an associative list with these members.
  static PathElement Key(boost::json::object members);
  // The element of a set.
  static PathElement Value(boost::json::value value);
  static PathElement Index(int64_t index);
  // "f:spec", "k:{...}", "v:...", "i:0". kUnimplemented: of a type that is not known (to be skipped).
  static Result<PathElement> Parse(std::string_view text);

  Type type() const { return type_; }
  std::string_view field_name() const { return type_ == Type::kField ? std::string_view(text_) : std::string_view(); }
  const boost::json::value* value() const { return value_.get(); }  // of keys and values
  std::string Serialize() const;
  // .spec, [name="web"], [="x"], [0]
  std::string ToString() const;

  friend int Compare(const PathElement& a, const PathElement& b);
  friend bool operator==(const PathElement& a, const PathElement& b) { return Compare(a, b) == 0; }
  friend bool operator<(const PathElement& a, const PathElement& b) { return Compare(a, b) < 0; }

 private:
  Type type_ = Type::kField;
  int64_t index_ = 0;
  std::string text_;  // the name; of the other types what follows "k:"
  std::shared_ptr<const boost::json::value> value_;
};
int Compare(const PathElement& a, const PathElement& b);
// Numbers by value, before strings, booleans, lists, maps, null.
int CompareValues(const boost::json::value& a, const boost::json::value& b);
inline bool ValuesEqual(const boost::json::value& a, const boost::json::value& b) {
  return CompareValues(a, b) == 0;
}

using Path = std::vector<PathElement>;
std::string ToString(const Path& path);

class Set {
 public:
  struct Child;

  // A path without elements (the whole object) is never a member.
  void Insert(std::span<const PathElement> path);
  bool Has(std::span<const PathElement> path) const;
  bool HasMember(const PathElement& element) const;
  // What lies below; null if nothing does.
  const Set* Below(const PathElement& element) const;
  bool empty() const { return members_.empty() && children_.empty(); }
  size_t size() const;

  Set Union(const Set& other) const;
  Set Intersection(const Set& other) const;
  // Without the members of `other`; what lies below those stays.
  Set Difference(const Set& other) const;
  // Without the members of `other` and what lies below them.
  Set RecursiveDifference(const Set& other) const;

  // Preorder: members, then what is below each child.
  void ForEach(const std::function<void(const Path&)>& visit) const;
  std::vector<Path> Paths() const;

  // FieldsV1. Errors of decoding: text of what is wrong.
  boost::json::object Encode() const;
  static Result<Set> Decode(const boost::json::value& fields);

  const std::vector<PathElement>& members() const { return members_; }
  const std::vector<Child>& children() const { return children_; }
  // For builders: a member, or the set below an element, made if need be.
  void AddMember(PathElement element);
  Set& Descend(const PathElement& element);

  friend bool operator==(const Set& a, const Set& b);

 private:
  void Visit(Path& prefix, const std::function<void(const Path&)>& visit) const;
  void EncodeInto(bool self, boost::json::object& out) const;
  static Status DecodeInto(const boost::json::value& fields, Set& out, bool& member);

  std::vector<PathElement> members_;  // ordered
  std::vector<Child> children_;       // ordered; none is empty
};

struct Set::Child {
  PathElement element;
  Set set;
};

// As json-iterator writes values that are keys: members sorted, HTML escaped.
std::string KeyText(const boost::json::value& value);

}  // namespace knarr::managedfields
