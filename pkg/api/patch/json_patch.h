// ApplyJsonPatch with the reason of a failure in its words.
#pragma once

#include <boost/json/fwd.hpp>

#include "pkg/api/patch/patch.h"

namespace knarr::patch {

Status RunJsonPatch(boost::json::value& document, const boost::json::value& patch, const Limits& limits);

}  // namespace knarr::patch
