#include "server/system_tables.h"

#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <memory>
#include <string>
#include <vector>

#include "columnar/arrow_status.h"
#include "delta/table.h"

namespace tarn::server {

namespace {

using columnar::FromArrow;

/// Rows of text, integer and timestamp columns, cell by cell.
class Rows {
 public:
  explicit Rows(std::shared_ptr<arrow::Schema> schema) : schema_(std::move(schema)) {
    for (const auto& field : schema_->fields()) {
      if (field->type()->id() == arrow::Type::STRING) {
        columns_.push_back(std::make_unique<arrow::StringBuilder>());
      } else if (field->type()->id() == arrow::Type::TIMESTAMP) {
        columns_.push_back(std::make_unique<arrow::TimestampBuilder>(field->type(), arrow::default_memory_pool()));
      } else {
        columns_.push_back(std::make_unique<arrow::Int64Builder>());
      }
    }
  }
  Rows& Add(const std::string& text) {
    return Check(static_cast<arrow::StringBuilder&>(*columns_[next_]).Append(text));
  }
  Rows& Add(int64_t number) {
    if (columns_[next_]->type()->id() == arrow::Type::TIMESTAMP) {
      return Check(static_cast<arrow::TimestampBuilder&>(*columns_[next_]).Append(number));
    }
    return Check(static_cast<arrow::Int64Builder&>(*columns_[next_]).Append(number));
  }
  Rows& AddNull() { return Check(columns_[next_]->AppendNull()); }
  Result<std::shared_ptr<arrow::RecordBatch>> Finish() {
    TARN_RETURN_NOT_OK(FromArrow(status_));
    std::vector<std::shared_ptr<arrow::Array>> arrays(columns_.size());
    for (size_t i = 0; i < columns_.size(); ++i) TARN_RETURN_NOT_OK(FromArrow(columns_[i]->Finish(&arrays[i])));
    const int64_t rows = arrays.front()->length();
    return arrow::RecordBatch::Make(schema_, rows, std::move(arrays));
  }

 private:
  Rows& Check(const arrow::Status& status) {
    if (!status.ok()) status_ = status;
    next_ = (next_ + 1) % columns_.size();
    return *this;
  }

  const std::shared_ptr<arrow::Schema> schema_;
  std::vector<std::unique_ptr<arrow::ArrayBuilder>> columns_;
  size_t next_ = 0;
  arrow::Status status_;
};

class TablesTable final : public engine::SystemTable {
 public:
  explicit TablesTable(lake::Lake& lake) : lake_(lake) {}
  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  Result<std::shared_ptr<arrow::RecordBatch>> Read() override {
    TARN_ASSIGN_OR_RETURN(const std::vector<lake::TableStatus> tables, lake_.ListTableStatus());
    Rows rows(schema_);
    for (const lake::TableStatus& table : tables) {
      rows.Add(table.name.database).Add(table.name.table).Add(table.version).Add(table.files).Add(table.bytes);
      rows.Add(table.buffered_rows).Add(table.buffered_bytes).Add(table.rejected_rows);
      table.readable.ok() ? rows.AddNull() : rows.Add(table.readable.ToString());
    }
    return rows.Finish();
  }

 private:
  lake::Lake& lake_;
  const std::shared_ptr<arrow::Schema> schema_ =
      arrow::schema({arrow::field("database", arrow::utf8()), arrow::field("table", arrow::utf8()),
                     arrow::field("version", arrow::int64()), arrow::field("files", arrow::int64()),
                     arrow::field("bytes", arrow::int64()), arrow::field("buffered_rows", arrow::int64()),
                     arrow::field("buffered_bytes", arrow::int64()), arrow::field("rejected_rows", arrow::int64()),
                     arrow::field("error", arrow::utf8())});
};

class CommitsTable final : public engine::SystemTable {
 public:
  CommitsTable(lake::Lake& lake, Clock& clock, Random& random) : lake_(lake), clock_(clock), random_(random) {}
  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  Result<std::shared_ptr<arrow::RecordBatch>> Read() override {
    Rows rows(schema_);
    TARN_ASSIGN_OR_RETURN(const std::vector<std::string> databases, lake_.ListDatabases());
    for (const std::string& database : databases) {
      TARN_ASSIGN_OR_RETURN(const std::vector<std::string> tables, lake_.ListTables(database));
      for (const std::string& table : tables) TARN_RETURN_NOT_OK(AddTable({database, table}, rows));
    }
    return rows.Finish();
  }

 private:
  static constexpr int64_t kCommitsPerTable = 100;

  Status AddTable(const lake::TableName& name, Rows& rows) {
    auto view = lake_.Pin(name, std::nullopt);
    // A table that went away meanwhile has no commits to show; one that cannot be read is seen in a query of it.
    if (!view.ok() || (*view)->snapshot == nullptr) return Status::Ok();
    const delta::TableContext context{.store = (*view)->store, .clock = &clock_, .random = &random_};
    const auto history = delta::ReadHistory(context, *(*view)->snapshot, kCommitsPerTable);
    // A checkpoint may stand in for commits that do not parse; the table's rows are read, and other tables have theirs.
    if (!history.ok()) return Status::Ok();
    for (const delta::HistoryEntry& entry : *history) {
      rows.Add(name.database).Add(name.table).Add(entry.version).Add(entry.timestamp_millis * 1000);
      rows.Add(entry.info.operation).Add(entry.files_added).Add(entry.files_removed).Add(entry.info.engine_info);
    }
    return Status::Ok();
  }

  lake::Lake& lake_;
  Clock& clock_;
  Random& random_;
  const std::shared_ptr<arrow::Schema> schema_ =
      arrow::schema({arrow::field("database", arrow::utf8()), arrow::field("table", arrow::utf8()),
                     arrow::field("version", arrow::int64()),
                     arrow::field("timestamp", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
                     arrow::field("operation", arrow::utf8()), arrow::field("files_added", arrow::int64()),
                     arrow::field("files_removed", arrow::int64()), arrow::field("engine_info", arrow::utf8())});
};

}  // namespace

Status RegisterSystemTables(lake::Lake& lake, Clock& clock, Random& random, engine::QueryService& queries) {
  TARN_RETURN_NOT_OK(queries.RegisterSystemTable("tables", std::make_shared<TablesTable>(lake)));
  return queries.RegisterSystemTable("commits", std::make_shared<CommitsTable>(lake, clock, random));
}

}  // namespace tarn::server
