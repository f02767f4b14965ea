#include "pkg/apiserver/server/post_start.h"

#include <fmt/format.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <vector>

#include "k8s.io/api/scheduling/v1/generated.pb.h"
#include "pkg/apiserver/apiextensions/apiextensions.h"
#include "pkg/apiserver/auth/authz/bootstrap.h"
#include "pkg/base/memory.h"
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
  std::condition_variable_any kinds_changed;
  bool sync_wanted = true;
  TaskGroup threads;
  std::unique_ptr<apiextensions::Controller> definitions;

  reconcilers::KubernetesService service;

  explicit Impl(Deps d) : deps(std::move(d)), service(deps.service) {
    MakeDefinitions();
    registry::Access& access = *deps.access;
    steps.push_back({.name = "rbac", .run = [&access, this](const Context& ctx) -> Status {
                       return deps.rbac ? auth::EnsureBootstrapPolicy(ctx, access) : Status();
                     }});
    steps.push_back(
        {.name = "priority", .run = [&access](const Context& ctx) { return EnsurePriorityClasses(access, ctx); }});
    steps.push_back({.name = "crd", .run = [this](const Context& ctx) { return definitions->Start(ctx); }});
    // Needs the namespace kube-system, which the service's first round makes.
    steps.push_back({.name = "authentication", .run = [&access, this](const Context& ctx) {
                       return auth::PublishAuthentication(ctx, access, *deps.auth);
                     }});
  }

  void MakeDefinitions() {
    registry::Registry& registry = *deps.registry;
    const registry::ResourcePtr resource = registry.Find("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    apiextensions::Controller::Options options;
    options.access = deps.access;
    options.definitions = &resource->reader();
    options.decode = [resource](const cacher::Entry& entry) { return resource->Decode(entry); };
    options.add = [&registry, this](registry::Kind kind) {
      registry.Add(std::move(kind));
      WantSync();
    };
    options.remove = [&registry, this](std::string_view group, std::string_view name) {
      registry.Remove(group, name);
      WantSync();
    };
    options.taken = [&registry](std::string_view group, std::string_view name) {
      const registry::ResourcePtr found = registry.Find(group, "", name);
      return found && !found->kind().custom;
    };
    options.clock = deps.clock;
    options.log = deps.log;
    definitions = std::make_unique<apiextensions::Controller>(std::move(options));
  }

  void WantSync() {
    const std::lock_guard lock(mutex);
    sync_wanted = true;
    kinds_changed.notify_all();
  }

  // An APIService for every group and version, now and whenever kinds come or go.
  void KeepApiServices(std::stop_token stop) {
    const Context ctx = Context::Background().WithStop(stop).WithLogger(deps.log);
    for (;;) {
      {
        std::unique_lock lock(mutex);
        if (!kinds_changed.wait(lock, stop, [this] { return sync_wanted; })) return;
        sync_wanted = false;
      }
      std::map<std::pair<std::string, std::string>, bool> served;
      for (const registry::ResourcePtr& resource : deps.registry->All()) {
        for (const auto& version : resource->kind().versions) served[{resource->kind().group, version.version}] = true;
      }
      std::vector<apiextensions::GroupVersion> versions;
      for (const auto& [key, unused] : served) versions.push_back({key.first, key.second});
      const Status status = apiextensions::SyncApiServices(ctx, *deps.access, versions, *deps.clock);
      if (status.ok()) continue;
      deps.log.Error(status, "Unable to sync APIServices; trying again");
      if (!ctx.Sleep(std::chrono::seconds(1)).ok()) return;
      WantSync();
    }
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
    // Making the bootstrap objects took memory and code that a server at rest does not need.
    constexpr std::chrono::seconds kSettled{2};
    if (ctx.Sleep(kSettled).ok()) ReleaseUnusedMemory();
  }
};

PostStart::PostStart(Deps deps) : impl_(std::make_unique<Impl>(std::move(deps))) {}
PostStart::~PostStart() = default;

void PostStart::Start() {
  impl_->service.Start();
  impl_->threads.Go("post-start", [impl = impl_.get()](std::stop_token stop) { impl->Run(stop); });
  impl_->threads.Go("api-services", [impl = impl_.get()](std::stop_token stop) { impl->KeepApiServices(stop); });
}

void PostStart::Stop(const Context& ctx) {
  impl_->threads.StopAndJoin();
  impl_->definitions.reset();
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
