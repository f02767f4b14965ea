#include "pkg/apiserver/cacher/tree.h"

#include <algorithm>

namespace knarr::cacher {
namespace {

// The chunk that has, or would have, the key.
size_t ChunkFor(const Tree::Root& root, std::string_view key) {
  const auto after =
      std::upper_bound(root.chunks.begin(), root.chunks.end(), key,
                       [](std::string_view k, const Ref<Tree::Chunk>& chunk) { return k < chunk->front()->key; });
  return after == root.chunks.begin() ? 0 : static_cast<size_t>(after - root.chunks.begin()) - 1;
}

size_t IndexIn(const Tree::Chunk& chunk, std::string_view key) {
  return static_cast<size_t>(std::lower_bound(chunk.begin(), chunk.end(), key,
                                              [](const EntryPtr& e, std::string_view k) { return e->key < k; }) -
                             chunk.begin());
}

const EntryPtr* FindIn(const Tree::Root& root, std::string_view key) {
  if (root.chunks.empty()) return nullptr;
  const Tree::Chunk& chunk = *root.chunks[ChunkFor(root, key)];
  const size_t index = IndexIn(chunk, key);
  return index < chunk.size() && chunk[index]->key == key ? &chunk[index] : nullptr;
}

}  // namespace

Tree::Snapshot::Position Tree::Snapshot::LowerBound(std::string_view key) const {
  if (!root_ || root_->chunks.empty()) return {};
  const size_t chunk = ChunkFor(*root_, key);
  const size_t index = IndexIn(*root_->chunks[chunk], key);
  if (index == root_->chunks[chunk]->size()) return {chunk + 1, 0};
  return {chunk, index};
}

const EntryPtr* Tree::Snapshot::Find(std::string_view key) const {
  return root_ ? FindIn(*root_, key) : nullptr;
}

int64_t Tree::Snapshot::CountFrom(Position from, std::string_view prefix) const {
  if (!At(from)) return 0;
  const Position end = LowerBound(EndOfPrefix(prefix));
  int64_t count = 0;
  for (size_t chunk = from.chunk; chunk < root_->chunks.size() && chunk <= end.chunk; ++chunk) {
    const size_t first = chunk == from.chunk ? from.index : 0;
    const size_t last = chunk == end.chunk ? end.index : root_->chunks[chunk]->size();
    if (last > first) count += static_cast<int64_t>(last - first);
  }
  return count;
}

const EntryPtr* Tree::Find(std::string_view key) const {
  return FindIn(*root_, key);
}

EntryPtr Tree::Put(EntryPtr entry) {
  Root& root = root_.Own();
  if (root.chunks.empty()) {
    root.chunks.push_back(Ref<Chunk>::Make({std::move(entry)}));
    ++root.size;
    return nullptr;
  }
  const size_t at = ChunkFor(root, entry->key);
  Chunk& chunk = root.chunks[at].Own();
  const size_t index = IndexIn(chunk, entry->key);
  if (index < chunk.size() && chunk[index]->key == entry->key) {
    std::swap(chunk[index], entry);
    return entry;
  }
  ++root.size;
  if (chunk.size() < kMaxChunk) {
    // Grown by halves, not doubled: half-empty chunks would cost more than the entries' references.
    if (chunk.size() == chunk.capacity()) chunk.reserve(chunk.size() + std::max<size_t>(chunk.size() / 2, 4));
    chunk.insert(chunk.begin() + static_cast<ptrdiff_t>(index), std::move(entry));
    return nullptr;
  }
  // Keys that arrive in order leave full chunks behind.
  if (index == chunk.size() && at + 1 == root.chunks.size()) {
    root.chunks.insert(root.chunks.begin() + static_cast<ptrdiff_t>(at) + 1, Ref<Chunk>::Make({std::move(entry)}));
    return nullptr;
  }
  chunk.insert(chunk.begin() + static_cast<ptrdiff_t>(index), std::move(entry));
  const auto half = chunk.begin() + static_cast<ptrdiff_t>(chunk.size() / 2);
  Chunk right(std::make_move_iterator(half), std::make_move_iterator(chunk.end()));
  chunk.erase(half, chunk.end());
  root.chunks.insert(root.chunks.begin() + static_cast<ptrdiff_t>(at) + 1, Ref<Chunk>::Make(std::move(right)));
  return nullptr;
}

EntryPtr Tree::Erase(std::string_view key) {
  if (!Find(key)) return nullptr;
  Root& root = root_.Own();
  const size_t at = ChunkFor(root, key);
  Chunk& chunk = root.chunks[at].Own();
  const auto place = chunk.begin() + static_cast<ptrdiff_t>(IndexIn(chunk, key));
  EntryPtr erased = std::move(*place);
  chunk.erase(place);
  --root.size;
  const auto chunk_at = root.chunks.begin() + static_cast<ptrdiff_t>(at);
  if (chunk.empty()) {
    root.chunks.erase(chunk_at);
  } else if (at + 1 < root.chunks.size() && chunk.size() + root.chunks[at + 1]->size() < kMergeBelow) {
    const Chunk& next = *root.chunks[at + 1];
    chunk.insert(chunk.end(), next.begin(), next.end());
    root.chunks.erase(chunk_at + 1);
  }
  return erased;
}

std::string EndOfPrefix(std::string_view prefix) {
  std::string end(prefix);
  ++end.back();
  return end;
}

}  // namespace knarr::cacher
