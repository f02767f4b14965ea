// The present entries of one resource, in key order: a list of chunks of at most 64 entries, all copied on write.
//
// A snapshot is one reference, whatever the number of entries; a write copies only what a snapshot still holds (the
// list of chunks, about 1/40 of the number of entries, and one chunk), and nothing where there is none. A Tree is
// written by one thread; Snapshot() must not run at the same time as a write (the cache's lock); snapshots are read
// without any lock.
#pragma once

#include <atomic>
#include <string_view>
#include <utility>
#include <vector>

#include "pkg/apiserver/cacher/reader.h"

namespace knarr::cacher {

// A counted reference whose owner can know that it is the only one.
template <typename T>
class Ref {
 public:
  Ref() = default;
  static Ref Make(T value = {}) { return Ref(new Node{{1}, std::move(value)}); }
  Ref(const Ref& other) : node_(other.node_) {
    if (node_) node_->count.fetch_add(1, std::memory_order_relaxed);
  }
  Ref(Ref&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~Ref() {
    if (node_ && node_->count.fetch_sub(1, std::memory_order_acq_rel) == 1) delete node_;
  }
  const T& operator*() const { return node_->value; }
  const T* operator->() const { return &node_->value; }
  explicit operator bool() const { return node_ != nullptr; }
  // To change it: a copy of its own if somebody else holds it. Nobody may copy this very Ref meanwhile.
  T& Own() {
    if (node_->count.load(std::memory_order_acquire) != 1) *this = Make(node_->value);
    return node_->value;
  }

 private:
  struct Node {
    std::atomic<int64_t> count;
    T value;
  };
  explicit Ref(Node* node) : node_(node) {}
  Node* node_ = nullptr;
};

class Tree {
 public:
  using Chunk = std::vector<EntryPtr>;
  struct Root {
    std::vector<Ref<Chunk>> chunks;  // none is empty
    int64_t size = 0;
  };

  // An immutable state of the tree.
  class Snapshot {
   public:
    Snapshot() = default;
    explicit Snapshot(Ref<Root> root) : root_(std::move(root)) {}
    struct Position {
      size_t chunk = 0, index = 0;
    };
    // The first entry whose key is not less.
    Position LowerBound(std::string_view key) const;
    // nullptr: the end.
    const EntryPtr* At(Position at) const {
      return root_ && at.chunk < root_->chunks.size() ? &(*root_->chunks[at.chunk])[at.index] : nullptr;
    }
    Position Next(Position at) const {
      if (++at.index == root_->chunks[at.chunk]->size()) at = {at.chunk + 1, 0};
      return at;
    }
    const EntryPtr* Find(std::string_view key) const;
    // Entries from `from` on, up to the end of the prefix.
    int64_t CountFrom(Position from, std::string_view prefix) const;
    int64_t size() const { return root_ ? root_->size : 0; }

   private:
    Ref<Root> root_;
  };

  Tree() : root_(Ref<Root>::Make()) {}
  // Returns what was there under that key.
  EntryPtr Put(EntryPtr entry);
  EntryPtr Erase(std::string_view key);
  const EntryPtr* Find(std::string_view key) const;
  int64_t size() const { return root_->size; }
  Snapshot Take() const { return Snapshot(root_); }

 private:
  static constexpr size_t kMaxChunk = 64;
  static constexpr size_t kMergeBelow = 40;
  Ref<Root> root_;
};

// The first string that is greater than all those with the prefix; `prefix` is not empty and ends with '/'.
std::string EndOfPrefix(std::string_view prefix);

}  // namespace knarr::cacher
