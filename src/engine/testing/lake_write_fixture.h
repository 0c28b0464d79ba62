#pragma once

#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/memory_budget.h"
#include "base/random.h"
#include "delta/log/commit_json.h"
#include "delta/table.h"
#include "duckdb/main/connection.hpp"
#include "duckdb/main/database.hpp"
#include "duckdb/main/materialized_query_result.hpp"
#include "engine/query_service.h"
#include "engine/testing/query_fixture.h"
#include "lake/lake.h"
#include "storage/stores.h"

namespace tarn::engine {

using Strings = std::vector<std::string>;

/// A lake in memory whose tables SQL may change, beside a database of DuckDB's own.
class LakeWriteTest : public ::testing::Test {
 protected:
  LakeWriteTest() : native_(nullptr), connection_(native_) {
    lake::LakeOptions options;
    options.store = store_;
    options.wal_root = folder_.path() + "/wal";
    options.flush.max_age_micros = 3600 * kMicrosPerSecond;
    options.clock = &SystemClock();
    options.random = &random_;
    options.buffer_budget = &budget_;
    options.executor = &executor_;
    auto lake = lake::Lake::Open(options);
    EXPECT_TRUE(lake.ok()) << lake.status().ToString();
    lake_ = *std::move(lake);
    Open({.writes = true});
    EXPECT_FALSE(connection_.Query("set timezone = 'UTC'")->HasError());
    EXPECT_FALSE(connection_.Query("create schema db")->HasError());
  }

  void Open(const SessionPolicy& policy) {
    EngineOptions options;
    options.threads = 2;
    options.temp_directory = folder_.path() + "/spill";
    options.policy = policy;
    service_ = *QueryService::Open(options, *lake_, SystemClock());
  }

  Result<Answer> Run(const std::string& sql) {
    TARN_ASSIGN_OR_RETURN(const auto stream, service_->Execute(QueryRequest{.sql = sql}));
    return Drain(*stream);
  }
  std::string Value(const std::string& sql) {
    const Result<Answer> answer = Run(sql);
    return answer.ok() ? FirstValue(*answer) : answer.status().ToString();
  }
  /// Rows as text, sorted.
  Strings Rows(const std::string& from) {
    return Strings{
        Value("select coalesce(string_agg(r, '; ' order by r), '') from (select t::varchar as r from " + from + " t)")};
  }
  Strings NativeRows(const std::string& from) {
    auto result = connection_.Query(
        "select coalesce(string_agg(r, '; ' order by r), '') from (select t::varchar as r from " + from + " t)");
    return Strings{result->HasError() ? result->GetError() : result->GetValue(0, 0).ToString()};
  }
  /// Runs a statement on both; the rows it tells of, and those of the table, must be the same.
  void Both(const std::string& sql, const std::string& table = "db.t") {
    SCOPED_TRACE(sql);
    auto native = connection_.Query(sql);
    ASSERT_FALSE(native->HasError()) << native->GetError();
    const Result<Answer> ours = Run(sql);
    ASSERT_TRUE(ours.ok()) << ours.status().ToString();
    EXPECT_EQ(ours->rows, static_cast<int64_t>(native->RowCount()));
    const bool one = native->RowCount() == 1;
    EXPECT_EQ(one ? FirstValue(*ours) : "", one ? native->GetValue(0, 0).ToString() : "");
    EXPECT_EQ(Rows(table), NativeRows(table));
  }
  std::shared_ptr<const delta::Snapshot> Latest(const std::string& table = "t") {
    auto view = lake_->Pin({"db", table}, std::nullopt);
    return view.ok() ? (*view)->snapshot : nullptr;
  }
  std::string Commit(int64_t version) { return *store_->Get("db/t/" + delta::CommitKey(version)); }
  Status Append(int64_t id, const std::string& name) {
    arrow::Int64Builder ids;
    arrow::StringBuilder names;
    EXPECT_TRUE(ids.Append(id).ok() && names.Append(name).ok());
    const auto schema = arrow::schema({arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8())});
    auto rows = arrow::RecordBatch::Make(schema, 1, {*ids.Finish(), *names.Finish()});
    return lake_->Append({{{"db", "t"}, std::move(rows)}}).status();
  }
  /// Five rows in two files, of which the second has two.
  void MakeTable(const std::string& with = "") {
    ASSERT_TRUE(Run("create table db.t (id bigint, name varchar, day date) partitioned by (day)" + with).ok());
    ASSERT_FALSE(connection_.Query("create table db.t (id bigint, name varchar, day date)")->HasError());
    Both("insert into db.t values (1, 'a', '2026-01-01'), (2, null, '2026-01-01'), (3, 'c', '2026-01-02')");
    Both("insert into db.t (name, id) select 'n' || i, i from range(4, 6) r(i)");
  }

  storage::testing::TempFolder folder_;
  Random random_{7};
  MemoryBudget budget_{"buffers", size_t{64} << 20};
  InlineExecutor executor_;
  std::shared_ptr<storage::ObjectStore> store_ = storage::MakeMemoryStore(SystemClock());
  std::unique_ptr<lake::Lake> lake_;
  std::unique_ptr<QueryService> service_;
  duckdb::DuckDB native_;
  duckdb::Connection connection_;
};

/// The lake, where somebody else commits right behind a pin.
class Meddled final : public lake::TableCatalog {
 public:
  explicit Meddled(lake::Lake& lake) : lake_(lake) {}
  Result<std::vector<std::string>> ListDatabases() override { return lake_.ListDatabases(); }
  Result<std::vector<std::string>> ListTables(const std::string& database) override {
    return lake_.ListTables(database);
  }
  Result<std::shared_ptr<const lake::TableView>> Pin(const lake::TableName& name,
                                                     const std::optional<lake::AsOf>& as_of) override {
    return lake_.Pin(name, as_of);
  }
  Result<lake::TableForChange> PinForChange(const lake::TableName& name) override {
    auto pinned = lake_.PinForChange(name);
    ++pins;
    if (behind_pin) behind_pin();
    return pinned;
  }

  int pins = 0;
  std::function<void()> behind_pin;

 private:
  lake::Lake& lake_;
};

}  // namespace tarn::engine
