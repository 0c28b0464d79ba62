#include "cli/table_fsck.h"

#include "cli/any_table.h"
#include "cli/command_line.h"
#include "cli/table_text.h"
#include "delta/log/commit_json.h"
#include "delta/operations/repair.h"
#include "delta/validate/validate.h"

namespace tarn::cli {
namespace {

using delta::Finding;

std::string ToText(const delta::RepairResult& result) {
  const delta::ValidationReport& report = result.report;
  std::string text;
  for (const delta::RepairStep& step : result.steps) text += "repair " + step.key + ": " + step.what + "\n";
  for (const Finding& finding : report.findings) text += finding.ToString() + "\n";
  const size_t all = report.errors + report.warnings;
  if (all > report.findings.size()) text += "and " + std::to_string(all - report.findings.size()) + " more\n";
  return text + "versions " + std::to_string(report.first_version) + " to " + std::to_string(report.last_version) +
         ", " + CountText(static_cast<int64_t>(report.live_files), "live file") + ": " +
         CountText(static_cast<int64_t>(report.errors), "error") + ", " +
         CountText(static_cast<int64_t>(report.warnings), "warning") + "\n";
}

std::string ToJson(const delta::RepairResult& result) {
  const delta::ValidationReport& report = result.report;
  std::string json = R"({"first_version":)" + std::to_string(report.first_version) + R"(,"last_version":)" +
                     std::to_string(report.last_version) + R"(,"live_files":)" + std::to_string(report.live_files) +
                     R"(,"errors":)" + std::to_string(report.errors) + R"(,"warnings":)" +
                     std::to_string(report.warnings) + R"(,"findings":[)";
  for (const Finding& finding : report.findings) {
    if (json.back() != '[') json += ',';
    json += finding.severity == Finding::Severity::kError ? R"({"severity":"error","rule":)"
                                                          : R"({"severity":"warning","rule":)";
    delta::AppendJsonString(json, finding.rule);
    json += R"(,"file":)";
    delta::AppendJsonString(json, finding.key);
    json += R"(,"version":)" + std::to_string(finding.version) + R"(,"line":)" + std::to_string(finding.line) +
            R"(,"message":)";
    delta::AppendJsonString(json, finding.message);
    json += '}';
  }
  json += R"(],"repairs":[)";
  for (const delta::RepairStep& step : result.steps) {
    if (json.back() != '[') json += ',';
    json += R"({"file":)";
    delta::AppendJsonString(json, step.key);
    json += R"(,"what":)";
    delta::AppendJsonString(json, step.what);
    json += '}';
  }
  return json + "]}\n";
}

}  // namespace

Status Fsck(const FsckOptions& options) {
  TARN_ASSIGN_OR_RETURN(const AnyTable table, OpenAnyTable(options.lake, options.table));
  delta::RepairResult result;
  if (options.repair) {
    auto repaired = delta::Repair(table.context, {.dry_run = options.dry_run});
    if (!repaired.ok()) return repaired.status().WithContext("'" + options.table + "'");
    result.steps = std::move(repaired->steps);
  }
  auto report =
      delta::ValidateTable(table.context, {.check_files = options.check_files, .check_data = options.check_data});
  if (!report.ok()) return report.status().WithContext("'" + options.table + "'");
  result.report = *std::move(report);
  TARN_RETURN_NOT_OK(WriteStdout(options.json ? ToJson(result) : ToText(result)));
  const auto errors = static_cast<int64_t>(result.report.errors);
  if (errors == 0) return Status::Ok();
  return Status::Corruption("'" + options.table + "' has " + CountText(errors, "error"));
}

}  // namespace tarn::cli
