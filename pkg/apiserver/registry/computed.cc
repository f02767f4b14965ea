// Reads of kinds whose objects are made when somebody asks (Kind::computed). Nothing is stored, nothing is watched.
#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/apiserver/registry/impl.h"

namespace knarr::registry {
namespace {

class ComputedReader : public cacher::Reader {
 public:
  ComputedReader(KindPtr kind, const StoredCodec& codec) : kind_(std::move(kind)), codec_(codec) {}

  Result<cacher::EntryPtr> Get(const Context& ctx, const std::string& key, cacher::Freshness,
                               cacher::Revision) override {
    for (cacher::EntryPtr& entry : Entries(ctx)) {
      if (entry->key == key) return std::move(entry);
    }
    return cacher::EntryPtr();
  }
  Result<cacher::ListAnswer> List(const Context& ctx, const cacher::ListQuery& query) override {
    cacher::ListAnswer answer;
    for (cacher::EntryPtr& entry : Entries(ctx)) {
      if (query.filter.Matches(*entry)) answer.entries.push_back(std::move(entry));
    }
    return answer;
  }
  Result<std::unique_ptr<cacher::Watcher>> Watch(const Context&, cacher::WatchQuery) override {
    return errors::MethodNotSupported(kind_->group, kind_->resource, "watch");
  }
  Result<int64_t> Count(const Context& ctx) override { return static_cast<int64_t>(Entries(ctx).size()); }
  uint64_t Generation() const override { return 0; }
  Status Ready() const override { return OkStatus(); }

 private:
  std::vector<cacher::EntryPtr> Entries(const Context& ctx) const {
    std::vector<cacher::EntryPtr> entries;
    for (const Object& object : kind_->computed(ctx)) {
      entries.push_back(codec_.MakeEntry(kind_->storage_prefix + object.metadata().name(), object, 0, 0));
    }
    return entries;
  }

  const KindPtr kind_;
  const StoredCodec& codec_;
};

}  // namespace

std::unique_ptr<cacher::Reader> NewComputedReader(KindPtr kind, const StoredCodec& codec) {
  return std::make_unique<ComputedReader>(std::move(kind), codec);
}

}  // namespace knarr::registry
