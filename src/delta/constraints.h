#pragma once

#include <arrow/type_fwd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "delta/actions.h"
#include "delta/snapshot.h"

namespace tarn::delta {

class Expression;

/// The name of a CHECK constraint follows in a table property.
inline constexpr std::string_view kConstraintPrefix = "delta.constraints.";

/// A condition that every row of a table must meet (PROTOCOL.md, "Column Invariants" and "CHECK Constraints").
struct Constraint {
  /// Of a CHECK constraint; that of an invariant's column, with its parents.
  std::string name;
  std::string expression;
  bool is_invariant = false;

  /// For messages: "the CHECK constraint positive (v > 0)", cut when long.
  std::string ToString() const;
};

/// Those of a table, by name. Unsupported for an invariant in a form that is not known, or inside of a list or map.
Result<std::vector<Constraint>> ConstraintsOf(const Metadata& metadata, const arrow::Schema& schema);

/// The constraints of a table, ready to be checked. A row keeps one if its expression is true: neither false nor null,
/// and not without a value (see Expression). Immutable; thread-safe.
class RowConstraints {
 public:
  /// Unsupported names the constraint that is not understood, and where: such a table cannot get new rows.
  static Result<std::shared_ptr<const RowConstraints>> Of(const Metadata& metadata,
                                                          std::shared_ptr<arrow::Schema> schema);
  static Result<std::shared_ptr<const RowConstraints>> Of(const Snapshot& snapshot) {
    return Of(snapshot.metadata(), snapshot.schema());
  }

  bool empty() const { return checks_.empty(); }
  /// What batches to check look like.
  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }

  /// A row and the first constraint that it breaks.
  struct Violation {
    int64_t row = 0;
    size_t constraint = 0;
    /// Not OK when the expression has no value for the row.
    Status evaluated;
  };
  /// In the order of rows, at most `limit`.
  std::vector<Violation> Find(const arrow::RecordBatch& rows, size_t limit) const;
  /// "the CHECK constraint positive (v > 0) is violated"
  std::string Reason(const Violation& violation) const;

  /// InvalidArgument says why the first row that breaks a constraint does, with the values that the constraint is
  /// about.
  Status Check(const arrow::RecordBatch& rows) const;

 private:
  struct OneCheck {
    Constraint constraint;
    std::shared_ptr<const Expression> expression;
  };

  explicit RowConstraints(std::shared_ptr<arrow::Schema> schema) : schema_(std::move(schema)) {}

  const std::shared_ptr<arrow::Schema> schema_;
  std::vector<OneCheck> checks_;
};

/// An expression of Spark's with columns, and members of structs, spelled as the schema spells them: there are readers
/// to whom the case of letters matters. Text that is not understood as it is.
std::string SpelledAs(const arrow::Schema& schema, const std::string& expression);

}  // namespace tarn::delta
