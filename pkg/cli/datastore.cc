#include "pkg/cli/datastore.h"

#include <cstdio>
#include <memory>
#include <utility>

#include "pkg/apiserver/storage/etcd3.h"
#include "pkg/apiserver/storage/sqlite.h"
#include "pkg/base/flags/flags.h"

namespace knarr::cli {
namespace {

using storage::Store;
using storage::StoreStatus;

struct Options {
  std::string data_dir;
  storage::Etcd3Options etcd;
  std::string to = "etcd3";
  bool check = false;
  std::vector<std::string> words;
};

void Print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

Status NeedDataDir(const Options& options) {
  if (options.data_dir.empty()) return Error(Code::kInvalid, "required flag(s) \"data-dir\" not set");
  return OkStatus();
}
Status NeedFile(const Options& options) {
  KNARR_TRY(NeedDataDir(options));
  if (options.words.size() != 1) return Error(Code::kInvalid, "accepts 1 arg(s), received {}", options.words.size());
  return OkStatus();
}
Status NeedNoArguments(const Options& options) {
  if (options.words.empty()) return OkStatus();
  return Error(Code::kInvalid, "unknown argument \"{}\"", options.words.front());
}

Status Backup(const Context& ctx, const Options& options) {
  KNARR_TRY(NeedFile(options));
  KNARR_TRY(storage::BackupSqlite(ctx, options.data_dir, options.words[0]));
  Print(fmt::format("Saved {} to {}\n", options.data_dir, options.words[0]));
  return OkStatus();
}

Status Restore(const Context& ctx, const Options& options) {
  KNARR_TRY(NeedFile(options));
  KNARR_TRY(storage::RestoreSqlite(ctx, options.words[0], options.data_dir));
  Print(fmt::format("Restored {} from {}. What was there is kept beside it as state.db.<time>.\n", options.data_dir,
                    options.words[0]));
  return OkStatus();
}

Status Migrate(const Context& ctx, const Options& options) {
  KNARR_TRY(NeedDataDir(options));
  KNARR_TRY(NeedNoArguments(options));
  if (options.to != "etcd3" && options.to != "sqlite")
    return Error(Code::kInvalid, "--to={}: must be etcd3 or sqlite", options.to);
  storage::Etcd3Options etcd_options = options.etcd;
  etcd_options.compaction_interval = std::chrono::seconds(0);
  auto etcd = KNARR_TRY(storage::OpenEtcd3(etcd_options));
  KNARR_TRY(etcd->Healthy(ctx));
  auto sqlite = KNARR_TRY(storage::OpenSqlite({.data_dir = options.data_dir}));
  const bool to_etcd = options.to == "etcd3";
  const int64_t count =
      KNARR_TRY(to_etcd ? storage::Migrate(ctx, *sqlite, *etcd) : storage::Migrate(ctx, *etcd, *sqlite));
  Print(fmt::format("Copied {} keys. Start kube-apiserver with --storage-backend={} now.\n", count, options.to));
  return OkStatus();
}

Status ShowStatus(const Context& ctx, const Options& options) {
  KNARR_TRY(NeedNoArguments(options));
  StoreStatus status;
  if (!options.etcd.endpoints.empty()) {
    storage::Etcd3Options etcd_options = options.etcd;
    etcd_options.compaction_interval = std::chrono::seconds(0);
    status = KNARR_TRY(KNARR_TRY(storage::OpenEtcd3(etcd_options))->GetStatus(ctx));
  } else {
    KNARR_TRY(NeedDataDir(options));
    status = KNARR_TRY(storage::StatusOfSqlite(ctx, options.data_dir, options.check));
  }
  Print(fmt::format("backend:    {}\nwhere:      {}\nbytes:      {}\nin use:     {}\nrevision:   {}\n", status.backend,
                    status.detail, status.bytes, status.bytes_in_use, status.revision));
  if (status.compacted > 0) Print(fmt::format("compacted:  {}\n", status.compacted));
  if (options.check) Print("checked:    no damage found\n");
  return OkStatus();
}

struct Command {
  const char* name;
  const char* usage;
  const char* summary;
  Status (*run)(const Context& ctx, const Options& options);
  bool etcd, check, to;
};
constexpr Command kCommands[] = {
    {"backup", "--data-dir=DIR FILE",
     "Saves the SQLite datastore, which may be in use, to a new file. The copy is checked.", Backup, false, false,
     false},
    {"restore", "--data-dir=DIR FILE",
     "Puts a backup in place of the SQLite datastore. kube-apiserver must not be running. Clients see a newer\n"
     "revision than any before and list everything anew.",
     Restore, false, false, false},
    {"migrate", "--data-dir=DIR --etcd-servers=URL[,URL] [--to=etcd3|sqlite]",
     "Copies all objects from SQLite to etcd, or back. kube-apiserver must not be running, and the target must be\n"
     "empty. Events get a new hour to live.",
     Migrate, true, false, true},
    {"status", "--data-dir=DIR | --etcd-servers=URL[,URL]", "Shows size and revision of the datastore.", ShowStatus,
     true, true, false},
};

int Fail(std::string_view message, std::string_view usage_of) {
  std::fprintf(stderr, "error: %s\n", std::string(message).c_str());
  if (!usage_of.empty()) std::fprintf(stderr, "See 'knarr datastore %s' for usage.\n", std::string(usage_of).c_str());
  return 1;
}

int Run(const Command& command, const std::vector<std::string>& args) {
  Options options;
  bool help = false;
  flags::FlagSet flags;
  flags.Bool(&help, "help", "help for this command").Shorthand('h');
  flags.String(&options.data_dir, "data-dir", "The folder of the SQLite datastore, as kube-apiserver's --data-dir.");
  if (command.etcd) {
    flags.Strings(&options.etcd.endpoints, "etcd-servers",
                  "List of etcd servers to connect with (scheme://ip:port), comma separated.");
    flags.String(&options.etcd.ca_file, "etcd-cafile",
                 "SSL Certificate Authority file used to secure etcd communication.");
    flags.String(&options.etcd.cert_file, "etcd-certfile", "SSL certification file used to secure etcd communication.");
    flags.String(&options.etcd.key_file, "etcd-keyfile", "SSL key file used to secure etcd communication.");
  }
  if (command.to) flags.String(&options.to, "to", "Where the objects go: etcd3 or sqlite.");
  if (command.check) flags.Bool(&options.check, "check", "Read all of the SQLite datastore and look for damage.");
  Status status = flags.Parse(args, &options.words);
  if (status.ok()) status = flags.Apply();
  if (!status.ok()) return Fail(status.message(), fmt::format("{} --help", command.name));
  if (help) {
    Print(fmt::format("{}\n\nUsage:\n  knarr datastore {} {}\n\n{}", command.summary, command.name, command.usage,
                      flags.Usages()));
    return 0;
  }
  status = command.run(Context::Background(), options);
  if (status.ok()) return 0;
  return Fail(status.message(), status.Is(Code::kInvalid) ? fmt::format("{} --help", command.name) : "");
}

std::string GroupUsage() {
  std::string text =
      "Saves, restores, moves and shows what keeps the API server's objects.\n\nUsage:\n  knarr datastore COMMAND\n\n"
      "Commands:\n";
  for (const Command& command : kCommands) {
    const std::string_view summary = command.summary;
    text += fmt::format("  {:<9} {}\n", command.name, summary.substr(0, summary.find(". ")));
  }
  return text;
}

}  // namespace

int DatastoreMain(const std::vector<std::string>& args) {
  if (args.empty() || args[0] == "--help" || args[0] == "-h" || args[0] == "help") {
    Print(GroupUsage());
    return args.empty() ? 1 : 0;
  }
  for (const Command& command : kCommands)
    if (args[0] == command.name) return Run(command, {args.begin() + 1, args.end()});
  return Fail(fmt::format("unknown command \"{}\"", args[0]), "--help");
}

}  // namespace knarr::cli
