// Private to pkg/net/http: HTTP/1 responses onto a stream.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "pkg/net/http/server.h"

namespace knarr::http {

class Http1Writer : public ResponseWriter {
 public:
  struct Setup {
    Context ctx;
    Duration write_stall{};
    int version = 11;
    bool head_request = false;
    bool keep_alive = true;
    const std::atomic<bool>* draining = nullptr;  // then it is the connection's last response
    // Gives the stream away: detaches it from the server.
    std::function<Result<net::StreamPtr>()> hijack;
  };
  Http1Writer(net::Stream& stream, Setup setup) : stream_(stream), setup_(std::move(setup)) {}

  Headers& headers() override { return headers_; }
  void WriteHeader(int status) override;
  Status Write(std::string_view bytes) override;
  Status Flush() override;
  void Pump(std::unique_ptr<BodySource> source) override;
  void Abort() override { error_ = knarr::Error(Code::kCancelled, "http: the response was given up"); }
  Result<net::StreamPtr> Hijack() override;
  bool HeaderSent() const override { return header_sent_; }
  int status() const override { return status_; }

  // Sends what is left. True: the connection can carry another request.
  bool Finish();
  bool hijacked() const { return hijacked_; }

  // What Pump was given and how its bytes are to be framed; the header has been sent. nullopt: nothing to pump.
  struct Rest {
    std::unique_ptr<BodySource> source;
    bool chunked = false;
    bool keep = false;             // the connection can carry another request
    std::optional<uint64_t> left;  // of a declared Content-Length
  };
  std::optional<Rest> TakeRest();

 private:
  Status Usable() const;
  bool BodyAllowed() const { return status_ >= 200 && status_ != 204 && status_ != 304; }
  std::string HeaderText(bool whole);
  // Sends the header if it is due and the buffer.
  Status Send(bool whole);

  net::Stream& stream_;
  const Setup setup_;
  Headers headers_;
  std::string buffer_;
  Status error_;
  int status_ = 0;
  bool header_sent_ = false, chunked_ = false, hijacked_ = false, close_ = false;
  bool declared_ = false;  // the handler gave a Content-Length
  uint64_t left_ = 0;      // of it
  std::unique_ptr<BodySource> source_;
};

// "Mon, 02 Jan 2006 15:04:05 GMT".
std::string HttpDate(WallTime time);

}  // namespace knarr::http
