#include "engine/sql_gate.h"

#include <gtest/gtest.h>

#include "duckdb.hpp"
#include "duckdb/parser/parser_options.hpp"
#include "engine/exception_barrier.h"
#include "engine/instance_settings.h"

/// Each layer of the gate on its own, so that the loss of one does not hide behind the others.
namespace tarn::engine {
namespace {

Status Checked(const std::string& sql, const SessionPolicy& policy = {}) {
  return Guarded([&] {
    CheckText(sql, policy);
    (void)ParseAndCheck(sql, duckdb::ParserOptions(), policy);
  });
}

Status RunOn(duckdb::Connection& connection, const std::string& sql) {
  auto result = connection.Query(sql);
  return result->HasError() ? StatusFromError(result->GetErrorObject()) : Status::Ok();
}

TEST(StatementGateTest, TellsKindsBeforeAnythingRuns) {
  for (const char* sql : {"attach ':memory:' as m", "copy (select 1) to stdout", "set threads = 1", "begin",
                          "pragma version", "call pragma_version()", "prepare p as select 1", "select 1; select 2",
                          "explain analyze create table t as select 1", "import database '/nowhere'"}) {
    EXPECT_EQ(Checked(sql).code(), StatusCode::kPermissionDenied) << sql;
  }
  EXPECT_TRUE(Checked("explain select 1").ok());
}

TEST(TreeGateTest, FindsNamesWhereverTheyStand) {
  for (const char* sql :
       {"from read_text('f')", "select (from read_text('f'))", "with x as (from glob('*')) select 1",
        "select getenv('HOME')", "select 1 order by getenv('HOME')", "select 1 limit getenv('HOME')::int",
        "select distinct on (getenv('a')) 1", "summarize from read_text('f')",
        "from t pivot (max(getenv('a')) for b in (1))", "from t at (version => getenv('a')::int)",
        "values (getenv('a'))", "select 1 union select getenv('a')", "from t join u on getenv('a') = 'b'",
        "from range(getenv('a')::int)", "select sum(1) over (partition by getenv('a'))",
        "select sum(1) filter (where getenv('a') = '')", "select 1 group by grouping sets ((getenv('a')), ())",
        "with recursive r using key (a) as (select 1 as a union select a from r where getenv('b') = '') from r"}) {
    EXPECT_EQ(Checked(sql).code(), StatusCode::kPermissionDenied) << sql;
  }
}

TEST(TreeGateTest, LocalFilesOpenFileReadersOnly) {
  const SessionPolicy local{.local_files = true};
  EXPECT_TRUE(Checked("from read_csv('f')", local).ok());
  EXPECT_TRUE(Checked("from 'f.parquet'", local).ok());
  for (const char* sql : {"from read_text('f')", "from duckdb_settings()", "select getenv('a')", "copy t to 'f'",
                          "attach 'f'", "set threads = 1", "from query('select 1')", "install httpfs"}) {
    EXPECT_EQ(Checked(sql, local).code(), StatusCode::kPermissionDenied) << sql;
  }
}

TEST(PlanGateTest, RefusesWhatTheTreeDoesNotShow) {
  duckdb::DuckDB db(nullptr);
  duckdb::Connection connection(db);
  ASSERT_TRUE(RunOn(connection, "create table stored as select 1 as a").ok());
  ASSERT_TRUE(RunOn(connection, "create view peek as select * from duckdb_settings()").ok());
  ASSERT_TRUE(RunOn(connection, "create macro home() as current_setting('threads')").ok());
  RegisterPlanGate(duckdb::DBConfig::GetConfig(*db.instance), {});
  for (const char* sql :
       {"from peek", "select home()", "from stored", "select 1 from stored", "insert into stored values (1)",
        "create table other as select 1", "copy (select 1) to '/dev/null'", "delete from stored",
        "from query('from duckdb_settings()')", "prepare p as from peek", "from duckdb_secrets()",
        "select * from (select home())", "explain from peek", "explain analyze from peek"}) {
    EXPECT_EQ(RunOn(connection, sql).code(), StatusCode::kPermissionDenied) << sql;
  }
  EXPECT_TRUE(RunOn(connection, "select sum(range) from range(10)").ok());
  auto prepared = connection.Prepare("select * from stored where a = $1");
  duckdb::vector<duckdb::Value> values{duckdb::Value::INTEGER(1)};
  const bool refused = prepared->HasError() || prepared->Execute(values)->HasError();
  EXPECT_TRUE(refused);

  duckdb::Connection trusted(db);
  TrustConnection(*trusted.context);
  EXPECT_TRUE(RunOn(trusted, "from stored").ok());
}

TEST(SettingsGateTest, HoldsWithoutTheOtherLayers) {
  duckdb::DBConfig config;
  const DatabaseOptions options{.threads = 1};
  ConfigureInstance(config, options);
  duckdb::DuckDB db(nullptr, &config);
  duckdb::Connection connection(db);
  ASSERT_TRUE(LockInstance(connection, options).ok());
  for (const char* sql :
       {"from read_text('/etc/passwd')", "from read_csv('/etc/passwd')", "from glob('/etc/*')", "from '/etc/passwd'",
        "copy (select 1) to '/tmp/tarn-must-not-exist'", "attach '/tmp/tarn-must-not-exist.db'", "install httpfs",
        "load httpfs", "set threads = 4", "set enable_external_access = true", "set lock_configuration = false",
        "reset memory_limit", "from 'https://example.invalid/a.parquet'", "set timezone = 'America/New_York'"}) {
    EXPECT_FALSE(RunOn(connection, sql).ok()) << sql;
  }
}

}  // namespace
}  // namespace tarn::engine
