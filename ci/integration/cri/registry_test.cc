// Pulls through containerd from a real registry: plain, TLS, password; and how each failure reads.
#include <boost/test/unit_test.hpp>

#include "ci/integration/lib/containerd.h"
#include "ci/integration/lib/registry.h"
#include "pkg/base/file.h"

namespace knarr::cri {
namespace {

using testing::Containerd;
using testing::Registry;

// A containerd and a registry that holds busybox as HOST/test/busybox:1.
class Setup {
 public:
  Setup(Containerd::Version version, Registry::Access access) {
    containerd_ = Require(Containerd::Start({.version = version}));
    const std::string dir = containerd_->dir() + "/registry";
    {
      const Registry writable = Require(Registry::Start(Registry::Access::kPlain, dir + "/writable", dir + "/storage"));
      const std::string reference = writable.host() + "/test/busybox:1";
      Ctr({"images", "tag", "knarr.dev/test/busybox:1", reference});
      Ctr({"images", "push", "--plain-http", reference});
      Ctr({"images", "rm", reference});
    }
    registry_.emplace(
        Require(Registry::Start(access, dir + "/" + std::to_string(static_cast<int>(access)), dir + "/storage")));
  }
  // The registry must go first: it lives in containerd's folder.
  ~Setup() { registry_.reset(); }

  v1::ImageSpec Image(const std::string& tag = "1") const {
    v1::ImageSpec image;
    image.set_image(registry_->host() + "/test/busybox:" + tag);
    return image;
  }
  Result<std::string> Pull(const v1::ImageSpec& image, const v1::AuthConfig* auth = nullptr) {
    return containerd_->runtime().PullImage({}, image, auth);
  }
  // As an administrator tells containerd about a registry with a CA of its own. Read anew for every pull.
  void Trust(const std::string& ca_file) {
    const std::string dir = containerd_->certs_dir() + "/" + registry_->host();
    BOOST_REQUIRE(MakeDirs(dir).ok());
    const std::string url = "https://" + registry_->host();
    BOOST_REQUIRE(WriteFileAtomically(dir + "/hosts.toml",
                                      "server = \"" + url + "\"\n[host.\"" + url + "\"]\n  ca = \"" + ca_file + "\"\n",
                                      0644)
                      .ok());
  }
  // The certificate of a CA that signed nothing here.
  std::string OtherCa() {
    const std::string file = containerd_->dir() + "/registry/other.crt";
    Require(testing::RunCommand({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                                 "-nodes", "-subj", "/CN=other CA", "-keyout", "/dev/null", "-out", file}));
    return file;
  }
  const Registry& registry() const { return *registry_; }
  CriRuntime& runtime() { return containerd_->runtime(); }

 private:
  template <typename T>
  static T Require(Result<T> result) {
    BOOST_REQUIRE_MESSAGE(result.ok(), result.status().message());
    return std::move(*result);
  }
  void Ctr(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"ctr", "-a", containerd_->dir() + "/containerd.sock", "-n", "k8s.io"});
    Require(testing::RunCommand(arguments));
  }

  std::unique_ptr<Containerd> containerd_;
  std::optional<Registry> registry_;
};

void CheckError(const Result<std::string>& result, Code code, std::string_view text) {
  BOOST_REQUIRE(!result.ok());
  BOOST_CHECK_MESSAGE(result.error().Is(code), "code " << InfoOf(result.error().code()).name);
  BOOST_CHECK_MESSAGE(result.error().message().find(text) != std::string_view::npos,
                      "\"" << result.error().message() << "\" does not contain \"" << text << "\"");
}

std::string Prefix(const v1::ImageSpec& image) {
  return "failed to pull and unpack image \"" + image.image() + "\": failed to resolve reference \"" + image.image() +
         "\": ";
}

void PlainPull(Containerd::Version version) {
  Setup setup(version, Registry::Access::kPlain);
  const auto id = setup.Pull(setup.Image());
  BOOST_REQUIRE_MESSAGE(id.ok(), id.status().message());
  const auto status = setup.runtime().ImageStatus({}, setup.Image());
  BOOST_TEST(status->image().id() == *id);
  BOOST_REQUIRE(status->image().repo_digests_size() >= 1);
  const auto missing = setup.Image("2");
  CheckError(setup.Pull(missing), Code::kNotFound, Prefix(missing) + missing.image() + ": not found");
}

void TlsPull(Containerd::Version version) {
  Setup setup(version, Registry::Access::kTls);
  setup.Trust(setup.OtherCa());
  CheckError(setup.Pull(setup.Image()), Code::kUnknown, "x509: certificate signed by unknown authority");
  setup.Trust(setup.registry().ca_file());
  const auto id = setup.Pull(setup.Image());
  BOOST_TEST(id.ok(), id.status().message());
}

void PasswordPull(Containerd::Version version) {
  Setup setup(version, Registry::Access::kPassword);
  CheckError(
      setup.Pull(setup.Image()), Code::kUnknown,
      version == Containerd::Version::k1_6 ? "401 Unauthorized" : "authorization failed: no basic auth credentials");
  v1::AuthConfig auth;
  auth.set_username(Registry::kUser);
  auth.set_password("wrong");
  CheckError(setup.Pull(setup.Image(), &auth), Code::kUnknown, "401 Unauthorized");
  auth.set_password(Registry::kSecret);
  const auto id = setup.Pull(setup.Image(), &auth);
  BOOST_TEST(id.ok(), id.status().message());
}

BOOST_AUTO_TEST_SUITE(cri_pull_with_containerd_1_6,
                      *boost::unit_test::precondition(testing::CanRun(Containerd::Version::k1_6)))
BOOST_AUTO_TEST_CASE(from_a_plain_registry) {
  PlainPull(Containerd::Version::k1_6);
}
BOOST_AUTO_TEST_CASE(with_tls_of_a_private_ca) {
  TlsPull(Containerd::Version::k1_6);
}
BOOST_AUTO_TEST_CASE(with_a_password) {
  PasswordPull(Containerd::Version::k1_6);
}
BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(cri_pull_with_containerd_1_7,
                      *boost::unit_test::precondition(testing::CanRun(Containerd::Version::k1_7)))
BOOST_AUTO_TEST_CASE(from_a_plain_registry) {
  PlainPull(Containerd::Version::k1_7);
}
BOOST_AUTO_TEST_CASE(with_tls_of_a_private_ca) {
  TlsPull(Containerd::Version::k1_7);
}
BOOST_AUTO_TEST_CASE(with_a_password) {
  PasswordPull(Containerd::Version::k1_7);
}
BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::cri
