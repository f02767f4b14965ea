// What HTTP messages are made of, the same for every version of the protocol.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pkg/base/status.h"

namespace knarr::http {

// Ordered fields; names compare without case.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}
  void Add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  void Set(std::string_view name, std::string value);  // replaces all of that name
  void Remove(std::string_view name);
  // The first value, "" where there is none.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;
  size_t Count(std::string_view name) const;
  // Is token among the comma-separated tokens of the field (without case)?
  bool HasToken(std::string_view name, std::string_view token) const;
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  size_t size() const { return fields_.size(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

bool EqualFold(std::string_view a, std::string_view b);
// net/http's StatusText: "Not Found"; "" for an unknown code.
std::string_view StatusText(int status);

// Decoded query: keys may repeat. Bad escapes are errors.
using Query = std::vector<std::pair<std::string, std::string>>;
Result<Query> ParseQuery(std::string_view raw);
std::string EncodeQuery(const Query& query);
Result<std::string> PercentDecode(std::string_view text, bool plus_is_space);
std::string PercentEncode(std::string_view text);

// http, https, or unix (unix:///run/x.sock: the whole path names the socket and the target is "/").
struct Url {
  std::string scheme;
  std::string host;  // without brackets
  uint16_t port = 0;
  std::string target = "/";       // path and query as sent
  std::string Authority() const;  // host, with the port unless it is the scheme's own
  std::string ToString() const;
};
Result<Url> ParseUrl(std::string_view text);
// A Location header seen from `base`.
Result<Url> ResolveUrl(const Url& base, std::string_view reference);

}  // namespace knarr::http
