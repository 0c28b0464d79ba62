#include "cli/table_fsck.h"

#include <memory>
#include <utility>

#include "base/clock.h"
#include "base/random.h"
#include "base/uri.h"
#include "cli/command_line.h"
#include "delta/log/commit_json.h"
#include "delta/validate/validate.h"
#include "storage/stores.h"

namespace tarn::cli {
namespace {

using delta::Finding;

/// A table that cannot be read is no table to a lake, so its folder is found by its name alone.
Result<std::shared_ptr<storage::ObjectStore>> OpenTable(const FsckOptions& options) {
  const std::string& table = options.table;
  if (table.find('/') != std::string::npos) return storage::OpenStore(table);
  const size_t dot = table.find('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == table.size()) {
    return Status::InvalidArgument("'" + table + "' is neither a DATABASE.TABLE nor a path with a '/'");
  }
  TARN_ASSIGN_OR_RETURN(auto lake, storage::OpenStore(options.lake));
  return storage::MakePrefixStore(std::move(lake),
                                  EncodePathPart(table.substr(0, dot)) + "/" + EncodePathPart(table.substr(dot + 1)));
}

std::string CountText(size_t count, const std::string& what) {
  return (count == 0 ? "no" : std::to_string(count)) + " " + what + (count == 1 ? "" : "s");
}

std::string ToText(const delta::ValidationReport& report) {
  std::string text;
  for (const Finding& finding : report.findings) text += finding.ToString() + "\n";
  const size_t all = report.errors + report.warnings;
  if (all > report.findings.size()) text += "and " + std::to_string(all - report.findings.size()) + " more\n";
  return text + "versions " + std::to_string(report.first_version) + " to " + std::to_string(report.last_version) +
         ", " + CountText(report.live_files, "live file") + ": " + CountText(report.errors, "error") + ", " +
         CountText(report.warnings, "warning") + "\n";
}

std::string ToJson(const delta::ValidationReport& report) {
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
  return json + "]}\n";
}

}  // namespace

Status Fsck(const FsckOptions& options) {
  TARN_ASSIGN_OR_RETURN(const auto store, OpenTable(options));
  Random random = Random::FromSystem();
  const delta::TableContext table{.store = store, .clock = &SystemClock(), .random = &random, .commits = nullptr};
  delta::ValidateOptions checks;
  checks.check_files = options.check_files;
  checks.check_data = options.check_data;
  auto report = delta::ValidateTable(table, checks);
  if (!report.ok()) return report.status().WithContext("'" + options.table + "'");
  TARN_RETURN_NOT_OK(WriteStdout(options.json ? ToJson(*report) : ToText(*report)));
  if (report->errors == 0) return Status::Ok();
  return Status::Corruption("'" + options.table + "' has " + CountText(report->errors, "error"));
}

}  // namespace tarn::cli
