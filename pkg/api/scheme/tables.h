// The rows that the generator writes (pkg/api/schema/gen/emit_scheme.py). Internal to this package.
#pragma once

#include <google/protobuf/message.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace knarr::scheme {

enum VerbBit : uint8_t {
  kCreate = 1,
  kDelete = 2,
  kDeletecollection = 4,
  kGet = 8,
  kList = 16,
  kPatch = 32,
  kUpdate = 64,
  kWatch = 128,
};

using PrototypeFunction = const google::protobuf::Message& (*)();

// A registered type, ordered by group, version, kind.
struct KindRow {
  std::string_view group, version, kind;
  PrototypeFunction prototype;
};
extern const KindRow kKinds[];
extern const size_t kKindCount;

// A type with a client of its own, in the same order.
struct ResourceRow {
  std::string_view group, version, kind, resource;
  bool namespaced;
  uint8_t verbs;
  PrototypeFunction prototype;
};
extern const ResourceRow kResources[];
extern const size_t kResourceCount;

}  // namespace knarr::scheme
