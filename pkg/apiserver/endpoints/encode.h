// Objects -> what goes over the wire.
//
// An entry of the watch cache is turned into JSON once for all who ask at the same time. JSON of built-in kinds is kept
// without TypeMeta, as lists print items; a whole object gets it spliced in front.
#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <string_view>

#include "pkg/apiserver/cacher/reader.h"
#include "pkg/apiserver/endpoints/call.h"

namespace knarr::endpoints {

// {"kind":"Pod","apiVersion":"v1",  -- and, of an empty object, what closes it
std::string WithTypeMeta(std::string_view item_json, std::string_view api_version, std::string_view kind);

// A message of any kind (reviews, scales, lists, statuses).
std::string EncodeMessage(const google::protobuf::Message& message, std::string_view api_version, std::string_view kind,
                          const Output& output);
// An object in the call's version and form (object or PartialObjectMetadata or Table).
Result<std::string> EncodeObject(const Call& call, const registry::Object& object);
Result<std::string> EncodeEntry(const Call& call, const cacher::Entry& entry);

// As list items and watch events are made of: JSON without TypeMeta (custom: with), or the bare message's bytes.
Result<std::shared_ptr<const std::string>> ItemBytes(const Call& call, const cacher::Entry& entry, Media media, As as);
// The object of a watch event: a whole object in JSON, or protobuf with its envelope.
Result<std::string> EventObject(const Call& call, const cacher::Entry& entry, bool first_of_table);

std::string Pretty(std::string_view json);
// JSON to what the output wants to see (indented, YAML).
std::string Finish(std::string json, const Output& output);

// A Table of some objects. `columns`: with columnDefinitions.
Result<std::string> EncodeTable(const Call& call, const std::vector<cacher::EntryPtr>& entries,
                                std::string_view list_meta, bool columns);

// "k8s\0" and the envelope's head for a message of `raw_size` bytes that follows.
std::string EnvelopeHead(std::string_view api_version, std::string_view kind, size_t raw_size);
std::string EnvelopeTail();

}  // namespace knarr::endpoints
