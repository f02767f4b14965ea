// One YAML document as a compact tree, and its JSON. Internal to the codec.
//
// yaml-cpp reports events; they are kept in an arena of small nodes, because JSON wants sorted keys and aliases want
// their anchors. Aliases are expanded only while JSON is written, and what they expand to is counted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/api/codec/codec.h"
#include "pkg/base/status.h"

namespace knarr::codec {

struct YamlDocument {
  std::string json;
  std::vector<int> value_lines;  // of every JSON value in the order of the text; of a map's values: their keys' lines
  // key "name" already set in map, with its line.
  std::vector<Finding> duplicates;
  bool empty = false;  // null, or nothing but comments
};

// All documents of `text`, whose first line is number `first_line` of the file. Errors: yaml: line N: ...
Status ParseYaml(std::string_view text, int first_line, const DecodeOptions& options, std::vector<YamlDocument>* out);

}  // namespace knarr::codec
