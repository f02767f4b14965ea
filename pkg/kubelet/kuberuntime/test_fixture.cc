#include "pkg/kubelet/kuberuntime/test_fixture.h"

#include <stdlib.h>

#include <algorithm>

#include "pkg/base/file.h"

namespace knarr::kubelet {

ManagerFixture::ManagerFixture() {
  char path[] = "/tmp/kuberuntime.XXXXXX";
  KNARR_CHECK(mkdtemp(path) != nullptr);
  root = path;
  options.root_dir = root + "/kubelet";
  options.pod_logs_dir = root + "/pods";
  options.legacy_logs_dir = root + "/containers";
  options.node_name = "node";
  options.host_ips = {"192.0.2.1"};
  runtime.AddImage("web:1");
  runtime.AddImage("tool:1");
  Restart();
}

ManagerFixture::~ManagerFixture() {
  manager.reset();
  (void)RemoveAll(root);
}

void ManagerFixture::Restart() {
  RuntimeDependencies dependencies{
      .cri = runtime,
      .clock = clock,
      .events = events,
      .volumes = volumes,
      .cgroups = cgroups,
      .objects = objects,
      .probes = probes,
      .network_settings = [](const core::Pod& pod, bool) -> Result<PodNetworkSettings> {
        return PodNetworkSettings{pod.metadata().name(), {"10.0.0.10"}, {"default.svc"}, {"ndots:5"}};
      },
      .hosts_file = [this](const core::Pod&, const std::vector<std::string>&) -> Result<std::string> { return root + "/etc-hosts"; },
      .log = {},
      .http_get_hook = [this](const Context&, const core::HTTPGetAction& action, const HookTarget& target) -> knarr::Status {
        http_hooks.push_back(target.pod_ip + action.path());
        return {};
      }};
  manager = RuntimeManager::Create(options, dependencies);
}

std::vector<std::string> ManagerFixture::Events() const {
  std::vector<std::string> out;
  for (const Event& e : events.List("default", "web-node")) out.push_back(e.reason + ": " + e.message);
  return out;
}

bool ManagerFixture::HasEvent(std::string_view text) const {
  const auto all = Events();
  return std::any_of(all.begin(), all.end(), [&](const std::string& e) { return e.find(text) != std::string::npos; });
}

}  // namespace knarr::kubelet
