// Private to pkg/kubelet/server: what the routes do once a request is authorised.
#pragma once

#include <functional>
#include <string>

#include "pkg/kubelet/server/server.h"
#include "pkg/net/http/server.h"

namespace knarr::kubelet {

// What handlers share; lives as long as the server.
struct ServerState {
  KubeletServer::Options options;
  KubeletView& view;
  Clock& clock;
  metrics::Registry& registry;
  Logger logger;
};

using RouteHandler = void (*)(ServerState&, const http::Request&, http::ResponseWriter&);

// info_handlers.cc
void HandlePods(ServerState& state, const http::Request& request, http::ResponseWriter& response);
void HandleRunningPods(ServerState& state, const http::Request& request, http::ResponseWriter& response);
void HandleLocalPods(ServerState& state, const http::Request& request, http::ResponseWriter& response);
void HandleShutdown(ServerState& state, const http::Request& request, http::ResponseWriter& response);
void HandleStatsSummary(ServerState& state, const http::Request& request, http::ResponseWriter& response);
void HandleMetrics(ServerState& state, const http::Request& request, http::ResponseWriter& response);
void HandleResourceMetrics(ServerState& state, const http::Request& request, http::ResponseWriter& response);
void HandleProbeMetrics(ServerState& state, const http::Request& request, http::ResponseWriter& response);
void HandleCadvisorMetrics(ServerState& state, const http::Request& request, http::ResponseWriter& response);
void HandleConfigz(ServerState& state, const http::Request& request, http::ResponseWriter& response);
void HandleHealthz(ServerState& state, const http::Request& request, http::ResponseWriter& response);
void HandleHealthzCheck(ServerState& state, const http::Request& request, http::ResponseWriter& response);

// log_handlers.cc
void HandleContainerLogs(ServerState& state, const http::Request& request, http::ResponseWriter& response);
void HandleSystemLogs(ServerState& state, const http::Request& request, http::ResponseWriter& response);

// stream_handlers.cc
void HandleExec(ServerState& state, const http::Request& request, http::ResponseWriter& response);
void HandleAttach(ServerState& state, const http::Request& request, http::ResponseWriter& response);
void HandlePortForward(ServerState& state, const http::Request& request, http::ResponseWriter& response);
void HandleRun(ServerState& state, const http::Request& request, http::ResponseWriter& response);

// Answers with the status that the error's code has, and its message.
void ReplyError(http::ResponseWriter& response, const Status& error);
// "web" of the route "/pods/web": the whole number, or an error. Used for query values.
Result<int64_t> ParseInt(std::string_view text);

}  // namespace knarr::kubelet
