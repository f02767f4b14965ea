#include "pkg/apiserver/options/options.h"

#include <boost/test/unit_test.hpp>

namespace knarr::apiserver {
namespace {

std::string ErrorOf(const std::vector<std::string>& args) {
  const auto parsed = ParseCommandLine(args);
  return parsed.ok() ? "" : std::string(parsed.error().message());
}

BOOST_AUTO_TEST_SUITE(apiserver_options)

// What kubeadm writes into the static pod of 1.20 and of 1.32.
const std::vector<std::string> kKubeadm = {
    "--advertise-address=192.0.2.10",
    "--allow-privileged=true",
    "--authorization-mode=Node,RBAC",
    "--client-ca-file=/etc/kubernetes/pki/ca.crt",
    "--enable-admission-plugins=NodeRestriction",
    "--enable-bootstrap-token-auth=true",
    "--etcd-cafile=/etc/kubernetes/pki/etcd/ca.crt",
    "--etcd-certfile=/etc/kubernetes/pki/apiserver-etcd-client.crt",
    "--etcd-keyfile=/etc/kubernetes/pki/apiserver-etcd-client.key",
    "--etcd-servers=https://127.0.0.1:2379",
    "--insecure-port=0",
    "--kubelet-client-certificate=/etc/kubernetes/pki/apiserver-kubelet-client.crt",
    "--kubelet-client-key=/etc/kubernetes/pki/apiserver-kubelet-client.key",
    "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
    "--proxy-client-cert-file=/etc/kubernetes/pki/front-proxy-client.crt",
    "--proxy-client-key-file=/etc/kubernetes/pki/front-proxy-client.key",
    "--requestheader-allowed-names=front-proxy-client",
    "--requestheader-client-ca-file=/etc/kubernetes/pki/front-proxy-ca.crt",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-username-headers=X-Remote-User",
    "--secure-port=6443",
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    "--service-account-key-file=/etc/kubernetes/pki/sa.pub",
    "--service-account-signing-key-file=/etc/kubernetes/pki/sa.key",
    "--service-cluster-ip-range=10.96.0.0/12",
    "--tls-cert-file=/etc/kubernetes/pki/apiserver.crt",
    "--tls-private-key-file=/etc/kubernetes/pki/apiserver.key"};

BOOST_AUTO_TEST_CASE(the_command_line_of_kubeadm_is_understood) {
  const auto parsed = ParseCommandLine(kKubeadm);
  BOOST_REQUIRE_MESSAGE(parsed.ok(), ErrorOf(kKubeadm));
  const Options& o = parsed->options;
  BOOST_TEST(o.storage.backend == "etcd3");
  BOOST_TEST(o.authorization_modes.size() == 2u);
  BOOST_TEST(o.authentication.bootstrap_tokens);
  BOOST_TEST(o.kubelet_preferred_address_types.front() == "InternalIP");
  BOOST_TEST(o.authentication.requestheader_allowed_names.front() == "front-proxy-client");
  // --insecure-port does nothing, and says so.
  BOOST_TEST(parsed->warnings.size() == 1u);
}

BOOST_AUTO_TEST_CASE(without_etcd_the_store_is_a_file) {
  const auto parsed = ParseCommandLine({"--data-dir=/tmp/x"});
  BOOST_REQUIRE(parsed.ok());
  BOOST_TEST(parsed->options.storage.backend == "sqlite");
  BOOST_TEST(parsed->options.storage.data_dir == "/tmp/x");
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_named) {
  const struct {
    std::vector<std::string> args;
    const char* error;
  } kCases[] = {
      {{"--no-such-flag"}, "unknown flag: --no-such-flag"},
      {{"--audit-policy-file=/x"}, "audit is not built yet"},
      {{"--encryption-provider-config=/x"}, "encryption at rest is not built yet"},
      {{"--oidc-issuer-url=https://x"}, "OIDC is not built yet"},
      {{"--authorization-mode=Webhook"}, "--authorization-mode: Webhook is not built yet"},
      {{"--authorization-mode=Foo"}, "--authorization-mode: \"Foo\" is not a valid mode"},
      {{"--storage-backend=etcd2"}, "--storage-backend: \"etcd2\" is neither etcd3 nor sqlite"},
      {{"--storage-backend=etcd3"}, "--etcd-servers: must be specified"},
      {{"--storage-backend=sqlite", "--etcd-servers=http://x:2379"}, "--etcd-servers: contradicts"},
      {{"--secure-port=70000"}, "--secure-port: 70000 is not a port"},
      {{"--tls-cert-file=/x"}, "--tls-cert-file: needs --tls-private-key-file"},
      {{"--service-account-issuer=https://x"}, "--service-account-issuer: goes with"},
      {{"--runtime-config=batch/v1beta1=false"}, "--runtime-config: batch/v1beta1=false"},
      {{"--min-request-timeout=x"}, "invalid number of seconds"},
      {{"stray"}, "unknown argument \"stray\""},
  };
  for (const auto& row : kCases) {
    const std::string error = ErrorOf(row.args);
    BOOST_TEST(error.find(row.error) != std::string::npos, row.args[0] << ": " << error);
  }
}

BOOST_AUTO_TEST_CASE(help_lists_flags_and_hides_what_does_nothing) {
  const auto parsed = ParseCommandLine({"--help"});
  BOOST_REQUIRE(parsed.ok());
  BOOST_TEST((parsed->action == ParsedCommandLine::Action::kHelp));
  BOOST_TEST(parsed->text.find("--data-dir") != std::string::npos);
  BOOST_TEST(parsed->text.find("--profiling") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::apiserver
