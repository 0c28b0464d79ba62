#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/error_table.h"
#include "base/log.h"
#include "base/random.h"
#include "cli/command_line.h"
#include "cli/config_options.h"
#include "cli/last_call.h"
#include "cli/stop_signals.h"
#include "server/config.h"
#include "server/server.h"

namespace tarn::cli {

namespace {

/// A lake that is opened gets this long to be open; a server answers a moment before it knows that it does.
constexpr int64_t kOpeningMicros = 2 * kMicrosPerSecond;
/// Of 30 seconds in all: requests under way get this long,
constexpr int64_t kDrainMicros = 10 * kMicrosPerSecond;
/// they and committing the buffers, which a store that hangs may hold up, get this long,
constexpr int64_t kShutdownMicros = 24 * kMicrosPerSecond;
/// and a query that was broken off may take this long to notice.
constexpr int64_t kTeardownMicros = 5 * kMicrosPerSecond;

struct ServeOptions {
  std::string config_file;
  /// By key: what was given as a flag.
  GivenKeys flags;
  bool insecure_listen = false;
  bool json_log = false;
};

Status Serve(const ServeOptions& options) {
  ConfigureLog(LogLevel::kInfo, options.json_log ? LogFormat::kJson : LogFormat::kText);
  std::optional<std::string> file;
  if (!options.config_file.empty()) file = options.config_file;
  TARN_ASSIGN_OR_RETURN(server::Config config, server::LoadConfig(file, ProcessEnvironment()));
  for (const auto& [key, text] : options.flags) {
    if (Status status = server::ApplyKey(key, text, config); !status.ok()) return status.WithContext(key);
  }
  StopSignals signals;
  Random random = Random::FromSystem();
  TARN_ASSIGN_OR_RETURN(std::unique_ptr<server::Server> server,
                        server::Server::Start({.config = std::move(config),
                                               .insecure_listen = options.insecure_listen,
                                               .version = Version(),
                                               .commit = Commit()},
                                              SystemClock(), random));
  TARN_RETURN_NOT_OK(signals.Run([&] { return server->OpenLake(); },
                                 [](int signal) {
                                   Log(LogLevel::kInfo,
                                       "stopped before the lake was open; its write-ahead log keeps every row",
                                       {{"signal", StopSignals::Name(signal)}});
                                   _exit(0);
                                 },
                                 kOpeningMicros));
  const int signal = signals.Wait();
  Log(LogLevel::kInfo, "stopping", {{"signal", StopSignals::Name(signal)}});
  // What was acknowledged is in the write-ahead log.
  signals.EndAtOnce();
  Status stopped;
  {
    const LastCall last_call(SystemClock(), kShutdownMicros, [] {
      Log(LogLevel::kError, "stopped before every row was committed; the write-ahead log keeps them");
      _exit(CodesOf(StatusCode::kUnavailable).exit_code);
    });
    stopped = server->Shutdown(kDrainMicros);
  }
  {
    // Ends the process all the same: there is nothing left to lose.
    const LastCall last_call(SystemClock(), kTeardownMicros, [exit_code = CodesOf(stopped.code()).exit_code] {
      Log(LogLevel::kWarning, "stopped without waiting for a query that does not end");
      _exit(exit_code);
    });
    server.reset();
  }
  TARN_RETURN_NOT_OK(stopped);
  Log(LogLevel::kInfo, "stopped");
  return Status::Ok();
}

}  // namespace

Command AddServe(CLI::App& app) {
  auto options = std::make_shared<ServeOptions>();
  app.add_option("-c,--config", options->config_file, "YAML file with the keys below")
      ->type_name("FILE")
      ->check(MustNotBeEmpty);
  AddConfigOptions(app, "", options->flags);
  app.add_flag("--insecure-listen", options->insecure_listen,
               "Listen on an address that others can reach, although there is no authentication yet");
  app.add_flag("--log-json", options->json_log, "Write the log as JSON, one object per line");
  app.footer(R"(
The log goes to stderr; its line "listening" has the URL. SIGTERM or Ctrl-C finishes what is under way, commits every
buffered row and exits with 0; a second signal exits at once and loses nothing that was acknowledged. After 30 seconds
it ends in any case, with status 11 when rows are left in the write-ahead log.)");
  return [options] { return Serve(*options); };
}

}  // namespace tarn::cli
