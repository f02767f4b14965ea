// Admission: what may change or refuse a request after it is authorized. A plugin is one file in plugins/.
// Mirrors: staging/src/k8s.io/apiserver/pkg/admission/interfaces.go
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/api/object/object.h"
#include "pkg/apiserver/auth/user.h"
#include "pkg/apiserver/registry/access.h"
#include "pkg/base/clock.h"

namespace knarr::admission {

enum class Operation { kCreate, kUpdate, kDelete, kConnect };
std::string_view ToString(Operation operation);  // CREATE, ...

struct Attributes {
  Operation operation = Operation::kCreate;
  std::string group, version, kind;  // of the object
  std::string resource, subresource;
  std::string namespace_, name;  // the name may be empty on create (generateName)
  const auth::UserInfo* user = nullptr;
  api::Object* object = nullptr;            // null on delete and connect
  const api::Object* old_object = nullptr;  // update, delete
  // The body of subresources that are not the object (Binding, Eviction, PodExecOptions, Scale), else null.
  google::protobuf::Message* body = nullptr;
  bool dry_run = false;
  std::vector<std::string>* warnings = nullptr;
  bool Is(std::string_view g, std::string_view r) const { return group == g && resource == r; }
};

// Errors: kForbidden as upstream's admission.NewForbidden (see Forbidden below), or kInvalid with causes.
class Plugin {
 public:
  virtual ~Plugin() = default;
  virtual std::string_view Name() const = 0;
  virtual bool Handles(Operation operation) const = 0;
  // May change attributes.object. Called in the chain's order before validation.
  virtual Status Admit(const Context&, Attributes&) { return {}; }
  // Must not change anything. After validation.
  virtual Status Validate(const Context&, const Attributes&) { return {}; }
  // After the write: what Admit or Validate reserved can be released if it failed (ResourceQuota).
  virtual void Done(const Context&, const Attributes&, bool written) { (void)written; }
};

struct PluginDeps {
  registry::Access* access = nullptr;
  auth::Authorizer* authorizer = nullptr;
  Clock* clock = nullptr;
  Logger log;
  // Of this plugin, from --admission-control-config-file: its text (YAML or JSON; "" for none) and where it came from.
  std::string config, config_file;
  // --default-not-ready-toleration-seconds, --default-unreachable-toleration-seconds
  int64_t not_ready_toleration_seconds = 300, unreachable_toleration_seconds = 300;
};

// pods "web" is forbidden: <why>
Status Forbidden(const Attributes& attributes, std::string_view why);
// The same of an error; one that is forbidden already is not wrapped again.
Status Forbidden(const Attributes& attributes, const Status& why);
// Of the request, else of the object, else its generateName; upstream's "Unknown!" where there is none.
std::string NameOf(const Attributes& attributes);

// Plugins in upstream's order, all of them or what the flags say. Errors:
//   enable-admission-plugins plugin "X" is unknown; known ones that are not built say so.
struct ChainOptions {
  std::vector<std::string> enable, disable;
  std::string config_file;
};
class Chain {
 public:
  static Result<std::unique_ptr<Chain>> New(const ChainOptions& options, const PluginDeps& deps);
  ~Chain();
  Status Admit(const Context& ctx, Attributes& attributes) const;
  Status Validate(const Context& ctx, const Attributes& attributes) const;
  void Done(const Context& ctx, const Attributes& attributes, bool written) const;
  std::vector<std::string> Names() const;

 private:
  explicit Chain(std::vector<std::unique_ptr<Plugin>> plugins);
  std::vector<std::unique_ptr<Plugin>> plugins_;
};
// In upstream's order (pkg/kubeapiserver/options/plugins.go), with whether each is on by default.
struct KnownPlugin {
  std::string_view name;
  bool on_by_default;
  // null: known and not built; enabling it is refused.
  Result<std::unique_ptr<Plugin>> (*make)(const PluginDeps& deps);
};
const std::vector<KnownPlugin>& KnownPlugins();

}  // namespace knarr::admission
