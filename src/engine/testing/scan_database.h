#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <vector>

#include "duckdb/main/connection.hpp"
#include "duckdb/main/database.hpp"
#include "engine/lake_catalog.h"
#include "engine/testing/fake_lake.h"

namespace tarn::engine::testing {

/// A DuckDB instance with a fake lake attached as default database, and nothing of the query service.
class ScanDatabase {
 public:
  ScanDatabase();

  /// Rows as text, one string a row, columns joined by '|'; or the one string "error: <status>".
  std::vector<std::string> Rows(const std::string& sql);
  std::vector<std::string> Rows(duckdb::Connection& connection, const std::string& sql);
  /// The statement's status.
  Status Run(const std::string& sql);
  /// The rows of a query as one Arrow batch.
  std::shared_ptr<arrow::RecordBatch> Batch(const std::string& sql);
  std::string Explain(const std::string& sql);
  std::unique_ptr<duckdb::Connection> Connect();

  FakeCatalog catalog;
  std::shared_ptr<SystemTableRegistry> system_tables = std::make_shared<SystemTableRegistry>();

 private:
  std::unique_ptr<duckdb::DuckDB> database_;
  std::unique_ptr<duckdb::Connection> connection_;

 public:
  duckdb::DatabaseInstance& instance() { return *database_->instance; }
};

}  // namespace tarn::engine::testing
