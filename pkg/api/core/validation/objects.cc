// ConfigMaps and Secrets.
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>

#include "pkg/api/core/validation/internal.h"

namespace knarr::api {
namespace validation {
namespace {

constexpr size_t kDataMax = 1 << 20;

// A null is what Go decodes into an empty map.
bool IsJsonObject(const std::string& text) {
  boost::system::error_code error;
  boost::json::monotonic_resource memory;
  const boost::json::value value = boost::json::parse(text, error, &memory);
  return !error && (value.is_object() || value.is_null());
}

class SecretValidator {
 public:
  SecretValidator(const core::Secret& secret, ErrorList& errors) : secret_(secret), errors_(errors) {}

  void ValidateType() {
    const std::string& type = secret_.type();
    if (type == "kubernetes.io/service-account-token") {
      RequireAccountName();
    } else if (type == "kubernetes.io/dockercfg") {
      RequireJson(".dockercfg");
    } else if (type == "kubernetes.io/dockerconfigjson") {
      RequireJson(".dockerconfigjson");
    } else if (type == "kubernetes.io/basic-auth") {
      if (!Has("username") && !Has("password")) {
        Require("username");
        Require("password");
      }
    } else if (type == "kubernetes.io/ssh-auth") {
      if (!Has("ssh-privatekey") || secret_.data().at("ssh-privatekey").empty()) AddRequired("ssh-privatekey");
    } else if (type == "kubernetes.io/tls") {
      Require("tls.crt");
      Require("tls.key");
    }
  }

 private:
  bool Has(const std::string& key) const { return secret_.data().contains(key); }
  void AddRequired(const std::string& key) { errors_.push_back(field::Required(Path("data").Key(key), "")); }
  void Require(const std::string& key) {
    if (!Has(key)) AddRequired(key);
  }

  void RequireAccountName() {
    const std::string key = "kubernetes.io/service-account.name";
    const auto found = secret_.metadata().annotations().find(key);
    if (found == secret_.metadata().annotations().end() || found->second.empty()) {
      errors_.push_back(field::Required(Path("metadata.annotations").Key(key), ""));
    }
  }

  void RequireJson(const std::string& key) {
    if (!Has(key)) {
      AddRequired(key);
    } else if (!IsJsonObject(secret_.data().at(key))) {
      errors_.push_back(field::Invalid(Path("data").Key(key), "<secret contents redacted>", "must be a JSON object"));
    }
  }

  const core::Secret& secret_;
  ErrorList& errors_;
};

// Checks the keys and returns the size of the values.
template <typename Map>
size_t ValidateData(const Map& data, const Path& path, ErrorList& errors) {
  size_t size = 0;
  for (const std::string& key : SortedKeys(data)) {
    AddInvalid(errors, path.Key(key), key, names::IsConfigMapKey(key));
    size += data.at(key).size();
  }
  return size;
}

constexpr std::string_view kImmutableIsSet = "field is immutable when `immutable` is set";

template <typename Map>
bool SameData(const Map& a, const Map& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [key, value] : a) {
    const auto found = b.find(key);
    if (found == b.end() || found->second != value) return false;
  }
  return true;
}

}  // namespace
}  // namespace validation

field::ErrorList ValidateConfigMap(const core::ConfigMap& config_map, Metadata metadata) {
  field::ErrorList errors;
  const field::Path data("data");
  if (metadata == Metadata::kValidate) {
    validation::ValidateObjectMeta(config_map.metadata(), names::NameIsDNSSubdomain, field::Path("metadata"), errors);
  }
  size_t size = validation::ValidateData(config_map.data(), data, errors);
  for (const std::string& key : validation::SortedKeys(config_map.data())) {
    if (!config_map.binarydata().contains(key)) continue;
    errors.push_back(field::Invalid(data.Key(key), key, "duplicate of key present in binaryData"));
  }
  size += validation::ValidateData(config_map.binarydata(), field::Path("binaryData"), errors);
  // The empty path stands for the whole object; it prints as an index without a name.
  if (size > validation::kDataMax) errors.push_back(field::TooLong(field::Path("[]"), "", validation::kDataMax));
  return errors;
}

field::ErrorList ValidateSecret(const core::Secret& secret, Metadata metadata) {
  field::ErrorList errors;
  if (metadata == Metadata::kValidate) {
    validation::ValidateObjectMeta(secret.metadata(), names::NameIsDNSSubdomain, field::Path("metadata"), errors);
  }
  const size_t size = validation::ValidateData(secret.data(), field::Path("data"), errors);
  if (size > validation::kDataMax) errors.push_back(field::TooLong(field::Path("data"), "", validation::kDataMax));
  validation::SecretValidator(secret, errors).ValidateType();
  return errors;
}

field::ErrorList ValidateConfigMapUpdate(const core::ConfigMap& updated, const core::ConfigMap& old) {
  field::ErrorList errors;
  const auto forbid = [&](const char* name) {
    errors.push_back(field::Forbidden(field::Path(name), validation::kImmutableIsSet));
  };
  if (old.immutable()) {
    if (!updated.immutable()) forbid("immutable");
    if (!validation::SameData(updated.data(), old.data())) forbid("data");
    if (!validation::SameData(updated.binarydata(), old.binarydata())) forbid("binaryData");
  }
  Append(errors, ValidateConfigMap(updated, Metadata::kSkip));
  return errors;
}

field::ErrorList ValidateSecretUpdate(const core::Secret& updated, const core::Secret& old) {
  field::ErrorList errors;
  if (updated.type() != old.type()) {
    errors.push_back(field::Invalid(field::Path("type"), updated.type(), kFieldImmutable));
  }
  if (old.immutable()) {
    if (!updated.immutable()) {
      errors.push_back(field::Forbidden(field::Path("immutable"), validation::kImmutableIsSet));
    }
    if (!validation::SameData(updated.data(), old.data())) {
      errors.push_back(field::Forbidden(field::Path("data"), validation::kImmutableIsSet));
    }
  }
  Append(errors, ValidateSecret(updated, Metadata::kSkip));
  return errors;
}

}  // namespace knarr::api
