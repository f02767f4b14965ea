// Load on an API server over HTTP/1.1 keep-alive connections: creates, gets, lists, watchers.
// usage: load --port P --token T --mode create|fill|get|list|watch --clients N --seconds S [--path PATH] [--pids A,B]
// Prints one JSON object: operations, seconds, latencies in ms, CPU seconds of the given processes.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

#include "pkg/base/flags/flags.h"
#include "pkg/base/pool.h"
#include "pkg/net/tls/tls.h"

namespace knarr {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

struct Options {
  int port = 0, clients = 1, objects = 1000, rate = 200;
  double seconds = 5;
  std::string token, mode, path, pids, prefix = "b";
};

// One connection: a request out, a response in.
class Connection {
 public:
  static Result<std::unique_ptr<Connection>> Dial(const Options& options, tls::ClientConfig& config) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(options.port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return MakeErrnoError(errno, "connect");
    const int one = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    auto stream = KNARR_TRY(tls::Connect(config, std::move(fd), "127.0.0.1"));
    KNARR_TRY(stream->Handshake(Context::Background()));
    auto made = std::make_unique<Connection>();
    made->stream_ = std::move(stream);
    made->head_ = "Host: 127.0.0.1\r\nUser-Agent: load/1\r\nAccept: application/json\r\nAuthorization: Bearer " +
                  options.token + "\r\n";
    return made;
  }

  Status Send(std::string_view method, std::string_view path, std::string_view body) {
    std::string text = fmt::format("{} {} HTTP/1.1\r\n{}", method, path, head_);
    if (!body.empty()) text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
    text += "\r\n";
    text += body;
    return stream_->Write(Context::Background(), text);
  }

  // The status; the body's bytes are counted and dropped.
  Result<int> Receive(size_t* bytes) {
    size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) KNARR_TRY(Fill());
    const std::string head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    const int status = std::atoi(head.c_str() + 9);
    if (const size_t at = head.find("Content-Length: "); at != std::string::npos) {
      size_t left = std::strtoull(head.c_str() + at + 16, nullptr, 10);
      *bytes += left;
      KNARR_TRY(Drop(left));
    } else {
      KNARR_TRY(DropChunks(bytes));
    }
    return status;
  }

  net::Stream& stream() { return *stream_; }

 private:
  Status Fill() {
    char chunk[64 << 10];
    const size_t got = KNARR_TRY(stream_->Read(Context::Background(), chunk, sizeof chunk));
    if (got == 0) return Error(Code::kServiceUnavailable, "the server closed the connection");
    buffer_.append(chunk, got);
    return {};
  }
  Status Drop(size_t left) {
    for (;;) {
      const size_t here = std::min(left, buffer_.size());
      buffer_.erase(0, here);
      left -= here;
      if (left == 0) return {};
      KNARR_TRY(Fill());
    }
  }
  Status DropChunks(size_t* bytes) {
    for (;;) {
      size_t end = 0;
      while ((end = buffer_.find("\r\n")) == std::string::npos) KNARR_TRY(Fill());
      const size_t size = std::strtoull(buffer_.c_str(), nullptr, 16);
      buffer_.erase(0, end + 2);
      *bytes += size;
      KNARR_TRY(Drop(size + 2));
      if (size == 0) return {};
    }
  }

  std::unique_ptr<tls::TlsStream> stream_;
  std::string head_, buffer_;
};

std::string ConfigMap(std::string_view name, std::string_view filler) {
  return fmt::format(
      R"({{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{}"}},"data":{{"t":"{}","filler":"{}"}}}})", name,
      std::chrono::steady_clock::now().time_since_epoch().count(), filler);
}

double CpuSeconds(const std::string& pids) {
  double total = 0;
  std::stringstream list(pids);
  for (std::string pid; std::getline(list, pid, ',');) {
    std::ifstream file("/proc/" + pid + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    std::stringstream fields(text.substr(text.rfind(')') + 2));
    std::string field;
    for (int i = 3; i <= 15 && fields >> field; ++i) {
      if (i >= 14) total += std::atof(field.c_str());
    }
  }
  return total / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

struct Tally {
  std::atomic<int64_t> operations{0}, failed{0}, bytes{0};
  std::mutex mutex;
  std::vector<double> latencies;
};

double Percentile(std::vector<double>& sorted, double q) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<size_t>(q * static_cast<double>(sorted.size() - 1))];
}

void Client(const Options& options, tls::ClientConfig& config, int number, SteadyTime end, Tally& tally) {
  auto connection = Connection::Dial(options, config);
  if (!connection.ok()) {
    tally.failed++;
    std::fprintf(stderr, "load: %s\n", std::string(connection.error().message()).c_str());
    return;
  }
  const std::string collection = options.path.empty() ? "/api/v1/namespaces/default/configmaps" : options.path;
  const std::string filler(300, 'x');
  std::vector<double> mine;
  for (int64_t i = 0; std::chrono::steady_clock::now() < end; ++i) {
    const int64_t serial = i * options.clients + number;
    if (options.mode == "fill" && serial >= options.objects) break;
    const SteadyTime start = std::chrono::steady_clock::now();
    Status sent;
    if (options.mode == "create") {
      const std::string body = ConfigMap(fmt::format("{}-{}-{}", options.prefix, number, i), filler);
      sent = (*connection)->Send("POST", collection, body);
    } else if (options.mode == "fill") {
      sent = (*connection)->Send("POST", collection, ConfigMap(fmt::format("{}-{}", options.prefix, serial), filler));
    } else if (options.mode == "get") {
      sent = (*connection)->Send("GET", fmt::format("{}/{}-{}", collection, options.prefix, i % options.objects), "");
    } else {
      sent = (*connection)->Send("GET", collection, "");
    }
    size_t bytes = 0;
    const auto status = sent.ok() ? (*connection)->Receive(&bytes) : Result<int>(sent);
    if (!status.ok() || *status >= 300) {
      if (tally.failed++ == 0)
        std::fprintf(
            stderr, "load: %s\n",
            status.ok() ? fmt::format("status {}", *status).c_str() : std::string(status.error().message()).c_str());
      if (!status.ok()) return;
      continue;
    }
    tally.operations++;
    tally.bytes += static_cast<int64_t>(bytes);
    mine.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  const std::lock_guard lock(tally.mutex);
  tally.latencies.insert(tally.latencies.end(), mine.begin(), mine.end());
}

// All watchers on one thread; one writer at the given rate. A latency is from before the write to the event's arrival.
void Watch(const Options& options, tls::ClientConfig& config, SteadyTime end, Tally& tally) {
  const std::string collection = options.path.empty() ? "/api/v1/namespaces/default/configmaps" : options.path;
  const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  std::vector<std::unique_ptr<Connection>> watchers;
  for (int i = 0; i < options.clients; ++i) {
    auto connection = Connection::Dial(options, config);
    if (!connection.ok() ||
        !(*connection)->Send("GET", collection + "?watch=1&resourceVersion=0&labelSelector=load", "").ok()) {
      tally.failed++;
      return;
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = static_cast<uint64_t>(i);
    ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, (*connection)->stream().fd(), &event);
    watchers.push_back(std::move(*connection));
  }
  std::atomic<bool> done{false};
  std::thread writer([&] {
    auto connection = Connection::Dial(options, config);
    if (!connection.ok()) return;
    const auto pause = std::chrono::nanoseconds(1'000'000'000 / options.rate);
    SteadyTime next = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
    for (int64_t i = 0; next < end; ++i, next += pause) {
      std::this_thread::sleep_until(next);
      const std::string body = fmt::format(
          R"({{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{}-w-{}","labels":{{"load":"1"}}}},"data":{{"t":"@{}@"}}}})",
          options.prefix, i, std::chrono::steady_clock::now().time_since_epoch().count());
      size_t bytes = 0;
      if (!(*connection)->Send("POST", collection, body).ok() || !(*connection)->Receive(&bytes).ok()) break;
      tally.bytes++;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    done = true;
  });
  std::vector<std::string> tails(watchers.size());
  std::vector<char> chunk(64 << 10);
  while (!done) {
    epoll_event events[64];
    const int ready = ::epoll_wait(epoll.get(), events, 64, 100);
    for (int e = 0; e < ready; ++e) {
      const size_t at = static_cast<size_t>(events[e].data.u64);
      for (;;) {
        const auto io = watchers[at]->stream().TryRead(chunk.data(), chunk.size());
        if (!io.ok() || io->eof || io->bytes == 0) break;
        const SteadyTime now = std::chrono::steady_clock::now();
        std::string& text = tails[at];
        text.append(chunk.data(), io->bytes);
        size_t used = 0;
        for (size_t mark = text.find('@'); mark != std::string::npos; mark = text.find('@', used)) {
          const size_t close = text.find('@', mark + 1);
          if (close == std::string::npos) {
            used = mark;
            break;
          }
          const int64_t sent = std::strtoll(text.c_str() + mark + 1, nullptr, 10);
          tally.latencies.push_back(static_cast<double>(now.time_since_epoch().count() - sent) / 1e6);
          tally.operations++;
          used = close + 1;
        }
        text.erase(0, used == 0 && text.find('@') == std::string::npos ? text.size() : used);
      }
    }
  }
  writer.join();
}

int Run(const std::vector<std::string>& args) {
  Options options;
  flags::FlagSet set;
  set.Int(&options.port, "port", "the server's port on loopback");
  set.String(&options.token, "token", "bearer token");
  set.String(&options.mode, "mode", "create, fill (--objects of them), get, list or watch");
  set.Int(&options.clients, "clients", "connections at a time");
  set.Double(&options.seconds, "seconds", "how long");
  set.String(&options.path, "path", "path of the collection, with its query");
  set.String(&options.pids, "pids", "processes whose CPU time counts");
  set.String(&options.prefix, "prefix", "of names");
  set.Int(&options.objects, "objects", "names that get asks for: prefix-0 ...");
  set.Int(&options.rate, "rate", "writes a second beside watchers");
  std::vector<std::string> positional;
  if (Status status = set.Parse(args, &positional); !status.ok() || !(status = set.Apply()).ok()) {
    std::fprintf(stderr, "load: %s\n%s", std::string(status.message()).c_str(), set.Usages().c_str());
    return 2;
  }
  auto config = tls::ClientConfig::New({.insecure_skip_verify = true});
  if (!config.ok()) return 1;
  Tally tally;
  const double cpu = CpuSeconds(options.pids);
  const SteadyTime start = std::chrono::steady_clock::now();
  const SteadyTime end = start + std::chrono::nanoseconds(static_cast<int64_t>(options.seconds * 1e9));
  if (options.mode == "watch") {
    Watch(options, **config, end, tally);
  } else {
    TaskGroup clients;
    for (int i = 0; i < options.clients; ++i)
      clients.Go("client", [&, i](std::stop_token) { Client(options, **config, i, end, tally); });
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::sort(tally.latencies.begin(), tally.latencies.end());
  std::printf(
      "{\"operations\": %lld, \"failed\": %lld, \"bytes\": %lld, \"seconds\": %.3f, \"cpu_seconds\": %.3f, "
      "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
      static_cast<long long>(tally.operations), static_cast<long long>(tally.failed),
      static_cast<long long>(tally.bytes), seconds, CpuSeconds(options.pids) - cpu, Percentile(tally.latencies, 0.5),
      Percentile(tally.latencies, 0.99), Percentile(tally.latencies, 1));
  return tally.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace knarr

int main(int argc, char** argv) {
  return knarr::Run(std::vector<std::string>(argv + 1, argv + argc));
}
