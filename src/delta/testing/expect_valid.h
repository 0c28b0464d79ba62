#pragma once

#include <string>
#include <vector>

#include "delta/table.h"
#include "delta/validate/validate.h"

namespace tarn::delta::testing {

/// Fails the test for every finding, warnings included: what this program writes gives none. A table without a log, or
/// whose store has been made to fail, is passed over.
void ExpectValid(const TableContext& table, const ValidateOptions& options = {});

/// The same for the findings of one rule, in a log whose other faults do not matter.
void ExpectNone(const TableContext& table, const std::string& rule);

/// "rule", each error once, sorted; warnings too as "rule (warning)".
std::vector<std::string> RulesOf(const ValidationReport& report);

}  // namespace tarn::delta::testing
