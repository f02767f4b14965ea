// Trees with a schema: what they own, how they differ, how they merge.
// Mirrors: sigs.k8s.io/structured-merge-diff/v4/typed
//
// Recursion is as deep as the trees, which their parser limits.
#pragma once

#include <boost/json.hpp>
#include <optional>

#include "pkg/api/managedfields/fieldset.h"
#include "pkg/api/managedfields/managedfields.h"

namespace knarr::managedfields {

// What does not fit the schema, in upstream's words: .spec.replicas: expected numeric (int or float), got string
Status Validate(const TypeSchema& schema, const boost::json::value& tree, bool allow_duplicates);

// Every leaf and item that the tree has.
Set ToFieldSet(const TypeSchema& schema, const boost::json::value& tree);

struct Comparison {
  Set removed, modified, added;
};
Result<Comparison> CompareTrees(const TypeSchema& schema, const boost::json::value& before,
                                const boost::json::value& after);

// `config` into `live`: removes nothing; order of items is live's where config changes nothing in a list, config's
// otherwise.
Result<boost::json::value> MergeTrees(const TypeSchema& schema, const boost::json::value& live,
                                      const boost::json::value& config);

// The tree without these fields and items.
boost::json::value RemoveItems(const TypeSchema& schema, const boost::json::value& tree, const Set& items);

// With the declared fields that only have members below them.
Set WithNamedFields(const TypeSchema& schema, const Set& set);

// The set after the schema changed between atomic and granular since it was written; nullopt: nothing to change.
std::optional<Set> Reconcile(const TypeSchema& schema, const Set& set);

}  // namespace knarr::managedfields
