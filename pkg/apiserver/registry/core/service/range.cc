#include "pkg/apiserver/registry/core/service/range.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <random>

#include <fmt/format.h>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/api/errors/errors.h"
#include "pkg/api/names/names.h"
#include "pkg/api/types.h"

namespace knarr::registry::service {
namespace {

using Wide = unsigned __int128;

// How many free offsets are looked at for a random one.
constexpr int kSpread = 4096;
// Upstream keeps a bitmap of this size for IPv6, whatever the range's.
constexpr int kMaxV6 = 65536;
// An IPv4 range larger than /12 makes the bitmap too large to be written with each service.
constexpr int kMaxV4Bits = 20;

Wide ToWide(const names::IpAddress& ip) {
  Wide value = 0;
  for (const uint8_t byte : ip.bytes) value = value << 8 | byte;
  return value;
}

size_t Random(size_t below) {
  thread_local std::mt19937 generator{std::random_device{}()};
  return std::uniform_int_distribution<size_t>(0, below - 1)(generator);
}

}  // namespace

Bitmap Bitmap::FromBytes(std::string_view bytes, int size) {
  Bitmap map(size);
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<uint8_t>(bytes[bytes.size() - 1 - i]);
    for (size_t bit = 0; bit < 8; ++bit) {
      const size_t offset = i * 8 + bit;
      if ((byte >> bit & 1U) != 0 && offset < map.bits_.size()) map.Take(static_cast<int>(offset));
    }
  }
  return map;
}

std::string Bitmap::ToBytes() const {
  std::string bytes((bits_.size() + 7) / 8, '\0');
  for (size_t i = 0; i < bits_.size(); ++i) {
    char& byte = bytes[bytes.size() - 1 - i / 8];
    if (bits_[i]) byte = static_cast<char>(static_cast<uint8_t>(byte) | 1U << i % 8);
  }
  return bytes.substr(std::min(bytes.find_first_not_of('\0'), bytes.size()));
}

bool Bitmap::Take(int offset) {
  if (Has(offset)) return false;
  bits_[static_cast<size_t>(offset)] = true;
  ++used_;
  return true;
}

bool Bitmap::Release(int offset) {
  if (!Has(offset)) return false;
  bits_[static_cast<size_t>(offset)] = false;
  --used_;
  return true;
}

std::optional<int> Bitmap::Next(int from) const {
  std::vector<int> free;
  const auto collect = [&](int begin, int end) {
    for (int i = begin; i < end && static_cast<int>(free.size()) < kSpread; ++i) {
      if (!Has(i)) free.push_back(i);
    }
  };
  collect(from, size());
  if (free.empty()) collect(0, from);
  if (free.empty()) return std::nullopt;
  return free[Random(free.size())];
}

Range::Range(storage::Store& store, std::string key, std::string spec, int size, int dynamic_from)
    : store_(store), key_(std::move(key)), spec_(std::move(spec)), size_(size), dynamic_from_(dynamic_from) {}

Status Range::Change(const Context& ctx, bool dry_run, const std::function<Status(Bitmap&)>& change) {
  return Write(ctx, dry_run, false, change);
}

Status Range::Replace(const Context& ctx, const std::function<Status(Bitmap&)>& change) {
  {
    const std::lock_guard lock(mutex_);
    last_.reset();
  }
  return Write(ctx, false, true, change);
}

Status Range::Write(const Context& ctx, bool dry_run, bool repair, const std::function<Status(Bitmap&)>& change) {
  constexpr int kAttempts = 16;
  const std::lock_guard lock(mutex_);
  // What is remembered may be old: then an error of `change` is only believed after a second look.
  bool fresh = false;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (!last_) {
      last_ = KNARR_TRY(store_.Get(ctx, key_));
      fresh = true;
    }
    core::RangeAllocation object;
    if (last_) {
      const auto envelope = KNARR_TRY_CTX(codec::DecodeEnvelope(last_->value), "{}", key_);
      KNARR_TRY_CTX(codec::DecodeProtobuf(envelope.raw, &object), "{}", key_);
    } else if (!repair) {
      return Error(Code::kServiceUnavailable, "cannot allocate resources of type {} at this time",
                   key_.ends_with("ips") ? "serviceipallocations" : "servicenodeportallocations");
    }
    Bitmap bits(size_);
    if (object.range() == spec_) {
      bits = Bitmap::FromBytes(object.data(), size_);
    } else if (!repair) {
      return Error(Code::kInternal, "the provided range does not match the current range");
    }
    const std::string before = bits.ToBytes();
    if (const Status status = change(bits); !status.ok()) {
      if (fresh) return status;
      last_.reset();
      continue;
    }
    std::string after = bits.ToBytes();
    if (dry_run || (last_ && object.range() == spec_ && after == before)) {
      // Nothing to write proves nothing about what was remembered.
      if (fresh || dry_run) return {};
      last_.reset();
      continue;
    }
    object.set_range(spec_);
    object.set_data(std::move(after));
    object.mutable_metadata();
    const std::string value = codec::EncodeEnvelope(object, "v1", "RangeAllocation");
    const auto written =
        last_ ? store_.Update(ctx, key_, value, last_->mod_revision, 0) : store_.Create(ctx, key_, value, 0);
    if (!written.ok()) {
      last_.reset();
      return written.status();
    }
    if (written->succeeded) {
      last_ = storage::KeyValue{.key = key_, .value = value, .mod_revision = written->revision, .create_revision = 0};
      return {};
    }
    last_ = written->current;
    fresh = true;
  }
  return errors::Conflict("", "rangeallocations", key_, errors::kOptimisticLock);
}

Result<IpRange> IpRange::Parse(std::string_view cidr) {
  const size_t slash = cidr.find('/');
  const auto ip = slash == std::string_view::npos ? std::nullopt : names::ParseIPSloppy(cidr.substr(0, slash));
  int bits = -1;
  if (ip) {
    const std::string_view digits = cidr.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc() || end != digits.data() + digits.size()) bits = -1;
  }
  IpRange range;
  range.v6_ = ip && cidr.find(':') != std::string_view::npos;
  const int width = range.v6_ ? 128 : 32;
  // IPv4 in IPv6's clothes has no family that both of us would agree on.
  if (range.v6_ && ip->is_v4) bits = -1;
  if (!ip || bits < 0 || bits > width) return Error(Code::kInvalid, "invalid CIDR address: {}", cidr);
  const int host_bits = width - bits;
  if (!range.v6_ && host_bits > kMaxV4Bits)
    return Error(Code::kInvalid,
                 "specified --service-cluster-ip-range is too large; for 32-bit addresses, the mask must be >= 12");
  const Wide mask = host_bits >= 128 ? ~Wide{0} : (Wide{1} << host_bits) - 1;
  const Wide network = ToWide(*ip) & ~mask;
  range.base_ = network + 1;
  const int64_t addresses = host_bits >= 31 ? int64_t{1} << 31 : int64_t{1} << host_bits;
  const int64_t usable = range.v6_ ? std::min<int64_t>(addresses, kMaxV6) - 1 : addresses - 2;
  range.size_ = static_cast<int>(std::max<int64_t>(usable, 0));
  constexpr int64_t kMin = 16, kMax = 256, kStep = 16;
  range.dynamic_from_ = addresses <= kMin ? 0 : static_cast<int>(std::min(std::max(kMin, addresses / kStep), kMax));
  range.dynamic_from_ = std::min(range.dynamic_from_, range.size_);
  range.spec_ = fmt::format("{}/{}", range.Address(-1), bits);
  return range;
}

std::optional<int> IpRange::Offset(std::string_view text) const {
  const auto ip = names::ParseIPSloppy(text);
  if (!ip || ip->is_v4 == v6_) return std::nullopt;
  const Wide value = ToWide(*ip);
  if (value < base_ || value - base_ >= static_cast<Wide>(size_)) return std::nullopt;
  return static_cast<int>(value - base_);
}

std::string IpRange::Address(int offset) const {
  Wide value = offset < 0 ? base_ - 1 : base_ + static_cast<Wide>(offset);
  unsigned char bytes[16];
  for (int i = 15; i >= 0; --i, value >>= 8) bytes[i] = static_cast<unsigned char>(value & 0xff);
  char text[INET6_ADDRSTRLEN];
  return v6_ ? inet_ntop(AF_INET6, bytes, text, sizeof text) : inet_ntop(AF_INET, bytes + 12, text, sizeof text);
}

int PortDynamicFrom(int size) {
  constexpr int kMin = 16, kMax = 128, kStep = 32;
  if (size <= kMin) return 0;
  return std::min(std::max(kMin, size / kStep), kMax);
}

std::string_view FamilyOf(std::string_view ip) {
  const auto parsed = names::ParseIPSloppy(ip);
  if (!parsed) return "";
  return parsed->is_v4 ? "IPv4" : "IPv6";
}

}  // namespace knarr::registry::service
