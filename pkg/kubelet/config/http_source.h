// Static pods from a URL: polled, with the last good answer kept when the server is away or answers nonsense.
// Mirrors: pkg/kubelet/config/http.go
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "pkg/base/context.h"
#include "pkg/base/pool.h"
#include "pkg/kubelet/config/manifest.h"

namespace knarr::kubelet {

class HttpSource {
 public:
  // Gets the URL's body; what is not 200 is an error. Replaced in tests.
  using Fetch = std::function<Result<std::string>(const Context& ctx, const PodConfigOptions& options)>;
  // on_change is called on a thread of this source whenever Current() is new.
  HttpSource(const PodConfigOptions& options, Clock& clock, std::function<void()> on_change, Fetch fetch);
  ~HttpSource() { Stop(); }

  void Start();
  void Stop();

  struct State {
    std::shared_ptr<const Manifest> good;  // null before the first good answer
    std::vector<ManifestProblem> problems;
    bool ready = false;  // there was a good answer
  };
  State Current() const;

 private:
  void Loop(std::stop_token stop);
  void Poll(const Context& ctx);
  void Take(const Result<std::string>& body);

  const PodConfigOptions options_;
  Clock& clock_;
  const std::function<void()> on_change_;
  const Fetch fetch_;
  std::string last_body_;
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  bool due_ = false;
  State state_;
  TaskGroup tasks_;
};

// The real Fetch: GET with staticPodURLHeader, 10 s, at most max_manifest_bytes.
Result<std::string> FetchManifestUrl(const Context& ctx, const PodConfigOptions& options);

}  // namespace knarr::kubelet
