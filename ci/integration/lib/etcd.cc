#include "ci/integration/lib/etcd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "pkg/base/file.h"

namespace knarr::testing {
namespace {

std::string Binary(Etcd::Version version) {
  const bool newer = version == Etcd::Version::k3_5;
  if (const char* given = ::getenv(newer ? "KNARR_ETCD_3_5" : "KNARR_ETCD_3_4")) return given;
  return newer ? SourceRoot() + "/.cache/etcd-3.5/usr/bin/etcd" : "/usr/bin/etcd";
}

}  // namespace

std::string Etcd::Missing(Version version) {
  const std::string binary = Binary(version);
  if (!PathExists(binary)) return binary + " is missing (make deps)";
  // Debian 13's own etcd is the newer one.
  const std::string_view wanted = version == Version::k3_5 ? "etcd Version: 3.5." : "etcd Version: 3.4.";
  const auto said = RunCommand({binary, "--version"});
  if (said.ok() && said->find(wanted) != std::string::npos) return "";
  return fmt::format("{} is not \"{}\"", binary, wanted);
}

Result<std::unique_ptr<Etcd>> Etcd::Start(Options options) {
  std::unique_ptr<Etcd> etcd(new Etcd);
  etcd->options_ = std::move(options);
  etcd->dir_ = "/tmp/knarr-etcd-XXXXXX";
  if (::mkdtemp(etcd->dir_.data()) == nullptr) return ErrnoError(errno, "mkdtemp {}", etcd->dir_);
  etcd->client_port_ = FreePort();
  do {
    etcd->peer_port_ = FreePort();
  } while (etcd->peer_port_ == etcd->client_port_);
  etcd->endpoint_ =
      fmt::format("{}://127.0.0.1:{}", etcd->options_.cert_file.empty() ? "http" : "https", etcd->client_port_);
  KNARR_TRY(etcd->Launch());
  KNARR_TRY(etcd->AwaitPort());
  return etcd;
}

Etcd::~Etcd() {
  Kill();
  if (!dir_.empty()) (void)RemoveAll(dir_).ok();
}

void Etcd::Kill() {
  if (!process_) return;
  ::kill(process_->pid(), SIGKILL);
  process_.reset();
}

Status Etcd::Restart() {
  return Launch();
}

Status Etcd::Launch() {
  const std::string peer = fmt::format("http://127.0.0.1:{}", peer_port_);
  std::vector<std::string> command = {Binary(options_.version),
                                      "--name=test",
                                      "--data-dir=" + dir_ + "/data",
                                      "--listen-client-urls=" + endpoint_,
                                      "--advertise-client-urls=" + endpoint_,
                                      "--listen-peer-urls=" + peer,
                                      "--initial-advertise-peer-urls=" + peer,
                                      "--initial-cluster=test=" + peer,
                                      "--logger=zap",
                                      "--log-level=warn"};
  if (!options_.cert_file.empty()) {
    command.push_back("--cert-file=" + options_.cert_file);
    command.push_back("--key-file=" + options_.key_file);
    command.push_back("--trusted-ca-file=" + options_.ca_file);
    command.push_back("--client-cert-auth");
  }
  process_ = std::make_unique<BackgroundCommand>(KNARR_TRY(BackgroundCommand::Start(command, dir_ + "/log")));
  return OkStatus();
}

Status Etcd::AwaitPort() const {
  // It listens when it is ready to serve.
  for (int i = 0; i < 4000; ++i) {
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(client_port_));
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return OkStatus();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return Error(Code::kTimeout, "etcd does not start: {}", ReadFile(dir_ + "/log").value_or(""));
}

std::function<boost::test_tools::assertion_result(boost::unit_test::test_unit_id)> CanRun(Etcd::Version version) {
  return [version](boost::unit_test::test_unit_id) {
    const std::string missing = Etcd::Missing(version);
    boost::test_tools::assertion_result result(missing.empty());
    result.message() << missing;
    return result;
  };
}

}  // namespace knarr::testing
