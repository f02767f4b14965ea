#include "pkg/apiserver/server/health.h"

#include <fmt/format.h>

#include <algorithm>

namespace knarr::apiserver {
namespace {

constexpr std::chrono::seconds kTimeout{2};

}  // namespace

void Health::Add(std::string name, Check check, uint8_t where) {
  checks_.push_back({std::move(name), std::move(check), where});
}

// A failure is logged when it begins and when it changes: probes come every second.
Status Health::Run(const Named& named, const Context& ctx) const {
  const Status status = named.check(ctx);
  const std::lock_guard lock(mutex_);
  std::string& last = failures_[named.name];
  const std::string now(status.ok() ? std::string_view() : status.message());
  if (now != last && !status.ok()) ctx.log().Error(status, "Health check failed", {{"check", named.name}});
  last = now;
  return status;
}

bool Health::Serve(const http::Request& request, http::ResponseWriter& response) const {
  std::string_view path = request.path;
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  path.remove_prefix(1);
  const std::string_view endpoint = path.substr(0, path.find('/'));
  const uint8_t where = endpoint == "healthz"  ? kHealthz
                        : endpoint == "livez"  ? kLivez
                        : endpoint == "readyz" ? kReadyz
                                               : 0;
  if (where == 0) return false;
  const std::string_view only = path.size() > endpoint.size() ? path.substr(endpoint.size() + 1) : std::string_view();
  const Context ctx = request.ctx.WithTimeout(kTimeout);
  response.headers().Set("X-Content-Type-Options", "nosniff");
  constexpr std::string_view kText = "text/plain; charset=utf-8";
  if (!only.empty()) {
    for (const Named& named : checks_) {
      if ((named.where & where) == 0 || named.name != only) continue;
      const Status status = Run(named, ctx);
      if (status.ok()) {
        response.Reply(200, kText, "ok");
      } else {
        response.Reply(500, kText, fmt::format("internal server error: {}\n", "reason withheld"));
      }
      return true;
    }
    response.Reply(404, kText, "404 page not found\n");
    return true;
  }
  std::vector<std::string_view> excluded;
  for (const auto& [key, value] : request.query) {
    if (key == "exclude") excluded.push_back(value);
  }
  std::string text;
  bool failed = false;
  for (const Named& named : checks_) {
    if ((named.where & where) == 0) continue;
    if (std::find(excluded.begin(), excluded.end(), named.name) != excluded.end()) {
      text += fmt::format("[+]{} excluded: ok\n", named.name);
      continue;
    }
    const Status status = Run(named, ctx);
    if (status.ok()) {
      text += fmt::format("[+]{} ok\n", named.name);
      continue;
    }
    failed = true;
    text += fmt::format("[-]{} failed: reason withheld\n", named.name);
  }
  if (failed) {
    response.Reply(500, kText, fmt::format("{}{} check failed\n", text, endpoint));
  } else if (request.HasQuery("verbose")) {
    response.Reply(200, kText, fmt::format("{}{} check passed\n", text, endpoint));
  } else {
    response.Reply(200, kText, "ok");
  }
  return true;
}

}  // namespace knarr::apiserver
