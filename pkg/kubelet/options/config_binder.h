// Binds the fields of a versioned configuration file to plain variables, once, for reading and for printing: names,
// order, types and omitempty are those of upstream's Go type. Input is what codec::Document holds as JSON.
// (pkg/api/codec is for API objects, whose tables come from the packaged Go types; configuration types are not among
// those packages.)
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"

namespace knarr::config {

// One thing wrong with the input.
struct Finding {
  std::string path;  // authentication.x509.clientCAFile
  std::string text;  // in Go's words: unknown field "foo"
};

// How Go declares the field: by value (zero means unset, and is not printed) or by pointer.
enum class Go { kValue, kPointer };

class Binder {
 public:
  // name: of the Go type, for messages.
  explicit Binder(std::string name);
  ~Binder();
  Binder(const Binder&) = delete;

  // Paths are dotted JSON names; print order is definition order. Targets must outlive the binder.
  void Field(std::string_view path, bool* target, Go go = Go::kPointer);
  void Field(std::string_view path, std::optional<bool>* target);
  void Field(std::string_view path, int* target, Go go);
  void Field(std::string_view path, std::optional<int>* target);
  void Field(std::string_view path, int64_t* target, Go go);
  void Field(std::string_view path, std::optional<double>* target);
  void Field(std::string_view path, std::string* target, Go go = Go::kValue);
  void Field(std::string_view path, std::chrono::nanoseconds* target, Go go = Go::kValue);
  void Field(std::string_view path, std::optional<std::chrono::nanoseconds>* target);
  void Field(std::string_view path, std::vector<std::string>* target);
  void Field(std::string_view path, std::map<std::string, std::string>* target);
  void Field(std::string_view path, std::map<std::string, bool>* target);
  void Field(std::string_view path, std::map<std::string, std::vector<std::string>>* target);
  // A list of objects: `begin` is called for each with a binder to fill for that item; `count` items are printed, each
  // through `begin` too.
  void List(std::string_view path, std::function<void(Binder& item, size_t index)> bind, std::function<size_t()> count,
            std::function<void(size_t)> resize);
  // Accepted, checked for nothing, kept as it is for printing only.
  void Opaque(std::string_view path);

  // Everything wrong with the JSON object; the targets of what is right are set. Fields that are null or absent stay.
  std::vector<Finding> Decode(std::string_view json);
  // The object as Go prints it; apiVersion and kind first.
  std::string Encode(std::string_view api_version, std::string_view kind) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// RFC 7386: `patch` over `target`; both are JSON objects.
Result<std::string> MergeJson(std::string_view target, std::string_view patch);
// Does the object have the dotted path?
bool HasPath(std::string_view json, std::string_view path);

}  // namespace knarr::config
