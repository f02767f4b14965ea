#include "pkg/api/schema/docs.h"

#include <zlib.h>

#include "pkg/api/schema/tables.h"
#include "pkg/base/status.h"

namespace knarr::schema {

extern const size_t kDocsSize, kPackedDocsSize;
extern const unsigned char kPackedDocs[];

Docs::Docs() : text_(kDocsSize, '\0') {
  uLongf size = text_.size();
  KNARR_CHECK(uncompress(reinterpret_cast<Bytef*>(text_.data()), &size, kPackedDocs, kPackedDocsSize) == Z_OK);
  KNARR_CHECK(size == text_.size());
  for (size_t at = 0; at < text_.size(); at = text_.find('\0', at) + 1) offsets_.push_back(static_cast<uint32_t>(at));
  uint32_t next = 0;
  for (const schema::Message& message : Messages()) {
    first_.push_back(next);
    next += 1u + message.field_count;
  }
  KNARR_CHECK(next == offsets_.size());
}

std::vector<std::string_view> Docs::Enum(uint16_t message, size_t field) const {
  std::vector<std::string_view> out;
  std::string_view text = At(first_[message] + 1 + field);
  for (size_t at = text.find('\1'); at != std::string_view::npos;) {
    text.remove_prefix(at + 1);
    at = text.find('\1');
    out.push_back(text.substr(0, at));
  }
  return out;
}

}  // namespace knarr::schema
