#include "cli/table_optimize.h"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "cli/any_table.h"
#include "cli/command_line.h"
#include "cli/local_lake.h"
#include "cli/table_text.h"
#include "delta/operations/after_commit.h"
#include "delta/operations/optimize.h"
#include "delta/table.h"
#include "server/config.h"

namespace tarn::cli {
namespace {

/// What the options ask for.
Result<delta::OptimizeOptions> SizesOf(const OptimizeOptions& options) {
  delta::OptimizeOptions sizes;
  const auto take = [](const char* option, const std::string& text, int64_t& bytes) -> Status {
    if (text.empty()) return Status::Ok();
    const auto parsed = server::ParseSize(text);
    if (!parsed.ok()) return parsed.status().WithContext(option);
    bytes = *parsed;
    return bytes > 0 ? Status::Ok() : Status::InvalidArgument(std::string(option) + ": must be more than 0");
  };
  TARN_RETURN_NOT_OK(take("--target-size", options.target_size, sizes.target_file_bytes));
  TARN_RETURN_NOT_OK(take("--min-file-size", options.min_file_size, sizes.min_file_bytes));
  sizes.sort_by = options.sort_by;
  return sizes;
}

/// What a merge would take; how many files come out is only known then.
Status PlanOptimize(const OptimizeOptions& options, const delta::OptimizeOptions& sizes,
                    const delta::Snapshot* snapshot) {
  std::vector<delta::OptimizeGroup> plan;
  if (snapshot != nullptr) {
    TARN_ASSIGN_OR_RETURN(plan, delta::PlanOptimize(*snapshot, sizes));
  }
  int64_t files = 0;
  int64_t bytes = 0;
  for (const delta::OptimizeGroup& group : plan) {
    for (const delta::FileIndex index : group) {
      TARN_ASSIGN_OR_RETURN(const delta::DataFile file, snapshot->File(index));
      ++files;
      bytes += file.size_bytes;
    }
  }
  if (options.json) {
    return WriteStdout(R"({"dry_run":true,"files_removed":)" + std::to_string(files) + R"(,"bytes_read":)" +
                       std::to_string(bytes) + R"(,"groups":)" + std::to_string(plan.size()) + "}\n");
  }
  if (plan.empty()) return WriteStdout("nothing to do\n");
  return WriteStdout(CountText(files, "file") + " of " + CountText(bytes, "byte") + " would be " +
                     (options.sort_by.empty() ? "merged" : "sorted") + ", in " +
                     CountText(static_cast<int64_t>(plan.size()), "group") + "\n");
}

Status TellOptimized(const OptimizeOptions& options, const delta::OptimizeResult& result) {
  if (options.json) {
    return WriteStdout(R"({"dry_run":false,"version":)" +
                       (result.version.has_value() ? std::to_string(*result.version) : "null") +
                       R"(,"files_removed":)" + std::to_string(result.files_removed) + R"(,"files_added":)" +
                       std::to_string(result.files_added) + R"(,"bytes_read":)" + std::to_string(result.bytes_read) +
                       R"(,"bytes_written":)" + std::to_string(result.bytes_written) + "}\n");
  }
  if (!result.version.has_value()) return WriteStdout("nothing to do\n");
  return WriteStdout("version " + std::to_string(*result.version) + ": " + std::to_string(result.files_removed) +
                     " files became " + std::to_string(result.files_added) + "\n");
}

/// Of a table by its folder, in a lake or not.
Status OptimizeFolder(const OptimizeOptions& options, const delta::OptimizeOptions& sizes) {
  TARN_ASSIGN_OR_RETURN(const AnyTable table, OpenAnyTable(options.lake, options.table));
  TARN_ASSIGN_OR_RETURN(const auto snapshot, table.Load());
  if (options.dry_run) return PlanOptimize(options, sizes, snapshot.get());
  TARN_ASSIGN_OR_RETURN(const auto result, delta::Optimize(table.context, snapshot, sizes));
  if (result.snapshot != nullptr) delta::WriteAfterCommit(table.context, *result.snapshot, snapshot->version());
  return TellOptimized(options, result);
}

}  // namespace

Status Optimize(const OptimizeOptions& options) {
  TARN_ASSIGN_OR_RETURN(const delta::OptimizeOptions sizes, SizesOf(options));
  if (IsPath(options.table)) return OptimizeFolder(options, sizes);
  TARN_ASSIGN_OR_RETURN(const lake::TableName name, ParseTableName(options.table));
  if (options.dry_run) {
    TARN_ASSIGN_OR_RETURN(const LocalLake local, OpenLocalLake(options.lake, LakeAccess::kRead));
    TARN_ASSIGN_OR_RETURN(const auto view, local.lake->Pin(name, std::nullopt));
    return PlanOptimize(options, sizes, view->snapshot.get());
  }
  TARN_ASSIGN_OR_RETURN(const LocalLake local, OpenLocalLake(options.lake, LakeAccess::kWrite));
  TARN_ASSIGN_OR_RETURN(const auto result, local.lake->Optimize(name, sizes));
  if (const Status left = local.lake->FlushAll(); !left.ok()) NoteRowsLeft(left);
  local.lake->Close();
  return TellOptimized(options, result);
}

}  // namespace tarn::cli
