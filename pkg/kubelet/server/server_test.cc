#include "pkg/kubelet/server/server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <thread>

#include "pkg/base/file.h"
#include "pkg/net/http/client.h"

namespace knarr::kubelet {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

Context TenSeconds() {
  return Context::Background().WithTimeout(10s);
}

class FakeView : public KubeletView {
 public:
  std::string PodsJson() override { return "{\"kind\":\"PodList\"}"; }
  std::string RunningPodsJson() override { return "{\"kind\":\"PodList\",\"running\":true}"; }
  std::vector<LocalPod> LocalPods() override {
    return {{.pod_namespace = "default",
             .name = "web",
             .uid = "u1",
             .phase = "Running",
             .why = "image \"x\" <missing>",
             .containers = {{.name = "c"}}}};
  }
  std::vector<NodeProblem> NodeProblems(const Context&) override { return node_problems; }
  std::vector<BadManifest> BadManifests() override { return {{.file = "/m/a.yaml", .error = "yaml: line 2: bad"}}; }
  Result<ContainerRef> FindContainer(const std::string& ns, const std::string& pod, const std::string& container,
                                     bool previous) override {
    if (ns != "default" || pod != "web") return Error(Code::kNotFound, "pod \"{}\" does not exist", pod);
    if (container != "c") return Error(Code::kNotFound, "container \"{}\" not found in pod \"{}\"", container, pod);
    if (previous) return Error(Code::kBadRequest, "previous terminated container \"c\" in pod \"web\" not found");
    return ContainerRef{
        .pod_uid = "u1", .sandbox_id = "s1", .container_id = "id1", .log_path = log_path, .running = running};
  }
  Result<ContainerRef> FindPod(const std::string&, const std::string& pod) override {
    if (pod != "web") return Error(Code::kNotFound, "pod \"{}\" does not exist", pod);
    return ContainerRef{.pod_uid = "u1", .sandbox_id = "s1", .container_id = {}, .log_path = {}};
  }
  bool ContainerRunning(const std::string&) override { return running; }
  Result<std::string> ExecUrl(const Context&, const std::string& id, const std::vector<std::string>& command,
                              const StreamOptions& s) override {
    asked = fmt::format("exec {} {} {}{}{}{}", id, command.size(), s.in, s.out, s.err, s.tty);
    return streaming_url;
  }
  Result<std::string> AttachUrl(const Context&, const std::string& id, const StreamOptions&) override {
    asked = "attach " + id;
    return streaming_url;
  }
  Result<std::string> PortForwardUrl(const Context&, const std::string& id,
                                     const std::vector<int32_t>& ports) override {
    asked = fmt::format("portForward {} {}", id, ports.size());
    return streaming_url;
  }
  Result<std::string> RunInContainer(const Context&, const std::string&,
                                     const std::vector<std::string>& command) override {
    return fmt::format("ran {}", command.size());
  }
  Status ShutDownPods(const Context&) override {
    asked = "shutdown";
    return {};
  }
  Result<stats::Summary> StatsSummary(const Context&, bool) override {
    if (!stats_error.ok()) return stats_error;
    stats::Summary s;
    s.node.node_name = "node1";
    s.node.start_time = WallTime(1700000000s);
    s.node.cpu =
        stats::Cpu{.time = WallTime(1700000001s), .usage_nano_cores = {}, .usage_core_nano_seconds = 2'500'000'000};
    stats::Pod pod{.name = "web", .pod_namespace = "default", .uid = "u1"};
    stats::Container c{.name = "c", .start_time = WallTime(1700000000s)};
    c.memory =
        stats::Memory{.time = WallTime(1700000001s), .available_bytes = {}, .usage_bytes = 10, .working_set_bytes = 5};
    pod.containers.push_back(c);
    s.pods.push_back(pod);
    return s;
  }
  std::string ConfigJson() override { return "{\"port\":10250}"; }
  Status SyncLoopHealthy() override { return sync_loop; }
  std::string ProbeMetrics() override { return "prober_probe_total 1\n"; }

  std::string log_path;
  std::atomic<bool> running = false;
  std::string asked;
  std::vector<NodeProblem> node_problems;
  Result<std::string> streaming_url = std::string("http://127.0.0.1:1/");
  Status sync_loop, stats_error;
};

// The runtime's streaming server: one connection, one canned answer, then it echoes in capitals what comes.
class Runtime {
 public:
  explicit Runtime(std::string answer) : answer_(std::move(answer)) {
    fd_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    BOOST_REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    BOOST_REQUIRE(::listen(fd_.get(), 1) == 0);
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    url = fmt::format("http://127.0.0.1:{}/exec/token?x=1", ntohs(address.sin_port));
    thread_ = std::thread([this] { Run(); });
  }
  ~Runtime() { Join(); }
  void Join() {
    ::shutdown(fd_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  std::string url, request, after;

 private:
  void Run() {
    UniqueFd fd(::accept(fd_.get(), nullptr, nullptr));
    if (!fd) return;
    const net::StreamPtr stream = net::MakeFdStream(std::move(fd));
    char buffer[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const size_t n = stream->Read(TenSeconds(), buffer, sizeof(buffer)).value_or(0);
      if (n == 0) return;
      request.append(buffer, n);
    }
    (void)stream->Write(TenSeconds(), answer_);
    for (;;) {
      const size_t n = stream->Read(TenSeconds(), buffer, sizeof(buffer)).value_or(0);
      if (n == 0) return;
      after.append(buffer, n);
      std::string loud(buffer, n);
      for (char& c : loud) c = static_cast<char>(std::toupper(c));
      (void)stream->Write(TenSeconds(), loud);
    }
  }
  UniqueFd fd_;
  std::string answer_;
  std::thread thread_;
};

const std::string kUpgradeHead =
    "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n";

struct Fixture {
  std::string dir;
  FakeView view;
  ElasticPool pool{"test", 16};
  metrics::Registry registry;
  std::unique_ptr<Authorizer> authorizer = MakeGroupAuthorizer({}, {"system:masters"});
  KubeletServer::Options options;
  std::unique_ptr<KubeletServer> server;
  tls::KeyPair ca;
  std::string ca_file;

  Fixture() {
    char name[] = "/tmp/knarr-ks-XXXXXX";
    dir = ::mkdtemp(name);
    ca = Issue("ca", true, false, {}, nullptr);
    ca_file = Put("ca.crt", ca.cert_pem);
    const tls::KeyPair serving = Issue("node1", false, false, {}, &ca);
    options.node_name = "node1";
    options.address = "127.0.0.1";
    options.port = options.healthz_port = 0;
    options.unix_path = dir + "/k.sock";
    options.pod_log_dir = dir + "/pods";
    options.system_log_dir = dir + "/log";
    options.registry = &registry;
    options.tls = *tls::ServerConfig::New({.cert_file = Put("s.crt", serving.cert_pem),
                                           .key_file = Put("s.key", serving.key_pem),
                                           .client_ca_file = ca_file});
    fs::create_directories(dir + "/pods/p/c");
    fs::create_directories(dir + "/log/sub");
    view.log_path = dir + "/pods/p/c/0.log";
  }
  ~Fixture() {
    server.reset();
    fs::remove_all(dir);
  }
  std::string Put(const std::string& file, const std::string& text) const {
    BOOST_REQUIRE(WriteFileAtomically(dir + "/" + file, text, 0600).ok());
    return dir + "/" + file;
  }
  static tls::KeyPair Issue(const std::string& name, bool is_ca, bool client, std::vector<std::string> groups,
                            const tls::KeyPair* issuer) {
    const WallTime now = std::chrono::system_clock::now();
    return *tls::IssueCertificate({.common_name = name,
                                   .organizations = std::move(groups),
                                   .names = {"127.0.0.1"},
                                   .ca = is_ca,
                                   .client = client,
                                   .not_before = now - 1h,
                                   .not_after = now + 1h},
                                  issuer);
  }
  void Start() {
    Result<std::unique_ptr<KubeletServer>> started = KubeletServer::Start(options, view, *authorizer, pool);
    BOOST_REQUIRE_MESSAGE(started.ok(), started.status().message());
    server = std::move(*started);
  }
  std::shared_ptr<tls::ClientConfig> As(const std::string& name, const std::vector<std::string>& groups) {
    const tls::KeyPair pair = Issue(name, false, true, groups, &ca);
    return *tls::ClientConfig::New({.ca_file = ca_file,
                                    .cert_file = Put(name + ".crt", pair.cert_pem),
                                    .key_file = Put(name + ".key", pair.key_pem)});
  }
  std::shared_ptr<tls::ClientConfig> Nobody() { return *tls::ClientConfig::New({.ca_file = ca_file}); }
  http::Response Ask(const std::string& method, const std::string& target,
                     const std::shared_ptr<tls::ClientConfig>& as) {
    http::ClientRequest request;
    request.method = method;
    request.url = *http::ParseUrl("https://127.0.0.1:" + std::to_string(server->Port("main")) + target);
    request.tls = as;
    const Result<http::Response> response = http::Do(TenSeconds(), request);
    BOOST_REQUIRE_MESSAGE(response.ok(), response.status().message());
    return *response;
  }
  // Over the unix socket, as root or the tests' own user.
  http::Response Local(const std::string& target, const std::string& method = "GET") {
    http::ClientRequest request;
    request.method = method;
    request.url = *http::ParseUrl("http://localhost" + target);
    request.unix_path = options.unix_path;
    const Result<http::Response> response = http::Do(TenSeconds(), request);
    BOOST_REQUIRE_MESSAGE(response.ok(), response.status().message());
    return *response;
  }
  http::Response Healthz(const std::string& target) {
    http::ClientRequest request;
    request.url = *http::ParseUrl("http://127.0.0.1:" + std::to_string(server->Port("healthz")) + target);
    return *http::Do(TenSeconds(), request);
  }
  // A raw upgrade over the unix socket.
  net::StreamPtr Raw(const std::string& bytes) {
    net::StreamPtr stream = std::move(*net::DialUnix(TenSeconds(), options.unix_path));
    BOOST_TEST(stream->Write(TenSeconds(), bytes).ok());
    return stream;
  }
  static std::string ReadUntil(net::Stream& stream, std::string_view end) {
    std::string all;
    char c;
    while (!all.ends_with(end)) {
      if (stream.Read(TenSeconds(), &c, 1).value_or(0) == 0) return all + "[end]";
      all += c;
    }
    return all;
  }
};

// A path that matches the pattern.
std::string PathOf(const std::string& pattern) {
  std::string path;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '{') {
      path += pattern[i];
      continue;
    }
    path += "ping";  // a health check's name, and as good a pod as any
    i = pattern.find('}', i);
  }
  return path;
}

BOOST_FIXTURE_TEST_SUITE(kubelet_server, Fixture)

BOOST_AUTO_TEST_CASE(without_identity_every_route_is_401_and_localhost_serves_healthz_alone) {
  Start();
  const auto nobody = Nobody();
  const auto stranger_ca = Issue("other", true, false, {}, nullptr);
  const tls::KeyPair forged = Issue("admin", false, true, {"system:masters"}, &stranger_ca);
  const auto stranger = *tls::ClientConfig::New(
      {.ca_file = ca_file, .cert_file = Put("f.crt", forged.cert_pem), .key_file = Put("f.key", forged.key_pem)});
  int required = 0;
  for (const RouteInfo& route : ServerRoutes()) {
    const std::string path = PathOf(route.pattern);
    const http::Response anonymous = Ask(route.method, path, nobody);
    BOOST_TEST(anonymous.status == 401, route.pattern);
    BOOST_TEST(anonymous.body == "Unauthorized");
    BOOST_TEST(Ask(route.method, path, stranger).status == 401, route.pattern);
    const bool is_public = route.auth == RouteAuth::kPublicOnLocalhost;
    BOOST_TEST(is_public == route.pattern.starts_with("/healthz"), route.pattern);
    if (is_public) continue;
    ++required;
    if (route.method == "GET") BOOST_TEST(Healthz(path).status == 404, route.pattern);
  }
  BOOST_TEST(required > 20);
  BOOST_TEST(Ask("GET", "/nowhere", nobody).status == 401);
  BOOST_TEST(Healthz("/healthz").body == "ok");
  BOOST_TEST(Healthz("/healthz/syncloop").body == "ok");
  for (const RouteInfo& route : ServerRoutes()) BOOST_TEST(route.pattern.find("checkpoint") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(identities_are_authorised_by_group_and_refused_in_upstreams_words) {
  Start();
  const auto admin = As("admin", {"system:masters"});
  const auto dev = As("dev", {"devs"});
  BOOST_TEST(Ask("GET", "/pods", admin).body == "{\"kind\":\"PodList\"}");
  BOOST_TEST(Ask("GET", "/nowhere", admin).status == 404);
  BOOST_TEST(Ask("DELETE", "/pods", admin).status == 405);
  const http::Response refused = Ask("GET", "/stats/summary", dev);
  BOOST_TEST(refused.status == 403);
  BOOST_TEST(refused.body == "Forbidden (user=dev, verb=get, resource=nodes, subresource(s)=[stats])\n");
  for (const RouteInfo& route : ServerRoutes())
    BOOST_TEST(Ask(route.method, PathOf(route.pattern), dev).status == 403, route.pattern);
}

BOOST_AUTO_TEST_CASE(a_server_without_tls_does_not_start) {
  options.tls = nullptr;
  BOOST_TEST(!KubeletServer::Start(options, view, *authorizer, pool).ok());
}

BOOST_AUTO_TEST_CASE(the_unix_socket_shows_pods_with_their_reasons) {
  Start();
  const http::Response pods = Local("/knarr/v1/pods");
  BOOST_TEST(pods.status == 200);
  BOOST_TEST(pods.body ==
             "{\"node\":\"node1\",\"pods\":[{\"namespace\":\"default\",\"name\":\"web\",\"uid\":\"u1\",\"phase\":"
             "\"Running\",\"ready\":false,"
             "\"why\":\"image \\\"x\\\" "
             "\\u003cmissing\\u003e\",\"containers\":[{\"name\":\"c\",\"kind\":\"\",\"state\":\"\",\"image\":\"\","
             "\"ready\":false,"
             "\"restarts\":0}],\"events\":[]}],\"badManifests\":[{\"file\":\"/m/a.yaml\",\"error\":\"yaml: line 2: "
             "bad\",\"since\":\"1970-01-01T00:00:00Z\"}],\"nodeProblems\":[]}");
  BOOST_TEST(Local("/configz").body == "{\"kubeletconfig\":{\"port\":10250}}");
  BOOST_TEST(Local("/runningpods/").status == 200);
  BOOST_TEST(Local("/run/default/web/c?cmd=ls%20-l", "POST").body == "ran 2");
}

BOOST_AUTO_TEST_CASE(health_follows_the_sync_loop) {
  Start();
  BOOST_TEST(Healthz("/healthz?verbose").body == "[+]ping ok\n[+]log ok\n[+]syncloop ok\nhealthz check passed\n");
  view.sync_loop = Error(Code::kInternal, "sync Loop took longer than expected");
  BOOST_TEST(Healthz("/healthz").status == 500);
  BOOST_TEST(Healthz("/healthz").body ==
             "[+]ping ok\n[+]log ok\n[-]syncloop failed: reason withheld\nhealthz check failed\n");
  BOOST_TEST(Healthz("/healthz/ping").body == "ok");
  BOOST_TEST(Healthz("/healthz/syncloop").body == "internal server error: sync Loop took longer than expected\n");
  BOOST_TEST(Healthz("/healthz/nothing").status == 404);
  BOOST_TEST(Healthz("/healthz/network").body == "ok");
  view.node_problems = {{.reason = "NetworkPluginNotReady", .why = "network plugin not ready: no configuration", .next = "add one"}};
  BOOST_TEST(Healthz("/healthz/network").status == 500);
  BOOST_TEST(Healthz("/healthz/network").body == "internal server error: network plugin not ready: no configuration\n");
  BOOST_TEST(Local("/knarr/v1/pods").body.find("\"nodeProblems\":[{\"reason\":\"NetworkPluginNotReady\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(statistics_and_metrics_have_upstreams_names) {
  Start();
  BOOST_TEST(Local("/stats/summary").body ==
             "{\"node\":{\"nodeName\":\"node1\",\"startTime\":\"2023-11-14T22:13:20Z\",\"cpu\":{\"time\":\"2023-11-"
             "14T22:13:21Z\","
             "\"usageCoreNanoSeconds\":2500000000}},\"pods\":[{\"podRef\":{\"name\":\"web\",\"namespace\":\"default\","
             "\"uid\":\"u1\"},\"startTime\":null,"
             "\"containers\":[{\"name\":\"c\",\"startTime\":\"2023-11-14T22:13:20Z\",\"memory\":{\"time\":\"2023-11-"
             "14T22:13:21Z\",\"usageBytes\":10,"
             "\"workingSetBytes\":5}}]}]}");
  const std::string resource = Local("/metrics/resource").body;
  BOOST_TEST(resource.find("node_cpu_usage_seconds_total 2.5 1700000001000\n") != std::string::npos);
  BOOST_TEST(
      resource.find(
          "container_memory_working_set_bytes{container=\"c\",namespace=\"default\",pod=\"web\"} 5 1700000001000\n") !=
      std::string::npos);
  BOOST_TEST(resource.find("\nresource_scrape_error 0\n") != std::string::npos);
  BOOST_TEST(Local("/metrics/cadvisor").body.find("container_memory_usage_bytes{container=\"c\",id=\"\"") !=
             std::string::npos);
  BOOST_TEST(Local("/metrics/probes").body == "prober_probe_total 1\n");
  const http::Response own = Local("/metrics");
  BOOST_TEST(own.body.find("kubelet_http_requests_total{long_running=\"false\",method=\"GET\",path=\"metrics/"
                           "resource\",server_type=\"readwrite\"} 1\n") != std::string::npos);
  BOOST_TEST(own.headers.Get("Content-Type").starts_with("text/plain; version=0.0.4"));
  view.stats_error = Error(Code::kInternal, "broken");
  BOOST_TEST(Local("/metrics/resource").body.find("\nscrape_error 1\n") != std::string::npos);
  BOOST_TEST(Local("/stats/summary").status == 500);
}

BOOST_AUTO_TEST_CASE(container_logs_are_chosen_by_query_and_bad_queries_refused) {
  std::string text;
  for (int i = 0; i < 3; ++i) text += fmt::format("2020-01-01T00:00:0{}.000000000Z stdout F line {}\n", i, i);
  Put("pods/p/c/0.log", text);
  Start();
  const std::string url = "/containerLogs/default/web/c";
  BOOST_TEST(Local(url).body == "line 0\nline 1\nline 2\n");
  BOOST_TEST(Local(url + "?tailLines=1&timestamps=true").body == "2020-01-01T00:00:02.000000000Z line 2\n");
  BOOST_TEST(Local(url + "?tail=2").body == "line 1\nline 2\n");
  BOOST_TEST(Local(url + "?tail=all&limitBytes=8").body == "line 0\nl");
  BOOST_TEST(Local(url + "?sinceTime=2020-01-01T00:00:01Z").body == "line 1\nline 2\n");
  BOOST_TEST(Local(url + "?sinceSeconds=10").body == "");
  BOOST_TEST(Local(url + "?follow=true").body == "line 0\nline 1\nline 2\n");  // the container has ended
  for (const char* bad :
       {"?tailLines=-1", "?limitBytes=0", "?sinceSeconds=0", "?sinceSeconds=1&sinceTime=2020-01-01T00:00:01Z"}) {
    BOOST_TEST(Local(url + bad).status == 422, bad);
  }
  for (const char* bad : {"?tailLines=x", "?sinceTime=yesterday"}) BOOST_TEST(Local(url + bad).status == 400, bad);
  BOOST_TEST(Local("/containerLogs/default/none/c").body == "pod \"none\" does not exist\n");
  BOOST_TEST(Local("/containerLogs/default/web/none").status == 404);
  BOOST_TEST(Local(url + "?previous=true").status == 400);
  fs::remove(view.log_path);
  fs::create_symlink(Put("secret", "2020-01-01T00:00:00Z stdout F secret\n"), view.log_path);
  const http::Response link = Local(url);
  BOOST_TEST(link.status == 403);
  BOOST_TEST(link.body.find("secret") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_followed_log_arrives_as_it_is_written_and_ends_with_its_reader) {
  Put("pods/p/c/0.log", "2020-01-01T00:00:00Z stdout F first\n");
  view.running = true;
  Start();
  const net::StreamPtr stream = Raw("GET /containerLogs/default/web/c?follow=true HTTP/1.1\r\nHost: x\r\n\r\n");
  BOOST_TEST(ReadUntil(*stream, "first\n").find("Transfer-Encoding: chunked") != std::string::npos);
  const UniqueFd file = *OpenFile(view.log_path, O_WRONLY | O_APPEND);
  BOOST_TEST(WriteAll(file.get(), "2020-01-01T00:00:01Z stdout F second\n", "log").ok());
  BOOST_TEST(!ReadUntil(*stream, "second\n").ends_with("[end]"));
  view.running = false;
  BOOST_TEST(ReadUntil(*stream, "0\r\n\r\n").ends_with("0\r\n\r\n"));
}

BOOST_AUTO_TEST_CASE(streams_are_bounded_so_that_short_requests_always_find_a_thread) {
  Put("pods/p/c/0.log", "2020-01-01T00:00:00Z stdout F first\n");
  view.running = true;
  options.max_long_requests = 1;
  Start();
  const net::StreamPtr stream = Raw("GET /containerLogs/default/web/c?follow=true HTTP/1.1\r\nHost: x\r\n\r\n");
  ReadUntil(*stream, "first\n");
  BOOST_TEST(Local("/containerLogs/default/web/c?follow=true").status == 429);
  BOOST_TEST(Local("/containerLogs/default/web/c").status == 200);
  view.running = false;
  ReadUntil(*stream, "0\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(system_logs_stay_beneath_their_directory) {
  Put("log/a.log", "hello\n");
  Put("log/sub/b.log", "b\n");
  Put("outside", "secret");
  fs::create_symlink(dir + "/outside", dir + "/log/link");
  Start();
  BOOST_TEST(Local("/logs/").body.find(
                 "<a href=\"a.log\">a.log</a>\n<a href=\"link\">link</a>\n<a href=\"sub/\">sub/</a>\n") !=
             std::string::npos);
  BOOST_TEST(Local("/logs/a.log").body == "hello\n");
  BOOST_TEST(Local("/logs/sub/b.log").body == "b\n");
  BOOST_TEST(Local("/logs/none").status == 404);
  BOOST_TEST(Local("/logs/link").status == 403);
  BOOST_TEST(Local("/logs/..%2foutside").status == 400);
}

BOOST_AUTO_TEST_CASE(an_upgrade_is_tunnelled_both_ways_after_a_real_101_and_carries_no_credentials) {
  Runtime runtime(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: "
      "v4.channel.k8s.io\r\nX-Other: 1\r\n\r\nhello");
  view.streaming_url = runtime.url;
  Start();
  const net::StreamPtr stream =
      Raw("POST /exec/default/web/c?command=ls&command=-l&output=1&error=1&tty=1 HTTP/1.1\r\nHost: x\r\nAuthorization: "
          "Bearer secret\r\n" +
          kUpgradeHead + "Content-Length: 0\r\n\r\n");
  const std::string head = ReadUntil(*stream, "\r\n\r\n");
  BOOST_TEST(head ==
             "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
             "SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n");
  BOOST_TEST(ReadUntil(*stream, "hello") == "hello");
  BOOST_TEST(stream->Write(TenSeconds(), "quiet").ok());
  BOOST_TEST(ReadUntil(*stream, "QUIET") == "QUIET");
  stream->Abort();
  runtime.Join();
  BOOST_TEST(view.asked == "exec id1 2 falsetruefalsetrue");
  BOOST_TEST(runtime.request.starts_with("POST /exec/token?x=1 HTTP/1.1\r\n"));
  BOOST_TEST(runtime.request.find("secret") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(anything_but_a_real_101_is_passed_on_and_nothing_is_tunnelled) {
  const std::string next_request = "GET /pods HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::vector<std::pair<std::string, std::string>> answers = {
      {"HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 4\r\n\r\nfine",
       "HTTP/1.1 200 OK"},
      {"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad", "HTTP/1.1 400 Bad Request"},
      {"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 302 Found"},
      {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 502 Bad Gateway"},
      {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: evil\r\n\r\n", "HTTP/1.1 502 Bad Gateway"},
      {"garbage\r\n\r\n", "HTTP/1.1 502 Bad Gateway"},
      {"", "HTTP/1.1 502 Bad Gateway"},
  };
  Start();
  for (const auto& [answer, status] : answers) {
    Runtime runtime(answer);
    if (answer.empty()) {
      runtime.Join();
      view.streaming_url = std::string("http://127.0.0.1:1/");
    } else {
      view.streaming_url = runtime.url;
    }
    // What the attacker sends behind the upgrade must reach nobody.
    const net::StreamPtr stream = Raw("POST /exec/default/web/c?output=1 HTTP/1.1\r\nHost: x\r\n" + kUpgradeHead +
                                      "Content-Length: 0\r\n\r\n" + next_request);
    const std::string all = ReadUntil(*stream, "[never]");
    BOOST_TEST(all.substr(0, all.find("\r\n")) == status, answer);
    BOOST_TEST(all.ends_with("[end]"));
    BOOST_TEST(all.find("PodList") == std::string::npos);
    runtime.Join();
    BOOST_TEST(runtime.after == "", answer);
  }
}

BOOST_AUTO_TEST_CASE(streams_need_an_upgrade_and_something_to_stream) {
  Start();
  BOOST_TEST(Local("/exec/default/web/c?output=1", "POST").body == "Upgrade request required\n");
  BOOST_TEST(Local("/exec/default/web/c", "POST").headers.Get("Connection") == "close");
  BOOST_TEST(Local("/portForward/default/web", "POST").status == 400);
  const auto ask = [&](const std::string& target, const std::string& upgrade) {
    const net::StreamPtr stream =
        Raw("GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: " + upgrade + "\r\n\r\n");
    return ReadUntil(*stream, "\r\n");
  };
  BOOST_TEST(ask("/exec/default/web/c", "SPDY/3.1").starts_with("HTTP/1.1 400"));
  BOOST_TEST(ask("/portForward/default/web", "websocket").starts_with("HTTP/1.1 400"));
  BOOST_TEST(ask("/portForward/default/web?port=0", "websocket").starts_with("HTTP/1.1 400"));
  BOOST_TEST(ask("/portForward/default/web?port=80,81&port=82", "websocket").starts_with("HTTP/1.1 502"));
  BOOST_TEST(view.asked == "portForward s1 3");
  BOOST_TEST(ask("/portForward/default/web/other-uid", "SPDY/3.1").starts_with("HTTP/1.1 404"));
  BOOST_TEST(ask("/attach/default/web/other-uid/c?output=1", "SPDY/3.1").starts_with("HTTP/1.1 404"));
  BOOST_TEST(ask("/attach/default/web/u1/c?output=1", "SPDY/3.1").starts_with("HTTP/1.1 502"));
  BOOST_TEST(view.asked == "attach id1");
  view.streaming_url = Error(Code::kNotFound, "no such container");
  BOOST_TEST(ask("/exec/default/web/c?output=1", "SPDY/3.1").starts_with("HTTP/1.1 404"));
}

BOOST_AUTO_TEST_CASE(debugging_handlers_can_be_switched_off) {
  options.enable_debugging_handlers = false;
  Start();
  BOOST_TEST(Local("/containerLogs/default/web/c").status == 405);
  BOOST_TEST(Local("/logs/").body == "Debug endpoints are disabled.\n");
  BOOST_TEST(Local("/pods").status == 200);
  BOOST_TEST(Local("/metrics").status == 200);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
