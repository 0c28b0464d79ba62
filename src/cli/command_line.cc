#include "cli/command_line.h"

#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/error_table.h"
#include "base/nearest_name.h"
#include "base/visible_text.h"

namespace tarn::cli {

namespace {

constexpr char kFooter[] = R"(
Begin with:
  tarn serve                                     a server on http://127.0.0.1:8080 over ./tarn-data
  curl '127.0.0.1:8080/api/v2/write?bucket=home' -d 'weather,city=Bern temp=7.5'
  curl 127.0.0.1:8080/api/sql -d 'select * from home.weather'
  tarn sql --lake ./tarn-data 'select * from home.weather'

Every setting of `tarn serve` is a flag, a key of a YAML file (-c) and an environment variable (TARN_LAKE, TARN_ADDR_HTTP,
TARN_MEMORY_LIMIT, …): flags win over the environment, the environment over the file; an unknown key or variable is an
error. --insecure-listen and --log-json are flags only. See docs/formats/configuration.md.

Exit status: 0 success · 2 bad arguments or SQL · 3 not found · 4 already exists · 5 conflict · 6 unsupported ·
7 corruption · 8 permission denied · 9 unauthenticated · 10 limit exceeded · 11 unavailable · 12 indeterminate ·
13 cancelled · 14 deadline exceeded · 15 internal error)";

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

/// What is wrong with the arguments that were left over for `app`, or missing.
std::string ArgumentFault(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> left = app.remaining();
  const std::vector<std::string> commands = CommandNames(app);
  if (left.empty()) return commands.empty() ? error.what() : "a command is missing; there are " + Joined(commands);
  const std::string& first = left.front();
  if (first.starts_with("-")) return "unknown option '" + first + "'" + DidYouMean(first, OptionNames(app));
  if (commands.empty()) return "unexpected argument '" + first + "'";
  return "unknown command '" + first + "'; there are " + Joined(commands) + DidYouMean(first, commands);
}

/// Says what is wrong with the arguments, and where to read on.
int Refuse(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* command = &app;
  std::string words = app.get_name();
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    words += " " + command->get_name();
  }
  Note("tarn: " + ArgumentFault(*command, error) + "\nRun `" + words + " --help` for more.");
  return CodesOf(StatusCode::kInvalidArgument).exit_code;
}

}  // namespace

int Main(int argc, char** argv) {
  CLI::App app("Tarn: a lakehouse in one program. Line protocol in, Delta Lake tables on disk, SQL out.", "tarn");
  app.require_subcommand(1);
  app.set_version_flag("--version", VersionLine, "Print the version");
  app.get_formatter()->column_width(36);
  Command chosen;
  const auto add = [&](const char* name, const char* description, Command (*declare)(CLI::App&)) {
    CLI::App* command = app.add_subcommand(name, description);
    Command run = declare(*command);
    command->callback([&chosen, run] { chosen = run; });
  };
  add("serve", "Run a server: HTTP writes and SQL over a lake", AddServe);
  add("sql", "Run a query on a lake, on files, or through a server", AddSql);
  add("write", "Write files of line protocol", AddWrite);
  add("table", "List, describe, alter and look after the tables of a lake", AddTable);
  add("version", "Print the version", AddVersion);
  // Last, since a command begins with the footer that its parent has.
  app.footer(kFooter);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // --help ends here too, with status 0.
    return error.get_exit_code() == 0 ? app.exit(error) : Refuse(app, error);
  }
  const Status status = chosen();
  if (!status.ok() && !status.message().empty()) Note("tarn: " + status.message());
  return CodesOf(status.code()).exit_code;
}

std::string MustNotBeEmpty(const std::string& text) { return text.empty() ? "must not be empty" : ""; }

Status WriteStdout(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    // As in `tarn sql … | head`: whoever closed it knows.
    if (written < 0 && errno == EPIPE) return Status::Cancelled("");
    if (written < 0)
      return Status::Unavailable(std::string("cannot write to standard output: ") + std::strerror(errno));
    text.remove_prefix(static_cast<size_t>(written));
  }
  return Status::Ok();
}

void Note(const std::string& text) {
  // What servers and files say ends up here, too.
  const std::string line = VisibleText(text) + "\n";
  // Where stderr is gone there is nobody to tell.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace tarn::cli
