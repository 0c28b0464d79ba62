#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/status.h"
#include "columnar/value.h"

namespace tarn::delta {

using TypePtr = std::shared_ptr<arrow::DataType>;

/// One row of a batch that has the columns of the table.
struct Row {
  const arrow::RecordBatch& batch;
  int64_t index = 0;
};

/// An expression with types, ready to be evaluated. Immutable.
class Node {
 public:
  explicit Node(TypePtr type) : type_(std::move(type)) {}
  virtual ~Node() = default;

  /// InvalidArgument when there is no value, as where a sum is too large for its type.
  virtual Result<columnar::Value> At(const Row& row) const = 0;
  /// What a literal is; null for anything else.
  virtual const columnar::Value* literal() const { return nullptr; }
  /// Of the value; void where it always is null.
  const TypePtr& type() const { return type_; }

 private:
  const TypePtr type_;
};
using NodePtr = std::unique_ptr<const Node>;

/// A function of values that are not null; null where one of them is.
using UnaryFunction = std::function<Result<columnar::Value>(const columnar::Value&)>;
using BinaryFunction = std::function<Result<columnar::Value>(const columnar::Value&, const columnar::Value&)>;

NodePtr MakeLiteral(columnar::Value value, TypePtr type);
/// A column by its place in the schema, and the members that lead on from it by theirs. A nested value that is not null
/// is merely known to be so.
NodePtr MakeColumn(std::vector<int> path, TypePtr type);
NodePtr MakeUnary(UnaryFunction function, NodePtr operand, TypePtr type);
NodePtr MakeBinary(BinaryFunction function, NodePtr left, NodePtr right, TypePtr type);

/// Conjunction and disjunction of truth values; operands behind one that decides are not evaluated.
NodePtr MakeAnd(std::vector<NodePtr> operands);
NodePtr MakeOr(std::vector<NodePtr> operands);
NodePtr MakeIsNull(NodePtr operand);
/// Equal, or both null.
NodePtr MakeSame(NodePtr left, NodePtr right);
/// The first among the others.
NodePtr MakeIn(std::vector<NodePtr> operands);
/// Conditions, each with its value behind it; null where none holds.
NodePtr MakeCase(std::vector<NodePtr> operands, TypePtr type);
/// The first that is not null.
NodePtr MakeCoalesce(std::vector<NodePtr> operands, TypePtr type);

}  // namespace tarn::delta
