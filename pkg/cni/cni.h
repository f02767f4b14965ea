// Executes CNI plugins as libcni does: the chain of a network in order for ADD and CHECK, in reverse for DEL, each
// plugin with the result of the one before, runtimeConfig filtered by its capabilities, and errors that name plugin and
// network. Stateless: what must be remembered between ADD and DEL is kept in pkg/cni/cache.h.
// Mirrors: github.com/containernetworking/cni/libcni/api.go, pkg/invoke
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pkg/base/context.h"
#include "pkg/base/status.h"
#include "pkg/cni/config.h"
#include "pkg/cni/result.h"

namespace knarr::cni {

// What the runtime says about one attachment.
struct RuntimeConf {
  std::string container_id;
  std::string netns;   // path; empty for a DEL whose namespace is gone
  std::string ifname;
  std::vector<std::pair<std::string, std::string>> args;  // CNI_ARGS
  // A JSON object by capability: {"portMappings":[{"hostPort":80,"containerPort":8080,"protocol":"tcp"}]}; empty: none.
  std::string capability_args;
};

// "K=V;K2=V2" and back; kInvalid for a pair without '='.
Result<std::vector<std::pair<std::string, std::string>>> ParseArgs(std::string_view text);
std::string FormatArgs(const std::vector<std::pair<std::string, std::string>>& args);

struct Attachment {
  std::string container_id, ifname;
};

// Thread-safe. Every method blocks until the plugins are done or the Context ends; a plugin that runs then is killed
// with its process group. Where `error` is given it receives the failed plugin's own error object (code 999 with our
// words where the plugin gave none).
class Runner {
 public:
  // bin_dirs are searched in order, for plugins and (as CNI_PATH) for what plugins delegate to.
  explicit Runner(std::vector<std::string> bin_dirs) : bin_dirs_(std::move(bin_dirs)) {}

  // The final result as JSON in the network's version.
  Result<std::string> Add(const Context& ctx, const NetworkConfig& network, const RuntimeConf& rt,
                          PluginError* error = nullptr) const;
  // prev_result: what ADD returned; empty where it is unknown. Stops at the first plugin that fails.
  Status Del(const Context& ctx, const NetworkConfig& network, const RuntimeConf& rt, std::string_view prev_result,
             PluginError* error = nullptr) const;
  // kUnimplemented below version 0.4.0; success with disableCheck.
  Status Check(const Context& ctx, const NetworkConfig& network, const RuntimeConf& rt, std::string_view prev_result,
               PluginError* error = nullptr) const;
  // Success below version 1.1.0, which has no STATUS and GC.
  Status GetStatus(const Context& ctx, const NetworkConfig& network, PluginError* error = nullptr) const;
  Status Gc(const Context& ctx, const NetworkConfig& network, const std::vector<Attachment>& valid) const;
  // The versions that a plugin supports.
  Result<std::vector<std::string>> Versions(const Context& ctx, const std::string& type) const;
  // Does every plugin exist and support the network's version?
  Status Validate(const Context& ctx, const NetworkConfig& network) const;

  // kNotFound: failed to find plugin "x" in path [/opt/cni/bin]
  Result<std::string> FindPlugin(const std::string& type) const;
  const std::vector<std::string>& bin_dirs() const { return bin_dirs_; }

 private:
  struct Call;
  Result<std::string> Exec(const Context& ctx, const Call& call, PluginError* error) const;

  const std::vector<std::string> bin_dirs_;
};

}  // namespace knarr::cni
