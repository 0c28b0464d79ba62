#include "delta/testing/expect_valid.h"

#include <gtest/gtest.h>

#include <set>

namespace tarn::delta::testing {

void ExpectValid(const TableContext& table, const ValidateOptions& options) {
  const auto report = ValidateTable(table, options);
  if (!report.ok()) return;
  for (const Finding& finding : report->findings) ADD_FAILURE() << finding.ToString();
}

void ExpectNone(const TableContext& table, const std::string& rule) {
  const auto report = ValidateTable(table);
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  for (const Finding& finding : report->findings) EXPECT_NE(finding.rule, rule) << finding.ToString();
}

std::vector<std::string> RulesOf(const ValidationReport& report) {
  std::set<std::string> rules;
  for (const Finding& finding : report.findings) {
    rules.insert(finding.rule + (finding.severity == Finding::Severity::kWarning ? " (warning)" : ""));
  }
  return {rules.begin(), rules.end()};
}

}  // namespace tarn::delta::testing
