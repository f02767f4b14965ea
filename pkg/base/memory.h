// Gives memory back that the process needed once and does not need now.
#pragma once

namespace knarr {

// Free heap pages go back to the kernel, and the read-only pages of the executable are unmapped: code and tables that
// only start-up or a rare path needed no longer count as resident, what is still in use is mapped again from the page
// cache at its next touch (a minor fault). Takes about a millisecond; call it when work has settled, not in a loop.
// Thread-safe.
void ReleaseUnusedMemory();

}  // namespace knarr
