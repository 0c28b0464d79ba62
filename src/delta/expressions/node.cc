#include "delta/expressions/node.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <optional>

#include "columnar/sql_order.h"
#include "columnar/value_array.h"

namespace tarn::delta {
namespace {

using columnar::IsNull;
using columnar::Value;
/// Unknown where there is none.
using Truth = std::optional<bool>;

Value ValueOf(Truth truth) { return truth.has_value() ? Value(*truth) : Value(); }

Result<Truth> TruthAt(const Node& node, const Row& row) {
  TARN_ASSIGN_OR_RETURN(const Value value, node.At(row));
  const bool* truth = std::get_if<bool>(&value);
  return truth != nullptr ? Truth(*truth) : Truth();
}

Truth Equal(const Value& left, const Value& right) {
  const auto order = columnar::CompareSql(left, right);
  return order.has_value() ? Truth(*order == std::strong_ordering::equal) : Truth();
}

class LiteralNode final : public Node {
 public:
  LiteralNode(Value value, TypePtr type) : Node(std::move(type)), value_(std::move(value)) {}
  Result<Value> At(const Row&) const override { return value_; }
  const Value* literal() const override { return &value_; }

 private:
  const Value value_;
};

class ColumnNode final : public Node {
 public:
  ColumnNode(std::vector<int> path, TypePtr type) : Node(std::move(type)), path_(std::move(path)) {}

  Result<Value> At(const Row& row) const override {
    std::shared_ptr<arrow::Array> array = row.batch.column(path_[0]);
    for (size_t i = 1; i < path_.size(); ++i) {
      if (array->IsNull(row.index)) return Value();
      array = static_cast<const arrow::StructArray&>(*array).field(path_[i]);
    }
    if (array->type()->num_fields() == 0) return columnar::ValueAt(*array, row.index);
    return array->IsNull(row.index) ? Value() : Value(true);
  }

 private:
  const std::vector<int> path_;
};

class UnaryNode final : public Node {
 public:
  UnaryNode(UnaryFunction function, NodePtr operand, TypePtr type)
      : Node(std::move(type)), function_(std::move(function)), operand_(std::move(operand)) {}

  Result<Value> At(const Row& row) const override {
    TARN_ASSIGN_OR_RETURN(const Value value, operand_->At(row));
    return IsNull(value) ? Value() : function_(value);
  }

 private:
  const UnaryFunction function_;
  const NodePtr operand_;
};

class BinaryNode final : public Node {
 public:
  BinaryNode(BinaryFunction function, NodePtr left, NodePtr right, TypePtr type)
      : Node(std::move(type)), function_(std::move(function)), left_(std::move(left)), right_(std::move(right)) {}

  Result<Value> At(const Row& row) const override {
    TARN_ASSIGN_OR_RETURN(const Value left, left_->At(row));
    if (IsNull(left)) return Value();
    TARN_ASSIGN_OR_RETURN(const Value right, right_->At(row));
    return IsNull(right) ? Value() : function_(left, right);
  }

 private:
  const BinaryFunction function_;
  const NodePtr left_;
  const NodePtr right_;
};

class LogicNode final : public Node {
 public:
  LogicNode(bool decisive, std::vector<NodePtr> operands)
      : Node(arrow::boolean()), decisive_(decisive), operands_(std::move(operands)) {}

  Result<Value> At(const Row& row) const override {
    Truth all = !decisive_;
    for (const NodePtr& operand : operands_) {
      TARN_ASSIGN_OR_RETURN(const Truth truth, TruthAt(*operand, row));
      if (truth == decisive_) return Value(decisive_);
      if (!truth.has_value()) all.reset();
    }
    return ValueOf(all);
  }

 private:
  /// The value of one operand that settles the whole.
  const bool decisive_;
  const std::vector<NodePtr> operands_;
};

class IsNullNode final : public Node {
 public:
  explicit IsNullNode(NodePtr operand) : Node(arrow::boolean()), operand_(std::move(operand)) {}

  Result<Value> At(const Row& row) const override {
    TARN_ASSIGN_OR_RETURN(const Value value, operand_->At(row));
    return Value(IsNull(value));
  }

 private:
  const NodePtr operand_;
};

class SameNode final : public Node {
 public:
  SameNode(NodePtr left, NodePtr right) : Node(arrow::boolean()), left_(std::move(left)), right_(std::move(right)) {}

  Result<Value> At(const Row& row) const override {
    TARN_ASSIGN_OR_RETURN(const Value left, left_->At(row));
    TARN_ASSIGN_OR_RETURN(const Value right, right_->At(row));
    if (IsNull(left) || IsNull(right)) return Value(IsNull(left) && IsNull(right));
    return Value(Equal(left, right).value_or(false));
  }

 private:
  const NodePtr left_;
  const NodePtr right_;
};

class InNode final : public Node {
 public:
  explicit InNode(std::vector<NodePtr> operands) : Node(arrow::boolean()), operands_(std::move(operands)) {}

  Result<Value> At(const Row& row) const override {
    TARN_ASSIGN_OR_RETURN(const Value sought, operands_[0]->At(row));
    if (IsNull(sought)) return Value();
    Truth among = false;
    for (size_t i = 1; i < operands_.size(); ++i) {
      TARN_ASSIGN_OR_RETURN(const Value candidate, operands_[i]->At(row));
      const Truth equal = Equal(sought, candidate);
      if (equal == true) return Value(true);
      if (!equal.has_value()) among.reset();
    }
    return ValueOf(among);
  }

 private:
  const std::vector<NodePtr> operands_;
};

class CaseNode final : public Node {
 public:
  CaseNode(std::vector<NodePtr> operands, TypePtr type) : Node(std::move(type)), operands_(std::move(operands)) {}

  Result<Value> At(const Row& row) const override {
    for (size_t i = 0; i < operands_.size(); i += 2) {
      TARN_ASSIGN_OR_RETURN(const Truth truth, TruthAt(*operands_[i], row));
      if (truth == true) return operands_[i + 1]->At(row);
    }
    return Value();
  }

 private:
  const std::vector<NodePtr> operands_;
};

class CoalesceNode final : public Node {
 public:
  CoalesceNode(std::vector<NodePtr> operands, TypePtr type) : Node(std::move(type)), operands_(std::move(operands)) {}

  Result<Value> At(const Row& row) const override {
    for (const NodePtr& operand : operands_) {
      TARN_ASSIGN_OR_RETURN(Value value, operand->At(row));
      if (!IsNull(value)) return value;
    }
    return Value();
  }

 private:
  const std::vector<NodePtr> operands_;
};

}  // namespace

NodePtr MakeLiteral(Value value, TypePtr type) {
  return std::make_unique<LiteralNode>(std::move(value), std::move(type));
}
NodePtr MakeColumn(std::vector<int> path, TypePtr type) {
  return std::make_unique<ColumnNode>(std::move(path), std::move(type));
}
NodePtr MakeUnary(UnaryFunction function, NodePtr operand, TypePtr type) {
  return std::make_unique<UnaryNode>(std::move(function), std::move(operand), std::move(type));
}
NodePtr MakeBinary(BinaryFunction function, NodePtr left, NodePtr right, TypePtr type) {
  return std::make_unique<BinaryNode>(std::move(function), std::move(left), std::move(right), std::move(type));
}
NodePtr MakeAnd(std::vector<NodePtr> operands) { return std::make_unique<LogicNode>(false, std::move(operands)); }
NodePtr MakeOr(std::vector<NodePtr> operands) { return std::make_unique<LogicNode>(true, std::move(operands)); }
NodePtr MakeIsNull(NodePtr operand) { return std::make_unique<IsNullNode>(std::move(operand)); }
NodePtr MakeSame(NodePtr left, NodePtr right) { return std::make_unique<SameNode>(std::move(left), std::move(right)); }
NodePtr MakeIn(std::vector<NodePtr> operands) { return std::make_unique<InNode>(std::move(operands)); }
NodePtr MakeCase(std::vector<NodePtr> operands, TypePtr type) {
  return std::make_unique<CaseNode>(std::move(operands), std::move(type));
}
NodePtr MakeCoalesce(std::vector<NodePtr> operands, TypePtr type) {
  return std::make_unique<CoalesceNode>(std::move(operands), std::move(type));
}

}  // namespace tarn::delta
