#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cli/command_line.h"
#include "cli/line_source.h"
#include "cli/local_lake.h"
#include "cli/remote.h"
#include "ingest/line_protocol.h"
#include "ingest/precision.h"
#include "ingest/text_scan.h"
#include "ingest/write_service.h"

namespace tarn::cli {

namespace {

constexpr int64_t kMaxShownErrors = 20;

struct WriteOptions {
  std::vector<std::string> files;
  std::string to;
  LakeChoice lake;
  std::string server;
  std::string precision = "ns";
};

struct Target {
  std::string database;
  /// Empty: every measurement is a table of its own.
  std::string table;
};

/// A line of another measurement than the table that was asked for. Broken lines are the parser's to refuse.
bool IsOfOther(std::string_view line, const std::string& table) {
  const char* at = line.data();
  const char* const end = at + line.size();
  while (at < end && (*at == ' ' || *at == '\t' || *at == '\r')) ++at;
  if (at == end || *at == '#' || *at == '\n') return false;
  bool escaped = false;
  const char* const name_end = ingest::FindNameEnd(at, end, /*stop_at_equals=*/false, escaped);
  const std::string name = ingest::Unescape({at, static_cast<size_t>(name_end - at)}, ingest::Escapes::kMeasurement);
  return !name.empty() && ingest::FoldCase(name) != ingest::FoldCase(table);
}

std::string Lines(int64_t count) { return std::to_string(count) + (count == 1 ? " line" : " lines"); }

class LineWriter {
 public:
  LineWriter(const WriteOptions& options, Target target, ingest::Precision precision)
      : options_(options), target_(std::move(target)), precision_(precision) {}

  Status Open() {
    if (!options_.server.empty()) return Status::Ok();
    LakeChoice lake = options_.lake;
    if (lake.uri.empty()) lake.uri = DefaultLake();
    TARN_ASSIGN_OR_RETURN(lake_, OpenLocalLake(lake, LakeAccess::kWrite));
    service_ = std::make_unique<ingest::WriteService>(*lake_.lake, SystemClock());
    return Status::Ok();
  }

  /// After a failure the lines before it stay written, which is told.
  Status WriteFile(const std::string& file) {
    Status written = WritePieces(file);
    if (!written.ok() && lines_kept_ > 0) Note(Lines(lines_kept_) + " written before that");
    return written;
  }

  Status Finish() {
    if (lake_.lake != nullptr) {
      if (const Status left = lake_.lake->FlushAll(); !left.ok()) NoteRowsLeft(left);
      lake_.lake->Close();
    }
    if (knows_kept_) Note(Lines(lines_kept_) + " written");
    if (errors_ == 0) return Status::Ok();
    std::string told = Lines(errors_) + " not kept";
    if (errors_ > kMaxShownErrors)
      told += ", the first " + std::to_string(kMaxShownErrors) + " of which are named above";
    if (knows_kept_ && lines_kept_ == 0) {
      told += "; line protocol looks like `room,name=kitchen temperature=21.4 1700000000000000000`";
    }
    return Status::InvalidArgument(told);
  }

 private:
  Status WritePieces(const std::string& file) {
    TARN_ASSIGN_OR_RETURN(const std::unique_ptr<LineSource> source, LineSource::Open(file));
    for (bool any = false;; any = true) {
      TARN_ASSIGN_OR_RETURN(const std::optional<LineSource::Piece> piece, source->Next());
      if (!piece.has_value() && !any)
        Note("note: " + (file == "-" ? "standard input" : "'" + file + "'") + " is empty");
      if (!piece.has_value()) return Status::Ok();
      TARN_RETURN_NOT_OK(WritePiece(*piece, file).WithContext(file));
    }
  }

  Status WritePiece(const LineSource::Piece& piece, const std::string& file) {
    std::vector<ingest::LineError> errors;
    std::string kept;
    std::string_view text = piece.text;
    if (!target_.table.empty() && LeaveOutOthers(text, kept, errors)) text = kept;
    TARN_RETURN_NOT_OK(service_ == nullptr ? Send(text, errors) : Append(text, errors));
    std::sort(errors.begin(), errors.end(), [](const auto& a, const auto& b) { return a.line_number < b.line_number; });
    for (const ingest::LineError& error : errors) {
      if (shown_++ >= kMaxShownErrors) break;
      Note(file + ":" + std::to_string(piece.first_line + error.line_number - 1) + ": " + error.reason);
    }
    return Status::Ok();
  }

  /// Empties the lines of other measurements, so that those after them keep their numbers; false when there are none.
  bool LeaveOutOthers(std::string_view text, std::string& kept, std::vector<ingest::LineError>& errors) {
    const char* const end = text.data() + text.size();
    const char* copied = text.data();
    int64_t number = 1;
    for (const char* at = text.data(); at < end;) {
      const char* const line_end = ingest::FindLineEnd(at, end);
      const auto feeds = std::count(at, line_end, '\n');
      if (IsOfOther({at, static_cast<size_t>(line_end - at)}, target_.table)) {
        kept.append(copied, at);
        kept.append(static_cast<size_t>(feeds), '\n');
        copied = line_end;
        if (static_cast<int64_t>(errors.size()) < kMaxShownErrors) {
          errors.push_back({.line_number = number,
                            .reason = "is not of measurement '" + target_.table +
                                      "'; with --to DATABASE alone each measurement goes to its own table",
                            .original_line = {}});
        }
        ++errors_;
      }
      number += 1 + feeds;
      at = line_end < end ? line_end + 1 : end;
    }
    if (copied == text.data()) return false;
    kept.append(copied, end);
    return true;
  }

  Status Append(std::string_view text, std::vector<ingest::LineError>& errors) {
    ingest::WriteOutcome outcome = service_->WriteLines(target_.database, text, {.precision = precision_});
    TARN_RETURN_NOT_OK(outcome.status);
    lines_kept_ += outcome.lines_kept;
    errors_ += outcome.error_count;
    std::move(outcome.errors.begin(), outcome.errors.end(), std::back_inserter(errors));
    // Each piece is committed before the next is read, so that memory stays bounded.
    // Rows that a table does not take now, perhaps another one's, stay in the log; the end tells of them.
    (void)lake_.lake->FlushAll();
    return Status::Ok();
  }

  Status Send(std::string_view text, std::vector<ingest::LineError>& errors) {
    // Version 3 alone names the bad lines in a form for programs.
    TARN_ASSIGN_OR_RETURN(
        const RemoteAnswer answer,
        Post({.server = options_.server,
              .path = "/api/v3/write_lp?db=" + EncodeParameter(target_.database) + "&precision=" + options_.precision,
              .body = text,
              .headers = {"Content-Type: text/plain; charset=utf-8"}},
             nullptr));
    const std::optional<std::vector<ingest::LineError>> refused = LineErrorsOf(answer);
    if (!refused.has_value()) return StatusOf(answer);
    errors_ += answer.lines_refused.value_or(static_cast<int64_t>(refused->size()));
    lines_kept_ += answer.lines_kept.value_or(0);
    knows_kept_ = knows_kept_ && answer.lines_kept.has_value();
    errors.insert(errors.end(), refused->begin(), refused->end());
    return Status::Ok();
  }

  const WriteOptions& options_;
  const Target target_;
  const ingest::Precision precision_;
  LocalLake lake_;
  std::unique_ptr<ingest::WriteService> service_;
  int64_t lines_kept_ = 0;
  /// False when a server did not say how many lines it kept.
  bool knows_kept_ = true;
  int64_t errors_ = 0;
  int64_t shown_ = 0;
};

Status RunWrite(const WriteOptions& options) {
  if (!options.server.empty()) {
    TARN_RETURN_NOT_OK(CheckServerStandsAlone(!options.lake.uri.empty(), options.lake.given));
  }
  for (const std::string& file : options.files) {
    for (const char* extension : {".parquet", ".csv", ".json", ".ndjson", ".jsonl", ".arrow"}) {
      const std::string name = ingest::FoldCase(file);
      if (name.ends_with(extension) || name.ends_with(extension + std::string(".gz"))) {
        return Status::Unsupported("'" + file +
                                   "': `tarn write` takes line protocol only; `tarn sql -t name=FILE` queries Parquet, "
                                   "CSV and NDJSON files where they are");
      }
    }
  }
  TARN_ASSIGN_OR_RETURN(const ingest::Precision precision,
                        ingest::ParsePrecision(options.precision, ingest::WriteApi::kV2));
  const size_t dot = options.to.find('.');
  Target target{options.to.substr(0, dot), dot == std::string::npos ? "" : options.to.substr(dot + 1)};
  if (target.database.empty() || dot + 1 == options.to.size()) {
    return Status::InvalidArgument("--to '" + options.to + "': it takes DATABASE.TABLE or DATABASE");
  }
  TARN_RETURN_NOT_OK(
      lake::CheckTableName({target.database, target.table.empty() ? "t" : target.table}).WithContext("--to"));
  // Before anything is written.
  for (const std::string& file : options.files) TARN_RETURN_NOT_OK(LineSource::Check(file));
  LineWriter writer(options, std::move(target), precision);
  TARN_RETURN_NOT_OK(writer.Open());
  for (const std::string& file : options.files) TARN_RETURN_NOT_OK(writer.WriteFile(file));
  return writer.Finish();
}

}  // namespace

Command AddWrite(CLI::App& app) {
  auto options = std::make_shared<WriteOptions>();
  app.add_option("files", options->files, "Files of line protocol, plain or gzip; - is standard input")
      ->required()
      ->type_name("FILE");
  app.add_option("--to", options->to,
                 "DATABASE.TABLE: only lines of that measurement are kept; DATABASE: each measurement is a table")
      ->required()
      ->type_name("DATABASE.TABLE");
  AddLakeOptions(app, "The lake to write to [TARN_LAKE, else ./tarn-data]", options->lake);
  app.add_option("--server", options->server, "Write through a running server instead")
      ->type_name("URL")
      ->check(MustNotBeEmpty);
  app.add_option("--precision", options->precision, "Unit of the timestamps: ns, us, ms or s [ns]")->type_name("UNIT");
  app.footer(R"(
Line protocol is the only format that is written. Good lines are kept; bad ones are named on stderr by file and line,
and make the exit status 2. Rows are in Delta when this returns; a server that runs on the same lake sees them at once.
With --server they are durable when this returns, and in Delta a second later.

  tarn write sensors.lp archive.lp.gz --to home.weather --precision s
  generate | tarn write - --to home --server http://127.0.0.1:8080)");
  return [options] { return RunWrite(*options); };
}

}  // namespace tarn::cli
