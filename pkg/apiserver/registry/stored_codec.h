// Private to pkg/apiserver/registry: objects of one kind <-> what the store holds.
//
// Built-in kinds: "k8s\0" + runtime.Unknown in the storage version; custom ones: JSON. Reading takes any version that
// the scheme knows, JSON too (an etcd that an older server wrote to). metadata.resourceVersion is never stored, it is
// the key's mod_revision. Mirrors: staging/src/k8s.io/apiserver/pkg/storage/{etcd3/store.go,api_object_versioner.go}
#pragma once

#include <string>
#include <string_view>

#include "pkg/apiserver/cacher/reader.h"
#include "pkg/apiserver/registry/kind.h"

namespace knarr::registry {

class StoredCodec : public cacher::EntryCodec {
 public:
  explicit StoredCodec(KindPtr kind) : kind_(std::move(kind)) {}

  // Hub version, defaults applied, resourceVersion set. kDataLoss naming the key.
  Result<ObjectPtr> DecodeStored(std::string_view key, std::string_view value, cacher::Revision revision) const;
  Result<std::string> EncodeStored(const Object& object) const;
  Result<ObjectPtr> DecodeEntry(const cacher::Entry& entry) const;
  cacher::EntryPtr MakeEntry(std::string key, const Object& object, cacher::Revision revision,
                             int64_t stored_bytes) const;

  Result<cacher::EntryPtr> Decode(const storage::KeyValue& kv) const override;
  cacher::EntryPtr WithRevision(const cacher::Entry& entry, cacher::Revision revision) const override;

 private:
  Result<Object> DecodeBytes(std::string_view value) const;
  Result<Object> DecodeCustom(std::string_view value) const;
  const KindPtr kind_;
};

}  // namespace knarr::registry
