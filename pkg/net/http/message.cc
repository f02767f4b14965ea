#include "pkg/net/http/message.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace knarr::http {
namespace {

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

uint16_t DefaultPort(std::string_view scheme) {
  return scheme == "https" ? 443 : 80;
}

// Only what may stand in a request line: no spaces, controls, or bytes above ASCII.
bool CleanTarget(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

bool EqualFold(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return Lower(x) == Lower(y); });
}

void Headers::Set(std::string_view name, std::string value) {
  Remove(name);
  fields_.emplace_back(std::string(name), std::move(value));
}

void Headers::Remove(std::string_view name) {
  std::erase_if(fields_, [&](const auto& field) { return EqualFold(field.first, name); });
}

std::string_view Headers::Get(std::string_view name) const {
  for (const auto& [key, value] : fields_) {
    if (EqualFold(key, name)) return value;
  }
  return {};
}

bool Headers::Has(std::string_view name) const {
  return Count(name) > 0;
}

size_t Headers::Count(std::string_view name) const {
  return static_cast<size_t>(
      std::count_if(fields_.begin(), fields_.end(), [&](const auto& field) { return EqualFold(field.first, name); }));
}

bool Headers::HasToken(std::string_view name, std::string_view token) const {
  for (const auto& [key, value] : fields_) {
    if (!EqualFold(key, name)) continue;
    std::string_view rest = value;
    for (;;) {
      const size_t comma = rest.find(',');
      if (EqualFold(Trim(rest.substr(0, comma)), token)) return true;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

std::string_view StatusText(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Request Entity Too Large";
    case 415: return "Unsupported Media Type";
    case 416: return "Requested Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Entity";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return {};
  }
}

Result<std::string> PercentDecode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return Error(Code::kBadRequest, "invalid URL escape \"{}\"", text.substr(i, 3));
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::string PercentEncode(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
        c == '.' || c == '~') {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

Result<Query> ParseQuery(std::string_view raw) {
  Query query;
  while (!raw.empty()) {
    const size_t end = raw.find('&');
    const std::string_view pair = raw.substr(0, end);
    raw.remove_prefix(end == std::string_view::npos ? raw.size() : end + 1);
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    std::string key = KNARR_TRY(PercentDecode(pair.substr(0, equals), true));
    std::string value;
    if (equals != std::string_view::npos) value = KNARR_TRY(PercentDecode(pair.substr(equals + 1), true));
    query.emplace_back(std::move(key), std::move(value));
  }
  return query;
}

std::string EncodeQuery(const Query& query) {
  std::string out;
  for (const auto& [key, value] : query) {
    if (!out.empty()) out += '&';
    out += PercentEncode(key) + "=" + PercentEncode(value);
  }
  return out;
}

std::string Url::Authority() const {
  std::string text = host.find(':') != std::string::npos ? "[" + host + "]" : host;
  if (port != DefaultPort(scheme)) text += ":" + std::to_string(port);
  return text;
}

std::string Url::ToString() const {
  if (scheme == "unix") return "unix://" + host;
  return scheme + "://" + Authority() + target;
}

Result<Url> ParseUrl(std::string_view text) {
  Url url;
  const size_t colon = text.find("://");
  if (colon == std::string_view::npos) return Error(Code::kInvalid, "parse \"{}\": missing scheme", text);
  for (const char c : text.substr(0, colon)) url.scheme += Lower(c);
  std::string_view rest = text.substr(colon + 3);
  if (url.scheme == "unix") {
    url.host = rest;
    return url;
  }
  if (url.scheme != "http" && url.scheme != "https")
    return Error(Code::kInvalid, "parse \"{}\": unsupported protocol scheme \"{}\"", text, url.scheme);
  rest = rest.substr(0, rest.find('#'));
  const size_t path = rest.find_first_of("/?");
  std::string_view authority = rest.substr(0, path);
  if (path != std::string_view::npos) url.target = rest.substr(path);
  if (url.target.starts_with('?')) url.target.insert(0, "/");
  if (!CleanTarget(url.target)) return Error(Code::kInvalid, "parse \"{}\": invalid character in URL", text);
  if (authority.find('@') != std::string_view::npos)
    return Error(Code::kInvalid, "parse URL: user information is not supported");
  url.port = DefaultPort(url.scheme);
  const size_t bracket = authority.rfind(']');
  const size_t port_at = authority.rfind(':');
  if (port_at != std::string_view::npos && (bracket == std::string_view::npos || port_at > bracket)) {
    const std::string_view digits = authority.substr(port_at + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
    if (!digits.empty() && (error != std::errc() || end != digits.data() + digits.size())) {
      return Error(Code::kInvalid, "parse \"{}\": invalid port \":{}\" after host", text, digits);
    }
    authority = authority.substr(0, port_at);
  }
  if (authority.starts_with('[') && authority.ends_with(']')) authority = authority.substr(1, authority.size() - 2);
  if (authority.empty() || !CleanTarget(authority)) return Error(Code::kInvalid, "parse \"{}\": no host in URL", text);
  url.host = authority;
  return url;
}

Result<Url> ResolveUrl(const Url& base, std::string_view reference) {
  if (reference.find("://") != std::string_view::npos) return ParseUrl(reference);
  if (reference.starts_with("//")) return ParseUrl(base.scheme + ":" + std::string(reference));
  Url url = base;
  reference = reference.substr(0, reference.find('#'));
  if (!CleanTarget(reference)) return Error(Code::kInvalid, "parse \"{}\": invalid character in URL", reference);
  if (reference.starts_with('/')) {
    url.target = reference;
    return url;
  }
  const std::string_view path = std::string_view(base.target).substr(0, base.target.find('?'));
  if (reference.starts_with('?')) {
    url.target = std::string(path) + std::string(reference);
  } else {
    url.target = std::string(path.substr(0, path.rfind('/') + 1)) + std::string(reference);
  }
  return url;
}

}  // namespace knarr::http
