// Pod Security, and the plugins that ask the authorizer.
#include "pkg/apiserver/admission/plugins/pod_security_checks.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "k8s.io/api/apps/v1/generated.pb.h"
#include "k8s.io/api/certificates/v1/generated.pb.h"
#include "pkg/apiserver/admission/plugins/test_util.h"

namespace knarr::admission {
namespace {

using namespace testing;  // NOLINT: test helpers
using podsecurity::Evaluate;
using podsecurity::ParseLevel;
using podsecurity::ParseVersion;

std::string Violations(const std::string& level, const std::string& version, const std::string& spec,
                       const std::string& metadata = "") {
  auto pod = Make<core::Pod>("metadata { " + metadata + " } spec { " + spec + " }");
  return Evaluate({*ParseLevel(level), *ParseVersion(version)}, pod.metadata(), pod.As<core::Pod>().spec()).Details();
}

const std::string kRestrictedContext =
    "securityContext { allowPrivilegeEscalation: false runAsNonRoot: true capabilities { drop: \"ALL\" } "
    "seccompProfile { "
    "type: \"RuntimeDefault\" } }";

BOOST_FIXTURE_TEST_SUITE(pod_security, Fixture)

BOOST_AUTO_TEST_CASE(baseline) {
  const struct {
    const char *spec, *expected;
  } cases[] = {
      {"containers { name: \"c\" }", ""},
      {"hostNetwork: true hostPID: true", "host namespaces (hostNetwork=true, hostPID=true)"},
      {"containers { name: \"c\" securityContext { privileged: true } }",
       "privileged (container \"c\" must not set securityContext.privileged=true)"},
      {"containers { name: \"a\" securityContext { capabilities { add: \"NET_RAW\" add: \"KILL\" } } } "
       "initContainers { name: \"i\" securityContext { capabilities { add: \"SYS_ADMIN\" } } }",
       "non-default capabilities (containers \"i\", \"a\" must not include \"NET_RAW\", \"SYS_ADMIN\" in "
       "securityContext.capabilities.add)"},
      {"volumes { name: \"v\" volumeSource { hostPath { path: \"/\" } } }", "hostPath volumes (volume \"v\")"},
      {"containers { name: \"c\" ports { hostPort: 80 } ports { hostPort: 443 } }",
       "hostPort (container \"c\" uses hostPorts 443, 80)"},
      {"containers { name: \"c\" securityContext { procMount: \"Unmasked\" } }",
       "procMount (container \"c\" must not set securityContext.procMount to \"Unmasked\")"},
      {"securityContext { seLinuxOptions { type: \"spc_t\" user: \"u\" } }",
       "seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type \"spc_t\"; user may not be set)"},
      {"securityContext { seccompProfile { type: \"Unconfined\" } }",
       "seccompProfile (pod must not set securityContext.seccompProfile.type to \"Unconfined\")"},
      {"securityContext { sysctls { name: \"kernel.msgmax\" } sysctls { name: \"net.ipv4.tcp_rmem\" } }",
       "forbidden sysctls (kernel.msgmax)"},
      {"securityContext { appArmorProfile { type: \"Unconfined\" } } containers { name: \"c\" securityContext { "
       "appArmorProfile { type: \"Unconfined\" } } }",
       "forbidden AppArmor profile (pod and container \"c\" must not set AppArmor profile type to \"Unconfined\")"},
      {"securityContext { windowsOptions { hostProcess: true } }",
       "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)"},
  };
  for (const auto& one : cases) BOOST_TEST(Violations("baseline", "latest", one.spec) == one.expected);
  BOOST_TEST(Violations("privileged", "latest", "hostNetwork: true") == "");
  BOOST_TEST(Violations("baseline", "v1.30", "securityContext { sysctls { name: \"net.ipv4.tcp_rmem\" } }") ==
             "forbidden sysctls (net.ipv4.tcp_rmem)");
  BOOST_TEST(
      Violations("baseline", "latest", "containers { name: \"c\" }",
                 "annotations { key: \"container.apparmor.security.beta.kubernetes.io/c\" value: \"unconfined\" }") ==
      "forbidden AppArmor profile (annotation must not set AppArmor profile type to "
      "\"container.apparmor.security.beta.kubernetes.io/c=\"unconfined\"\")");
  BOOST_TEST(Violations("baseline", "v1.18", "securityContext { seccompProfile { type: \"Unconfined\" } }",
                        "annotations { key: \"seccomp.security.alpha.kubernetes.io/pod\" value: \"unconfined\" }") ==
             "seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod=\"unconfined\")");
}

BOOST_AUTO_TEST_CASE(restricted) {
  BOOST_TEST(Violations("restricted", "latest", "containers { name: \"c\" }") ==
             "allowPrivilegeEscalation != false (container \"c\" must set "
             "securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \"c\" must set "
             "securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"c\" must set "
             "securityContext.runAsNonRoot=true), seccompProfile (pod or container \"c\" must set "
             "securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")");
  BOOST_TEST(Violations("restricted", "latest", "containers { name: \"c\" " + kRestrictedContext + "}") == "");
  BOOST_TEST(
      Violations(
          "restricted", "latest",
          "volumes { name: \"a\" volumeSource { nfs { } } } volumes { name: \"b\" volumeSource { hostPath { } } } "
          "volumes { name: \"c\" volumeSource { emptyDir { } } }") ==
      "restricted volume types (volumes \"a\", \"b\" use restricted volume types \"hostPath\", \"nfs\")");
  BOOST_TEST(
      Violations("restricted", "latest", "securityContext { runAsUser: 0 runAsNonRoot: false }") ==
      "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false), runAsUser=0 (pod must not set "
      "runAsUser=0)");
  BOOST_TEST(Violations("restricted", "v1.7", "securityContext { runAsNonRoot: true } containers { name: \"c\" }") ==
             "");
  BOOST_TEST(Violations("restricted", "latest",
                        "os { name: \"windows\" } securityContext { runAsNonRoot: true } containers { name: \"c\" }") ==
             "");
}

BOOST_AUTO_TEST_CASE(labels_of_namespaces_decide) {
  const auto plugin = New(NewPodSecurity);
  const auto with = [&](const std::string& labels) {
    access.Put<core::Namespace>({"", "namespaces"}, "metadata { name: \"ns\" " + labels + " }");
  };
  const auto label = [](const std::string& key, const std::string& value) {
    return "labels { key: \"pod-security.kubernetes.io/" + key + "\" value: \"" + value + "\" } ";
  };
  with("");
  BOOST_TEST(Run(plugin, Request::Pod("hostNetwork: true")) == "");
  with(label("enforce", "baseline") + label("enforce-version", "v1.25"));
  BOOST_TEST(Run(plugin, Request::Pod("hostNetwork: true")) ==
             "pods \"p\" is forbidden: violates PodSecurity \"baseline:v1.25\": host namespaces (hostNetwork=true)");
  with(label("warn", "baseline"));
  auto warned = Request::Pod("hostNetwork: true");
  BOOST_TEST(Run(*plugin, warned) == "");
  BOOST_REQUIRE(warned.warnings->size() == 1U);
  BOOST_TEST(warned.warnings->front() ==
             "would violate PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)");
  // A broken label of enforce fails closed.
  with(label("enforce", "bogus"));
  BOOST_TEST(Run(plugin, Request::Pod("hostNetwork: true")).find("violates PodSecurity \"restricted:latest\"") !=
             std::string::npos);
  // Templates are warned of what enforce would refuse.
  with(label("enforce", "baseline"));
  auto deployment = Request::Create<apps::Deployment>(
      "apps", "Deployment", "deployments",
      R"(metadata { name: "d" namespace: "ns" } spec { template { spec { hostNetwork: true } } })");
  BOOST_TEST(Run(*plugin, deployment) == "");
  BOOST_TEST(deployment.warnings->size() == 1U);
  // Changes that run nothing new are let through.
  BOOST_TEST(Run(plugin, Request::Update<core::Pod>(
                             "", "Pod", "pods", R"(metadata { name: "p" namespace: "ns" } spec { hostNetwork: true })",
                             R"(metadata { name: "p" namespace: "ns" })")) == "");
}

BOOST_AUTO_TEST_CASE(namespaces_are_checked_when_their_level_rises) {
  const auto plugin = New(NewPodSecurity);
  access.Put<core::Pod>({"", "pods"}, R"(metadata { name: "a" namespace: "ns" } spec { hostNetwork: true })");
  access.Put<core::Pod>({"", "pods"}, R"(metadata { name: "b" namespace: "ns" } spec { hostNetwork: true })");
  access.Put<core::Pod>(
      {"", "pods"},
      R"(metadata { name: "c" namespace: "ns" } spec { hostPID: true containers { name: "x" securityContext { privileged: true } } })");
  const auto ns = [](const std::string& value) {
    return value.empty() ? std::string("metadata { name: \"ns\" }")
                         : "metadata { name: \"ns\" labels { key: \"pod-security.kubernetes.io/enforce\" value: \"" +
                               value + "\" } }";
  };
  auto raised = Request::Update<core::Namespace>("", "Namespace", "namespaces", ns("baseline"), ns(""));
  BOOST_TEST(Run(*plugin, raised) == "");
  const std::vector<std::string> expected = {
      "existing pods in namespace \"ns\" violate the new PodSecurity enforce level \"baseline:latest\"",
      "a (and 1 other pod): host namespaces", "c: host namespaces, privileged"};
  BOOST_TEST(*raised.warnings == expected, boost::test_tools::per_element());
  auto lowered = Request::Update<core::Namespace>("", "Namespace", "namespaces", ns("baseline"), ns("restricted"));
  BOOST_TEST(Run(*plugin, lowered) == "");
  BOOST_TEST(lowered.warnings->empty());
  BOOST_TEST(
      Run(plugin, Request::Create<core::Namespace>("", "Namespace", "namespaces", ns("bogus"))) ==
      "Namespace \"ns\" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"bogus\": "
      "must be one of privileged, baseline, restricted");
}

BOOST_AUTO_TEST_CASE(the_configuration_sets_defaults_and_exemptions) {
  const std::string head = "apiVersion: pod-security.admission.config.k8s.io/v1\nkind: PodSecurityConfiguration\n";
  const auto plugin = New(NewPodSecurity, head + R"(
defaults: {enforce: baseline, enforce-version: latest}
exemptions: {usernames: [root], runtimeClasses: [kata], namespaces: [free]}
)");
  access.Put<core::Namespace>({"", "namespaces"}, R"(metadata { name: "ns" })");
  BOOST_TEST(Run(plugin, Request::Pod("hostIPC: true")) != "");
  BOOST_TEST(Run(plugin, Request::Pod("hostIPC: true runtimeClassName: \"kata\"")) == "");
  auto root = Request::Pod("hostIPC: true");
  root.As("root");
  BOOST_TEST(Run(*plugin, root) == "");
  const auto why = [&](const std::string& text) {
    deps.config = head + text;
    return std::string(NewPodSecurity(deps).status().message());
  };
  BOOST_TEST(why("defaults: {enforce: x}") ==
             "defaults.enforce: Invalid value: \"x\": must be one of privileged, baseline, restricted");
  BOOST_TEST(why("exemptions: {usernames: [a, a]}") == "exemptions.usernames[1]: Duplicate value: \"a\"");
  BOOST_TEST(why("exemption: {}") == "strict decoding error: unknown field \"exemption\"");
}

// Allows what it is told to.
class OneVerb : public auth::Authorizer {
 public:
  auth::Verdict Authorize(const Context&, const auth::Attributes& a) override {
    const bool yes =
        a.verb + " " + a.resource + (a.subresource.empty() ? "" : "/" + a.subresource) + " " + a.name == allowed;
    return {yes ? auth::Decision::kAllow : auth::Decision::kNoOpinion, ""};
  }
  auth::Rules RulesFor(const Context&, const auth::UserInfo&, std::string_view) override { return {}; }
  std::string allowed;
};

BOOST_AUTO_TEST_CASE(signers_are_guarded) {
  using ::k8s::io::api::certificates::v1::CertificateSigningRequest;
  OneVerb authorizer;
  deps.authorizer = &authorizer;
  const auto update = [&](PluginResult (*make)(const PluginDeps&), const char* subresource) {
    auto request = Request::Update<CertificateSigningRequest>(
        "certificates.k8s.io", "CertificateSigningRequest", "certificatesigningrequests",
        R"(metadata { name: "c" } spec { signerName: "example.com/a" } status { certificate: "x" })",
        R"(metadata { name: "c" } spec { signerName: "example.com/a" })");
    request.a.subresource = subresource;
    return Run(New(make), std::move(request));
  };
  const std::string f = "certificatesigningrequests.certificates.k8s.io \"c\" is forbidden: ";
  BOOST_TEST(update(NewCertificateApproval, "approval") ==
             f + "user not permitted to approve requests with signerName \"example.com/a\"");
  BOOST_TEST(update(NewCertificateSigning, "status") ==
             f + "user not permitted to sign requests with signerName \"example.com/a\"");
  authorizer.allowed = "approve signers example.com/a";
  BOOST_TEST(update(NewCertificateApproval, "approval") == "");
  authorizer.allowed = "sign signers example.com/*";
  BOOST_TEST(update(NewCertificateSigning, "status") == "");
}

std::string RequestWithOrganization(const char* organization) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509_REQ* request = X509_REQ_new();
  X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "O", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(organization), -1, -1, 0);
  X509_REQ_set_pubkey(request, key);
  X509_REQ_sign(request, key, EVP_sha256());
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509_REQ(bio, request);
  char* data = nullptr;
  const auto size = static_cast<size_t>(BIO_get_mem_data(bio, &data));
  std::string pem(data, size);
  BIO_free_all(bio);
  X509_REQ_free(request);
  EVP_PKEY_free(key);
  return pem;
}

BOOST_AUTO_TEST_CASE(masters_do_not_come_from_certificate_requests) {
  using ::k8s::io::api::certificates::v1::CertificateSigningRequest;
  const auto plugin = New(NewCertificateSubjectRestriction);
  const auto create = [&](const std::string& pem) {
    auto request = Request::Create<CertificateSigningRequest>(
        "certificates.k8s.io", "CertificateSigningRequest", "certificatesigningrequests",
        R"(metadata { name: "c" } spec { signerName: "kubernetes.io/kube-apiserver-client" })");
    request.Get<CertificateSigningRequest>().mutable_spec()->set_request(pem);
    return Run(*plugin, request);
  };
  const std::string f = "certificatesigningrequests.certificates.k8s.io \"c\" is forbidden: ";
  BOOST_TEST(create(RequestWithOrganization("developers")) == "");
  BOOST_TEST(create(RequestWithOrganization("system:masters")) ==
             f + "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed");
  BOOST_TEST(create("rubbish") == f + "failed to parse CSR: PEM block type must be CERTIFICATE REQUEST");
}

BOOST_AUTO_TEST_CASE(owners_can_be_blocked_only_by_who_may_finalize_them) {
  OneVerb authorizer;
  deps.authorizer = &authorizer;
  const auto create = [&] {
    return Run(
        New(NewOwnerReferencesPermissionEnforcement),
        Request::Pod(
            "",
            R"(ownerReferences { apiVersion: "apps/v1" kind: "ReplicaSet" name: "r" uid: "u" blockOwnerDeletion: true })"));
  };
  BOOST_TEST(create() ==
             "pods \"p\" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource "
             "you can't set finalizers on: , <nil>");
  authorizer.allowed = "update replicasets/finalizers r";
  BOOST_TEST(create() == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::admission
