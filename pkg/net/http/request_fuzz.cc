// The request parser of the server, fed whole and byte by byte: both must come to the same end.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "pkg/net/http/parser.h"

namespace {

struct Outcome {
  bool error = false, done = false;
  size_t used = 0;
  std::string method, target, body;
  size_t fields = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome Run(const std::string& input, size_t step) {
  using knarr::http::Parser;
  Parser parser(Parser::Kind::kRequest, {.header = 4096, .header_fields = 50, .body = 4096});
  Outcome outcome;
  std::string buffer;
  for (size_t i = 0; i < input.size() && !parser.Done(); i += step) {
    buffer += input.substr(i, step);
    const auto used = parser.Feed(buffer);
    if (!used.ok()) return {.error = true};
    if (*used > buffer.size()) std::abort();
    buffer.erase(0, *used);
    outcome.used += *used;
    outcome.body += parser.TakeBody();
  }
  if (outcome.body.size() > 4096 || parser.headers.size() > 50) std::abort();
  outcome.done = parser.Done();
  outcome.method = parser.method;
  outcome.target = parser.target;
  outcome.fields = parser.headers.size();
  if (!outcome.target.empty()) (void)knarr::http::ParseTarget(outcome.target);
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  const Outcome whole = Run(input, input.size() + 1);
  const Outcome bytes = Run(input, 1);
  // A message that is complete must be understood the same however it is cut.
  if (whole.done && bytes.done && !(whole == bytes)) std::abort();
  if (bytes.done && whole.error) std::abort();
  return 0;
}
