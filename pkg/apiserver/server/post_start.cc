#include "pkg/apiserver/server/post_start.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "k8s.io/api/scheduling/v1/generated.pb.h"
#include "pkg/apiserver/auth/authz/bootstrap.h"
#include "pkg/base/file.h"

namespace knarr::apiserver {
namespace {

using registry::GroupResource;

constexpr GroupResource kNamespaces{"", "namespaces"};
constexpr GroupResource kConfigMaps{"", "configmaps"};
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

Status EnsureNamespaces(registry::Access& access, const Context& ctx) {
  for (const char* name : {"default", "kube-node-lease", "kube-public", "kube-system"}) {
    auto [object, ns] = New<core::Namespace>();
    ns->mutable_metadata()->set_name(name);
    KNARR_TRY_CTX(Ensure(access, ctx, kNamespaces, std::move(object)), "namespace {}", name);
  }
  return {};
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

std::string JsonList(const std::vector<std::string>& items) {
  boost::json::array array;
  for (const std::string& item : items) array.emplace_back(item);
  return boost::json::serialize(array);
}

// kube-system/extension-apiserver-authentication: how extension servers know this server and its users.
// Mirrors: pkg/controlplane/controller/clusterauthenticationtrust
Status PublishTrust(registry::Access& access, const Context& ctx, const PostStart::Deps& deps) {
  std::map<std::string, std::string> data;
  constexpr size_t kMaxCa = 1 << 20;
  if (!deps.client_ca_file.empty()) data["client-ca-file"] = KNARR_TRY(ReadFile(deps.client_ca_file, kMaxCa));
  const AuthenticationOptions& a = deps.authentication;
  if (!a.requestheader_client_ca_file.empty()) {
    data["requestheader-client-ca-file"] = KNARR_TRY(ReadFile(a.requestheader_client_ca_file, kMaxCa));
    data["requestheader-allowed-names"] = JsonList(a.requestheader_allowed_names);
    data["requestheader-username-headers"] = JsonList(a.requestheader_username_headers);
    data["requestheader-group-headers"] = JsonList(a.requestheader_group_headers);
    data["requestheader-extra-headers-prefix"] = JsonList(a.requestheader_extra_header_prefixes);
  }
  if (data.empty()) return {};
  const auto fill = [&](api::Object& object) -> Status {
    auto& map = object.As<core::ConfigMap>();
    for (const auto& [key, value] : data) (*map.mutable_data())[key] = value;
    return {};
  };
  auto [object, map] = New<core::ConfigMap>();
  map->mutable_metadata()->set_name("extension-apiserver-authentication");
  map->mutable_metadata()->set_namespace_("kube-system");
  KNARR_TRY(fill(object));
  const Status created = access.Create(ctx, kConfigMaps, std::move(object)).status();
  if (!created.Is(Code::kAlreadyExists)) return created;
  return access.Update(ctx, kConfigMaps, "kube-system", "extension-apiserver-authentication", "", fill).status();
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

  explicit Impl(Deps d) : deps(std::move(d)) {
    registry::Registry& registry = *deps.registry;
    steps.push_back({.name = "system", .run = [&registry, this](const Context& ctx) -> Status {
                       KNARR_TRY(EnsureNamespaces(registry, ctx));
                       KNARR_TRY(EnsurePriorityClasses(registry, ctx));
                       return PublishTrust(registry, ctx, deps);
                     }});
    steps.push_back({.name = "rbac", .run = [&registry, this](const Context& ctx) -> Status {
                       if (!deps.rbac) return {};
                       return auth::EnsureBootstrapPolicy(ctx, registry);
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
  impl_->threads.Go("post-start", [impl = impl_.get()](std::stop_token stop) { impl->Run(stop); });
}

void PostStart::Stop() {
  impl_->threads.StopAndJoin();
}

Status PostStart::Check(const std::string& name) const {
  const std::lock_guard lock(impl_->mutex);
  for (const Impl::Step& step : impl_->steps) {
    if (step.name != name) continue;
    if (step.done) return {};
    return Error(Code::kServiceUnavailable, "{}: not finished: {}", name, step.last_error);
  }
  return Error(Code::kInternal, "no step {}", name);
}

}  // namespace knarr::apiserver
