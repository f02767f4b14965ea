// Reads that go to the store: what a direct reader does always, and a cache where it cannot answer.
#pragma once

#include <functional>

#include "pkg/apiserver/cacher/reader.h"

namespace knarr::cacher {

using DecodeFn = std::function<Result<EntryPtr>(const storage::KeyValue&)>;

Result<EntryPtr> GetFromStore(const Context& ctx, storage::Store& store, const DecodeFn& decode, const std::string& key,
                              Freshness freshness, Revision revision);
Result<ListAnswer> ListFromStore(const Context& ctx, storage::Store& store, const DecodeFn& decode,
                                 const ListQuery& query);
// Every key of the prefix at one revision (0: the newest), in pages.
Result<Revision> ReadAll(const Context& ctx, storage::Store& store, std::string_view prefix, Revision revision,
                         const std::function<Status(storage::KeyValue&)>& each);

}  // namespace knarr::cacher
