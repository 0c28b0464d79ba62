#include <CLI/CLI.hpp>

#include "cli/command_line.h"

#ifndef TARN_VERSION
#define TARN_VERSION "0.0.0"
#endif
#ifndef TARN_COMMIT
#define TARN_COMMIT "unknown"
#endif

namespace tarn::cli {

std::string Version() { return TARN_VERSION; }
std::string Commit() { return TARN_COMMIT; }
std::string VersionLine() { return "tarn " + Version() + " (" + Commit() + ")"; }

Command AddVersion(CLI::App&) {
  return [] { return WriteStdout(VersionLine() + "\n"); };
}

}  // namespace tarn::cli
