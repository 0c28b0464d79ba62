#include "delta/operations/overwrite.h"

#include <arrow/array.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <map>
#include <set>
#include <utility>

#include "base/check.h"
#include "columnar/arrow_status.h"
#include "columnar/value_array.h"
#include "delta/operations/rewrite.h"
#include "delta/protocol_features.h"
#include "delta/table_path.h"

namespace tarn::delta {
namespace {

/// More partitions than this are not told apart when looking for conflicts.
constexpr size_t kMaxConflictPartitions = 64;

/// The rows of some partitions.
class InPartitions final : public RowCondition {
 public:
  /// Those that the files are in.
  static Result<std::unique_ptr<RowCondition>> Of(const Snapshot& snapshot, const std::vector<Add>& files) {
    auto condition = std::unique_ptr<InPartitions>(new InPartitions(snapshot));
    Predicate any{Predicate::Op::kOr, -1, {}, {}};
    for (const Add& file : files) {
      std::vector<columnar::Value> values;
      for (size_t i = 0; i < condition->columns_.size(); ++i) {
        const arrow::DataType& type = *snapshot.schema()->field(condition->columns_[i])->type();
        TARN_ASSIGN_OR_RETURN(auto value,
                              columnar::ParsePartitionValue(file.partition_values[i].second.value_or(""), type));
        values.push_back(std::move(value));
      }
      if (!condition->keys_.insert(condition->KeyOf(values)).second) continue;
      any.children.push_back(condition->Exactly(values));
    }
    if (condition->keys_.size() <= kMaxConflictPartitions) condition->predicates_.push_back(std::move(any));
    return std::unique_ptr<RowCondition>(std::move(condition));
  }

  const std::vector<int>& columns() const override { return columns_; }
  const std::vector<Predicate>& predicates() const override { return predicates_; }
  Result<std::shared_ptr<arrow::BooleanArray>> Select(const arrow::RecordBatch& rows) override {
    arrow::BooleanBuilder mask;
    for (int64_t row = 0; row < rows.num_rows(); ++row) {
      std::vector<columnar::Value> values;
      for (const auto& column : rows.columns()) values.push_back(columnar::ValueAt(*column, row));
      TARN_RETURN_ARROW_NOT_OK(mask.Append(keys_.contains(KeyOf(values))));
    }
    std::shared_ptr<arrow::BooleanArray> finished;
    TARN_RETURN_ARROW_NOT_OK(mask.Finish(&finished));
    return finished;
  }

 private:
  explicit InPartitions(const Snapshot& snapshot)
      : schema_(snapshot.schema()), columns_(snapshot.partition_columns()) {}

  std::string KeyOf(const std::vector<columnar::Value>& values) const {
    PartitionValues texts;
    for (size_t i = 0; i < values.size(); ++i) {
      texts.emplace_back(std::string(),
                         columnar::FormatPartitionValue(values[i], *schema_->field(columns_[i])->type()));
    }
    return PartitionKey(texts);
  }

  Predicate Exactly(const std::vector<columnar::Value>& values) const {
    Predicate all = Predicate::And({});
    for (size_t i = 0; i < values.size(); ++i) {
      all.children.push_back(columnar::IsNull(values[i])
                                 ? Predicate{Predicate::Op::kIsNull, columns_[i], {}, {}}
                                 : Predicate::Compare(Predicate::Op::kEq, columns_[i], values[i]));
    }
    return all;
  }

  const std::shared_ptr<arrow::Schema> schema_;
  const std::vector<int> columns_;
  std::set<std::string> keys_;
  std::vector<Predicate> predicates_;
};

/// Refuses rows that the next overwrite of the same rows would leave standing.
Status CheckWithin(RowCondition& where, const arrow::RecordBatch& rows, const std::string& predicate) {
  TARN_ASSIGN_OR_RETURN_ARROW(const auto decisive, rows.SelectColumns(where.columns()));
  TARN_ASSIGN_OR_RETURN(const auto mask, where.Select(*decisive));
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    if (mask->IsValid(row) && mask->Value(row)) continue;
    std::string text = "a new row does not meet the condition whose rows are replaced";
    if (!predicate.empty()) text += " (" + predicate + ")";
    return Status::InvalidArgument(text);
  }
  return Status::Ok();
}

Status WriteNew(arrow::RecordBatchReader& rows, const OverwriteOptions& options, TableWriter& writer) {
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    TARN_RETURN_ARROW_NOT_OK(rows.ReadNext(&batch));
    if (batch == nullptr) return Status::Ok();
    if (options.scope == OverwriteScope::kCondition) {
      TARN_RETURN_NOT_OK(CheckWithin(*options.where, *batch, options.predicate));
    }
    TARN_RETURN_NOT_OK(writer.Append(*batch));
  }
}

std::map<std::string, std::string> ParametersOf(const OverwriteOptions& options) {
  std::map<std::string, std::string> parameters{{"mode", "Overwrite"}};
  if (options.scope == OverwriteScope::kPartitions) parameters["partitionOverwriteMode"] = "dynamic";
  if (options.scope == OverwriteScope::kCondition) parameters["predicate"] = options.predicate;
  return parameters;
}

Result<std::unique_ptr<RowCondition>> ReplacedBy(const Snapshot& snapshot, const std::vector<Add>& files,
                                                 OverwriteScope scope) {
  if (scope == OverwriteScope::kPartitions && !snapshot.partition_columns().empty()) {
    return InPartitions::Of(snapshot, files);
  }
  return MakeCondition(*snapshot.schema(), {});
}

}  // namespace

Result<ChangeResult> Overwrite(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                               arrow::RecordBatchReader& rows, const OverwriteOptions& options) {
  TARN_CHECK((options.scope == OverwriteScope::kCondition) == (options.where != nullptr));
  TARN_RETURN_NOT_OK(Transaction::Begin(table, snapshot).status());
  TARN_RETURN_NOT_OK(CheckMayDelete(snapshot->metadata()));
  TableWriter writer(table, snapshot, options.files);
  Status status = WriteNew(rows, options, writer);
  ChangeRequest request;
  if (status.ok()) {
    auto files = writer.Finish();
    status = files.status();
    if (files.ok()) request.new_files = *std::move(files);
  }
  if (!status.ok()) {
    DeleteUncommitted(table, writer.keys());
    return status;
  }
  std::unique_ptr<RowCondition> replaced;
  if (options.scope != OverwriteScope::kCondition) {
    TARN_ASSIGN_OR_RETURN(replaced, ReplacedBy(*snapshot, request.new_files, options.scope));
  }
  request.condition = replaced != nullptr ? replaced.get() : options.where;
  request.operation = "WRITE";
  request.parameters = ParametersOf(options);
  request.files = options.files;
  auto result = ChangeRows(table, std::move(snapshot), request);
  if (!result.ok() && IsSurelyNotCommitted(result.status())) DeleteUncommitted(table, writer.keys());
  return result;
}

}  // namespace tarn::delta
