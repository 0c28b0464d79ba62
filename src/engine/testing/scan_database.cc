#include "engine/testing/scan_database.h"

#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>

#include "base/check.h"
#include "duckdb/common/arrow/arrow_appender.hpp"
#include "duckdb/common/arrow/arrow_converter.hpp"
#include "duckdb/main/config.hpp"
#include "duckdb/main/materialized_query_result.hpp"
#include "engine/exception_barrier.h"

namespace tarn::engine::testing {

ScanDatabase::ScanDatabase() {
  duckdb::DBConfig config;
  config.SetOptionByName("autoinstall_known_extensions", duckdb::Value::BOOLEAN(false));
  config.SetOptionByName("autoload_known_extensions", duckdb::Value::BOOLEAN(false));
  config.SetOptionByName("threads", duckdb::Value::BIGINT(2));
  RegisterLakeCatalog(config, catalog, system_tables);
  database_ = std::make_unique<duckdb::DuckDB>(nullptr, &config);
  RegisterLakeFileSystem(*database_->instance);
  RegisterLakeNames(*database_->instance);
  connection_ = std::make_unique<duckdb::Connection>(*database_);
  for (const char* sql : {"SET TimeZone = 'UTC'", "ATTACH '' AS lake (TYPE tarn)", "USE lake"}) {
    TARN_CHECK(Run(sql).ok());
  }
}

std::unique_ptr<duckdb::Connection> ScanDatabase::Connect() {
  auto connection = std::make_unique<duckdb::Connection>(*database_);
  TARN_CHECK(!connection->Query("USE lake")->HasError());
  return connection;
}

std::vector<std::string> ScanDatabase::Rows(const std::string& sql) { return Rows(*connection_, sql); }

std::vector<std::string> ScanDatabase::Rows(duckdb::Connection& connection, const std::string& sql) {
  auto result = connection.Query(sql);
  if (result->HasError()) return {"error: " + StatusFromError(result->GetErrorObject()).ToString()};
  std::vector<std::string> rows;
  for (auto& row : *result) {
    std::string text;
    for (duckdb::idx_t i = 0; i < result->ColumnCount(); i++) {
      if (i > 0) text += "|";
      text += row.GetValue<duckdb::Value>(i).ToString();
    }
    rows.push_back(std::move(text));
  }
  return rows;
}

Status ScanDatabase::Run(const std::string& sql) {
  auto result = connection_->Query(sql);
  return result->HasError() ? StatusFromError(result->GetErrorObject()) : Status::Ok();
}

std::shared_ptr<arrow::RecordBatch> ScanDatabase::Batch(const std::string& sql) {
  auto result = connection_->Query(sql);
  TARN_CHECK(!result->HasError());
  ArrowSchema schema{};
  duckdb::ArrowConverter::ToArrowSchema(&schema, result->types, result->names, result->client_properties);
  duckdb::ArrowAppender appender(
      result->types, result->RowCount(), result->client_properties,
      duckdb::ArrowTypeExtensionData::GetExtensionTypes(*connection_->context, result->types));
  while (auto chunk = result->Fetch()) appender.Append(*chunk, 0, chunk->size(), chunk->size());
  ArrowArray array = appender.Finalize();
  auto batch = arrow::ImportRecordBatch(&array, &schema);
  TARN_CHECK(batch.ok());
  return *batch;
}

std::string ScanDatabase::Explain(const std::string& sql) {
  auto result = connection_->Query("EXPLAIN " + sql);
  TARN_CHECK(!result->HasError());
  return result->GetValue(1, 0).ToString();
}

}  // namespace tarn::engine::testing
