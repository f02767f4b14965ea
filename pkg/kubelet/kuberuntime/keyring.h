// Registry credentials from pull secrets (.dockerconfigjson, .dockercfg), found by image.
// Mirrors: pkg/credentialprovider/{keyring,config}.go
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/status.h"
#include "pkg/api/names/image.h"

namespace knarr::kubelet {

struct Credential {
  std::string username, password;
};

class Keyring {
 public:
  // An error names the secret and what is wrong with it; nothing of it is added.
  Status Add(const core::Secret& secret);
  // Credentials that may open the image's repository, the most specific first.
  std::vector<Credential> Lookup(const names::ImageReference& image) const;

 private:
  struct Entry {
    std::string host, path;  // "*.example.com:5000", "team/"
    Credential credential;
  };
  std::vector<Entry> entries_;
};

}  // namespace knarr::kubelet
