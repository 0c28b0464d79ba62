#include "delta/expressions/expression.h"

#include <utility>

#include "delta/expressions/binder.h"

namespace tarn::delta {

Expression::Expression(std::unique_ptr<const Node> root, std::vector<int> columns)
    : root_(std::move(root)), columns_(std::move(columns)) {}
Expression::~Expression() = default;

Result<std::shared_ptr<const Expression>> Expression::Parse(std::string_view text, const arrow::Schema& schema) {
  TARN_ASSIGN_OR_RETURN(const SyntaxPtr syntax, ParseSyntax(text));
  Binder binder(schema);
  TARN_ASSIGN_OR_RETURN(NodePtr root, binder.Bind(*syntax));
  return std::shared_ptr<const Expression>(std::make_shared<Expression>(
      std::move(root), std::vector<int>(binder.columns().begin(), binder.columns().end())));
}

Result<columnar::Value> Expression::At(const arrow::RecordBatch& rows, int64_t row) const {
  return root_->At({rows, row});
}

const std::shared_ptr<arrow::DataType>& Expression::type() const { return root_->type(); }

}  // namespace tarn::delta
