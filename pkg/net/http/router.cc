#include <algorithm>
#include <map>
#include <memory>

#include "pkg/net/http/server.h"

namespace knarr::http {
namespace {

std::vector<std::string_view> Segments(std::string_view path) {
  std::vector<std::string_view> segments;
  if (path.starts_with('/')) path.remove_prefix(1);
  while (!path.empty()) {
    const size_t slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return segments;
}

}  // namespace

// One segment of the patterns' tree.
struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literal;
  std::unique_ptr<Node> named;
  std::string name;
  std::map<std::string, Handler, std::less<>> handlers;       // by method; "" any
  std::map<std::string, Handler, std::less<>> rest_handlers;  // of "{name...}"
  std::string rest_name;

  using Params = std::vector<std::pair<std::string, std::string>>;
  // The most specific node with handlers; *rest tells which of its two maps.
  const Node* Find(const std::vector<std::string_view>& segments, size_t at, Params& params, bool* rest) const {
    if (at == segments.size() && !handlers.empty()) {
      *rest = false;
      return this;
    }
    if (at < segments.size()) {
      if (const auto found = literal.find(segments[at]); found != literal.end()) {
        if (const Node* node = found->second->Find(segments, at + 1, params, rest)) return node;
      }
      if (named && !segments[at].empty()) {
        params.emplace_back(named->name, segments[at]);
        if (const Node* node = named->Find(segments, at + 1, params, rest)) return node;
        params.pop_back();
      }
    }
    if (rest_handlers.empty()) return nullptr;
    std::string remainder;
    for (size_t i = at; i < segments.size(); ++i) remainder.append(i > at ? "/" : "").append(segments[i]);
    params.emplace_back(rest_name, std::move(remainder));
    *rest = true;
    return this;
  }
};

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;

void Router::Handle(std::string_view method, std::string_view pattern, Handler handler) {
  Node* node = root_.get();
  for (const std::string_view segment : Segments(pattern)) {
    if (segment.starts_with('{') && segment.ends_with("...}")) {
      node->rest_name = segment.substr(1, segment.size() - 5);
      KNARR_CHECK(node->rest_handlers.emplace(method, std::move(handler)).second);
      return;
    }
    std::unique_ptr<Node>& next = segment.starts_with('{') ? node->named : node->literal[std::string(segment)];
    if (!next) next = std::make_unique<Node>();
    node = next.get();
    if (segment.starts_with('{')) node->name = segment.substr(1, segment.size() - 2);
  }
  KNARR_CHECK(node->handlers.emplace(method, std::move(handler)).second);
}

void Router::Serve(Request& request, ResponseWriter& response) const {
  Node::Params params;
  bool rest = false;
  const Node* node = root_->Find(Segments(request.raw_path), 0, params, &rest);
  if (node == nullptr) return response.Error(404, "404 page not found");
  const auto& handlers = rest ? node->rest_handlers : node->handlers;
  auto found = handlers.find(request.method);
  if (found == handlers.end() && request.method == "HEAD") found = handlers.find("GET");
  if (found == handlers.end()) found = handlers.find("");
  if (found == handlers.end()) {
    std::string allow;
    for (const auto& [method, handler] : handlers) allow.append(allow.empty() ? "" : ", ").append(method);
    response.headers().Set("Allow", allow);
    return response.Error(405, "Method Not Allowed");
  }
  for (auto& [name, value] : params) {
    Result<std::string> decoded = PercentDecode(value, false);
    if (!decoded.ok()) return response.Error(400, decoded.status().message());
    value = std::move(*decoded);
  }
  request.params = std::move(params);
  found->second(request, response);
}

std::string_view Request::Param(std::string_view name) const {
  for (const auto& [key, value] : params) {
    if (key == name) return value;
  }
  return {};
}

std::string_view Request::QueryValue(std::string_view key) const {
  for (const auto& [name, value] : query) {
    if (name == key) return value;
  }
  return {};
}

bool Request::HasQuery(std::string_view key) const {
  return std::any_of(query.begin(), query.end(), [&](const auto& pair) { return pair.first == key; });
}

std::string_view Request::UpgradeProtocol() const {
  return headers.HasToken("Connection", "upgrade") ? headers.Get("Upgrade") : std::string_view();
}

void ResponseWriter::Reply(int status, std::string_view content_type, std::string_view body) {
  headers().Set("Content-Type", std::string(content_type));
  WriteHeader(status);
  // A peer that went away shows in the Context; there is nobody to tell.
  (void)Write(body);
}

void ResponseWriter::Error(int status, std::string_view text) {
  headers().Set("X-Content-Type-Options", "nosniff");
  Reply(status, "text/plain; charset=utf-8", std::string(text) + "\n");
}

}  // namespace knarr::http
