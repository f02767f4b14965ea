#include "pkg/apiserver/cacher/store_reads.h"

#include <algorithm>

#include "pkg/api/errors/errors.h"

namespace knarr::cacher {
namespace {

constexpr int64_t kPage = 500;

std::string After(const std::string& key) {
  return key + '\0';
}

}  // namespace

Result<Revision> ReadAll(const Context& ctx, storage::Store& store, std::string_view prefix, Revision revision,
                         const std::function<Status(storage::KeyValue&)>& each) {
  storage::ListOptions options{revision, "", kPage};
  for (;;) {
    storage::ListResult page = KNARR_TRY(store.List(ctx, prefix, options));
    if (options.revision == 0) options.revision = page.revision;
    for (storage::KeyValue& kv : page.items) KNARR_TRY(each(kv));
    if (!page.more || page.items.empty()) return options.revision;
    options.start_key = After(page.items.back().key);
  }
}

Result<EntryPtr> GetFromStore(const Context& ctx, storage::Store& store, const DecodeFn& decode, const std::string& key,
                              Freshness freshness, Revision revision) {
  const std::optional<storage::KeyValue> kv =
      KNARR_TRY(store.Get(ctx, key, freshness == Freshness::kExact ? revision : 0));
  if (freshness == Freshness::kNotOlderThan && (!kv || kv->mod_revision < revision)) {
    const Revision current = KNARR_TRY(store.CurrentRevision(ctx));
    if (current < revision) return errors::TooLargeResourceVersion(revision, current, 0);
  }
  if (!kv) return EntryPtr();
  return decode(*kv);
}

Result<ListAnswer> ListFromStore(const Context& ctx, storage::Store& store, const DecodeFn& decode,
                                 const ListQuery& query) {
  const bool everything = query.filter.Everything();
  ListAnswer answer;
  storage::ListOptions options;
  if (query.freshness == Freshness::kExact) options.revision = query.revision;
  options.start_key = query.start_key;
  for (;;) {
    const int64_t wanted = query.limit == 0 ? kPage : query.limit - static_cast<int64_t>(answer.entries.size());
    // With a selector most keys may not match: few, large pages.
    options.limit = everything ? std::min(wanted, kPage) : kPage;
    storage::ListResult page = KNARR_TRY(store.List(ctx, query.prefix, options));
    if (options.revision == 0) {
      options.revision = page.revision;
      if (query.freshness == Freshness::kNotOlderThan && page.revision < query.revision) {
        return errors::TooLargeResourceVersion(query.revision, page.revision, 0);
      }
    }
    answer.revision = options.revision;
    for (size_t i = 0; i < page.items.size(); ++i) {
      const storage::KeyValue& kv = page.items[i];
      EntryPtr entry = KNARR_TRY(decode(kv));
      if (!everything && !query.filter.Matches(*entry)) continue;
      answer.entries.push_back(std::move(entry));
      if (query.limit == 0 || static_cast<int64_t>(answer.entries.size()) < query.limit) continue;
      const int64_t rest = static_cast<int64_t>(page.items.size() - i) - 1 + (page.more ? page.remaining : 0);
      answer.more = rest > 0 || page.more;
      if (answer.more) answer.next_key = After(kv.key);
      if (answer.more && everything) answer.remaining = rest;
      return answer;
    }
    if (!page.more || page.items.empty()) return answer;
    options.start_key = After(page.items.back().key);
  }
}

}  // namespace knarr::cacher
