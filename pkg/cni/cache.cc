#include "pkg/cni/cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>

#include "pkg/base/file.h"
#include "pkg/cni/json.h"

namespace knarr::cni {

using internal::ArrayAt;
using internal::ObjectAt;
using internal::ParseJson;
using internal::ParseJsonObject;
using internal::StringAt;
namespace json = boost::json;

namespace {

constexpr std::string_view kKind = "cniCacheV1";
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// libcni's cache holds the configuration as a []byte, which JSON in Go writes as base64.
std::string EncodeBase64(std::string_view in) {
  std::string out;
  for (size_t i = 0; i < in.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; ++j) bits = bits << 8 | (i + j < in.size() ? static_cast<unsigned char>(in[i + j]) : 0U);
    for (size_t j = 0; j < 4; ++j) out += i + j <= in.size() ? kAlphabet[bits >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

Result<std::string> DecodeBase64(std::string_view in) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  while (in.ends_with('=')) in.remove_suffix(1);
  for (const char c : in) {
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return Error(Code::kDataLoss, "illegal base64 data");
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xff);
  }
  return out;
}

// As WriteFileAtomically but without fsync, see the header.
Status Replace(const std::string& path, std::string_view content) {
  std::string temporary = fmt::format("{}/.tmp.XXXXXX", DirName(path));
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (!fd) return ErrnoError(errno, "create {}", temporary);
  Status status = WriteAll(fd.get(), content, temporary);
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) status = ErrnoError(errno, "rename {} to {}", temporary, path);
  if (!status.ok()) ::unlink(temporary.c_str());
  return status;
}

int64_t IntAt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

}  // namespace

std::string_view Record::Arg(std::string_view key) const {
  for (const auto& [name, value] : rt.args) {
    if (name == key) return value;
  }
  return {};
}

std::string FormatRecord(const Record& record) {
  json::object object;
  object["kind"] = kKind;
  object["containerId"] = record.rt.container_id;
  object["config"] = EncodeBase64(record.config);
  object["ifName"] = record.rt.ifname;
  object["networkName"] = record.network_name;
  object["netns"] = record.rt.netns;
  json::array args;
  for (const auto& [key, value] : record.rt.args) args.push_back(json::array{key, value});
  if (!args.empty()) object["cniArgs"] = std::move(args);
  for (const auto& [key, text] : {std::pair("capabilityArgs", &record.rt.capability_args), {"result", &record.result}}) {
    if (text->empty()) continue;
    if (Result<json::value> value = ParseJson(*text, key); value.ok()) object[key] = std::move(*value);
  }
  object["bootId"] = record.boot_id;
  if (record.failures > 0) {
    object["failures"] = record.failures;
    object["firstFailure"] = record.first_failure;
    object["lastError"] = record.last_error;
  }
  return json::serialize(object);
}

Result<Record> ParseRecord(std::string_view text) {
  const json::object object = KNARR_TRY(ParseJsonObject(text, "attachment record"));
  if (StringAt(object, "kind") != kKind) {
    return Error(Code::kDataLoss, "attachment record has wrong kind: {}", StringAt(object, "kind"));
  }
  Record record;
  record.rt.container_id = StringAt(object, "containerId");
  record.rt.ifname = StringAt(object, "ifName");
  record.rt.netns = StringAt(object, "netns");
  record.network_name = StringAt(object, "networkName");
  KNARR_TRY(ValidateContainerId(record.rt.container_id));
  KNARR_TRY(ValidateInterfaceName(record.rt.ifname));
  KNARR_TRY(ValidateNetworkName(record.network_name));
  record.config = KNARR_TRY(DecodeBase64(StringAt(object, "config")));
  if (const json::array* args = ArrayAt(object, "cniArgs")) {
    for (const json::value& value : *args) {
      const json::array* pair = value.if_array();
      if (pair == nullptr || pair->size() != 2 || !(*pair)[0].is_string() || !(*pair)[1].is_string()) {
        return Error(Code::kDataLoss, "attachment record: invalid cniArgs");
      }
      record.rt.args.emplace_back((*pair)[0].get_string(), (*pair)[1].get_string());
    }
  }
  if (const json::object* capabilities = ObjectAt(object, "capabilityArgs")) {
    record.rt.capability_args = json::serialize(*capabilities);
  }
  if (const json::object* result = ObjectAt(object, "result")) record.result = json::serialize(*result);
  record.boot_id = StringAt(object, "bootId");
  record.failures = static_cast<int>(IntAt(object, "failures"));
  record.first_failure = IntAt(object, "firstFailure");
  record.last_error = StringAt(object, "lastError");
  return record;
}

std::string RecordStore::PathOf(std::string_view network, std::string_view container_id, std::string_view ifname) const {
  return fmt::format("{}/results/{}-{}-{}", directory_, network, container_id, ifname);
}

Status RecordStore::Put(const Record& record) const {
  KNARR_TRY(ValidateContainerId(record.rt.container_id));
  KNARR_TRY(ValidateInterfaceName(record.rt.ifname));
  KNARR_TRY(ValidateNetworkName(record.network_name));
  KNARR_TRY(MakeDirs(directory_ + "/results", 0700));
  return Replace(PathOf(record.network_name, record.rt.container_id, record.rt.ifname), FormatRecord(record));
}

Result<Record> RecordStore::Get(std::string_view network, std::string_view container_id, std::string_view ifname) const {
  const std::string path = PathOf(network, container_id, ifname);
  const std::string text = KNARR_TRY(ReadFile(path, 4 * internal::kMaxJsonBytes));
  Result<Record> record = ParseRecord(text);
  if (record.ok()) return record;
  return Error(Code::kDataLoss, "{}: {}", path, record.error());
}

Status RecordStore::Remove(std::string_view network, std::string_view container_id, std::string_view ifname) const {
  const std::string path = PathOf(network, container_id, ifname);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoError(errno, "remove {}", path);
  return {};
}

Result<RecordStore::Listing> RecordStore::List() const {
  Listing listing;
  const std::string directory = directory_ + "/results";
  const Result<std::vector<std::string>> names = ListDir(directory);
  if (!names.ok()) {
    if (names.error().error_number() == ENOENT) return listing;
    return names.error();
  }
  for (const std::string& name : *names) {
    const std::string path = JoinPath(directory, name);
    const Result<std::string> text = ReadFile(path, 4 * internal::kMaxJsonBytes);
    Result<Record> record = text.ok() ? ParseRecord(*text) : Result<Record>(text.error());
    if (record.ok() && PathOf(record->network_name, record->rt.container_id, record->rt.ifname) == path) {
      listing.records.push_back(std::move(*record));
    } else {
      listing.broken.push_back(path);
    }
  }
  return listing;
}

}  // namespace knarr::cni
