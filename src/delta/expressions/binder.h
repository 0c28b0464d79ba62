#pragma once

#include <set>

#include "delta/expressions/node.h"
#include "delta/expressions/syntax.h"

namespace tarn::delta {

/// Looks up the names of an expression in a table and gives everything in it a type.
class Binder {
 public:
  explicit Binder(const arrow::Schema& schema) : schema_(schema) {}

  /// Unsupported names the position of what has no meaning, or none that is built.
  Result<NodePtr> Bind(const Syntax& syntax);
  /// Top-level columns that were met.
  const std::set<int>& columns() const { return columns_; }

 private:
  /// How a call of some name is bound.
  struct Rule {
    size_t least = 0;
    size_t most = 0;
    Result<NodePtr> (Binder::*bind)(const Syntax& call, std::vector<NodePtr> operands) = nullptr;
  };
  static const Rule* RuleFor(const std::string& name);

  Result<NodePtr> Column(const Syntax& syntax);
  Result<NodePtr> Cast(const Syntax& syntax);
  Result<NodePtr> Call(const Syntax& call);

  Result<NodePtr> Logic(const Syntax& call, std::vector<NodePtr> operands);
  Result<NodePtr> Not(const Syntax& call, std::vector<NodePtr> operands);
  Result<NodePtr> Compare(const Syntax& call, std::vector<NodePtr> operands);
  Result<NodePtr> In(const Syntax& call, std::vector<NodePtr> operands);
  Result<NodePtr> Like(const Syntax& call, std::vector<NodePtr> operands);
  Result<NodePtr> Compute(const Syntax& call, std::vector<NodePtr> operands);
  Result<NodePtr> SignOf(const Syntax& call, std::vector<NodePtr> operands);
  Result<NodePtr> NullTest(const Syntax& call, std::vector<NodePtr> operands);
  Result<NodePtr> NaNTest(const Syntax& call, std::vector<NodePtr> operands);
  Result<NodePtr> Choose(const Syntax& call, std::vector<NodePtr> operands);
  Result<NodePtr> Coalesce(const Syntax& call, std::vector<NodePtr> operands);
  Result<NodePtr> Length(const Syntax& call, std::vector<NodePtr> operands);
  Result<NodePtr> Letters(const Syntax& call, std::vector<NodePtr> operands);
  Result<NodePtr> Trim(const Syntax& call, std::vector<NodePtr> operands);
  Result<NodePtr> DatePart(const Syntax& call, std::vector<NodePtr> operands);

  /// Casts what does not have the type yet.
  Result<NodePtr> Convert(const Syntax& call, NodePtr operand, const TypePtr& type);
  /// Brings operands to one type, from the place `first` on, `step` apart, and gives it. Those that are only compared
  /// stay exact numbers of whatever width.
  Result<TypePtr> Align(const Syntax& call, std::vector<NodePtr>& operands, size_t first, size_t step, bool compared);
  Status CheckTruth(const Syntax& call, const Node& operand) const;

  const arrow::Schema& schema_;
  std::set<int> columns_;
  size_t nodes_ = 0;
};

}  // namespace tarn::delta
