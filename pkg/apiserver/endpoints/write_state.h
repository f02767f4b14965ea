// Private to pkg/apiserver/endpoints: what a write carries between its steps.
#pragma once

#include <string>

#include "pkg/api/managedfields/managedfields.h"
#include "pkg/apiserver/endpoints/verbs.h"

namespace knarr::endpoints {

struct Verbs::WriteState {
  std::string manager;
  bool applied = false;   // server-side apply: managed fields are done
  bool admitted = false;  // the chain was entered and must be told how it ended
  admission::Attributes attributes;
};

// The shape that merging and field management follow, in the call's version.
const managedfields::TypeSchema& SchemaFor(const Call& call);
managedfields::Request ManageRequest(const Call& call, std::string manager, WallTime now);
// metadata.managedFields of `object` after a create, update or patch.
Status ManageFields(Call& call, const Verbs::WriteState& state, WallTime now, registry::Object& object,
                    const registry::Object* old);
// A hub object as a tree in the call's version, and back.
Result<boost::json::object> TreeOf(const Call& call, const registry::Object& hub);
Result<registry::ObjectPtr> FromTree(Call& call, const boost::json::object& tree, codec::FieldValidation validation);

}  // namespace knarr::endpoints
