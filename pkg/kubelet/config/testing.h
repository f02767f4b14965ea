// What the tests of this library share: a directory that goes away again, manifests, and a PodConfig whose states can
// be waited for.
#pragma once

#include <stdlib.h>

#include <boost/test/unit_test.hpp>

#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "pkg/base/file.h"
#include "pkg/kubelet/config/config.h"

namespace knarr::kubelet {

class TestDir {
 public:
  TestDir() {
    const char* root = ::getenv("TEST_TMPDIR");
    std::string pattern = std::string(root != nullptr ? root : "/tmp") + "/manifests.XXXXXX";
    BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TestDir() { (void)RemoveAll(path_); }
  TestDir(const TestDir&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }
  std::string Write(const std::string& name, const std::string& content) const {
    std::ofstream(File(name), std::ios::binary) << content;
    return File(name);
  }
  void Remove(const std::string& name) const { BOOST_REQUIRE(::unlink(File(name).c_str()) == 0); }
  void Link(const std::string& target, const std::string& name) const {
    BOOST_REQUIRE(::symlink(target.c_str(), File(name).c_str()) == 0);
  }
  void Rename(const std::string& from, const std::string& to) const {
    BOOST_REQUIRE(::rename(File(from).c_str(), File(to).c_str()) == 0);
  }

 private:
  std::string path_;
};

inline std::string PodYaml(const std::string& name, const std::string& image = "nginx:1",
                           const std::string& metadata = "", const std::string& spec = "") {
  return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: " + name + "\n" + metadata +
         "spec:\n  containers:\n  - name: main\n    image: " + image + "\n" + spec;
}

inline std::string AfterYaml(const std::string& name, const std::string& after) {
  return PodYaml(name, "nginx:1", "  annotations:\n    knarr.dev/after: \"" + after + "\"\n");
}

inline std::string Names(const DesiredState& state) {
  std::string names;
  for (const SourcePod& pod : state.pods) {
    names += (names.empty() ? "" : " ") + pod.pod->metadata().namespace_() + "/" + pod.pod->metadata().name();
  }
  return names;
}

inline std::string Problems(const DesiredState& state) {
  std::string text;
  for (const ManifestProblem& problem : state.problems) text += problem.ToString() + "\n";
  return text;
}

inline const SourcePod* FindPod(const DesiredState& state, const std::string& key) {
  for (const SourcePod& pod : state.pods) {
    if (pod.pod->metadata().namespace_() + "/" + pod.pod->metadata().name() == key) return &pod;
  }
  return nullptr;
}

inline std::string UidOf(const DesiredState& state, const std::string& key) {
  const SourcePod* pod = FindPod(state, key);
  return pod != nullptr ? pod->pod->metadata().uid() : "";
}

using State = std::shared_ptr<const DesiredState>;

// A PodConfig on a directory, with every state it reported.
class Sources {
 public:
  explicit Sources(PodConfigOptions options, Clock& clock = Clock::Real()) {
    if (options.node_name.empty()) options.node_name = "node1";
    config_ = PodConfig::Create(std::move(options), clock, [this](State state) {
      const std::lock_guard lock(mutex_);
      history_.push_back(std::move(state));
      changed_.notify_all();
    });
  }
  static PodConfigOptions Of(const std::string& path) {
    PodConfigOptions options;
    options.static_pod_path = path;
    options.file_check_frequency = std::chrono::hours(1);  // tests want the events
    options.debounce = std::chrono::milliseconds(5);
    return options;
  }

  PodConfig* operator->() { return config_.get(); }
  State Start() {
    const Status status = config_->Start();
    BOOST_REQUIRE_MESSAGE(status.ok(), status.message());
    return config_->Current();
  }
  State Rescan() {
    config_->Rescan();
    return config_->Current();
  }
  template <typename Predicate>
  State WaitFor(Predicate predicate) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, std::chrono::seconds(30),
                                        [&] { return !history_.empty() && predicate(*history_.back()); });
    const std::string last = history_.empty() ? "none" : Names(*history_.back()) + "\n" + Problems(*history_.back());
    BOOST_REQUIRE_MESSAGE(came, "the awaited state did not come; last: " << last);
    return history_.back();
  }
  State WaitForNames(const std::string& names) {
    return WaitFor([&](const DesiredState& state) { return Names(state) == names; });
  }
  State WaitForProblem(const std::string& text) {
    return WaitFor([&](const DesiredState& state) { return Problems(state).find(text) != std::string::npos; });
  }
  State WaitForNoProblem() {
    return WaitFor([](const DesiredState& state) { return state.problems.empty(); });
  }
  std::vector<State> history() {
    const std::lock_guard lock(mutex_);
    return history_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<State> history_;
  std::unique_ptr<PodConfig> config_;
};

}  // namespace knarr::kubelet
