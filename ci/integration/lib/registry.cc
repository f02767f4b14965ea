#include "ci/integration/lib/registry.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

#include "pkg/base/file.h"
#include "pkg/base/unique_fd.h"

namespace knarr::testing {
namespace {

// A CA and a certificate for 127.0.0.1 that it signed: ca.crt, server.crt, server.key.
Status MakeCertificates(const std::string& dir) {
  const std::string ca_key = dir + "/ca.key", ca = dir + "/ca.crt", key = dir + "/server.key";
  const std::string request = dir + "/server.csr", certificate = dir + "/server.crt", extensions = dir + "/server.ext";
  KNARR_TRY(RunCommand({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=test CA", "-keyout", ca_key, "-out", ca}));
  KNARR_TRY(RunCommand({"openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                        "/CN=registry", "-keyout", key, "-out", request}));
  KNARR_TRY(WriteFileAtomically(extensions, "subjectAltName=IP:127.0.0.1\n", 0644));
  return RunCommand({"openssl", "x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days",
                     "2", "-extfile", extensions, "-out", certificate})
      .status();
}

bool Answers(int port) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

Result<Registry> Registry::Start(Access access, const std::string& dir, const std::string& storage) {
  KNARR_TRY(MakeDirs(dir));
  KNARR_TRY(MakeDirs(storage));
  const int port = FreePort();
  std::string config = fmt::format(
      "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n"
      "    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{}\n",
      storage, port);
  if (access == Access::kTls) {
    KNARR_TRY(MakeCertificates(dir));
    config += fmt::format("  tls:\n    certificate: {0}/server.crt\n    key: {0}/server.key\n", dir);
  }
  if (access == Access::kPassword) {
    // bcrypt of kSecret
    KNARR_TRY(WriteFileAtomically(
        dir + "/htpasswd",
        fmt::format("{}:{}\n", kUser, "$2b$04$abcdefghijklmnopqrstuuLZYjhNQAOdpbzt4WxWlUHjv1wsyH5DG"), 0644));
    config += fmt::format("auth:\n  htpasswd:\n    realm: test\n    path: {}/htpasswd\n", dir);
  }
  KNARR_TRY(WriteFileAtomically(dir + "/config.yml", config, 0644));
  Registry out(KNARR_TRY(BackgroundCommand::Start({"docker-registry", "serve", dir + "/config.yml"}, dir + "/log",
                                                  {"OTEL_TRACES_EXPORTER=none"})));
  out.host_ = fmt::format("127.0.0.1:{}", port);
  if (access == Access::kTls) out.ca_file_ = dir + "/ca.crt";
  for (int i = 0; i < 2000; ++i) {
    if (Answers(port)) return out;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return Error(Code::kTimeout, "docker-registry does not answer on {}: {}", out.host_,
               ReadFile(dir + "/log").value_or(""));
}

}  // namespace knarr::testing
