#include "pkg/apiserver/server/post_start.h"

#include <fmt/format.h>

#include <mutex>
#include <vector>

#include "k8s.io/api/scheduling/v1/generated.pb.h"
#include "pkg/apiserver/auth/authz/bootstrap.h"
#include "pkg/base/pool.h"

namespace knarr::apiserver {
namespace {

using registry::GroupResource;

constexpr GroupResource kPriorityClasses{"scheduling.k8s.io", "priorityclasses"};

template <typename T>
std::pair<api::Object, T*> New() {
  auto message = std::make_unique<T>();
  T* raw = message.get();
  return {api::Object(std::move(message)), raw};
}

// Creating what is there already is success.
Status Ensure(registry::Access& access, const Context& ctx, GroupResource what, api::Object object) {
  const std::string ns = object.metadata().namespace_();
  const std::string name = object.metadata().name();
  if (access.Get(ctx, what, ns, name).ok()) return {};
  const Status status = access.Create(ctx, what, std::move(object)).status();
  return status.Is(Code::kAlreadyExists) ? Status() : status;
}

Status EnsurePriorityClasses(registry::Access& access, const Context& ctx) {
  namespace scheduling = ::k8s::io::api::scheduling::v1;
  constexpr int32_t kSystemCritical = 2'000'000'000;
  const struct {
    const char* name;
    int32_t value;
    const char* text;
  } kClasses[] = {
      {"system-node-critical", kSystemCritical + 1000,
       "Used for system critical pods that must not be moved from their current node."},
      {"system-cluster-critical", kSystemCritical,
       "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."},
  };
  for (const auto& row : kClasses) {
    auto [object, priority] = New<scheduling::PriorityClass>();
    priority->mutable_metadata()->set_name(row.name);
    priority->set_value(row.value);
    priority->set_description(row.text);
    KNARR_TRY_CTX(Ensure(access, ctx, kPriorityClasses, std::move(object)), "priority class {}", row.name);
  }
  return {};
}

}  // namespace

struct PostStart::Impl {
  struct Step {
    std::string name;
    std::function<Status(const Context&)> run;
    bool done = false;
    std::string last_error;
  };

  Deps deps;
  mutable std::mutex mutex;
  std::vector<Step> steps;
  TaskGroup threads;

  reconcilers::KubernetesService service;

  explicit Impl(Deps d) : deps(std::move(d)), service(deps.service) {
    registry::Access& access = *deps.access;
    steps.push_back({.name = "rbac", .run = [&access, this](const Context& ctx) -> Status {
                       return deps.rbac ? auth::EnsureBootstrapPolicy(ctx, access) : Status();
                     }});
    steps.push_back(
        {.name = "priority", .run = [&access](const Context& ctx) { return EnsurePriorityClasses(access, ctx); }});
    // Needs the namespace kube-system, which the service's first round makes.
    steps.push_back({.name = "authentication", .run = [&access, this](const Context& ctx) {
                       return auth::PublishAuthentication(ctx, access, *deps.auth);
                     }});
  }

  void Run(std::stop_token stop) {
    const Context ctx = Context::Background().WithStop(stop).WithLogger(deps.log);
    constexpr std::chrono::seconds kStepTime{30};
    std::chrono::milliseconds wait{100};
    for (Step& step : steps) {
      for (;;) {
        const Status status = step.run(ctx.WithTimeout(kStepTime));
        {
          const std::lock_guard lock(mutex);
          step.done = status.ok();
          step.last_error = status.message();
        }
        if (status.ok()) break;
        if (ctx.Cancelled()) return;
        deps.log.Error(status, "Unable to complete a step of the start; trying again", {{"step", step.name}});
        if (!ctx.Sleep(wait).ok()) return;
        wait = std::min<std::chrono::milliseconds>(wait * 2, std::chrono::seconds(5));
      }
    }
  }
};

PostStart::PostStart(Deps deps) : impl_(std::make_unique<Impl>(std::move(deps))) {}
PostStart::~PostStart() = default;

void PostStart::Start() {
  impl_->service.Start();
  impl_->threads.Go("post-start", [impl = impl_.get()](std::stop_token stop) { impl->Run(stop); });
}

void PostStart::Stop(const Context& ctx) {
  impl_->threads.StopAndJoin();
  if (const Status status = impl_->service.Stop(ctx); !status.ok())
    impl_->deps.log.Error(status, "Unable to leave the endpoints of the Service kubernetes");
}

Status PostStart::Check(const std::string& name) const {
  if (name == "service") {
    return impl_->service.Ready() ? Status() : Error(Code::kServiceUnavailable, "not finished");
  }
  const std::lock_guard lock(impl_->mutex);
  for (const Impl::Step& step : impl_->steps) {
    if (step.name != name) continue;
    if (step.done) return {};
    return Error(Code::kServiceUnavailable, "{}: not finished: {}", name, step.last_error);
  }
  return Error(Code::kInternal, "no step {}", name);
}

}  // namespace knarr::apiserver
