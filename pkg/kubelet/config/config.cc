#include "pkg/kubelet/config/config.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>

#include "pkg/base/file.h"
#include "pkg/base/log.h"
#include "pkg/base/pool.h"
#include "pkg/kubelet/config/file_source.h"
#include "pkg/kubelet/config/http_source.h"
#include "pkg/kubelet/config/last_good.h"
#include "pkg/kubelet/config/merge.h"

namespace knarr::kubelet {
namespace {

bool SameProblem(const ManifestProblem& a, const ManifestProblem& b) {
  return a.file == b.file && a.line == b.line && a.field == b.field && a.message == b.message && a.keeps == b.keeps;
}

bool SamePod(const SourcePod& a, const SourcePod& b) {
  return a.pod == b.pod && a.file == b.file && a.after == b.after;
}

bool SameState(const DesiredState& a, const DesiredState& b) {
  return a.sources_ready == b.sources_ready && a.config_maps == b.config_maps && a.secrets == b.secrets &&
         std::equal(a.pods.begin(), a.pods.end(), b.pods.begin(), b.pods.end(), SamePod) &&
         std::equal(a.problems.begin(), a.problems.end(), b.problems.begin(), b.problems.end(), SameProblem);
}

// By all that makes two problems the same.
using ProblemIndex = std::map<std::string, const ManifestProblem*>;

std::string KeyOf(const ManifestProblem& problem) {
  return problem.ToString() + "\n" + problem.keeps;
}

ProblemIndex IndexProblems(const DesiredState& state) {
  ProblemIndex index;
  for (const ManifestProblem& problem : state.problems) index[KeyOf(problem)] = &problem;
  return index;
}

class PodConfigImpl final : public PodConfig {
 public:
  PodConfigImpl(PodConfigOptions options, Clock& clock, OnChange on_change)
      : options_(std::move(options)),
        clock_(clock),
        on_change_(std::move(on_change)),
        store_(options_.state_dir),
        merger_(options_.node_name, options_.uid_is_running) {}
  ~PodConfigImpl() override { Stop(); }

  Status Start() override;
  void Stop() override;
  std::shared_ptr<const DesiredState> Current() const override {
    const std::lock_guard lock(mutex_);
    return current_;
  }
  Duration Busy() const override {
    const std::lock_guard lock(mutex_);
    return busy_since_ ? clock_.Monotonic() - *busy_since_ : Duration::zero();
  }
  void Rescan() override;
  Result<std::shared_ptr<const core::ConfigMap>> GetConfigMap(const std::string& ns,
                                                              const std::string& name) const override;
  Result<std::shared_ptr<const core::Secret>> GetSecret(const std::string& ns, const std::string& name) const override;

 private:
  void Loop(std::stop_token stop);
  void Wait();
  void ArmTimer();
  void Publish();
  void LogProblems(const DesiredState& before, const DesiredState& after) const;
  void Wake() const;
  void SetBusy(bool busy) {
    const std::lock_guard lock(mutex_);
    busy_since_ = busy ? std::optional(clock_.Monotonic()) : std::nullopt;
  }

  const PodConfigOptions options_;
  Clock& clock_;
  const OnChange on_change_;
  const Logger log_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const DesiredState> current_ = std::make_shared<DesiredState>();
  bool started_ = false, stopped_ = false;
  uint64_t rescans_wanted_ = 0, rescans_done_ = 0;
  std::optional<MonoTime> busy_since_;

  UniqueFd wake_, mounts_;
  // The loop thread's own.
  LastGoodStore store_;
  Merger merger_;
  std::optional<FileSource> files_;
  std::optional<HttpSource> http_;
  std::optional<MonoTime> armed_;
  Timer timer_;
  TaskGroup tasks_;
};

Status PodConfigImpl::Start() {
  wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_) return ErrnoError(errno, "eventfd");
  if (!options_.static_pod_path.empty()) {
    // Tells when something is mounted; without it the rescan does.
    if (Result<UniqueFd> mounts = OpenFile("/proc/self/mountinfo", O_RDONLY); mounts.ok()) mounts_ = std::move(*mounts);
    files_.emplace(options_, clock_, options_.state_dir.empty() ? nullptr : &store_);
  }
  if (!options_.static_pod_url.empty()) {
    http_.emplace(
        options_, clock_, [this] { Wake(); }, FetchManifestUrl);
    http_->Start();
  }
  tasks_.Go("pod-config", [this](std::stop_token stop) { Loop(stop); });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return started_ || stopped_; });
  return OkStatus();
}

void PodConfigImpl::Stop() {
  if (http_) http_->Stop();
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  tasks_.RequestStop();
  changed_.notify_all();
  Wake();
  tasks_.StopAndJoin();
  timer_.Cancel();
}

void PodConfigImpl::Wake() const {
  const uint64_t one = 1;
  if (wake_) (void)!::write(wake_.get(), &one, sizeof(one));
}

void PodConfigImpl::Rescan() {
  std::unique_lock lock(mutex_);
  const uint64_t mine = ++rescans_wanted_;
  Wake();
  changed_.wait(lock, [&] { return rescans_done_ >= mine || stopped_ || !started_; });
}

void PodConfigImpl::Loop(std::stop_token stop) {
  SetBusy(true);
  if (files_) files_->Rescan();
  Publish();
  {
    const std::lock_guard lock(mutex_);
    started_ = true;
  }
  changed_.notify_all();
  while (!stop.stop_requested()) {
    if (files_) files_->SaveLastGood();
    ArmTimer();
    SetBusy(false);
    Wait();
    SetBusy(true);
    if (stop.stop_requested()) break;
    uint64_t rescan = 0;
    {
      const std::lock_guard lock(mutex_);
      if (rescans_wanted_ > rescans_done_) rescan = rescans_wanted_;
    }
    if (files_) {
      files_->HandleEvents();
      if (rescan > 0) files_->Rescan();
      files_->Advance();
    }
    Publish();
    if (rescan > 0) {
      const std::lock_guard lock(mutex_);
      rescans_done_ = rescan;
      changed_.notify_all();
    }
  }
  SetBusy(false);
}

void PodConfigImpl::ArmTimer() {
  const std::optional<MonoTime> due = files_ ? files_->NextDue() : std::nullopt;
  if (due == armed_) return;
  armed_ = due;
  timer_ = due ? clock_.RunAt(*due, [this] { Wake(); }) : Timer();
}

void PodConfigImpl::Wait() {
  pollfd fds[3] = {{wake_.get(), POLLIN, 0}, {files_ ? files_->fd() : -1, POLLIN, 0}, {mounts_.get(), POLLPRI, 0}};
  // What came due while the timer was being armed does not ring again.
  const bool due = armed_ && *armed_ <= clock_.Monotonic();
  if (::poll(fds, 3, due ? 0 : -1) < 0) return;
  if (fds[0].revents != 0) {
    uint64_t count = 0;
    (void)!::read(wake_.get(), &count, sizeof(count));
    // The timer may be what woke us; it is armed again if nothing came due.
    armed_.reset();
  }
  if (fds[2].revents != 0 && files_) files_->HandleMounts();
}

void PodConfigImpl::Publish() {
  auto next = std::make_shared<DesiredState>();
  std::vector<const Manifest*> manifests;
  next->sources_ready = true;
  if (files_) {
    manifests = files_->Manifests();
    next->problems = files_->Problems();
    next->sources_ready = files_->ready();
  }
  std::shared_ptr<const Manifest> from_url;  // alive until the merge is done
  if (http_) {
    const HttpSource::State state = http_->Current();
    from_url = state.good;
    if (from_url) manifests.push_back(from_url.get());
    next->problems.insert(next->problems.end(), state.problems.begin(), state.problems.end());
    next->sources_ready &= state.ready;
  }
  merger_.Merge(manifests, clock_.Now(), *next);
  const std::shared_ptr<const DesiredState> before = Current();
  const ProblemIndex known = IndexProblems(*before);
  for (ManifestProblem& problem : next->problems) {
    if (const auto old = known.find(KeyOf(problem)); old != known.end()) problem.since = old->second->since;
  }
  {
    const std::lock_guard lock(mutex_);
    if (started_ && SameState(*before, *next)) return;
    current_ = next;
  }
  LogProblems(*before, *next);
  if (on_change_) on_change_(next);
}

void PodConfigImpl::LogProblems(const DesiredState& before, const DesiredState& after) const {
  const ProblemIndex known = IndexProblems(before);
  std::set<std::string> bad;
  for (const ManifestProblem& problem : after.problems) {
    bad.insert(problem.file);
    if (known.contains(KeyOf(problem))) continue;
    log_.Error(Status(Code::kInvalid, problem.ToString()), "Bad manifest", {{"keeps", problem.keeps}});
  }
  std::set<std::string> good;
  for (const ManifestProblem& problem : before.problems) {
    if (!bad.contains(problem.file) && good.insert(problem.file).second) {
      log_.Info("Manifest is good again or gone", {{"file", problem.file}});
    }
  }
}

Result<std::shared_ptr<const core::ConfigMap>> PodConfigImpl::GetConfigMap(const std::string& ns,
                                                                           const std::string& name) const {
  const std::shared_ptr<const DesiredState> state = Current();
  const auto it = state->config_maps.find({ns, name});
  if (it == state->config_maps.end()) return Error(Code::kNotFound, "configmap \"{}\" not found", name);
  return it->second;
}

Result<std::shared_ptr<const core::Secret>> PodConfigImpl::GetSecret(const std::string& ns,
                                                                     const std::string& name) const {
  const std::shared_ptr<const DesiredState> state = Current();
  const auto it = state->secrets.find({ns, name});
  if (it == state->secrets.end()) return Error(Code::kNotFound, "secret \"{}\" not found", name);
  return it->second;
}

}  // namespace

std::string ManifestProblem::ToString() const {
  std::string text = file;
  if (line > 0) text += fmt::format(":{}", line);
  text += ": ";
  if (!field.empty()) text += field + ": ";
  return text + message;
}

std::unique_ptr<PodConfig> PodConfig::Create(PodConfigOptions options, Clock& clock, OnChange on_change) {
  return std::make_unique<PodConfigImpl>(std::move(options), clock, std::move(on_change));
}

}  // namespace knarr::kubelet
