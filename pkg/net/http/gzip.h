// Compressed responses. Bodies of up to `threshold` bytes stay as they are, and so do watches: nothing that waits for
// more before the threshold is compressed.
// Mirrors: k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/writers.go (deferredResponseWriter)
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "pkg/net/http/server.h"

namespace knarr::http {

// Does the request's Accept-Encoding allow gzip? "gzip;q=0" forbids it; "*" allows it, as an encoding like any other.
bool AcceptsGzip(const Headers& request);

struct GzipOptions {
  size_t threshold = 128 << 10;
  // Upstream's is 4. Lists of objects shrink to a tenth already with 1, at a third of the time.
  int level = 1;
};

// Wraps the writer of one request whose client accepts gzip; the handler uses this one. Finish (or the destructor)
// ends the body. A handler that sets Content-Encoding or Content-Length itself is left alone.
class GzipWriter : public ResponseWriter {
 public:
  explicit GzipWriter(ResponseWriter& next, GzipOptions options = {});
  ~GzipWriter() override;
  Headers& headers() override { return next_.headers(); }
  void WriteHeader(int status) override;
  Status Write(std::string_view bytes) override;
  Status Flush() override;
  void Pump(std::unique_ptr<BodySource> source) override;
  void Abort() override {
    finished_ = true;
    next_.Abort();
  }
  Result<net::StreamPtr> Hijack() override;
  bool HeaderSent() const override { return next_.HeaderSent(); }
  int status() const override { return status_; }
  Status Finish();

 private:
  class Deflater;
  class Source;
  enum class Mode { kUndecided, kPlain, kGzip };
  bool Untouched() { return headers().Has("Content-Encoding") || headers().Has("Content-Length"); }
  Status Decide(Mode mode);
  Status Compress(std::string_view bytes, int flush);

  ResponseWriter& next_;
  const GzipOptions options_;
  Mode mode_ = Mode::kUndecided;
  int status_ = 0;
  bool finished_ = false;
  std::string held_;  // until it is decided
  std::unique_ptr<Deflater> deflater_;
};

}  // namespace knarr::http
