// knarr datastore: what keeps the API server's objects, on the command line.
#pragma once

#include <string>
#include <vector>

namespace knarr::cli {

int DatastoreMain(const std::vector<std::string>& args);  // knarr datastore backup|restore|migrate|status ...

}  // namespace knarr::cli
