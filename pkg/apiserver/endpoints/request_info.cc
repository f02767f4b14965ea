#include "pkg/apiserver/endpoints/request_info.h"

#include <algorithm>

namespace knarr::endpoints {
namespace {

std::vector<std::string> Split(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  std::vector<std::string> parts;
  if (path.empty()) return parts;
  for (size_t at = 0;;) {
    const size_t slash = path.find('/', at);
    parts.emplace_back(path.substr(at, slash - at));
    if (slash == std::string_view::npos) return parts;
    at = slash + 1;
  }
}

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  return text;
}

std::string_view VerbOf(std::string_view method) {
  if (method == "POST") return "create";
  if (method == "GET" || method == "HEAD") return "get";
  if (method == "PUT") return "update";
  if (method == "PATCH") return "patch";
  if (method == "DELETE") return "delete";
  return "";
}

// Go's strconv.ParseBool takes more spellings; clients send these.
bool Truthy(std::string_view text) {
  return text == "true" || text == "1" || text == "True" || text == "TRUE";
}

// metadata.name=x in a field selector of a list or watch makes it about x, which authorization by name relies on.
std::string NameInFieldSelector(std::string_view selector) {
  constexpr std::string_view kName = "metadata.name=";
  if (!selector.starts_with(kName)) return {};
  selector.remove_prefix(kName.size());
  if (selector.starts_with('=')) selector.remove_prefix(1);
  if (selector.find_first_of(",=!\\") != std::string_view::npos) return {};
  return std::string(selector);
}

}  // namespace

RequestInfo ParseRequestInfo(const http::Request& request) {
  RequestInfo info;
  info.path = request.path;
  info.verb = Lower(request.method);
  const std::vector<std::string> parts = Split(request.path);
  if (parts.size() < 3) return info;
  size_t at = 0;
  if (parts[0] == "apis") {
    if (parts.size() < 4) return info;
    info.group = parts[1];
    at = 2;
  } else if (parts[0] == "api") {
    at = 1;
  } else {
    return info;
  }
  info.is_resource = true;
  info.prefix = parts[0];
  info.version = parts[at++];
  info.verb = VerbOf(request.method);
  if (parts[at] == "watch" || parts[at] == "proxy") {
    if (parts.size() < at + 2) return info;
    info.verb = parts[at];
    info.deprecated_watch_path = parts[at] == "watch";
    ++at;
  }
  if (parts[at] == "namespaces" && parts.size() > at + 1) {
    info.namespace_ = parts[at + 1];
    // What follows a namespace is a resource in it, or one of the namespace's own subresources.
    if (parts.size() > at + 2 && parts[at + 2] != "status" && parts[at + 2] != "finalize") at += 2;
  }
  info.parts.assign(parts.begin() + static_cast<std::ptrdiff_t>(at), parts.end());
  if (!info.parts.empty()) info.resource = info.parts[0];
  if (info.parts.size() >= 2) info.name = info.parts[1];
  if (info.parts.size() >= 3) info.subresource = info.parts[2];
  if (info.subresource == "proxy") {
    // The rest keeps its escapes and doubled slashes: find it in the raw path.
    const std::string marker = "/" + info.name + "/proxy";
    if (const size_t found = request.raw_path.find(marker); found != std::string::npos)
      info.rest = request.raw_path.substr(found + marker.size());
  }
  const bool read = request.method == "GET" || request.method == "HEAD";
  if (info.name.empty() && info.verb == "get") info.verb = "list";
  if ((info.verb == "list" || info.verb == "get") && info.subresource.empty() && read &&
      Truthy(request.QueryValue("watch")))
    info.verb = "watch";
  if (info.name.empty() && info.verb == "delete") info.verb = "deletecollection";
  if (info.name.empty() && (info.verb == "list" || info.verb == "watch" || info.verb == "deletecollection"))
    info.name = NameInFieldSelector(request.QueryValue("fieldSelector"));
  return info;
}

}  // namespace knarr::endpoints
