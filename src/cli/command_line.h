#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/status.h"

namespace CLI {
class App;
}

namespace tarn::cli {

/// Runs the program: parses the arguments, runs one subcommand, reports its error on stderr. The exit status is 0 or
/// the error table's.
int Main(int argc, char** argv);

/// Each subcommand declares its options on `app`; what it returns runs it.
using Command = std::function<Status()>;
Command AddServe(CLI::App& app);
Command AddSql(CLI::App& app);
Command AddWrite(CLI::App& app);
Command AddTable(CLI::App& app);
Command AddVersion(CLI::App& app);

/// For an option's `check`: an empty text is a variable that was not set, and must not mean that the option was left
/// out.
std::string MustNotBeEmpty(const std::string& text);

std::string Version();
std::string Commit();
/// "tarn 0.1.0 (0123456789ab)"
std::string VersionLine();

/// Text for people and pipes: the command line's output, as stderr is the log's.
Status WriteStdout(std::string_view text);
/// A line on stderr.
void Note(const std::string& text);

}  // namespace tarn::cli
