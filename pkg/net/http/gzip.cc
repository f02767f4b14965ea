#include "pkg/net/http/gzip.h"

#include <zlib.h>

namespace knarr::http {
namespace {

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// Is the weight of "gzip;q=0.5" more than nothing?
bool Wanted(std::string_view parameters) {
  const std::string_view q = Trim(parameters);
  if (q.size() < 2 || (q[0] != 'q' && q[0] != 'Q') || q[1] != '=') return true;
  return q.find_first_of("123456789", 2) != std::string_view::npos;
}

}  // namespace

bool AcceptsGzip(const Headers& request) {
  bool any = false;
  for (const auto& [name, value] : request) {
    if (!EqualFold(name, "Accept-Encoding")) continue;
    for (std::string_view rest = value; !rest.empty();) {
      const size_t comma = rest.find(',');
      const std::string_view item = rest.substr(0, comma);
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
      const size_t semicolon = item.find(';');
      const std::string_view coding = Trim(item.substr(0, semicolon));
      const bool wanted = semicolon == std::string_view::npos || Wanted(item.substr(semicolon + 1));
      if (EqualFold(coding, "gzip")) return wanted;
      if (coding == "*") any = wanted;
    }
  }
  return any;
}

class GzipWriter::Deflater {
 public:
  explicit Deflater(int level) {
    constexpr int kGzipWindow = 15 + 16;
    KNARR_CHECK(deflateInit2(&z_, level, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  }
  ~Deflater() { deflateEnd(&z_); }
  Deflater(const Deflater&) = delete;

  void Append(std::string_view bytes, int flush, std::string* out) {
    while (bytes.size() > (1U << 30)) {
      Append(bytes.substr(0, 1U << 30), Z_NO_FLUSH, out);
      bytes.remove_prefix(1U << 30);
    }
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    z_.avail_in = static_cast<uInt>(bytes.size());
    do {
      char piece[16 << 10];
      z_.next_out = reinterpret_cast<Bytef*>(piece);
      z_.avail_out = sizeof(piece);
      deflate(&z_, flush);
      out->append(piece, sizeof(piece) - z_.avail_out);
    } while (z_.avail_out == 0);
  }

 private:
  z_stream z_{};
};

// What is left of a body that was begun by the handler's thread.
class GzipWriter::Source : public BodySource {
 public:
  Source(std::unique_ptr<BodySource> source, std::unique_ptr<Deflater> deflater)
      : source_(std::move(source)), deflater_(std::move(deflater)) {}
  State Pull(std::string* out, size_t max) override {
    std::string plain;
    const State state = source_->Pull(&plain, max);
    // A waiting reader gets all there is.
    const int flush = state == State::kEnd ? Z_FINISH : state == State::kWait ? Z_SYNC_FLUSH : Z_NO_FLUSH;
    if (!plain.empty() || state == State::kEnd) deflater_->Append(plain, flush, out);
    return state;
  }
  void SetWake(std::function<void()> wake) override { source_->SetWake(std::move(wake)); }
  void Shutdown() override { source_->Shutdown(); }
  void OnEnd(bool delivered) override { source_->OnEnd(delivered); }

 private:
  const std::unique_ptr<BodySource> source_;
  const std::unique_ptr<Deflater> deflater_;
};

GzipWriter::GzipWriter(ResponseWriter& next, GzipOptions options) : next_(next), options_(options) {}

GzipWriter::~GzipWriter() {
  (void)Finish();
}

void GzipWriter::WriteHeader(int status) {
  if (status_ == 0) status_ = status;
}

// Sends the header that fits, then what was held back.
Status GzipWriter::Decide(Mode mode) {
  mode_ = mode;
  if (status_ == 0) status_ = 200;
  if (mode == Mode::kGzip) {
    headers().Set("Content-Encoding", "gzip");
    headers().Add("Vary", "Accept-Encoding");
    deflater_ = std::make_unique<Deflater>(options_.level);
  }
  next_.WriteHeader(status_);
  if (held_.empty()) return {};
  const std::string held = std::exchange(held_, {});
  return mode == Mode::kGzip ? Compress(held, Z_NO_FLUSH) : next_.Write(held);
}

Status GzipWriter::Compress(std::string_view bytes, int flush) {
  std::string out;
  deflater_->Append(bytes, flush, &out);
  return out.empty() ? Status() : next_.Write(out);
}

Status GzipWriter::Write(std::string_view bytes) {
  if (status_ == 0) status_ = 200;
  if (mode_ == Mode::kUndecided && Untouched()) KNARR_TRY(Decide(Mode::kPlain));
  if (mode_ == Mode::kPlain) return next_.Write(bytes);
  if (mode_ == Mode::kGzip) return Compress(bytes, Z_NO_FLUSH);
  held_ += bytes;
  return held_.size() > options_.threshold ? Decide(Mode::kGzip) : Status();
}

Status GzipWriter::Flush() {
  if (mode_ == Mode::kUndecided) KNARR_TRY(Decide(Mode::kPlain));
  if (mode_ == Mode::kGzip) KNARR_TRY(Compress({}, Z_SYNC_FLUSH));
  return next_.Flush();
}

void GzipWriter::Pump(std::unique_ptr<BodySource> source) {
  finished_ = true;
  source->SetWake([] {});  // nothing is lost: the server sets its own and pulls again
  Status status = mode_ == Mode::kUndecided && Untouched() ? Decide(Mode::kPlain) : Status();
  // Compression is work for this thread, not for the one that serves all connections.
  while (status.ok() && mode_ != Mode::kPlain) {
    std::string plain;
    const BodySource::State state = source->Pull(&plain, 64 << 10);
    status = Write(plain);
    if (state == BodySource::State::kMore) continue;
    if (state == BodySource::State::kEnd) {
      finished_ = false;
      if (status.ok()) status = Finish();
      return source->OnEnd(status.ok());
    }
    if (status.ok() && mode_ == Mode::kUndecided) status = Decide(Mode::kPlain);
    if (status.ok() && mode_ == Mode::kGzip) status = Compress({}, Z_SYNC_FLUSH);
    break;
  }
  if (!status.ok()) return source->OnEnd(false);
  if (deflater_) source = std::make_unique<Source>(std::move(source), std::move(deflater_));
  next_.Pump(std::move(source));
}

Result<net::StreamPtr> GzipWriter::Hijack() {
  finished_ = true;
  return next_.Hijack();
}

Status GzipWriter::Finish() {
  if (std::exchange(finished_, true)) return {};
  if (mode_ == Mode::kUndecided && status_ != 0) return Decide(Mode::kPlain);
  return mode_ == Mode::kGzip ? Compress({}, Z_FINISH) : Status();
}

}  // namespace knarr::http
