#include <grpcpp/grpcpp.h>

#include <boost/test/unit_test.hpp>

#include "grpc/health/v1/health.grpc.pb.h"
#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/intstr/intstr.h"
#include "pkg/api/types.h"
#include "pkg/kubelet/prober/prober.h"
#include "pkg/net/http/server.h"

namespace knarr::kubelet {
namespace {

using namespace std::chrono_literals;

Context TenSeconds() {
  return Context::Background().WithTimeout(10s);
}

class HealthService : public grpc::health::v1::Health::Service {
 public:
  grpc::Status Check(grpc::ServerContext* ctx, const grpc::health::v1::HealthCheckRequest* request,
                     grpc::health::v1::HealthCheckResponse* response) override {
    const grpc::string_ref agent = ctx->client_metadata().find("user-agent")->second;
    BOOST_TEST(std::string(agent.data(), agent.size()).starts_with("kube-probe/1.32"));
    if (request->service() == "nobody") return {grpc::StatusCode::NOT_FOUND, "unknown service"};
    if (request->service() == "old") return {grpc::StatusCode::UNIMPLEMENTED, "no"};
    const bool up = request->service().empty();
    response->set_status(up ? grpc::health::v1::HealthCheckResponse::SERVING
                            : grpc::health::v1::HealthCheckResponse::NOT_SERVING);
    return grpc::Status::OK;
  }
};

struct Fixture {
  ElasticPool pool{"test", 4};
  http::Handler handler = [](const http::Request&, http::ResponseWriter& w) { w.Reply(200, "text/plain", "fine"); };
  std::unique_ptr<http::Server> server =
      std::move(*http::Server::Start({.listen = {{.name = "a", .host = "127.0.0.1"}}}, pool,
                                     [this](const http::Request& q, http::ResponseWriter& w) { handler(q, w); }));
  ProbeTarget target{.pod_ip = "127.0.0.1", .container_id = "id", .named_ports = {{"http", server->Port("a")}}};
  core::Probe probe;
  core::HTTPGetAction& action = *probe.mutable_handler()->mutable_httpget();

  Fixture() {
    *action.mutable_port() = intstr::FromString("http");
    action.set_path("/healthz");
  }
  ProbeOutcome Run() { return RunProbe(TenSeconds(), probe, target, nullptr); }
};

BOOST_FIXTURE_TEST_SUITE(probes, Fixture)

BOOST_AUTO_TEST_CASE(an_http_probe_sends_upstreams_headers_and_the_manifests) {
  http::Headers seen;
  std::string path;
  handler = [&](const http::Request& q, http::ResponseWriter& w) {
    seen = q.headers;
    path = q.target;
    w.Reply(200, "text/plain", "fine");
  };
  action.set_path("/a b?x=y");
  core::HTTPHeader& header = *action.add_httpheaders();
  header.set_name("Host");
  header.set_value("web.local");
  const ProbeOutcome outcome = Run();
  BOOST_TEST((outcome.kind == ProbeOutcome::kSuccess));
  BOOST_TEST(outcome.output == "fine");
  BOOST_TEST(path == "/a%20b?x=y");
  BOOST_TEST(seen.Get("Host") == "web.local");
  BOOST_TEST(seen.Get("User-Agent") == "kube-probe/1.32");
  BOOST_TEST(seen.Get("Accept") == "*/*");
  BOOST_TEST(seen.Get("Connection") == "close");
}

BOOST_AUTO_TEST_CASE(two_and_three_hundreds_are_well_and_the_rest_is_not) {
  int status = 200;
  handler = [&](const http::Request&, http::ResponseWriter& w) {
    w.Reply(status, "text/plain", std::string(20'000, 'x'));
  };
  for (const int good : {200, 201, 399}) {
    status = good;
    BOOST_TEST((Run().kind == (good < 300 ? ProbeOutcome::kSuccess : ProbeOutcome::kWarning)));
  }
  status = 200;
  BOOST_TEST(Run().output.size() == 10240u);
  for (const int bad : {400, 404, 503}) {
    status = bad;
    const ProbeOutcome outcome = Run();
    BOOST_TEST((outcome.kind == ProbeOutcome::kFailure));
    BOOST_TEST(outcome.output == fmt::format("HTTP probe failed with statuscode: {}", bad));
  }
}

BOOST_AUTO_TEST_CASE(redirects_are_followed_on_the_same_host_only) {
  std::string location = "/there";
  handler = [&](const http::Request& q, http::ResponseWriter& w) {
    if (q.path == "/there") return w.Reply(404, "text/plain", "");
    w.headers().Set("Location", location);
    w.Reply(302, "text/plain", "moved");
  };
  BOOST_TEST(Run().output == "HTTP probe failed with statuscode: 404");
  location = "http://192.0.2.1/elsewhere";
  const ProbeOutcome outcome = Run();
  BOOST_TEST((outcome.kind == ProbeOutcome::kWarning));
  BOOST_TEST(outcome.output == "Probe terminated redirects, Response body: moved");
  location = "/healthz";
  BOOST_TEST(Run().output.find("stopped after 10 redirects") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(unreachable_and_slow_servers_are_failures_in_gos_words) {
  *action.mutable_port() = intstr::FromInt32(1);
  BOOST_TEST(Run().output == "Get \"http://127.0.0.1:1/healthz\": dial tcp 127.0.0.1:1: connect: connection refused");
  *action.mutable_port() = intstr::FromString("http");
  handler = [](const http::Request& q, http::ResponseWriter&) { (void)q.ctx.WithTimeout(10s).Sleep(20s); };
  const ProbeOutcome outcome = RunProbe(Context::Background().WithTimeout(20ms), probe, target, nullptr);
  BOOST_TEST((outcome.kind == ProbeOutcome::kFailure));
  BOOST_TEST(outcome.output.ends_with("context deadline exceeded (Client.Timeout exceeded while awaiting headers)"));
}

BOOST_AUTO_TEST_CASE(ports_that_nobody_has_are_errors_of_the_probe_itself) {
  *action.mutable_port() = intstr::FromString("nope");
  BOOST_TEST(Run().error.message() == "strconv.Atoi: parsing \"nope\": invalid syntax");
  *action.mutable_port() = intstr::FromInt32(70000);
  BOOST_TEST(Run().error.message() == "invalid port number: 70000");
  *action.mutable_port() = intstr::FromString(std::to_string(server->Port("a")));
  BOOST_TEST((Run().kind == ProbeOutcome::kSuccess));
  probe.mutable_handler()->Clear();
  BOOST_TEST(Run().error.message() == "missing probe handler");
}

BOOST_AUTO_TEST_CASE(an_http_hook_is_an_error_unless_the_answer_is_good) {
  BOOST_TEST(RunHttpGetHook(TenSeconds(), action, target).ok());
  handler = [](const http::Request& q, http::ResponseWriter& w) {
    BOOST_TEST(q.headers.Get("User-Agent") == "kube-lifecycle/1.32");
    w.Reply(500, "text/plain", "");
  };
  BOOST_TEST(!RunHttpGetHook(TenSeconds(), action, target).ok());
}

BOOST_AUTO_TEST_CASE(a_tcp_probe_connects) {
  core::TCPSocketAction& tcp = *probe.mutable_handler()->mutable_tcpsocket();
  probe.mutable_handler()->clear_httpget();
  *tcp.mutable_port() = intstr::FromString("http");
  BOOST_TEST((Run().kind == ProbeOutcome::kSuccess));
  *tcp.mutable_port() = intstr::FromInt32(1);
  BOOST_TEST(Run().output == "dial tcp 127.0.0.1:1: connect: connection refused");
}

BOOST_AUTO_TEST_CASE(an_exec_probe_goes_by_the_exit_code) {
  probe.mutable_handler()->clear_httpget();
  probe.mutable_handler()->mutable_exec()->add_command("cat");
  std::string id;
  int code = 0;
  const ExecFunction exec = [&](const Context&, const std::string& container,
                                const std::vector<std::string>&) -> Result<ExecOutput> {
    id = container;
    return ExecOutput{.exit_code = code, .output = std::string(20'000, 'o')};
  };
  BOOST_TEST((RunProbe(TenSeconds(), probe, target, exec).kind == ProbeOutcome::kSuccess));
  BOOST_TEST(id == "id");
  code = 3;
  const ProbeOutcome outcome = RunProbe(TenSeconds(), probe, target, exec);
  BOOST_TEST((outcome.kind == ProbeOutcome::kFailure));
  BOOST_TEST(outcome.output.size() == 10240u);
}

BOOST_AUTO_TEST_CASE(a_grpc_probe_asks_the_health_service) {
  HealthService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> grpc_server = builder.BuildAndStart();
  const auto ask = [&](const std::string& name) {
    return RunGrpcProbe(TenSeconds(), "127.0.0.1", static_cast<uint16_t>(port), name);
  };
  BOOST_TEST((ask("").kind == ProbeOutcome::kSuccess));
  BOOST_TEST(ask("db").output == "service unhealthy (responded with \"NOT_SERVING\")");
  BOOST_TEST(ask("nobody").output ==
             "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service");
  BOOST_TEST(ask("old").output ==
             "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): no");
  grpc_server->Shutdown();
  BOOST_TEST(RunGrpcProbe(Context::Background().WithTimeout(50ms), "127.0.0.1", 1, "").output ==
             "timeout: failed to connect service \"127.0.0.1:1\" within 50ms: context deadline exceeded");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
