#include "cli/table_upkeep.h"

#include "base/clock.h"
#include "cli/any_table.h"
#include "cli/command_line.h"
#include "cli/table_text.h"
#include "columnar/time_text.h"
#include "delta/log/commit_json.h"
#include "delta/operations/after_commit.h"
#include "delta/operations/log_cleanup.h"
#include "delta/operations/restore.h"
#include "delta/operations/vacuum.h"
#include "delta/transaction.h"
#include "server/config.h"

namespace tarn::cli {
namespace {

std::string FileJson(const delta::VacuumFile& file) {
  std::string json = R"({"file":)";
  delta::AppendJsonString(json, file.key);
  json += file.goes() ? R"(,"deleted":true)" : R"(,"deleted":false)";
  json += R"(,"bytes":)" + std::to_string(file.size_bytes);
  if (file.modified_millis > 0) AppendMember(json, "modified", TimestampText(file.modified_millis));
  AppendMember(json, "why", delta::Explanation(file.verdict));
  return json + "}";
}

std::string FileText(const delta::VacuumFile& file) {
  std::string text = (file.goes() ? "delete " : "keep   ") + file.key + ": ";
  text.append(delta::Explanation(file.verdict));
  return text + "\n";
}

/// Prints files as they come: lines, or the elements of the array that a JSON object begins with.
class FileList {
 public:
  explicit FileList(bool json) : json_(json) {}

  void Add(const std::string& element) {
    if (json_) out_ += any_ ? "," : R"({"files":[)";
    any_ = true;
    out_ += element;
  }
  /// `rest` ends the list: a line, or further members of the object.
  Status Finish(const std::string& rest) {
    if (json_) out_ += any_ ? "]" : R"({"files":[])";
    out_ += json_ ? rest + "}\n" : rest;
    return out_.Finish();
  }

 private:
  const bool json_;
  bool any_ = false;
  StreamedText out_;
};

std::string CountsJson(bool dry_run, int64_t files, int64_t bytes) {
  return std::string(R"(,"dry_run":)") + (dry_run ? "true" : "false") + R"(,"deleted_files":)" + std::to_string(files) +
         R"(,"deleted_bytes":)" + std::to_string(bytes);
}

std::string CountsText(bool dry_run, const std::string& what, int64_t files, int64_t bytes) {
  return CountText(files, what) + ", " + CountText(bytes, "byte") + (dry_run ? " would be deleted" : " deleted");
}

}  // namespace

Status Vacuum(const UpkeepOptions& options) {
  delta::VacuumOptions vacuum;
  vacuum.mode = options.lite ? delta::VacuumMode::kLite : delta::VacuumMode::kFull;
  vacuum.dry_run = options.dry_run;
  vacuum.allow_short_retention = options.allow_short_retention;
  if (!options.retention.empty()) {
    const auto micros = server::ParseDuration(options.retention);
    if (!micros.ok()) return micros.status().WithContext("--retention");
    vacuum.retention_millis = *micros / kMicrosPerMilli;
  }
  FileList files(options.json);
  if (options.dry_run || options.json) {
    vacuum.explain = [&](const delta::VacuumFile& file) { files.Add(options.json ? FileJson(file) : FileText(file)); };
  }
  TARN_ASSIGN_OR_RETURN(const AnyTable table, OpenAnyTable(options.lake, options.table));
  TARN_ASSIGN_OR_RETURN(auto snapshot, table.Load());
  const int64_t before = snapshot->version();
  const auto result = delta::Vacuum(table.context, std::move(snapshot), vacuum);
  if (!result.ok()) {
    const bool guarded = result.status().Is(StatusCode::kInvalidArgument) && !options.allow_short_retention;
    if (!guarded || options.retention.empty()) return result.status();
    return Status::InvalidArgument(result.status().message() + " (--allow-short-retention does it all the same)");
  }
  if (!options.dry_run) delta::WriteAfterCommit(table.context, *result->snapshot, before);
  if (options.json) {
    std::string rest = CountsJson(options.dry_run, result->files, result->bytes) + R"(,"kept_files":)" +
                       std::to_string(result->files_kept) + R"(,"version":)" +
                       std::to_string(result->snapshot->version());
    AppendMember(rest, "mode", options.lite ? "lite" : "full");
    AppendMember(rest, "cutoff", TimestampText(result->cutoff_millis));
    return files.Finish(rest);
  }
  return files.Finish(CountsText(options.dry_run, "file", result->files, result->bytes) + "; " +
                      CountText(result->files_kept, "other") + (result->files_kept == 1 ? " stays\n" : " stay\n"));
}

Status CleanUp(const UpkeepOptions& options) {
  delta::LogCleanupOptions cleanup;
  cleanup.dry_run = options.dry_run;
  FileList files(options.json);
  if (options.dry_run || options.json) {
    cleanup.explain = [&](const std::string& key) {
      std::string element;
      if (options.json) {
        delta::AppendJsonString(element, key);
      } else {
        element = "delete " + key + "\n";
      }
      files.Add(element);
    };
  }
  TARN_ASSIGN_OR_RETURN(const AnyTable table, OpenAnyTable(options.lake, options.table));
  TARN_ASSIGN_OR_RETURN(const auto snapshot, table.Load());
  TARN_ASSIGN_OR_RETURN(const auto result, delta::CleanUpLog(table.context, *snapshot, cleanup));
  const std::string first = result.first_version.has_value() ? std::to_string(*result.first_version) : "null";
  if (options.json) {
    std::string rest = CountsJson(options.dry_run, result.files, result.bytes) + R"(,"first_version":)" + first;
    if (!result.why_not.empty()) AppendMember(rest, "why_not", result.why_not);
    return files.Finish(rest);
  }
  if (!result.first_version.has_value()) return files.Finish("nothing to delete: " + result.why_not + "\n");
  return files.Finish(CountsText(options.dry_run, "log file", result.files, result.bytes) +
                      "; the log begins with the checkpoint of version " + first + "\n");
}

Status Restore(const UpkeepOptions& options) {
  if (options.version.has_value() == !options.timestamp.empty()) {
    return Status::InvalidArgument("restore needs either --version or --timestamp");
  }
  TARN_ASSIGN_OR_RETURN(const AnyTable table, OpenAnyTable(options.lake, options.table));
  TARN_ASSIGN_OR_RETURN(auto snapshot, table.Load());
  int64_t version = options.version.value_or(0);
  if (!options.version.has_value()) {
    const auto time = columnar::ParseTimestamp(options.timestamp);
    if (!time.has_value()) return Status::InvalidArgument("'" + options.timestamp + "' is not a time");
    const int64_t millis = time->micros / kMicrosPerMilli - (time->micros % kMicrosPerMilli < 0 ? 1 : 0);
    TARN_ASSIGN_OR_RETURN(version, delta::VersionAtTimestamp(table.context, *snapshot, millis));
  }
  const int64_t before = snapshot->version();
  TARN_ASSIGN_OR_RETURN(const auto result,
                        delta::Restore(table.context, std::move(snapshot), version, {.dry_run = options.dry_run}));
  if (!options.dry_run) delta::WriteAfterCommit(table.context, *result.snapshot, before);
  if (options.json) {
    return WriteStdout(
        std::string(R"({"dry_run":)") + (options.dry_run ? "true" : "false") + R"(,"restored_version":)" +
        std::to_string(version) + R"(,"version":)" + std::to_string(result.version) + R"(,"files_restored":)" +
        std::to_string(result.files_restored) + R"(,"bytes_restored":)" + std::to_string(result.bytes_restored) +
        R"(,"files_removed":)" + std::to_string(result.files_removed) + R"(,"bytes_removed":)" +
        std::to_string(result.bytes_removed) + "}\n");
  }
  const std::string changes =
      CountText(result.files_restored, "file") + " restored, " + CountText(result.files_removed, "file") + " removed";
  if (options.dry_run) return WriteStdout("version " + std::to_string(version) + " can be restored: " + changes + "\n");
  return WriteStdout("version " + std::to_string(result.version) + " is as version " + std::to_string(version) + ": " +
                     changes + "\n");
}

Status Checkpoint(const UpkeepOptions& options) {
  TARN_ASSIGN_OR_RETURN(const AnyTable table, OpenAnyTable(options.lake, options.table));
  TARN_ASSIGN_OR_RETURN(const auto snapshot, table.Load());
  TARN_RETURN_NOT_OK(delta::WriteCheckpoint(table.context, *snapshot));
  const std::string version = std::to_string(snapshot->version());
  const std::string files = std::to_string(snapshot->num_files());
  if (options.json) return WriteStdout(R"({"version":)" + version + R"(,"files":)" + files + "}\n");
  return WriteStdout("version " + version + " has a checkpoint of " +
                     CountText(static_cast<int64_t>(snapshot->num_files()), "file") + "\n");
}

}  // namespace tarn::cli
