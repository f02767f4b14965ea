// RFC 7386 as evanphx/json-patch v4 does it: nulls inside lists' objects go, too, unless the list replaces an object.
#include "pkg/api/patch/patch.h"
#include "pkg/api/patch/tree.h"

namespace knarr::patch {
namespace json = boost::json;

namespace {

void PruneNulls(json::value& value) {
  if (auto* object = value.if_object()) {
    for (auto at = object->begin(); at != object->end();) {
      if (at->value().is_null()) {
        at = object->erase(at);
      } else {
        PruneNulls(at->value());
        ++at;
      }
    }
  } else if (auto* list = value.if_array()) {
    for (json::value& item : *list) PruneNulls(item);
  }
}

void Merge(json::object& document, const json::object& patch) {
  for (const auto& member : patch) {
    const json::value& change = member.value();
    if (change.is_null()) {
      document.erase(member.key());
      continue;
    }
    json::value& present = document[member.key()];
    if (present.is_object() && change.is_object()) {
      Merge(present.get_object(), change.get_object());
      continue;
    }
    const bool keeps_nulls = present.is_object();
    present = change;
    if (!keeps_nulls) PruneNulls(present);
  }
}

}  // namespace

void ApplyMergePatch(json::value& document, const json::value& patch) {
  if (document.is_object() && patch.is_object()) {
    Merge(document.get_object(), patch.get_object());
    return;
  }
  document = patch;
  PruneNulls(document);
}

}  // namespace knarr::patch
