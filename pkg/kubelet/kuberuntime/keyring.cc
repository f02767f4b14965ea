#include "pkg/kubelet/kuberuntime/keyring.h"

#include <algorithm>
#include <optional>

#include <boost/json.hpp>

namespace knarr::kubelet {
namespace {

namespace json = boost::json;

std::optional<std::string> DecodeBase64(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  for (const char c : text) {
    uint32_t value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<uint32_t>(c - 'a' + 26);
    } else if (c >= '0' && c <= '9') {
      value = static_cast<uint32_t>(c - '0' + 52);
    } else if (c == '+' || c == '-') {
      value = 62;
    } else if (c == '/' || c == '_') {
      value = 63;
    } else {
      return std::nullopt;
    }
    bits = bits << 6 | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xff);
    }
  }
  return out;
}

std::string Text(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  return value && value->is_string() ? std::string(value->get_string().c_str(), value->get_string().size()) : std::string();
}

std::optional<Credential> ParseEntry(const json::value& value) {
  if (!value.is_object()) return std::nullopt;
  Credential credential{Text(value.get_object(), "username"), Text(value.get_object(), "password")};
  if (const std::string auth = Text(value.get_object(), "auth"); !auth.empty()) {
    const auto plain = DecodeBase64(auth);
    const size_t colon = plain ? plain->find(':') : std::string::npos;
    if (colon == std::string::npos) return std::nullopt;
    credential = {plain->substr(0, colon), plain->substr(colon + 1)};
  }
  return credential;
}

// "https://index.docker.io/v1/" -> "docker.io", ""; "reg.local:5000/team" -> "reg.local:5000", "team"
std::pair<std::string, std::string> SplitKey(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  }
  const size_t slash = key.find('/');
  std::string host(key.substr(0, slash));
  std::string path(slash == std::string_view::npos ? std::string_view() : key.substr(slash + 1));
  while (path.ends_with('/')) path.pop_back();
  if (path == "v1" || path == "v2") path.clear();
  if (host == "index.docker.io" || host == "registry-1.docker.io") host = "docker.io";
  return {std::move(host), std::move(path)};
}

bool LabelMatches(std::string_view pattern, std::string_view label) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == label;
  const std::string_view head = pattern.substr(0, star), tail = pattern.substr(star + 1);
  return label.size() >= head.size() + tail.size() && label.starts_with(head) && label.ends_with(tail);
}

// Label by label, so that *.example.com does not match a.b.example.com.
bool HostMatches(std::string_view pattern, std::string_view host) {
  for (;;) {
    const size_t p = pattern.find('.'), h = host.find('.');
    if (!LabelMatches(pattern.substr(0, p), host.substr(0, h))) return false;
    if (p == std::string_view::npos || h == std::string_view::npos) return p == h;
    pattern.remove_prefix(p + 1);
    host.remove_prefix(h + 1);
  }
}

}  // namespace

Status Keyring::Add(const core::Secret& secret) {
  const std::string& name = secret.metadata().name();
  const bool legacy = secret.type() == "kubernetes.io/dockercfg";
  const char* key = legacy ? ".dockercfg" : ".dockerconfigjson";
  const auto data = secret.data().find(key);
  if (data == secret.data().end()) return Error(Code::kInvalid, "secret {}: no data {}", name, key);
  json::error_code error;
  const json::value parsed = json::parse(json::string_view(data->second), error);
  if (error || !parsed.is_object()) return Error(Code::kInvalid, "secret {}: {} is not a JSON object", name, key);
  const json::value* auths = legacy ? &parsed : parsed.get_object().if_contains("auths");
  if (!auths || !auths->is_object()) return Error(Code::kInvalid, "secret {}: {} has no \"auths\"", name, key);
  std::vector<Entry> entries;
  for (const auto& [registry, value] : auths->get_object()) {
    const auto credential = ParseEntry(value);
    if (!credential) return Error(Code::kInvalid, "secret {}: credentials of {} cannot be read", name, std::string_view(registry.data(), registry.size()));
    auto [host, path] = SplitKey({registry.data(), registry.size()});
    entries.push_back({std::move(host), std::move(path), *credential});
  }
  entries_.insert(entries_.end(), std::make_move_iterator(entries.begin()), std::make_move_iterator(entries.end()));
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.path.size() > b.path.size(); });
  return OkStatus();
}

std::vector<Credential> Keyring::Lookup(const names::ImageReference& image) const {
  std::vector<Credential> out;
  for (const Entry& entry : entries_) {
    if (HostMatches(entry.host, image.domain) && image.path.starts_with(entry.path)) out.push_back(entry.credential);
  }
  return out;
}

}  // namespace knarr::kubelet
