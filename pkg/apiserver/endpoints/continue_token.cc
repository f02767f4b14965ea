#include "pkg/apiserver/endpoints/continue_token.h"

#include <fmt/format.h>

#include <boost/beast/core/detail/base64.hpp>
#include <boost/json.hpp>

namespace knarr::endpoints {
namespace {

constexpr std::string_view kVersion = "meta.k8s.io/v1";
constexpr size_t kMaxLength = 8 << 10;

Status Bad(std::string_view why) {
  return Error(Code::kBadRequest, "invalid continue token: continue key is not valid: {}", why);
}

}  // namespace

std::string EncodeContinue(const ContinueToken& token) {
  boost::json::object json;
  json["v"] = boost::json::string_view(kVersion.data(), kVersion.size());
  json["rv"] = token.revision;
  json["start"] = token.start_key;
  const std::string text = boost::json::serialize(json);
  namespace base64 = boost::beast::detail::base64;
  std::string out(base64::encoded_size(text.size()), '\0');
  out.resize(base64::encode(out.data(), text.data(), text.size()));
  // Base64 of URLs, without padding.
  while (out.ends_with('=')) out.pop_back();
  for (char& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return out;
}

Result<ContinueToken> DecodeContinue(std::string_view text) {
  if (text.size() > kMaxLength) return Bad("too long");
  std::string standard(text);
  for (char& c : standard) c = c == '-' ? '+' : c == '_' ? '/' : c;
  namespace base64 = boost::beast::detail::base64;
  std::string decoded(base64::decoded_size(standard.size()) + 3, '\0');
  decoded.resize(base64::decode(decoded.data(), standard.data(), standard.size()).first);
  if (decoded.empty()) return Bad("illegal base64 data");
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(decoded, error);
  if (error || !value.is_object()) return Bad("not a JSON object");
  const auto& json = value.get_object();
  const auto* version = json.if_contains("v");
  const auto* revision = json.if_contains("rv");
  const auto* start = json.if_contains("start");
  if (!version || !version->is_string() ||
      version->get_string() != boost::json::string_view(kVersion.data(), kVersion.size()))
    return Bad("server does not recognize this encoded version");
  if (!revision || !revision->is_int64() || revision->get_int64() == 0)
    return Bad("incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
  if (!start || !start->is_string() || start->get_string().empty())
    return Bad("encoded start key empty (version meta.k8s.io/v1)");
  ContinueToken token{.revision = revision->get_int64(), .start_key = {}};
  token.start_key.assign(start->get_string().data(), start->get_string().size());
  // A key must stay below the prefix that it is joined to.
  if (token.start_key.starts_with('/')) token.start_key.erase(0, 1);
  if (fmt::format("/{}/", token.start_key).find("/../") != std::string::npos)
    return Bad(fmt::format("'{}' is not a valid continue key", token.start_key));
  return token;
}

}  // namespace knarr::endpoints
