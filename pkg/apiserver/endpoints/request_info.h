// What a request is about, read from its method and path.
// Mirrors: staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pkg/net/http/server.h"

namespace knarr::endpoints {

struct RequestInfo {
  bool is_resource = false;
  std::string path;
  // get, list, watch, create, update, patch, delete, deletecollection, proxy; of other paths the method in lower case.
  std::string verb;
  std::string prefix;  // api, apis
  std::string group, version, namespace_, resource, subresource, name;
  std::vector<std::string> parts;  // from the resource on
  // Behind /proxy, undecoded: "/a/b".
  std::string rest;
  bool deprecated_watch_path = false;  // /api/v1/watch/pods
};

RequestInfo ParseRequestInfo(const http::Request& request);

}  // namespace knarr::endpoints
