#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>
#include <utility>

#include "base/executor.h"
#include "cli/command_line.h"
#include "cli/local_catalog.h"
#include "cli/local_lake.h"
#include "cli/remote.h"
#include "ingest/line_protocol.h"
#include "ingest/text_scan.h"
#include "ingest/write_service.h"

namespace tarn::cli {

namespace {

/// What is written, and made durable, at once.
constexpr size_t kPieceBytes = 8 << 20;
constexpr int64_t kMaxShownErrors = 20;

struct WriteOptions {
  std::vector<std::string> files;
  std::string to;
  std::string lake;
  std::string server;
  std::string precision = "ns";
};

struct Target {
  std::string database;
  /// Empty: every measurement is a table of its own.
  std::string table;
};

Result<ingest::Precision> ParsePrecision(const std::string& name) {
  if (name == "ns") return ingest::Precision::kNanoseconds;
  if (name == "us") return ingest::Precision::kMicroseconds;
  if (name == "ms") return ingest::Precision::kMilliseconds;
  if (name == "s") return ingest::Precision::kSeconds;
  return Status::InvalidArgument("unknown precision '" + name + "'; there are ns, us, ms and s");
}

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Status::NotFound("'" + path + "' cannot be read");
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

/// Splits at the ends of lines and gives each piece with the number of its first line.
Status VisitPieces(std::string_view text, const std::function<Status(std::string_view, int64_t)>& visit) {
  const char* at = text.data();
  const char* const end = at + text.size();
  int64_t line = 1;
  while (at < end) {
    const char* piece = at;
    const int64_t first_line = line;
    while (at < end && static_cast<size_t>(at - piece) < kPieceBytes) {
      const char* line_end = ingest::FindLineEnd(at, end);
      line += 1 + std::count(at, line_end, '\n');
      at = line_end < end ? line_end + 1 : end;
    }
    TARN_RETURN_NOT_OK(visit({piece, static_cast<size_t>(at - piece)}, first_line));
  }
  return Status::Ok();
}

/// Refuses, before anything is written, lines of another measurement than the table that was asked for.
Status CheckMeasurements(const std::string& file, std::string_view text, const std::string& table) {
  return VisitPieces(text, [&](std::string_view piece, int64_t) {
    const ingest::ParsedLines parsed = ingest::ParseLineProtocol(piece, {});
    for (const ingest::MeasurementRows& rows : parsed.measurements) {
      if (LowerCase(rows.measurement) == LowerCase(table)) continue;
      return Status::InvalidArgument("'" + file + "' has lines of measurement '" + rows.measurement + "', not of '" +
                                     table + "'; with --to DATABASE alone each measurement goes to its own table");
    }
    return Status::Ok();
  });
}

class LineWriter {
 public:
  LineWriter(const WriteOptions& options, Target target, ingest::Precision precision)
      : options_(options), target_(std::move(target)), precision_(precision) {}

  Status Open() {
    if (!options_.server.empty()) return Status::Ok();
    TARN_ASSIGN_OR_RETURN(lake_,
                          OpenLocalLake(options_.lake.empty() ? DefaultLake() : options_.lake, LakeAccess::kWrite));
    service_ = std::make_unique<ingest::WriteService>(*lake_.lake, SystemClock());
    return Status::Ok();
  }

  Status WriteFile(const std::string& file) {
    TARN_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
    if (!target_.table.empty()) TARN_RETURN_NOT_OK(CheckMeasurements(file, text, target_.table));
    return VisitPieces(text, [&](std::string_view piece, int64_t first_line) {
      const Status status = service_ == nullptr ? SendPiece(piece) : WritePiece(file, piece, first_line);
      return status.ok() ? status : status.WithContext(file);
    });
  }

  Status Finish() {
    if (lake_.lake != nullptr) {
      TARN_RETURN_NOT_OK(lake_.lake->FlushAll());
      lake_.lake->Close();
      Note(std::to_string(lines_kept_) + " lines written");
    }
    if (errors_ == 0) return Status::Ok();
    return Status::InvalidArgument(std::to_string(errors_) + " lines were not kept");
  }

 private:
  Status WritePiece(const std::string& file, std::string_view piece, int64_t first_line) {
    const ingest::WriteOutcome outcome = service_->WriteLines(target_.database, piece, precision_);
    TARN_RETURN_NOT_OK(outcome.status);
    lines_kept_ += outcome.lines_kept;
    for (const ingest::LineError& error : outcome.errors) {
      if (shown_++ >= kMaxShownErrors) break;
      Note(file + ":" + std::to_string(first_line + error.line_number - 1) + ": " + error.reason);
    }
    errors_ += outcome.error_count;
    // Each piece is committed before the next is read, so that memory stays bounded.
    return lake_.lake->FlushAll();
  }
  Status SendPiece(std::string_view piece) {
    return Post(
        {.server = options_.server,
         .path = "/api/v2/write?bucket=" + EncodeParameter(target_.database) + "&precision=" + options_.precision,
         .body = piece,
         .headers = {"Content-Type: text/plain; charset=utf-8"}},
        nullptr);
  }

  const WriteOptions& options_;
  const Target target_;
  const ingest::Precision precision_;
  LocalLake lake_;
  std::unique_ptr<ingest::WriteService> service_;
  int64_t lines_kept_ = 0;
  int64_t errors_ = 0;
  int64_t shown_ = 0;
};

Status RunWrite(const WriteOptions& options) {
  if (!options.server.empty() && !options.lake.empty()) {
    return Status::InvalidArgument("--server stands alone: the server has its own lake");
  }
  for (const std::string& file : options.files) {
    for (const char* extension : {".parquet", ".csv", ".json", ".ndjson", ".jsonl", ".arrow"}) {
      if (LowerCase(file).ends_with(extension)) {
        return Status::Unsupported("'" + file + "': line protocol is what `tarn write` takes");
      }
    }
  }
  TARN_ASSIGN_OR_RETURN(const ingest::Precision precision, ParsePrecision(options.precision));
  const size_t dot = options.to.find('.');
  Target target{options.to.substr(0, dot), dot == std::string::npos ? "" : options.to.substr(dot + 1)};
  if (target.database.empty()) return Status::InvalidArgument("--to takes DATABASE.TABLE or DATABASE");
  TARN_RETURN_NOT_OK(lake::CheckTableName({target.database, target.table.empty() ? "t" : target.table}));
  LineWriter writer(options, std::move(target), precision);
  TARN_RETURN_NOT_OK(writer.Open());
  for (const std::string& file : options.files) TARN_RETURN_NOT_OK(writer.WriteFile(file));
  return writer.Finish();
}

}  // namespace

Command AddWrite(CLI::App& app) {
  auto options = std::make_shared<WriteOptions>();
  app.add_option("files", options->files, "Files of line protocol")->required()->type_name("FILE");
  app.add_option("--to", options->to,
                 "DATABASE.TABLE: every line must be of that measurement; DATABASE: each measurement is a table")
      ->required()
      ->type_name("DATABASE.TABLE");
  app.add_option("--lake", options->lake, "The lake to write to [TARN_LAKE, else ./tarn-data]")->type_name("URI");
  app.add_option("--server", options->server, "Write through a running server instead")->type_name("URL");
  app.add_option("--precision", options->precision, "Unit of the timestamps: ns, us, ms or s [ns]")->type_name("UNIT");
  app.footer(R"(
Good lines are kept, bad ones are named on stderr and make the exit status 2. Rows are in Delta when this returns; a
server that runs on the same lake sees them at once.

  tarn write sensors.lp --to home.weather --precision s)");
  return [options] { return RunWrite(*options); };
}

}  // namespace tarn::cli
