// A request to admission from protobuf text, and what a plugin makes of it.
#pragma once

#include <boost/test/unit_test.hpp>

#include <google/protobuf/text_format.h>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/apiserver/admission/admission.h"
#include "pkg/apiserver/admission/plugins/plugins.h"
#include "pkg/apiserver/registry/fake/fake_access.h"

namespace knarr::admission::testing {

inline const Context kCtx = Context::Background();

template <typename T>
api::Object Make(const std::string& text) {
  auto message = std::make_unique<T>();
  BOOST_REQUIRE_MESSAGE(google::protobuf::TextFormat::ParseFromString(text, message.get()), text);
  return api::Object(std::move(message));
}

// Owns what Attributes point to.
struct Request {
  template <typename T>
  static Request Create(const char* group, const char* kind, const char* resource, const std::string& text) {
    Request request;
    request.object = std::make_unique<api::Object>(Make<T>(text));
    request.a.group = group;
    request.a.version = "v1";
    request.a.kind = kind;
    request.a.resource = resource;
    request.a.namespace_ = request.object->metadata().namespace_();
    request.a.name = request.object->metadata().name();
    request.Link();
    return request;
  }
  template <typename T>
  static Request Update(const char* group, const char* kind, const char* resource, const std::string& text,
                        const std::string& old) {
    Request request = Create<T>(group, kind, resource, text);
    request.old_object = std::make_unique<api::Object>(Make<T>(old));
    request.a.operation = Operation::kUpdate;
    request.Link();
    return request;
  }
  static Request Delete(const char* group, const char* kind, const char* resource, const char* ns, const char* name) {
    Request request;
    request.a.operation = Operation::kDelete;
    request.a.group = group;
    request.a.kind = kind;
    request.a.resource = resource;
    request.a.namespace_ = ns;
    request.a.name = name;
    request.Link();
    return request;
  }
  // A pod in namespace ns.
  static Request Pod(const std::string& spec, const std::string& metadata = "") {
    return Create<core::Pod>("", "Pod", "pods",
                             "metadata { name: \"p\" namespace: \"ns\" " + metadata + " } spec { " + spec + " }");
  }
  Request& As(std::string name, std::vector<std::string> groups = {}) {
    user->name = std::move(name);
    user->groups = std::move(groups);
    return *this;
  }
  template <typename T>
  T& Get() {
    return object->As<T>();
  }
  core::Pod& pod() { return Get<core::Pod>(); }

  Attributes a;
  std::unique_ptr<api::Object> object, old_object;
  std::unique_ptr<auth::UserInfo> user = std::make_unique<auth::UserInfo>();
  std::unique_ptr<std::vector<std::string>> warnings = std::make_unique<std::vector<std::string>>();

 private:
  void Link() {
    a.object = object.get();
    a.old_object = old_object.get();
    a.user = user.get();
    a.warnings = warnings.get();
  }
};

struct Fixture {
  FakeClock clock;
  registry::FakeAccess access{clock};
  PluginDeps deps{.access = &access, .clock = &clock};

  std::unique_ptr<Plugin> New(PluginResult (*make)(const PluginDeps&), const std::string& config = "") {
    deps.config = config;
    auto plugin = make(deps);
    BOOST_REQUIRE_MESSAGE(plugin.ok(), plugin.status().message());
    return std::move(*plugin);
  }
};

// What the chain would do with one plugin; "" when all is well.
inline std::string Run(Plugin& plugin, Request& request) {
  if (!plugin.Handles(request.a.operation)) return {};
  Status status = plugin.Admit(kCtx, request.a);
  if (status.ok()) status = plugin.Validate(kCtx, request.a);
  return status.ok() ? std::string() : std::string(status.message());
}
inline std::string Run(const std::unique_ptr<Plugin>& plugin, Request request) {
  return Run(*plugin, request);
}

}  // namespace knarr::admission::testing
