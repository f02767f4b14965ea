#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>

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
  // A pattern's end: what to call, and what its named segments are called.
  struct Endpoint {
    Handler handler;
    std::vector<std::string> names;
  };
  using Endpoints = std::map<std::string, Endpoint, std::less<>>;  // by method; "" any

  std::map<std::string, std::unique_ptr<Node>, std::less<>> literal;
  std::unique_ptr<Node> named;
  Endpoints here;
  Endpoints rest;  // of "{name...}"

  // The endpoints of the most specific pattern, and the values of its named segments.
  const Endpoints* Find(const std::vector<std::string_view>& segments, size_t at,
                        std::vector<std::string>& values) const {
    if (at == segments.size() && !here.empty()) return &here;
    if (at < segments.size()) {
      if (const auto found = literal.find(segments[at]); found != literal.end()) {
        if (const Endpoints* endpoints = found->second->Find(segments, at + 1, values)) return endpoints;
      }
      if (named && !segments[at].empty()) {
        values.emplace_back(segments[at]);
        if (const Endpoints* endpoints = named->Find(segments, at + 1, values)) return endpoints;
        values.pop_back();
      }
    }
    if (rest.empty()) return nullptr;
    std::string remainder;
    for (size_t i = at; i < segments.size(); ++i) remainder.append(i > at ? "/" : "").append(segments[i]);
    values.push_back(std::move(remainder));
    return &rest;
  }
};

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;

void Router::Handle(std::string_view method, std::string_view pattern, Handler handler) {
  Node* node = root_.get();
  std::vector<std::string> names;
  for (const std::string_view segment : Segments(pattern)) {
    if (segment.starts_with('{') && segment.ends_with("...}")) {
      names.emplace_back(segment.substr(1, segment.size() - 5));
      KNARR_CHECK(node->rest.emplace(method, Node::Endpoint{std::move(handler), std::move(names)}).second);
      return;
    }
    const bool is_name = segment.starts_with('{');
    if (is_name) names.emplace_back(segment.substr(1, segment.size() - 2));
    std::unique_ptr<Node>& next = is_name ? node->named : node->literal[std::string(segment)];
    if (!next) next = std::make_unique<Node>();
    node = next.get();
  }
  KNARR_CHECK(node->here.emplace(method, Node::Endpoint{std::move(handler), std::move(names)}).second);
}

void Router::Serve(Request& request, ResponseWriter& response) const {
  std::vector<std::string> values;
  const Node::Endpoints* endpoints = root_->Find(Segments(request.raw_path), 0, values);
  if (endpoints == nullptr) return response.Error(404, "404 page not found");
  auto found = endpoints->find(request.method);
  if (found == endpoints->end() && request.method == "HEAD") found = endpoints->find("GET");
  if (found == endpoints->end()) found = endpoints->find("");
  if (found == endpoints->end()) {
    std::string allow;
    for (const auto& [method, endpoint] : *endpoints) allow.append(allow.empty() ? "" : ", ").append(method);
    response.headers().Set("Allow", allow);
    return response.Error(405, "Method Not Allowed");
  }
  for (size_t i = 0; i < values.size(); ++i) {
    Result<std::string> decoded = PercentDecode(values[i], false);
    if (!decoded.ok()) return response.Error(400, decoded.status().message());
    request.params.emplace_back(found->second.names[i], std::move(*decoded));
  }
  found->second.handler(request, response);
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

void ResponseWriter::Pump(std::unique_ptr<BodySource> source) {
  constexpr size_t kChunk = 32 << 10;
  std::mutex mutex;
  std::condition_variable changed;
  bool woken = false;
  source->SetWake([&] {
    const std::lock_guard lock(mutex);
    woken = true;
    changed.notify_one();
  });
  bool delivered = true;
  for (std::string chunk;; chunk.clear()) {
    const BodySource::State state = source->Pull(&chunk, kChunk);
    if (!chunk.empty() && (!Write(chunk).ok() || !Flush().ok())) {
      delivered = false;
      break;
    }
    if (state == BodySource::State::kEnd) break;
    if (state == BodySource::State::kMore) continue;
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return woken; });
    woken = false;
  }
  source->OnEnd(delivered);
  source.reset();  // after this nobody wakes
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
