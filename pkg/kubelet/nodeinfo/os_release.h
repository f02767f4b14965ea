// os-release(5). Not part of the package's interface.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace knarr::kubelet {

// The content of the first file that can be read; "" if none can.
std::string FirstReadable(std::initializer_list<const char*> paths);
// PRETTY_NAME, else NAME and VERSION, else "Linux".
std::string OsImage(std::string_view os_release);

}  // namespace knarr::kubelet
