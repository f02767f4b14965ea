// Structured logging in klog's formats.
//
//   log.Info("Started container", {{"pod", ref}, {"container", name}, {"took", duration}});
//
// The message is a constant; what varies goes into keys. A Logger is a cheap value that may carry bound keys
// (With). Text format is klog's ("I1120 16:03:01.123456    4711 file.cc:12] "Started container" pod="..."),
// --logging-format=json writes klog's JSON. Verbosity as klog: Info at V(0) always, log.V(4) rarely.
// Log or return an error, never both. Thread-safe; a line is one write(2).
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "pkg/base/status.h"

namespace knarr {

// One key with its value rendered. Anything fmt can format is a value; secrets are not (see Redacted in redacted.h).
struct LogField {
  template <typename T>
  LogField(std::string_view k, const T& v) : key(k), value(fmt::format("{}", v)), quoted(!std::is_arithmetic_v<T>) {}
  LogField(std::string_view k, bool v) : key(k), value(v ? "true" : "false"), quoted(false) {}
  std::string_view key;
  std::string value;
  bool quoted;
};

enum class LogFormat { kText, kJson };

struct LogOptions {
  int verbosity = 0;
  LogFormat format = LogFormat::kText;
  int fd = 2;
};
// Process-wide; call once at start, before threads.
void SetLogOptions(const LogOptions& options);
int LogVerbosity();

class Logger {
 public:
  Logger() = default;
  // The same logger with more bound keys.
  Logger With(std::initializer_list<LogField> fields) const;

  // Captures the caller's place. (Builtins, not std::source_location: clang 14, which links the fuzzers, lacks it.)
  struct Message {
    Message(const char* t, const char* f = __builtin_FILE(), int l = __builtin_LINE()) : text(t), file(f), line(l) {}
    std::string_view text;
    const char* file;
    int line;
  };
  using Fields = std::initializer_list<LogField>;
  void Info(Message message, Fields fields = {}) const;
  void Warning(Message message, Fields fields = {}) const;
  void Error(const Status& error, Message message, Fields fields = {}) const;
  // if (log.V(4)) log.Info(...): fields are not rendered when the level is off.
  bool V(int level) const { return level <= LogVerbosity(); }

 private:
  void Write(char severity, const Status* error, const Message& message, Fields fields) const;
  std::string bound_text_;  // rendered once
  std::string bound_json_;
};

}  // namespace knarr
