#include "pkg/api/storage/validation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "k8s.io/api/storage/v1/generated.pb.h"
#include "pkg/api/meta/equality.h"
#include "pkg/api/meta/validation.h"
#include "pkg/api/resource/quantity.h"
#include "pkg/api/rules/rules.h"

namespace knarr::api {
namespace {

using field::ErrorList;
using field::Path;

constexpr size_t kMaxParameters = 512;
constexpr size_t kMaxParametersSize = 256 << 10;
constexpr size_t kMaxAttachmentSize = 256 << 10;
constexpr size_t kMaxErrorSize = 1024;
constexpr size_t kMaxNodeId = 192;
constexpr size_t kMaxDriverName = 63;
constexpr int64_t kMinTokenSeconds = 600;
constexpr int64_t kMaxTokenSeconds = int64_t{1} << 32;

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  return lower;
}

template <typename Map>
size_t SizeOf(const Map& map) {
  size_t size = 0;
  for (const auto& [key, value] : map) size += key.size() + value.size();
  return size;
}

void ValidateDriverName(ErrorList& errors, const Path& path, const std::string& name) {
  if (name.empty()) errors.push_back(field::Required(path, ""));
  if (name.size() > kMaxDriverName) errors.push_back(field::TooLong(path, name, kMaxDriverName));
  rules::AddInvalid(errors, path, name, names::IsDNS1123Subdomain(Lower(name)));
}

using Terms = std::map<std::string, std::set<std::string>>;

void ValidateTopologies(ErrorList& errors, const storage_v1::StorageClass& storage_class) {
  std::vector<Terms> seen;
  for (int i = 0; i < storage_class.allowedtopologies_size(); ++i) {
    const Path path = Path("allowedTopologies").Index(static_cast<size_t>(i)).Child("matchLabelExpressions");
    Terms terms;
    const auto& expressions = storage_class.allowedtopologies(i).matchlabelexpressions();
    for (int j = 0; j < expressions.size(); ++j) {
      const Path at = path.Index(static_cast<size_t>(j));
      std::set<std::string> values;
      if (expressions[j].values().empty()) errors.push_back(field::Required(at.Child("values"), ""));
      for (int k = 0; k < expressions[j].values_size(); ++k) {
        if (values.insert(expressions[j].values(k)).second) continue;
        errors.push_back(field::Duplicate(at.Child("values").Index(static_cast<size_t>(k)), expressions[j].values(k)));
      }
      field::Append(errors, ValidateLabelName(expressions[j].key(), at.Child("key")));
      if (!terms.emplace(expressions[j].key(), std::move(values)).second) {
        errors.push_back(field::Duplicate(at.Child("key"), expressions[j].key()));
      }
    }
    if (std::find(seen.begin(), seen.end(), terms) != seen.end()) errors.push_back(field::Duplicate(path, ""));
    seen.push_back(std::move(terms));
  }
}

void ValidateVolumeError(ErrorList& errors, const Path& path, const storage_v1::VolumeError& error) {
  // Upstream names the other limit.
  if (error.message().size() > kMaxErrorSize) {
    errors.push_back(field::TooLong(path.Child("message"), "", kMaxAttachmentSize));
  }
}

ErrorList ValidateAttachment(const storage_v1::VolumeAttachment& attachment) {
  ErrorList errors;
  const Path path("spec");
  const auto& spec = attachment.spec();
  if (spec.attacher().empty()) errors.push_back(field::Required(path.Child("attacher"), ""));
  const Path source = path.Child("source");
  constexpr std::string_view kOne = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
  const bool inlined = spec.source().has_inlinevolumespec();
  const bool named = spec.source().has_persistentvolumename();
  if (!inlined && !named) {
    errors.push_back(field::Required(source, kOne));
  } else if (inlined && named) {
    errors.push_back(field::Forbidden(source, kOne));
  } else if (named && spec.source().persistentvolumename().empty()) {
    errors.push_back(
        field::Required(source.Child("persistentVolumeName"), "must specify non empty persistentVolumeName"));
  }
  rules::AddInvalid(errors, path.Child("nodeName"), spec.nodename(), names::NameIsDNSSubdomain(spec.nodename(), false));
  const Path status("status");
  if (SizeOf(attachment.status().attachmentmetadata()) > kMaxAttachmentSize) {
    errors.push_back(field::TooLong(status.Child("attachmentMetadata"), "", kMaxAttachmentSize));
  }
  ValidateVolumeError(errors, status.Child("attachError"), attachment.status().attacherror());
  ValidateVolumeError(errors, status.Child("detachError"), attachment.status().detacherror());
  return errors;
}

void ValidateTokenRequests(ErrorList& errors, const Path& path, const storage_v1::CSIDriverSpec& spec) {
  std::set<std::string> audiences;
  for (int i = 0; i < spec.tokenrequests_size(); ++i) {
    const auto& request = spec.tokenrequests(i);
    const Path at = path.Index(static_cast<size_t>(i));
    if (!audiences.insert(request.audience()).second) {
      errors.push_back(field::Duplicate(at.Child("audience"), request.audience()));
      continue;
    }
    if (!request.has_expirationseconds()) continue;
    const int64_t seconds = request.expirationseconds();
    if (seconds < kMinTokenSeconds) {
      errors.push_back(
          field::Invalid(at.Child("expirationSeconds"), seconds, "may not specify a duration less than 10 minutes"));
    }
    if (seconds > kMaxTokenSeconds) {
      errors.push_back(field::Invalid(at.Child("expirationSeconds"), seconds,
                                      "may not specify a duration larger than 2^32 seconds"));
    }
  }
}

}  // namespace

void SetDefaults(storage_v1::StorageClass& storage_class) {
  if (!storage_class.has_reclaimpolicy()) storage_class.set_reclaimpolicy("Delete");
  if (!storage_class.has_volumebindingmode()) storage_class.set_volumebindingmode("Immediate");
}

void SetDefaults(storage_v1::CSIDriver& driver) {
  auto& spec = *driver.mutable_spec();
  if (!spec.has_attachrequired()) spec.set_attachrequired(true);
  if (!spec.has_podinfoonmount()) spec.set_podinfoonmount(false);
  if (!spec.has_storagecapacity()) spec.set_storagecapacity(false);
  if (!spec.has_fsgrouppolicy()) spec.set_fsgrouppolicy("ReadWriteOnceWithFSType");
  if (spec.volumelifecyclemodes_size() == 0) spec.add_volumelifecyclemodes("Persistent");
  if (!spec.has_requiresrepublish()) spec.set_requiresrepublish(false);
  if (!spec.has_selinuxmount()) spec.set_selinuxmount(false);
}

field::ErrorList ValidateStorageClass(const storage_v1::StorageClass& storage_class) {
  static constexpr std::string_view kReclaim[] = {"Delete", "Retain"};
  static constexpr std::string_view kBinding[] = {"Immediate", "WaitForFirstConsumer"};
  ErrorList errors;
  const Path provisioner("provisioner");
  if (storage_class.provisioner().empty()) {
    errors.push_back(field::Required(provisioner, ""));
  } else {
    const std::string lower = Lower(storage_class.provisioner());
    rules::AddInvalid(errors, provisioner, lower, names::IsQualifiedName(lower));
  }
  const Path parameters("parameters");
  if (storage_class.parameters().size() > kMaxParameters) {
    errors.push_back(field::TooLong(parameters, "", kMaxParameters));
  } else {
    if (storage_class.parameters().contains("")) {
      errors.push_back(field::Invalid(parameters, "", "field can not be empty."));
    }
    if (SizeOf(storage_class.parameters()) > kMaxParametersSize) {
      errors.push_back(field::TooLong(parameters, "", kMaxParametersSize));
    }
  }
  if (!storage_class.reclaimpolicy().empty()) {
    rules::RequireOneOf(errors, Path("reclaimPolicy"), storage_class.reclaimpolicy(), kReclaim);
  }
  if (!storage_class.has_volumebindingmode()) {
    errors.push_back(field::Required(Path("volumeBindingMode"), ""));
  } else if (storage_class.volumebindingmode() != kBinding[0] && storage_class.volumebindingmode() != kBinding[1]) {
    errors.push_back(field::NotSupported(Path("volumeBindingMode"), storage_class.volumebindingmode(), kBinding));
  }
  ValidateTopologies(errors, storage_class);
  return errors;
}

field::ErrorList ValidateStorageClassUpdate(const storage_v1::StorageClass& updated,
                                            const storage_v1::StorageClass& old) {
  ErrorList errors = ValidateStorageClass(updated);
  if (rules::GoValue(updated.parameters()) != rules::GoValue(old.parameters())) {
    errors.push_back(field::Forbidden(Path("parameters"), "updates to parameters are forbidden."));
  }
  if (updated.provisioner() != old.provisioner()) {
    errors.push_back(field::Forbidden(Path("provisioner"), "updates to provisioner are forbidden."));
  }
  if (updated.reclaimpolicy() != old.reclaimpolicy()) {
    errors.push_back(field::Forbidden(Path("reclaimPolicy"), "updates to reclaimPolicy are forbidden."));
  }
  rules::ImmutableText(errors, Path("volumeBindingMode"), updated.volumebindingmode(), old.volumebindingmode());
  return errors;
}

field::ErrorList ValidateVolumeAttachment(const storage_v1::VolumeAttachment& attachment) {
  ErrorList errors = ValidateAttachment(attachment);
  ValidateDriverName(errors, Path("spec.attacher"), attachment.spec().attacher());
  if (attachment.spec().source().has_persistentvolumename()) {
    const std::string& name = attachment.spec().source().persistentvolumename();
    rules::AddInvalid(errors, Path("spec.source.persistentVolumeName"), name, names::NameIsDNSSubdomain(name, false));
  }
  return errors;
}

field::ErrorList ValidateVolumeAttachmentUpdate(const storage_v1::VolumeAttachment& updated,
                                                const storage_v1::VolumeAttachment& old) {
  ErrorList errors = ValidateAttachment(updated);
  rules::Immutable(errors, Path("spec"), SemanticEqual(updated.spec(), old.spec()),
                   "storage.VolumeAttachmentSpec{...}");
  return errors;
}

field::ErrorList ValidateCSINode(const storage_v1::CSINode& node) {
  ErrorList errors;
  std::set<std::string> seen;
  for (int i = 0; i < node.spec().drivers_size(); ++i) {
    const auto& driver = node.spec().drivers(i);
    const Path path = Path("spec.drivers").Index(static_cast<size_t>(i));
    ValidateDriverName(errors, path.Child("name"), driver.name());
    const Path id = path.Child("nodeID");
    if (driver.nodeid().empty()) errors.push_back(field::Required(id, ""));
    if (driver.nodeid().size() > kMaxNodeId) {
      errors.push_back(field::Invalid(id, driver.nodeid(), fmt::format("must be {} characters or less", kMaxNodeId)));
    }
    if (driver.allocatable().has_count()) {
      rules::Nonnegative(errors, path.Child("allocatable.count"), driver.allocatable().count());
    }
    if (!seen.insert(driver.name()).second) errors.push_back(field::Duplicate(path.Child("name"), driver.name()));
    std::set<std::string> keys;
    for (const std::string& key : driver.topologykeys()) {
      if (key.empty()) errors.push_back(field::Required(path, ""));
      if (!keys.insert(key).second) errors.push_back(field::Duplicate(path, key));
      rules::AddInvalid(errors, path, key, names::IsQualifiedName(key));
    }
  }
  return errors;
}

field::ErrorList ValidateCSINodeUpdate(const storage_v1::CSINode& updated, const storage_v1::CSINode& old) {
  ErrorList errors = ValidateCSINode(updated);
  for (const auto& before : old.spec().drivers()) {
    for (const auto& driver : updated.spec().drivers()) {
      if (driver.name() != before.name()) continue;
      rules::Immutable(errors, Path("spec.drivers"), SemanticEqual(driver, before), "storage.CSINodeDriver{...}");
    }
  }
  return errors;
}

field::ErrorList ValidateCSIDriver(const storage_v1::CSIDriver& driver) {
  static constexpr std::string_view kPolicies[] = {"File", "None", "ReadWriteOnceWithFSType"};
  ErrorList errors;
  const Path path("spec");
  const auto& spec = driver.spec();
  const auto require = [&](std::string_view name, bool set) {
    if (!set) errors.push_back(field::Required(path.Child(name), ""));
  };
  // "attachedRequired" is how upstream spells it here.
  require("attachedRequired", spec.has_attachrequired());
  require("podInfoOnMount", spec.has_podinfoonmount());
  require("storageCapacity", spec.has_storagecapacity());
  if (spec.has_fsgrouppolicy() &&
      std::find(std::begin(kPolicies), std::end(kPolicies), spec.fsgrouppolicy()) == std::end(kPolicies)) {
    errors.push_back(field::NotSupported(path.Child("fsGroupPolicy"), spec.fsgrouppolicy(), kPolicies));
  }
  ValidateTokenRequests(errors, path.Child("tokenRequests"), spec);
  for (const std::string& mode : spec.volumelifecyclemodes()) {
    if (mode == "Persistent" || mode == "Ephemeral") continue;
    errors.push_back(field::NotSupported(path.Child("volumeLifecycleModes"), mode, {"Persistent", "Ephemeral"}));
  }
  require("seLinuxMount", spec.has_selinuxmount());
  return errors;
}

field::ErrorList ValidateCSIDriverUpdate(const storage_v1::CSIDriver& updated, const storage_v1::CSIDriver& old) {
  ErrorList errors = ValidateCSIDriver(updated);
  const auto& spec = updated.spec();
  rules::Immutable(errors, Path("spec.attachedRequired"), spec.attachrequired() == old.spec().attachrequired(),
                   spec.attachrequired() ? "true" : "false");
  std::string modes;
  for (const std::string& mode : spec.volumelifecyclemodes()) {
    modes += fmt::format("{}\"{}\"", modes.empty() ? "" : ", ", mode);
  }
  rules::Immutable(errors, Path("spec.volumeLifecycleModes"),
                   std::equal(spec.volumelifecyclemodes().begin(), spec.volumelifecyclemodes().end(),
                              old.spec().volumelifecyclemodes().begin(), old.spec().volumelifecyclemodes().end()),
                   fmt::format("[]storage.VolumeLifecycleMode{{{}}}", modes));
  return errors;
}

field::ErrorList ValidateCSIStorageCapacity(const storage_v1::CSIStorageCapacity& capacity) {
  ErrorList errors;
  if (capacity.has_nodetopology()) {
    field::Append(errors, ValidateLabelSelector(capacity.nodetopology(), Path("nodeTopology")));
  }
  rules::AddInvalid(errors, Path("storageClassName"), capacity.storageclassname(),
                    names::NameIsDNSSubdomain(capacity.storageclassname(), false));
  if (capacity.has_capacity()) {
    const Quantity quantity = Quantity::From(capacity.capacity());
    if (quantity.Sign() < 0) {
      errors.push_back(field::Invalid(Path("capacity"), quantity.ToString(), "must be greater than or equal to 0"));
    }
  }
  return errors;
}

field::ErrorList ValidateCSIStorageCapacityUpdate(const storage_v1::CSIStorageCapacity& updated,
                                                  const storage_v1::CSIStorageCapacity& old) {
  ErrorList errors;
  const bool same =
      updated.has_nodetopology() == old.has_nodetopology() && SemanticEqual(updated.nodetopology(), old.nodetopology());
  rules::Immutable(errors, Path("nodeTopology"), same,
                   updated.has_nodetopology() ? rules::GoValue(updated.nodetopology()) : "\"null\"");
  rules::ImmutableText(errors, Path("storageClassName"), updated.storageclassname(), old.storageclassname());
  return errors;
}

}  // namespace knarr::api
