// Ranges of addresses and ports, and which of them are taken: a bitmap in the store, as upstream's RangeAllocation
// objects under /registry/ranges/, so that a real kube-apiserver on the same etcd goes on where this one stopped.
// Mirrors: pkg/registry/core/service/{allocator,ipallocator,portallocator}
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/apiserver/storage/store.h"
#include "pkg/base/context.h"

namespace knarr::registry::service {

// The bits of a range, offset 0 first. Upstream stores them as the bytes of a big integer: the last byte holds the
// first eight, without leading zero bytes.
class Bitmap {
 public:
  explicit Bitmap(int size) : bits_(static_cast<size_t>(size)) {}
  // Bits beyond the size are dropped.
  static Bitmap FromBytes(std::string_view bytes, int size);
  std::string ToBytes() const;

  int size() const { return static_cast<int>(bits_.size()); }
  int Used() const { return used_; }
  bool Has(int offset) const { return bits_[static_cast<size_t>(offset)]; }
  // false: it was taken (or free) already.
  bool Take(int offset);
  bool Release(int offset);
  // A free one of [from, size), else of [0, from); nullopt: full. Near `from`, at random among the first few thousand:
  // a released address is not given away again at once, and the bitmap's text stays short.
  std::optional<int> Next(int from) const;

 private:
  std::vector<bool> bits_;
  int used_ = 0;
};

// One RangeAllocation in the store. Thread-safe.
class Range {
 public:
  // key: "/registry/ranges/serviceips"; spec: "10.96.0.0/12", "30000-32767".
  Range(storage::Store& store, std::string key, std::string spec, int size, int dynamic_from);

  // Changes what is there and writes it, again after a conflict; an error of `change` ends it and nothing is written.
  // `dry_run`: nothing is written either way. The object must exist (see Replace).
  Status Change(const Context& ctx, bool dry_run, const std::function<Status(Bitmap&)>& change);
  // For repair: as Change, on what any server left there: of another spec it is an empty one, and it is made if absent.
  Status Replace(const Context& ctx, const std::function<Status(Bitmap&)>& change);

  const std::string& spec() const { return spec_; }
  int size() const { return size_; }
  // Offsets from here on are given to who asks for any; the ones before are for who asks for a certain one.
  int dynamic_from() const { return dynamic_from_; }

 private:
  Status Write(const Context& ctx, bool dry_run, bool repair, const std::function<Status(Bitmap&)>& change);
  storage::Store& store_;
  const std::string key_, spec_;
  const int size_, dynamic_from_;
  std::mutex mutex_;                       // one writer at a time: fewer conflicts with ourselves
  std::optional<storage::KeyValue> last_;  // what the store had when it was last seen
};

// An address range: --service-cluster-ip-range. The first address (the network's) is never given, nor IPv4's last.
class IpRange {
 public:
  // kInvalid: not a CIDR.
  static Result<IpRange> Parse(std::string_view cidr);
  bool v6() const { return v6_; }
  std::string_view Family() const { return v6_ ? "IPv6" : "IPv4"; }
  const std::string& spec() const { return spec_; }  // canonical: 10.96.0.0/12
  int size() const { return size_; }
  // min(max(16, size/16), 256): see KEP-3070.
  int dynamic_from() const { return dynamic_from_; }
  // nullopt: not an address of the range that may be given.
  std::optional<int> Offset(std::string_view ip) const;
  std::string Address(int offset) const;

 private:
  IpRange() = default;
  unsigned __int128 base_ = 0;  // of offset 0
  int size_ = 0, dynamic_from_ = 0;
  bool v6_ = false;
  std::string spec_;
};
// min(max(16, size/32), 128)
int PortDynamicFrom(int size);
// IPv4 or IPv6; "" for what is no address.
std::string_view FamilyOf(std::string_view ip);

}  // namespace knarr::registry::service
