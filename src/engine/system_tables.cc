#include "engine/system_tables.h"

#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/record_batch.h>
#include <arrow/table_builder.h>
#include <arrow/type.h>

#include <string>
#include <utility>
#include <variant>

#include "columnar/arrow_status.h"

namespace tarn::engine {
namespace {

/// A cell: null, text, a number, or microseconds since 1970 where the column is a timestamp.
using Cell = std::variant<std::monostate, std::string, int64_t, double>;

arrow::Status AppendCell(arrow::ArrayBuilder& builder, const Cell& cell) {
  if (std::holds_alternative<std::monostate>(cell)) return builder.AppendNull();
  switch (builder.type()->id()) {
    case arrow::Type::STRING:
      return static_cast<arrow::StringBuilder&>(builder).Append(std::get<std::string>(cell));
    case arrow::Type::INT64:
      return static_cast<arrow::Int64Builder&>(builder).Append(std::get<int64_t>(cell));
    case arrow::Type::TIMESTAMP:
      return static_cast<arrow::TimestampBuilder&>(builder).Append(std::get<int64_t>(cell));
    default:
      return static_cast<arrow::DoubleBuilder&>(builder).Append(std::get<double>(cell));
  }
}

/// Collects rows of cells that stand in the schema's order.
class RowBuilder {
 public:
  explicit RowBuilder(std::shared_ptr<arrow::Schema> schema) : schema_(std::move(schema)) {}

  Status Add(const std::vector<Cell>& cells) {
    TARN_CHECK(static_cast<int>(cells.size()) == schema_->num_fields());
    if (builder_ == nullptr) {
      TARN_ASSIGN_OR_RETURN(
          builder_, columnar::FromArrow(arrow::RecordBatchBuilder::Make(schema_, arrow::default_memory_pool())));
    }
    for (size_t i = 0; i < cells.size(); ++i) {
      TARN_RETURN_NOT_OK(columnar::FromArrow(AppendCell(*builder_->GetField(static_cast<int>(i)), cells[i])));
    }
    return Status::Ok();
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Finish() {
    if (builder_ == nullptr) return columnar::FromArrow(arrow::RecordBatch::MakeEmpty(schema_));
    return columnar::FromArrow(builder_->Flush());
  }

 private:
  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<arrow::RecordBatchBuilder> builder_;
};

std::shared_ptr<arrow::DataType> Instant() { return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"); }

class QueriesTable final : public SystemTable {
 public:
  explicit QueriesTable(std::function<std::vector<QueryInfo>()> infos) : infos_(std::move(infos)) {}
  const std::shared_ptr<arrow::Schema>& schema() const override {
    static const auto schema = arrow::schema(
        {arrow::field("query_id", arrow::utf8()), arrow::field("principal", arrow::utf8()),
         arrow::field("sql", arrow::utf8()), arrow::field("state", arrow::utf8()), arrow::field("started", Instant()),
         arrow::field("elapsed_micros", arrow::int64()), arrow::field("rows", arrow::int64()),
         arrow::field("progress", arrow::float64()), arrow::field("storage_requests", arrow::int64()),
         arrow::field("storage_bytes", arrow::int64()), arrow::field("error", arrow::utf8())});
    return schema;
  }
  Result<std::shared_ptr<arrow::RecordBatch>> Read() override {
    RowBuilder rows(schema());
    for (QueryInfo& info : infos_()) {
      Cell error;
      if (!info.error.empty()) error = std::move(info.error);
      TARN_RETURN_NOT_OK(rows.Add({std::move(info.query_id), std::move(info.principal), std::move(info.sql),
                                   std::move(info.state), info.started_micros, info.elapsed_micros, info.rows,
                                   info.progress, info.storage_requests, info.storage_bytes, std::move(error)}));
    }
    return rows.Finish();
  }

 private:
  const std::function<std::vector<QueryInfo>()> infos_;
};

}  // namespace

std::shared_ptr<SystemTable> MakeQueriesTable(std::function<std::vector<QueryInfo>()> infos) {
  return std::make_shared<QueriesTable>(std::move(infos));
}

}  // namespace tarn::engine
