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

}  // namespace knarr::schema
