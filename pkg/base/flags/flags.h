// Command-line flags with the rules of Kubernetes programs (pflag plus component-base's normaliser):
//   --flag value, --flag=value, -v=2, -v2, -v 2; '_' in names is '-'; a bool never takes the next word (--b=false);
//   lists repeat or have commas, maps are k=v,k=v; deprecated flags work and warn; unknown ones are errors by name.
// Mirrors: github.com/spf13/pflag, k8s.io/component-base/cli/flag
//
// Two steps, so that flags win over a configuration file that a flag names: Parse records what is on the command line,
// Apply writes it to the targets and may be repeated after the targets were loaded from the file.
// Targets must outlive the set. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"

namespace knarr::flags {

class Flag {
 public:
  // The flag works and warns: Flag --name has been deprecated, <text>
  Flag& Deprecated(std::string text);
  // Not in the usage.
  Flag& Hidden();
  Flag& Shorthand(char letter);
  // What the flag stands for when no value is given (--name); for a bool "true".
  Flag& WithoutValue(std::string value);
  // Shown in the usage instead of the target's value at definition.
  Flag& DefaultText(std::string text);

 private:
  friend class FlagSet;
  std::string name_;
  std::string type_;  // shown in the usage: string, int32, duration, ...
  std::string usage_;
  std::string default_;  // "" and zero values are not shown
  std::string deprecated_;
  std::string without_value_;
  size_t section_ = 0;
  char shorthand_ = 0;
  bool hidden_ = false;
  // first: no value of this flag was applied before, so a list starts anew.
  std::function<Status(const std::string& value, bool first)> set_;
};

class FlagSet {
 public:
  FlagSet();
  FlagSet(const FlagSet&) = delete;

  // The flags defined from here on are listed under "<title> flags:".
  void Section(std::string title);

  Flag& Bool(bool* target, std::string name, std::string usage);
  Flag& Int(int* target, std::string name, std::string usage);
  Flag& Int64(int64_t* target, std::string name, std::string usage);
  Flag& Double(double* target, std::string name, std::string usage);
  Flag& String(std::string* target, std::string name, std::string usage);
  Flag& Duration(std::chrono::nanoseconds* target, std::string name, std::string usage);
  // a,b or repeated; the first on the command line replaces the default.
  Flag& Strings(std::vector<std::string>* target, std::string name, std::string usage);
  // k=v,k=v or repeated. `separator` is upstream's '<' for eviction thresholds.
  Flag& StringMap(std::map<std::string, std::string>* target, std::string name, std::string usage,
                  char separator = '=');
  // A=true,B=false; adds to what is there.
  Flag& BoolMap(std::map<std::string, bool>* target, std::string name, std::string usage);
  // Anything else.
  Flag& Custom(std::string name, std::string type, std::string usage,
               std::function<Status(const std::string& value, bool first)> set);
  // Accepts and forgets a value; a warning says why.
  Flag& Ignored(std::string name, std::string type, std::string usage, std::string why);

  // Records the flags among args (without the program's name). What is not a flag goes to `positional`; after "--"
  // nothing is a flag. Stops at the first positional with StopAtPositional (programs with sub-commands). Errors:
  //   unknown flag: --foo
  //   flag needs an argument: --foo
  Status Parse(const std::vector<std::string>& args, std::vector<std::string>* positional);
  void StopAtPositional() { stop_at_positional_ = true; }
  // invalid argument "x" for "--port" flag: strconv.ParseInt: parsing "x": invalid syntax
  Status Apply();

  // Was it on the command line?
  bool Changed(std::string_view name) const;
  bool Defined(std::string_view name) const { return Find(std::string(name)) != nullptr; }
  // Deprecated and ignored flags that were used, one text each.
  const std::vector<std::string>& warnings() const { return warnings_; }
  // All sections, as pflag's FlagUsages prints them.
  std::string Usages() const;

 private:
  Flag& Add(std::string name, std::string type, std::string usage);
  Flag* Find(const std::string& name) const;
  Flag* FindShorthand(char letter) const;
  Status ParseLong(const std::vector<std::string>& args, size_t& at);
  Status ParseShort(const std::vector<std::string>& args, size_t& at);
  void Record(Flag* flag, std::string value);

  std::deque<Flag> flags_;  // stable addresses
  std::map<std::string, Flag*> by_name_;
  std::vector<std::string> sections_;
  std::vector<std::pair<Flag*, std::string>> given_;
  std::vector<std::string> warnings_;
  bool stop_at_positional_ = false;
};

// Lower-case letters stay, '_' becomes '-'.
std::string NormalizeName(std::string_view name);

}  // namespace knarr::flags
