// Statements that change tables of a real lake. Each also runs on a table of DuckDB's own; both must then hold the
// same.
#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include <string>

#include "engine/testing/lake_write_fixture.h"
#include "storage/stores.h"

namespace tarn::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(LakeWriteTest, TablesAreMadeWithTheLowestProtocol) {
  MakeTable();
  EXPECT_EQ(Latest()->protocol().min_reader_version, 1);
  EXPECT_EQ(Latest()->protocol().min_writer_version, 2);
  EXPECT_THAT(Latest()->metadata().partition_columns, ElementsAre("day"));
  EXPECT_EQ(Value("create table db.t (id int)"), "AlreadyExists: table db.t exists");
  EXPECT_EQ(Value("create table if not exists db.t (id int)"), "(no rows)");
  EXPECT_EQ(Latest()->version(), 2) << "the table and two inserts";
  EXPECT_THAT(Commit(1), HasSubstr(R"("operation":"WRITE","operationParameters":{"mode":"Append"})"));
  EXPECT_THAT(Commit(1), HasSubstr(R"("isBlindAppend":true)"));
  Both("create table db.u as select id, name || '!' as name, id::utinyint as small, sum(id) over () as total from db.t",
       "db.u");
  EXPECT_EQ(Latest("u")->version(), 0) << "one commit";
  EXPECT_TRUE(Latest("u")->schema()->field(2)->type()->Equals(arrow::int16()));
  ASSERT_TRUE(Run("create table db.p (a int not null) with ('delta.appendOnly' = 'true')").ok());
  EXPECT_EQ(Latest("p")->metadata().configuration.at("delta.appendOnly"), "true");
  EXPECT_THAT(Value("insert into db.p values (null)"), HasSubstr("column 'a'"));
  EXPECT_EQ(Value("insert into db.p values (1)"), "1");
  EXPECT_THAT(Value("delete from db.p"), HasSubstr("append"));
  EXPECT_EQ(Value("create table db.q (a int) with ('delta.apendOnly' = 'true')"),
            "InvalidArgument: there is no table property 'delta.apendOnly' to set");
}

TEST_F(LakeWriteTest, RowsMadeOfTheTableItselfAreNoBlindAppend) {
  MakeTable();
  Both("insert into db.t select id + 100, name, day from db.t");
  EXPECT_THAT(Commit(3), HasSubstr(R"("isBlindAppend":false)"));
  Both("insert into db.t select max(id) + 1, 'next', null from db.t where id < (select count(*) from db.t)");
}

TEST_F(LakeWriteTest, HistoryTellsByWhichConditionRowsWereChosen) {
  MakeTable();
  const auto expect_predicate = [&](const std::string& sql, const std::string& parameters) {
    ASSERT_TRUE(Run(sql).ok()) << sql;
    EXPECT_THAT(Commit(Latest()->version()), HasSubstr(R"("operationParameters":{)" + parameters + "}")) << sql;
  };
  expect_predicate("update db.t set name = 'x' where id = 3 and name <> 'a\"b'",
                   R"("predicate":"[\"((id = 3) AND (\\\"name\\\" != 'a\\\"b'))\"]")");
  expect_predicate("merge into db.t using (select 3 as k) s on (t.id = s.k) when matched then update set name = 'm'",
                   R"("predicate":"[\"(t.id = s.k)\"]")");
  expect_predicate("merge into db.t using (select 3 as id) s using (id) when matched then update set name = 'm'", "");
  expect_predicate("delete from db.t where id = 1 returning id", R"("predicate":"[\"(id = 1)\"]")");
  // What a parameter holds is nobody's business.
  QueryRequest secret{.sql = "update db.t set name = $1 where name = $2"};
  secret.parameters = {std::string("told"), std::string("m")};
  ASSERT_TRUE(Drain(**service_->Execute(secret)).ok());
  EXPECT_THAT(Commit(Latest()->version()), HasSubstr(R"("predicate":"[\"(\\\"name\\\" = $2)\"]")"));
  // A list as long as this one is not for everybody who reads the log.
  expect_predicate("delete from db.t where id = 2 or name = '" + std::string(5000, 'x') + "'", "");
  expect_predicate("delete from db.t", R"("predicate":"[]")");
}

TEST_F(LakeWriteTest, WhatADeltaTableCannotHaveIsRefusedByName) {
  const auto refused = [&](const std::string& columns, const std::string& why) {
    EXPECT_THAT(Value("create table db.x (" + columns + ")"), HasSubstr(why));
  };
  refused("a timestamp", "timestampNtz");
  refused("a interval", "INTERVAL");
  refused("a int primary key", "PRIMARY KEY");
  refused("a int default 5", "default");
  refused("a int, b int as (a + 1)", "generated");
  refused("a int unique", "UNIQUE");
  EXPECT_EQ(Latest("x"), nullptr);
  EXPECT_THAT(Value("create or replace table db.x (a int)"), HasSubstr("REPLACE"));
  EXPECT_THAT(Value("create table db.x (a int) partitioned by (lower(a))"), HasSubstr("Unsupported"));
}

TEST_F(LakeWriteTest, TimesWithoutZoneNeedTheirFeature) {
  const std::string with = " with ('delta.feature.timestampNtz' = 'supported')";
  EXPECT_EQ(Value("create table db.z (id int, seen_at timestamp, place struct(seen timestamp_s))" + with), "(no rows)");
  EXPECT_EQ(Latest("z")->protocol().reader_features, std::vector<std::string>{"timestampNtz"});
  EXPECT_TRUE(Latest("z")->schema()->field(1)->type()->Equals(arrow::timestamp(arrow::TimeUnit::MICRO)));
  EXPECT_EQ(Value("insert into db.z values (1, '2026-03-01 12:00:00.123456', {seen: '2026-03-01 12:00:07'}), "
                  "(2, '0001-01-01', null)"),
            "2");
  EXPECT_EQ(Value("select typeof(seen_at) || ' ' || seen_at || ' ' || place.seen from db.z where seen_at > timestamp "
                  "'2026-01-01'"),
            "TIMESTAMP 2026-03-01 12:00:00.123456 2026-03-01 12:00:07");
  EXPECT_EQ(Value("delete from db.z where seen_at = timestamp '2026-03-01 12:00:00.123456'"), "1");
  EXPECT_EQ(
      Value("create table db.c partitioned by (seen_at)" + with + " as select now()::timestamp as seen_at, 1 as a"),
      "1");
  EXPECT_EQ(Value("select count(*) from db.c where seen_at <= now()::timestamp"), "1");
  EXPECT_THAT(Value("create table db.n (a timestamp_ns)" + with), HasSubstr("TIMESTAMP_NS"));
  EXPECT_THAT(Value("create table db.n as select now()::timestamp as a"), HasSubstr("use TIMESTAMPTZ"));
  MakeTable();
  EXPECT_THAT(Value("alter table db.t add column seen_at timestamp"), HasSubstr("'delta.feature.timestampNtz'"));
  EXPECT_EQ(Latest()->protocol().min_writer_version, 2);
  EXPECT_EQ(Value("alter table db.t set ('delta.feature.timestampNtz' = 'supported')"), "(no rows)");
  EXPECT_EQ(Value("alter table db.t add column seen_at timestamp"), "(no rows)");
  EXPECT_EQ(Value("update db.t set seen_at = '2026-03-01' where id < 3"), "2");
  EXPECT_EQ(Value("select count(*) from db.t where seen_at is null"), "3");
}

/// With deletion vectors and without.
class LakeChangeTest : public LakeWriteTest, public ::testing::WithParamInterface<bool> {
 protected:
  void Make() { MakeTable(GetParam() ? " with ('delta.enableDeletionVectors' = 'true')" : ""); }
};
INSTANTIATE_TEST_SUITE_P(Vectors, LakeChangeTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Vectors" : "Rewriting"; });

TEST_P(LakeChangeTest, DeletesWhatTheConditionSelects) {
  Make();
  Both("delete from db.t where id = 2");
  EXPECT_THAT(Commit(3), HasSubstr(R"("operation":"DELETE")"));
  Both("delete from db.t where name is null or id > 100");
  EXPECT_EQ(Latest()->version(), 3) << "nothing to delete is no commit";
  Both("delete from db.t where id in (select max(id) from db.t)");
  Both("delete from db.t using range(3, 5) r(i), range(2) twice where db.t.id = i");
  Both("truncate db.t");
  EXPECT_EQ(Latest()->num_files(), 0U);
  EXPECT_EQ(Value("select count(*) from db.t at (version => 2)"), "5");
}

TEST_P(LakeChangeTest, UpdatesRowsAndMovesThemBetweenPartitions) {
  Make();
  Both("update db.t set name = upper(name) || id where id <> 2");
  Both("update db.t set day = date '2026-01-02', id = id + 10 where day = '2026-01-01'");
  Both("update db.t set name = default where id = 3");
  Both("update db.t set name = s.v from (values (4, 'four'), (5, 'five')) s(k, v) where db.t.id = s.k");
  Both("update db.t set id = id * 2");
  Both("update db.t set id = 0 where false");
  EXPECT_EQ(Latest()->version(), 7);
  // Which of several matches wins is left open; the row stays one.
  EXPECT_EQ(Value("update db.t set name = i::varchar from range(3) r(i) where id = 8"), "1");
  EXPECT_EQ(Value("select count(*) from db.t"), "5");
}

TEST_P(LakeChangeTest, MergesInsertsUpdatesAndDeletesInOneCommit) {
  Make();
  const std::string merge =
      "merge into db.t using (values (1, 'one'), (3, null), (4, 'del'), (9, 'nine'), (10, 'skip')) s(k, v) on id = k ";
  Both(merge +
       "when matched and v = 'del' then delete when matched then update set name = v when not matched and v <> 'skip' "
       "then insert (id, name) values (k, v)");
  EXPECT_EQ(Latest()->version(), 3);
  EXPECT_THAT(Commit(3), HasSubstr(R"("operation":"MERGE")"));
  EXPECT_THAT(Commit(3),
              HasSubstr(R"("numTargetRowsDeleted":"1","numTargetRowsInserted":"1","numTargetRowsUpdated":"2")"));
  Both(
      "merge into db.t using (select 1::bigint as id) s using (id) when matched then do nothing when not matched by "
      "source and id > 4 then delete when not matched by source then update set day = '2027-01-01'");
  Both("merge into db.t using (select 77 as k) s on id = k when not matched then insert values (k, 'x', null)");
  EXPECT_THAT(Value("merge into db.t using (values (1), (1)) s(k) on id = k when matched then update set name = 'z'"),
              HasSubstr("several rows of the source"));
  EXPECT_THAT(Value("merge into db.t using (select 1 as k) s on id = k when matched then error 'no ' || k"),
              HasSubstr("no 1"));
}

TEST_P(LakeChangeTest, ReturningGivesNewRowsAndDeletedOnes) {
  Make();
  Both("insert into db.t values (7, 'g', null) returning id * 2, name");
  Both("update db.t set name = 'u' where id = 7 returning id, name");
  Both("delete from db.t where id = 99 returning *");
  Both("delete from db.t where id = 2 returning name is null, day, id * 2");
  Both(
      "merge into db.t using (select 7 as k) s on id = k when matched then update set name = 'm' returning "
      "merge_action, "
      "id, name, day");
  Both(
      "merge into db.t using (select 8 as k) s on id = k when not matched then insert (id) values (k) returning "
      "merge_action || id");
  Both(
      "merge into db.t using (select 8 as k) s on id = k when matched then delete returning merge_action || ' ' || id "
      "|| "
      "coalesce(name, '-')");
  Both("insert into db.t select i, 'n' || i, date '2026-01-01' + (i % 2)::int from range(100, 9000) r(i)");
  const auto told = [&](const std::string& sql) {
    Strings rows;
    const Result<Answer> answer = Run(sql);
    EXPECT_TRUE(answer.ok()) << answer.status().ToString();
    for (const auto& batch : answer->batches) {
      for (int64_t i = 0; i < batch->num_rows(); ++i) rows.push_back((*batch->column(0)->GetScalar(i))->ToString());
    }
    std::sort(rows.begin(), rows.end());
    return rows;
  };
  const auto native = [&](const std::string& sql) {
    Strings rows;
    auto result = connection_.Query(sql);
    EXPECT_FALSE(result->HasError()) << result->GetError();
    for (size_t i = 0; i < result->RowCount(); ++i) rows.push_back(result->GetValue(0, i).ToString());
    std::sort(rows.begin(), rows.end());
    return rows;
  };
  for (const std::string sql :
       {"delete from db.t where id % 7 = 0 returning concat_ws(',', id, name, day)",
        "delete from db.t using range(3) twice where id between 500 and 4500 returning concat_ws(',', id, name, day)",
        "merge into db.t using (select i from range(8000, 9500) r(i)) on id = i when matched and i % 3 = 0 then delete "
        "when matched and i % 3 = 1 then update set name = 'u' when not matched then insert (id) values (i) returning "
        "concat_ws(',', merge_action, id, name, day)"}) {
    SCOPED_TRACE(sql);
    EXPECT_EQ(told(sql), native(sql));
    EXPECT_EQ(Rows("db.t"), NativeRows("db.t"));
  }
}

TEST_P(LakeChangeTest, WhatFailsOfReturningFailsBeforeTheCommit) {
  Make();
  for (const std::string sql :
       {"delete from db.t where id = 1 returning cast(name as int)", "update db.t set id = 9 returning error('boo')",
        "insert into db.t values (7, 'g', null) returning name::date",
        "merge into db.t using (select 1 as k) s on id = k when matched then delete returning name::int"}) {
    EXPECT_FALSE(Run(sql).ok()) << sql;
  }
  QueryRequest request{.sql = "update db.t set name = 'x' returning id"};
  request.limits.max_rows = 4;
  const auto refused = service_->Execute(request);
  const Status status = refused.ok() ? Drain(**refused).status() : refused.status();
  EXPECT_EQ(status.ToString(), "ResourceExhausted: the result has more than 4 rows");
  request.sql = "begin; " + std::string("delete from db.t where id = 1; delete from db.t where id = 2; ") +
                "delete from db.t where id = 3; delete from db.t where id = 4; delete from db.t; commit";
  EXPECT_EQ(service_->Execute(request).status().ToString(), "ResourceExhausted: the result has more than 4 rows");
  EXPECT_EQ(Latest()->version(), 2);
  EXPECT_EQ(Value("select count(*) from db.t where name is distinct from 'x'"), "5");
}

TEST_P(LakeChangeTest, RowsOfManyFilesAndVectors) {
  Make();
  Both("insert into db.t select i, 'n' || (i % 7), date '2026-01-01' + (i % 4)::int from range(100, 20000) r(i)");
  Both("delete from db.t where id % 3 = 0");
  Both("update db.t set name = name || '+' where id % 5 = 1");
  Both("delete from db.t where id between 1000 and 12000");
  Both(
      "merge into db.t using (select i from range(15000, 21000, 2) r(i)) on id = i when matched then update set name = "
      "null when not matched then insert (id) values (i)");
  EXPECT_EQ(Value("select count(distinct (filename, file_row_number)) = count(*) from db.t"), "true");
}

TEST_P(LakeChangeTest, RowsInTheBufferAreChangedToo) {
  Make();
  ASSERT_TRUE(Append(50, "buffered").ok());
  EXPECT_EQ(Value("update db.t set name = 'changed' where id = 50"), "1");
  ASSERT_TRUE(Append(51, "buffered").ok());
  EXPECT_EQ(Value("delete from db.t where id = 51"), "1");
  EXPECT_EQ(Value("select name from db.t where id >= 50"), "changed");
}

TEST_P(LakeChangeTest, ColumnsAreAdded) {
  Make();
  Both("alter table db.t add column extra int");
  Both("update db.t set extra = id where id < 3");
  EXPECT_EQ(Value("alter table db.t add column EXTRA int"), "AlreadyExists: db.t: there is a column extra already");
  const int64_t version = Latest()->version();
  EXPECT_EQ(Value("alter table db.t add column if not exists EXTRA int"), "(no rows)");
  EXPECT_THAT(Value("alter table db.t drop column extra"), HasSubstr("delta.columnMapping.mode = name"));
  EXPECT_THAT(Value("alter table db.t rename column extra to more"), HasSubstr("delta.columnMapping.mode = name"));
  EXPECT_EQ(Latest()->version(), version);
}

TEST_P(LakeChangeTest, ColumnsAreRenamedAndDropped) {
  Make();
  Both("insert into db.t values (7, 'before', null)");
  EXPECT_EQ(Value("alter table db.t set ('delta.columnMapping.mode' = 'name', owner = 'me')"), "(no rows)");
  EXPECT_EQ(Latest()->field_match(), columnar::FieldMatch::kPhysicalName);
  Both("insert into db.t values (8, 'behind', null)");
  Both("alter table db.t rename column name to \"the; title\"");
  Both("update db.t set \"the; title\" = 'new' where id = 7");
  Both("alter table db.t add column name varchar");
  Both("update db.t set name = \"the; title\" where id = 8");
  Both("alter table db.t drop column \"the; title\"");
  Both("alter table db.t drop column if exists nothing");
  Both("alter table db.t rename column day to date");
  Both("insert into db.t values (9, null, 'ten')");
  Both("delete from db.t where name = 'behind'");
  EXPECT_THAT(Value("alter table db.t drop column date"), HasSubstr("partitions the table"));
  EXPECT_THAT(Value("alter table db.t set ('delta.columnMapping.mode' = 'none')"), HasSubstr("cannot become none"));
}

TEST_P(LakeChangeTest, NullIsForbiddenOnlyWhereThereIsNone) {
  Make();
  Both("delete from db.t where name is null");
  Both("alter table db.t alter column name set not null");
  EXPECT_THAT(Value("insert into db.t values (7, null, null)"), HasSubstr("name"));
  Both("alter table db.t alter column name drop not null");
  Both("insert into db.t values (7, null, null)");
  EXPECT_THAT(Value("alter table db.t alter column name set not null"), HasSubstr("null in a row of"));
}

TEST_F(LakeWriteTest, CommentsAndPropertiesAreSet) {
  MakeTable();
  EXPECT_EQ(Value("comment on table db.t is 'of a test'"), "(no rows)");
  EXPECT_EQ(Latest()->metadata().description, "of a test");
  EXPECT_EQ(Value("comment on column db.t.name is 'what it is'"), "(no rows)");
  EXPECT_THAT(Latest()->metadata().schema_string, HasSubstr(R"("comment":"what it is")"));
  EXPECT_EQ(Value("comment on table db.t is null"), "(no rows)");
  EXPECT_EQ(Latest()->metadata().description, std::nullopt);
  EXPECT_EQ(Value("alter table db.t set ('delta.checkpointInterval' = 7)"), "(no rows)");
  EXPECT_EQ(Latest()->metadata().configuration.at("delta.checkpointInterval"), "7");
  EXPECT_EQ(Value("alter table db.t reset ('delta.checkpointInterval')"), "(no rows)");
  EXPECT_TRUE(Latest()->metadata().configuration.empty());
  const int64_t version = Latest()->version();
  for (const char* sql :
       {"alter table db.t set ('delta.checkpointInterval' = 'often')", "alter table db.t set ('delta.unheardOf' = 1)",
        "alter table db.t set (x = getenv('HOME'))", "alter table db.t reset (x)",
        "alter table db.t alter column name type int", "alter table db.t alter column name set default 'x'",
        "comment on column db.t.nobody is 'x'", "comment on table system.tables is 'x'",
        "create table db.n (a int) with ('delta.checkpointInterval' = 'often')"}) {
    EXPECT_FALSE(Run(sql).ok()) << sql;
  }
  EXPECT_EQ(Latest()->version(), version);
}

TEST_F(LakeWriteTest, PropertiesKeepTheCaseOfTheirNames) {
  ASSERT_TRUE(
      Run("create table db.k (a int) with (Owner = 'with (x = 1)', \"The Team\" = 'b', 'DELTA.appendonly' = 'true')")
          .ok());
  EXPECT_THAT(Latest("k")->metadata().configuration,
              ElementsAre(::testing::Pair("Owner", "with (x = 1)"), ::testing::Pair("The Team", "b"),
                          ::testing::Pair("delta.appendOnly", "true")));
  EXPECT_EQ(Value("alter table db.k set (SizeOf = 3, 'my.Name' = 'n')"), "(no rows)");
  EXPECT_EQ(Latest("k")->metadata().configuration.at("SizeOf"), "3");
  EXPECT_EQ(Latest("k")->metadata().configuration.at("my.Name"), "n");
  EXPECT_EQ(Value("alter table db.k reset (SizeOf, 'my.Name', \"The Team\")"), "(no rows)");
  EXPECT_EQ(Latest("k")->metadata().configuration.size(), 2U);
}

TEST_F(LakeWriteTest, ATableIsMadeWithItsComment) {
  ASSERT_TRUE(Run("create table db.k (a int) with (Comment = 'of a test', owner = 'me')").ok());
  EXPECT_EQ(Latest("k")->metadata().description, "of a test");
  EXPECT_THAT(Latest("k")->metadata().configuration, ElementsAre(::testing::Pair("owner", "me")));
  EXPECT_EQ(Value("select comment from duckdb_tables() where table_name = 'k'"), "of a test");
}

TEST_F(LakeWriteTest, CommentsAndNullabilityAreReadBack) {
  ASSERT_TRUE(Run("create table db.k (a int not null, b varchar)").ok());
  ASSERT_TRUE(Run("comment on table db.k is 'of a test'").ok());
  ASSERT_TRUE(Run("comment on column db.k.b is 'what it is'").ok());
  EXPECT_EQ(Value("select comment from duckdb_tables() where table_name = 'k'"), "of a test");
  EXPECT_EQ(Value("select string_agg(coalesce(comment, '-'), ',' order by column_index) from duckdb_columns() "
                  "where table_name = 'k'"),
            "-,what it is");
  EXPECT_EQ(Value("select string_agg(is_nullable, ',' order by ordinal_position) from information_schema.columns "
                  "where table_name = 'k'"),
            "NO,YES");
  EXPECT_EQ(Value("select string_agg(\"null\", ',') from (describe db.k)"), "NO,YES");
  EXPECT_EQ(Value("insert into db.k values (1, 'x'), (2, null)"), "2");
  EXPECT_THAT(Value("insert into db.k values (null, 'x')"), HasSubstr("column 'a'"));
  EXPECT_THAT(Value("update db.k set a = null"), HasSubstr("column 'a'"));
  EXPECT_EQ(
      Value("merge into db.k using (values (1, 'y'), (3, 'z')) s(i, t) on a = i when matched then update set b = t "
            "when not matched then insert values (i, t)"),
      "2");
  EXPECT_EQ(Value("select constraint_type from duckdb_constraints() where table_name = 'k'"), "NOT NULL");
}

TEST_F(LakeWriteTest, WhatIsNotThereIsAlteredOnlyIfItExists) {
  MakeTable();
  EXPECT_EQ(Value("alter table if exists db.missing add column a int"), "(no rows)");
  EXPECT_EQ(Value("alter table if exists nowhere.missing set (a = 'b')"), "(no rows)");
  EXPECT_EQ(Value("alter table if exists db.missing drop constraint a"), "(no rows)");
  EXPECT_THAT(Value("alter table db.missing add column a int"), HasSubstr("NotFound: "));
  EXPECT_EQ(Value("alter table if exists db.t add column a int"), "(no rows)");
  EXPECT_EQ(Latest()->schema()->num_fields(), 4);
}

TEST_F(LakeWriteTest, TablesAreMadeWithMappedColumns) {
  EXPECT_EQ(Value("create table db.m with ('delta.columnMapping.mode' = 'name', 'delta.feature.domainMetadata' = "
                  "'supported') as select 1 as \"a b\", {'c;d': 2} as s"),
            "1");
  EXPECT_EQ(Value("insert into db.m values (3, {'c;d': 4})"), "1");
  EXPECT_EQ(Value("select sum(\"a b\") + sum(s['c;d']) from db.m"), "10");
  EXPECT_EQ(Latest("m")->protocol().reader_features, std::vector<std::string>{"columnMapping"});
  EXPECT_THAT(Value("create table db.n as select 1 as \"a b\""), HasSubstr("delta.columnMapping.mode = name"));
}

TEST_F(LakeWriteTest, WithoutTheRightNothingChanges) {
  MakeTable();
  Open({});
  const int64_t version = Latest()->version();
  for (const char* sql :
       {"insert into db.t values (9, 'x', null)", "delete from db.t", "update db.t set id = 1",
        "create table db.n (a int)", "create table db.n as select 1 as a", "alter table db.t add column b int",
        "merge into db.t using (select 1 as k) s on id = k when matched then delete",
        "explain analyze delete from db.t"}) {
    EXPECT_THAT(Value(sql), HasSubstr("PermissionDenied")) << sql;
  }
  EXPECT_EQ(Latest()->version(), version);
  EXPECT_EQ(Latest("n"), nullptr);
}

TEST_F(LakeWriteTest, OnlyTablesOfTheLakeChange) {
  MakeTable();
  for (const char* sql :
       {"create table memory.main.x as select 1", "create temp table x as select 1", "create view db.v as select 1",
        "create schema s", "create macro m(a) as a", "create index i on db.t (id)", "create sequence s",
        "drop table db.t", "create table system.x (a int)", "alter table db.t rename to u",
        "create type y as enum ('a')", "copy db.t to '/tmp/x.csv'", "attach '/tmp/x.db'",
        "insert into db.t select getenv('HOME'), null, null",
        "delete from db.t where name = (select * from glob('/*'))",
        "with x as (delete from db.t returning *) select * from x", "begin",
        "update db.t set name = current_setting('a')",
        "merge into db.t using (from read_csv('/etc/passwd')) s on false when not matched then "
        "insert (id) values (1)"}) {
    const std::string value = Value(sql);
    EXPECT_THAT(value,
                ::testing::AnyOf(HasSubstr("PermissionDenied"), HasSubstr("Unsupported"), HasSubstr("InvalidArgument")))
        << sql;
  }
  EXPECT_EQ(Latest()->version(), 2);
  EXPECT_TRUE(Run("explain delete from db.t").ok());
  EXPECT_EQ(Latest()->version(), 2) << "explained, not run";
}

TEST_F(LakeWriteTest, WhatFailsLeavesNoFiles) {
  MakeTable();
  const auto files = [&] {
    size_t count = 0;
    EXPECT_TRUE(store_->List({.prefix = "db/t/"}, [&](const auto&) { return ++count > 0; }).ok());
    return count;
  };
  const size_t before = files();
  EXPECT_THAT(Value("insert into db.t select i, error('broken'), null from range(100000) r(i) where i > 90000"),
              HasSubstr("broken"));
  EXPECT_EQ(files(), before);
}

}  // namespace
}  // namespace tarn::engine
