#include "pkg/apiserver/registry/discovery/kinds.h"

#include "k8s.io/api/discovery/v1/generated.pb.h"
#include "pkg/api/discovery/validation.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/registry/printers.h"
#include "pkg/apiserver/registry/strategies.h"

namespace knarr::registry {
namespace {

using discovery::EndpointSlice;

// The first three of a list.
class ShortList {
 public:
  void Add(std::string_view text) {
    if (count_++ >= kShown) return;
    if (!list_.empty()) list_ += ",";
    list_ += text;
  }
  std::string Text() const {
    if (count_ > kShown) return fmt::format("{} + {} more...", list_, count_ - kShown);
    return list_.empty() ? "<unset>" : list_;
  }

 private:
  static constexpr int kShown = 3;
  std::string list_;
  int count_ = 0;
};

class EndpointSliceStrategy : public TypedStrategy<EndpointSlice> {
 public:
  void Default(EndpointSlice& slice) const override { api::SetDefaults(slice); }
  void PrepareCreate(const RequestContext&, EndpointSlice& slice) const override {
    slice.mutable_metadata()->set_generation(1);
  }
  // Everything but metadata counts, and labels.
  void PrepareUpdate(const RequestContext&, EndpointSlice& updated, const EndpointSlice& old) const override {
    EndpointSlice a = updated, b = old;
    a.clear_metadata();
    b.clear_metadata();
    *a.mutable_metadata()->mutable_labels() = updated.metadata().labels();
    *b.mutable_metadata()->mutable_labels() = old.metadata().labels();
    updated.mutable_metadata()->set_generation(old.metadata().generation() + (api::SemanticEqual(a, b) ? 0 : 1));
  }
  field::ErrorList Check(const RequestContext&, const EndpointSlice& slice) const override {
    return api::ValidateEndpointSlice(slice);
  }
  field::ErrorList CheckUpdate(const RequestContext&, const EndpointSlice& updated,
                               const EndpointSlice& old) const override {
    return api::ValidateEndpointSliceUpdate(updated, old);
  }
  std::vector<Column> Columns() const override {
    return {NameColumn(), TextColumn("AddressType"), TextColumn("Ports"), TextColumn("Endpoints"), AgeColumn()};
  }
  std::vector<Cell> Row(const EndpointSlice& slice, WallTime now) const override {
    ShortList ports, addresses;
    for (const auto& port : slice.ports()) {
      if (port.has_port()) {
        ports.Add(std::to_string(port.port()));
      } else {
        ports.Add(port.has_name() ? port.name() : std::string("*"));
      }
    }
    for (const auto& endpoint : slice.endpoints()) {
      for (const std::string& address : endpoint.addresses()) addresses.Add(address);
    }
    return {slice.metadata().name(), slice.addresstype(), ports.Text(), addresses.Text(), Age(slice.metadata(), now)};
  }
};

}  // namespace

std::vector<Kind> DiscoveryKinds(const BuiltinDeps&) {
  Kind kind =
      BuiltinKind("discovery.k8s.io", "endpointslices", {"v1", "v1beta1"}, std::make_shared<EndpointSliceStrategy>());
  // The version that 1.20 can read.
  kind.storage_version = "discovery.k8s.io/v1beta1";
  kind.name_validator = names::NameIsDNSSubdomain;
  Deprecate(kind, "v1beta1", 21, 25, "v1");
  return {std::move(kind)};
}

}  // namespace knarr::registry
