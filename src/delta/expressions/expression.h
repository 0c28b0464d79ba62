#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "columnar/value.h"

namespace tarn::delta {

class Node;

/// An expression of Spark SQL over the columns of a table, with Spark's types and meaning: three-valued, NaN greatest
/// and equal to itself, texts by bytes. docs/sql.md says which part of the language. Immutable; thread-safe.
///
/// Where Spark's settings decide whether an overflow or a failing cast is an error, null or another number, evaluating
/// it is an error here, so that no row passes which any of them would refuse. x / 0 is null.
class Expression {
 public:
  /// Unsupported names the position of what is not understood, which may be a column that the schema lacks.
  static Result<std::shared_ptr<const Expression>> Parse(std::string_view text, const arrow::Schema& schema);

  Expression(std::unique_ptr<const Node> root, std::vector<int> columns);
  ~Expression();

  /// Its value in one row of a batch with the columns of that schema; InvalidArgument where there is none.
  Result<columnar::Value> At(const arrow::RecordBatch& rows, int64_t row) const;
  /// Of its values; void where it always is null.
  const std::shared_ptr<arrow::DataType>& type() const;
  /// The columns of the schema that it names, ascending.
  const std::vector<int>& columns() const { return columns_; }

 private:
  const std::unique_ptr<const Node> root_;
  const std::vector<int> columns_;
};

}  // namespace tarn::delta
