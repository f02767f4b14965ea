#include "ci/integration/lib/containerd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <thread>

#include "ci/integration/lib/command.h"
#include "pkg/base/file.h"
#include "pkg/cri/client.h"

namespace knarr::testing {
namespace {

constexpr std::string_view kPrefix = "/tmp/kct.";

std::string BinDir(Containerd::Version version) {
  const bool newer = version == Containerd::Version::k1_7;
  if (const char* given = ::getenv(newer ? "KNARR_CONTAINERD_1_7" : "KNARR_CONTAINERD_1_6")) return given;
  return newer ? SourceRoot() + "/.cache/containerd-1.7/usr/bin" : "/usr/bin";
}

std::vector<std::string> Names(const std::string& dir) {
  auto names = ListDir(dir);
  return names.ok() ? std::move(*names) : std::vector<std::string>();
}

// Removes a cgroup with everything below it; the processes in it are gone or about to be.
void RemoveCgroup(const std::string& path) {
  for (const std::string& name : Names(path))
    if (PathExists(path + "/" + name + "/cgroup.procs")) RemoveCgroup(path + "/" + name);
  for (int i = 0; i < 100 && ::rmdir(path.c_str()) != 0 && errno == EBUSY; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

std::string CgroupParentOf(const std::string& dir) {
  return "/knarr-test-" + std::string(BaseName(dir));
}

// In every hierarchy of cgroup v1, or in the one of v2.
void RemoveCgroupsOf(const std::string& dir) {
  for (const std::string& controller : Names("/sys/fs/cgroup"))
    RemoveCgroup("/sys/fs/cgroup/" + controller + CgroupParentOf(dir));
  RemoveCgroup("/sys/fs/cgroup" + CgroupParentOf(dir));
}

// What tests that were killed left behind: folders whose owner is gone.
void SweepAbandoned() {
  for (const std::string& name : Names("/tmp")) {
    const std::string dir = "/tmp/" + name;
    if (!dir.starts_with(kPrefix)) continue;
    const auto owner = ReadFile(dir + "/owner", 64);
    if (!owner.ok() || PathExists("/proc/" + *owner)) continue;
    if (!RunCommand({"ci/lib/containerd.sh", "stop", dir}).ok()) continue;
    RemoveCgroupsOf(dir);
    (void)RemoveAll(dir);
  }
}

}  // namespace

std::string Containerd::Missing(Version version) {
  if (::geteuid() != 0) return "needs root";
  const std::string bin = BinDir(version);
  for (const char* program : {"containerd", "ctr", "containerd-shim-runc-v2"})
    if (!PathExists(bin + "/" + program)) return bin + "/" + program + " is missing: run make deps";
  return {};
}

Containerd::Containerd(Options options, std::string dir)
    : options_(std::move(options)), dir_(std::move(dir)), cgroup_parent_(CgroupParentOf(dir_)) {}

Result<std::unique_ptr<Containerd>> Containerd::Start(const Options& options) {
  if (const std::string missing = Missing(options.version); !missing.empty())
    return Error(Code::kFailedPrecondition, "containerd: {}", missing);
  SweepAbandoned();
  std::string dir = std::string(kPrefix) + "XXXXXX";
  if (::mkdtemp(dir.data()) == nullptr) return ErrnoError(errno, "cannot make a folder in /tmp");
  KNARR_TRY(WriteFileAtomically(dir + "/owner", std::to_string(::getpid()), 0644));
  std::unique_ptr<Containerd> out(new Containerd(options, dir));
  KNARR_TRY(out->Script("start"));
  out->runtime_ = KNARR_TRY(cri::Connect({.endpoint = out->endpoint()}));
  for (const std::string& image : options.images) {
    const std::string reference = image == "pause" ? "knarr.dev/pause:1" : "knarr.dev/test/" + image + ":1";
    KNARR_TRY(out->Import("images/" + image + ".tar", reference));
  }
  KNARR_TRY(MakeDirs(out->log_directory()));
  return out;
}

Containerd::~Containerd() {
  RemovePods();
  runtime_.reset();
  if (const Status stopped = Script("stop"); !stopped.ok()) BOOST_TEST_MESSAGE(stopped.message());
  RemoveCgroupsOf(dir_);
  if (const Status removed = RemoveAll(dir_); !removed.ok()) BOOST_TEST_MESSAGE(removed.message());
}

void Containerd::RemovePods() {
  if (!runtime_) return;
  const Context context = Context::Background().WithTimeout(std::chrono::seconds(30));
  const auto sandboxes = runtime_->ListPodSandbox(context);
  if (!sandboxes.ok()) return;  // not running: the script clears up
  for (const auto& sandbox : *sandboxes) {
    (void)runtime_->StopPodSandbox(context, sandbox.id());
    (void)runtime_->RemovePodSandbox(context, sandbox.id());
  }
}

Status Containerd::Script(const std::string& action, const std::vector<std::string>& arguments) const {
  std::vector<std::string> command{"ci/lib/containerd.sh", action, dir_};
  command.insert(command.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment{"KNARR_CONTAINERD_BIN=" + BinDir(options_.version)};
  if (!options_.cni_bin_dir.empty()) environment.push_back("CNI_BIN_DIR=" + options_.cni_bin_dir);
  if (!options_.cni_conf_dir.empty()) environment.push_back("CNI_CONF_DIR=" + options_.cni_conf_dir);
  return RunCommand(command, environment).status();
}

Status Containerd::Kill() {
  return Script("kill");
}

Status Containerd::StartAgain() {
  return Script("start");
}

Status Containerd::Import(const std::string& archive, const std::string& reference) {
  KNARR_TRY(Script("import", {archive}));
  cri::v1::ImageSpec image;
  image.set_image(reference);
  for (int i = 0; i < 1000; ++i) {  // containerd tells its CRI plugin by an event
    const auto status = runtime_->ImageStatus(Context::Background(), image);
    if (!status.ok()) return status.error();
    if (status->has_image()) return OkStatus();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return Error(Code::kTimeout, "image {} does not appear after the import of {}", reference, archive);
}

std::string Containerd::LogTail(size_t bytes) const {
  std::string log = ReadFile(dir_ + "/log", 256 << 20).value_or("");
  return log.size() > bytes ? log.substr(log.size() - bytes) : log;
}

std::function<boost::test_tools::assertion_result(boost::unit_test::test_unit_id)> CanRun(Containerd::Version version) {
  return [version](boost::unit_test::test_unit_id) {
    const std::string missing = Containerd::Missing(version);
    boost::test_tools::assertion_result result(missing.empty());
    result.message() << missing;
    return result;
  };
}

}  // namespace knarr::testing
