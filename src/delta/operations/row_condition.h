#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <vector>

#include "base/status.h"
#include "delta/predicate.h"

namespace tarn::delta {

/// Which rows of a table a change is about. Made for one schema; asked again when the change is planned anew.
class RowCondition {
 public:
  virtual ~RowCondition() = default;

  /// Indices into the snapshot's schema of the columns that decide. Where all of them partition the table, a file is
  /// judged without being read.
  virtual const std::vector<int>& columns() const = 0;
  /// A row for which the condition is true makes every one of these true: they skip files and find conflicts.
  virtual const std::vector<Predicate>& predicates() const = 0;
  /// One truth value per row: true selects it, false and null do not. `rows` has `columns()` in their order, under the
  /// names and types of the table, perhaps none of them.
  virtual Result<std::shared_ptr<arrow::BooleanArray>> Select(const arrow::RecordBatch& rows) = 0;
};

/// The rows for which every one of the predicates is true by SQL's three-valued logic; all rows when there is none. NaN
/// is the greatest value and equals itself, as in the engine. InvalidArgument when one of them is kUnknown, names no
/// column of the schema, or compares a nested one; Select returns it for values that cannot be compared.
Result<std::unique_ptr<RowCondition>> MakeCondition(const arrow::Schema& schema, std::vector<Predicate> all_of);

}  // namespace tarn::delta
