#include "pkg/kubelet/config/http_source.h"
#include "pkg/net/http/client.h"

namespace knarr::kubelet {

Result<std::string> FetchManifestUrl(const Context& ctx, const PodConfigOptions& options) {
  http::ClientRequest request;
  request.url = KNARR_TRY(http::ParseUrl(options.static_pod_url));
  request.max_body = options.max_manifest_bytes;
  request.max_redirects = 10;
  for (const auto& [name, values] : options.static_pod_url_header) {
    for (const std::string& value : values) request.headers.Add(name, value);
  }
  http::Response response = KNARR_TRY(http::Do(ctx, request));
  if (response.status != 200) {
    return Error(Code::kServiceUnavailable, "{}: {} {}", options.static_pod_url, response.status,
                 http::StatusText(response.status));
  }
  return std::move(response.body);
}

}  // namespace knarr::kubelet
