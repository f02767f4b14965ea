#include "pkg/apiserver/server/paths.h"

#include <fmt/format.h>

#include "pkg/base/metrics/metrics.h"

namespace knarr::apiserver {
namespace {

constexpr std::string_view kGitVersion = "v1.32.0";

// Mirrors: k8s.io/apimachinery/pkg/version/types.go. Clients compare major and minor.
std::string VersionJson() {
  return fmt::format(
      "{{\n  \"major\": \"1\",\n  \"minor\": \"32\",\n  \"gitVersion\": \"{}\",\n  \"gitCommit\": \"\",\n"
      "  \"gitTreeState\": \"clean\",\n  \"buildDate\": \"1970-01-01T00:00:00Z\",\n  \"goVersion\": \"\",\n"
      "  \"compiler\": \"g++ {}\",\n  \"platform\": \"linux/amd64\"\n}}",
      kGitVersion, __VERSION__);
}

}  // namespace

Result<std::unique_ptr<OtherPaths>> OtherPaths::New(const auth::ServiceAccountKeys& keys,
                                                    const std::string& external_address) {
  std::unique_ptr<OtherPaths> made(new OtherPaths());
  if (!keys.issuers.empty()) made->issuer_ = KNARR_TRY(auth::MakeDiscovery(keys, external_address));
  return made;
}

std::vector<std::string> OtherPaths::paths() const {
  std::vector<std::string> paths = {"/metrics", "/version"};
  if (!issuer_.configuration.empty()) {
    paths.emplace_back(auth::kDiscoveryPath);
    paths.emplace_back(auth::kJwksPath);
  }
  return paths;
}

bool OtherPaths::Serve(const http::Request& request, http::ResponseWriter& response) {
  std::string_view path = request.path;
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path == "/version") {
    response.Reply(200, "application/json", VersionJson());
  } else if (path == "/metrics") {
    response.Reply(200, metrics::kContentType, metrics::Registry::Default().Expose());
  } else if (path == auth::kDiscoveryPath && !issuer_.configuration.empty()) {
    response.headers().Set("Cache-Control", auth::kDiscoveryCacheControl.data());
    response.Reply(200, "application/json", issuer_.configuration);
  } else if (path == auth::kJwksPath && !issuer_.configuration.empty()) {
    response.headers().Set("Cache-Control", auth::kDiscoveryCacheControl.data());
    response.Reply(200, auth::kJwksContentType, issuer_.keys);
  } else {
    return false;
  }
  return true;
}

}  // namespace knarr::apiserver
