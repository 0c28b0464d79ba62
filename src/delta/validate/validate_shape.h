#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <vector>

#include "columnar/field_match.h"
#include "delta/actions.h"
#include "delta/files/statistics.h"
#include "delta/validate/validate_findings.h"

namespace tarn::delta::validation {

/// What protocol and metaData say of the files of a table.
struct TableShape {
  /// nullptr when it cannot be read; then nothing is checked against it.
  std::shared_ptr<arrow::Schema> schema;
  columnar::FieldMatch match = columnar::FieldMatch::kName;
  /// In partitioning order, under the names that partition values have.
  std::vector<StatsColumn> partitions;
  /// The top-level columns that files hold, in the schema's order, under the names that statistics have.
  std::vector<StatsColumn> columns;
  bool has_vectors = false;
  bool has_domains = false;
  bool append_only = false;
  bool in_commit_timestamps = false;
};

/// True when the protocol has the feature, listed or implied by a version before feature lists.
bool HasFeature(const Protocol& protocol, const std::string& feature);

/// Whether the lists of features fit the versions and each other.
void CheckFeatureLists(const Protocol& protocol, const Place& place, Findings& findings);

/// Checks protocol and metaData against each other and gives what they mean.
TableShape CheckShape(const Protocol& protocol, const Metadata& metadata, const Place& place, Findings& findings);

/// `maxColumnId` never falls while columns are mapped.
void CheckColumnIdsKept(const Metadata& before, const Metadata& after, const Place& place, Findings& findings);

/// Checks partition values, statistics and deletion vector of one file.
void CheckAdd(const Add& add, const TableShape& shape, StatsParser& parser, const Place& place, Findings& findings);

}  // namespace tarn::delta::validation
