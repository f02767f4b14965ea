#include "pkg/base/log.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>

#include <fmt/format.h>

namespace knarr {
namespace {

std::atomic<int> verbosity{0};
std::atomic<LogFormat> format{LogFormat::kText};
std::atomic<int> output{2};

void AppendQuoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void AppendText(std::string& out, const LogField& field) {
  out += ' ';
  out += field.key;
  out += '=';
  if (field.quoted) AppendQuoted(out, field.value);
  else out += field.value;
}

void AppendJson(std::string& out, const LogField& field) {
  out += ',';
  AppendQuoted(out, field.key);
  out += ':';
  if (field.quoted) AppendQuoted(out, field.value);
  else out += field.value;
}

std::string_view Basename(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

void WriteLine(const std::string& line) {
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t n = ::write(output.load(std::memory_order_relaxed), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // nowhere left to say that the log is gone
    rest.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace

void SetLogOptions(const LogOptions& options) {
  verbosity = options.verbosity;
  format = options.format;
  output = options.fd;
}

int LogVerbosity() { return verbosity.load(std::memory_order_relaxed); }

Logger Logger::With(std::initializer_list<LogField> fields) const {
  Logger child = *this;
  for (const LogField& field : fields) {
    AppendText(child.bound_text_, field);
    AppendJson(child.bound_json_, field);
  }
  return child;
}

void Logger::Info(Message message, Fields fields) const { Write('I', nullptr, message, fields); }
void Logger::Warning(Message message, Fields fields) const { Write('W', nullptr, message, fields); }
void Logger::Error(const Status& error, Message message, Fields fields) const { Write('E', &error, message, fields); }

void Logger::Write(char severity, const Status* error, const Message& message, Fields fields) const {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count() % 1000000;
  std::string line;
  if (format.load(std::memory_order_relaxed) == LogFormat::kJson) {
    fmt::format_to(std::back_inserter(line), "{{\"ts\":{}.{:03d},\"caller\":\"{}:{}\",\"msg\":", seconds, micros / 1000,
                   Basename(message.file), message.line);
    AppendQuoted(line, message.text);
    if (severity == 'E') {
      line += ",\"err\":";
      AppendQuoted(line, error->message());
    } else {
      fmt::format_to(std::back_inserter(line), ",\"v\":{}", severity == 'W' ? "\"warning\"" : "0");
    }
    line += bound_json_;
    for (const LogField& field : fields) AppendJson(line, field);
    line += "}\n";
  } else {
    std::tm local{};
    ::localtime_r(&seconds, &local);
    fmt::format_to(std::back_inserter(line), "{}{:02d}{:02d} {:02d}:{:02d}:{:02d}.{:06d} {:7d} {}:{}] ", severity,
                   local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, micros,
                   static_cast<long>(::syscall(SYS_gettid)), Basename(message.file),
                   message.line);
    AppendQuoted(line, message.text);
    if (error) {
      line += " err=";
      AppendQuoted(line, error->message());
    }
    line += bound_text_;
    for (const LogField& field : fields) AppendText(line, field);
    line += '\n';
  }
  WriteLine(line);
}

}  // namespace knarr
