// Private to pkg/apiserver/registry.
#pragma once

#include <atomic>

#include "pkg/apiserver/registry/metadata.h"
#include "pkg/apiserver/registry/registry.h"
#include "pkg/apiserver/registry/stored_codec.h"

namespace knarr::registry {

class StoredResource : public Resource {
 public:
  StoredResource(KindPtr kind, storage::Store& store, Clock& clock, const Logger& log, bool watch_cache);

  const Kind& kind() const override { return *kind_; }
  cacher::Reader& reader() override;
  bool HasReader() const override { return has_reader_.load(); }
  Result<ObjectPtr> Decode(const cacher::Entry& entry) const override { return codec_.DecodeEntry(entry); }
  std::string Key(std::string_view ns, std::string_view name) const override;
  std::string Prefix(std::string_view ns) const override;

  const StoredCodec& codec() const { return codec_; }
  int64_t ttl_seconds() const { return kind_->ttl_seconds; }

 private:
  const KindPtr kind_;
  storage::Store& store_;
  Clock& clock_;
  const Logger log_;
  const bool watch_cache_;
  const StoredCodec codec_;
  // Made on first use: a server that nobody asks about a resource keeps nothing of it.
  std::once_flag once_;
  std::unique_ptr<cacher::Reader> reader_;
  std::atomic<bool> has_reader_{false};
};

struct Registry::Impl {
  storage::Store& store;
  Clock& clock;
  const Logger log;
  const Options options;

  mutable std::shared_mutex mutex;
  // group -> resource -> resource
  std::map<std::string, std::map<std::string, std::shared_ptr<StoredResource>, std::less<>>, std::less<>> resources;
  std::atomic<uint64_t> generation{1};

  Impl(storage::Store& s, Clock& c, Logger l, Options o) : store(s), clock(c), log(std::move(l)), options(o) {}

  struct Current {
    ObjectPtr object;  // null: there is none
    storage::Revision revision = 0;
    std::string value;
  };
  Result<Current> Read(const Context& ctx, StoredResource& resource, const std::string& key) const;
  // The outcome of a compare-and-swap, as an object of the new revision; nullopt: somebody was faster.
  Result<std::optional<Written>> Store(const RequestContext& rc, StoredResource& resource, const std::string& key,
                                       ObjectPtr object, const Current& current);
  Result<Written> CreateOnce(const RequestContext& rc, StoredResource& resource, Object object, const WriteHooks& hooks,
                             bool generated);
  // One attempt of an update; nullopt: again.
  Result<std::optional<Written>> UpdateOnce(const RequestContext& rc, StoredResource& resource,
                                            const Strategy& strategy, const Change& change, const WriteHooks& hooks,
                                            bool may_create, const std::string& key);
  Result<std::optional<Deleted>> DeleteOnce(const RequestContext& rc, StoredResource& resource, const std::string& key,
                                            const ::knarr::meta::DeleteOptions& options, const DeleteHooks& hooks);
  // Removes what `current` is; nullopt: it changed meanwhile.
  Result<std::optional<Deleted>> RemoveNow(const RequestContext& rc, StoredResource& resource, const std::string& key,
                                           Current current);
};

// Of a kind that is computed; the codec outlives it.
std::unique_ptr<cacher::Reader> NewComputedReader(KindPtr kind, const StoredCodec& codec);

// upstream's retry loop gives up when the caller does; this many conflicts mean that something else is wrong.
inline constexpr int kMaxAttempts = 256;

}  // namespace knarr::registry
