// Marks a wait that may take as long as it likes (RuntimeDependencies::long_wait).
#pragma once

#include <functional>
#include <string>

namespace knarr::kubelet {

using LongWaitFunction = std::function<void(const std::string& pod_uid, bool begins)>;

class LongWait {
 public:
  LongWait(const LongWaitFunction& tell, const std::string& pod_uid) : tell_(tell), pod_uid_(pod_uid) {
    if (tell_) tell_(pod_uid_, true);
  }
  ~LongWait() {
    if (tell_) tell_(pod_uid_, false);
  }
  LongWait(const LongWait&) = delete;

 private:
  const LongWaitFunction& tell_;
  const std::string pod_uid_;
};

}  // namespace knarr::kubelet
