// Private to pkg/apiserver/endpoints: a watch as a body that the server pumps.
#pragma once

#include <chrono>

#include "pkg/apiserver/endpoints/call.h"

namespace knarr::endpoints {

// Starts the watch and hands its stream to the response. A watch that cannot start where it was asked to (410) is a
// stream of one ERROR event, as upstream's.
Status StreamWatch(Call& call, cacher::WatchQuery query, std::chrono::milliseconds timeout, Clock& clock);

}  // namespace knarr::endpoints
