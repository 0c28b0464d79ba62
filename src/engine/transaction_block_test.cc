// Statements between BEGIN and COMMIT.
#include "engine/transaction_block.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/testing/lake_write_fixture.h"

namespace tarn::engine {
namespace {

using ::testing::HasSubstr;

class TransactionBlockTest : public LakeWriteTest, public ::testing::WithParamInterface<bool> {
 protected:
  void Make() { MakeTable(GetParam() ? " with ('delta.enableDeletionVectors' = 'true')" : ""); }

  static std::string Block(const Strings& statements, const std::string& end = "commit") {
    std::string sql = "begin; ";
    for (const std::string& statement : statements) sql += statement + "; ";
    return sql + end;
  }

  /// Runs statements here as one block, and one by one in DuckDB; what they tell and leave must be the same, in one
  /// version more.
  void BothAsBlock(const Strings& statements) {
    SCOPED_TRACE(Block(statements));
    const int64_t version = Latest()->version();
    Strings told;
    for (const std::string& statement : statements) {
      auto native = connection_.Query(statement);
      ASSERT_FALSE(native->HasError()) << native->GetError();
      told.push_back(native->GetValue(0, 0).ToString());
    }
    const Result<Answer> answer = Run(Block(statements));
    ASSERT_TRUE(answer.ok()) << answer.status().ToString();
    EXPECT_EQ(CountsOf(*answer), told);
    EXPECT_EQ(Rows("db.t"), NativeRows("db.t"));
    EXPECT_EQ(Latest()->version(), version + 1);
  }

  static Strings CountsOf(const Answer& answer) {
    Strings counts;
    for (const auto& batch : answer.batches) {
      const auto& rows = static_cast<const arrow::Int64Array&>(*batch->GetColumnByName("Count"));
      for (int64_t i = 0; i < rows.length(); ++i) counts.push_back(std::to_string(rows.Value(i)));
    }
    return counts;
  }

  /// Data files and deletion vectors in the table's folder.
  size_t Files() {
    const auto entries = *store_->ListAll({.prefix = "db/t/"});
    return static_cast<size_t>(std::count_if(entries.begin(), entries.end(), [](const storage::ListEntry& entry) {
      return entry.object.key.ends_with(".parquet") || entry.object.key.ends_with(".bin");
    }));
  }
};
INSTANTIATE_TEST_SUITE_P(Vectors, TransactionBlockTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Vectors" : "Rewriting"; });

TEST_P(TransactionBlockTest, StatementsSeeEachOtherAndAreOneCommit) {
  Make();
  BothAsBlock({"insert into db.t values (7, 'g', '2026-01-01'), (8, 'h', null)",
               "update db.t set name = name || '!' where id in (1, 7)",
               "delete from db.t where name = 'g!' or id = 3"});
  EXPECT_THAT(Commit(3), HasSubstr(R"("operation":"TRANSACTION","operationParameters":{"statements":"[\"WRITE\",)"));
  BothAsBlock(
      {"insert into db.t select i, 'n' || i, date '2026-01-01' + (i % 3)::int from range(100, 3000) r(i)",
       "update db.t set name = name || '+' where id % 3 = 0", "update db.t set name = name || '-' where id % 2 = 0",
       "delete from db.t where id % 5 = 0",
       "merge into db.t using (select i from range(2900, 3100) r(i)) on id = i when matched then update set name "
       "= 'm' when not matched then insert (id) values (i)",
       "insert into db.t select id + 10000, name, day from db.t where day is null"});
  BothAsBlock({"delete from db.t where id > 50", "update db.t set id = id * 10", "update db.t set id = id + 1"});
  BothAsBlock({"delete from db.t", "insert into db.t values (1, 'again', null)"});
  EXPECT_EQ(Value("select count(*) from db.t at (version => 2)"), "5");
  EXPECT_EQ(Value("select count(distinct (filename, file_row_number)) = count(*) from db.t"), "true");
}

TEST_P(TransactionBlockTest, StatementsAreToldByTheirFirstWords) {
  Make();
  const Result<Answer> answer = Run(
      Block({"insert into db.t (id) values (7)", "update db.t set id = 8 where id = 7", "delete from db.t where id = 8",
             "merge into db.t using (select 9 as k) s on id = k when not matched then insert (id) values (k)"}));
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  const auto& kinds = static_cast<const arrow::StringArray&>(*answer->batches.at(0)->GetColumnByName("operation"));
  Strings told;
  for (int64_t i = 0; i < kinds.length(); ++i) told.push_back(kinds.GetString(i));
  EXPECT_EQ(told, (Strings{"INSERT", "UPDATE", "DELETE", "MERGE"}));
}

TEST_P(TransactionBlockTest, ItReadsTablesAsTheyWereAtTheFirstUse) {
  Make();
  ASSERT_TRUE(Run("create table db.u as select 1::bigint as id").ok());
  ASSERT_TRUE(Append(50, "buffered").ok());
  EXPECT_EQ(Value(Block({"update db.t set name = 'x' where id = 50", "delete from db.t using db.u where u.id = t.id",
                         "insert into db.t (id) select count(*) from db.t at (version => 1)"})),
            "1");
  EXPECT_EQ(Value("select string_agg(id || coalesce(name, '') order by id, name) from db.t where id > 2"),
            "3c,3,4n4,5n5,50x");
}

TEST_P(TransactionBlockTest, WhatIsNotCommittedLeavesNothing) {
  Make();
  const Strings rows = Rows("db.t");
  const size_t files = Files();
  const Strings statements{"insert into db.t values (7, 'g', '2026-01-01')", "update db.t set id = id + 1",
                           "delete from db.t where id = 2"};
  EXPECT_EQ(CountsOf(*Run(Block(statements, "rollback"))), (Strings{"1", "6", "1"}));
  EXPECT_EQ(Rows("db.t"), rows);
  EXPECT_EQ(Files(), files);
  EXPECT_EQ(Latest()->version(), 2);
  Strings failing = statements;
  failing.push_back("insert into db.t select id, name, name::date from db.t");
  EXPECT_THAT(Value(Block(failing)), HasSubstr("statement 4 of the block"));
  EXPECT_EQ(Value(Block({})), "(no rows)");
  EXPECT_EQ(CountsOf(*Run(Block({"delete from db.t where id > 99", "update db.t set id = 1 where false"}))),
            (Strings{"0", "0"}));
  EXPECT_EQ(Rows("db.t"), rows);
  EXPECT_EQ(Files(), files);
  EXPECT_EQ(Latest()->version(), 2);
}

TEST_P(TransactionBlockTest, FilesThatOnlyABlockHadAreDeleted) {
  Make();
  ASSERT_EQ(Value(Block({"insert into db.t values (7, 'g', null)", "update db.t set name = 'u' where id = 7",
                         "delete from db.t where id = 7", "insert into db.t values (8, 'h', null)"})),
            "1");
  EXPECT_EQ(Files(), Latest()->num_files());
}

TEST_P(TransactionBlockTest, OneStatementOrKindIsNamedAsItself) {
  Make();
  ASSERT_EQ(Value(Block({"insert into db.t values (7, 'g', null)"})), "1");
  EXPECT_THAT(Commit(3), HasSubstr(R"("operation":"WRITE","operationParameters":{"mode":"Append"})"));
  EXPECT_THAT(Commit(3), HasSubstr(R"("isBlindAppend":true)"));
  ASSERT_EQ(Value(Block({"delete from db.t where id = 7", "delete from db.t where id = 1"})), "1");
  EXPECT_THAT(Commit(4), HasSubstr(R"("operation":"DELETE")"));
  EXPECT_THAT(Commit(4), HasSubstr(R"("numDeletedRows":"2")"));
}

TEST_P(TransactionBlockTest, ParametersAreThoseThatAStatementNames) {
  Make();
  QueryRequest request{
      .sql = Block({"insert into db.t (id, name) values ($id, $name)", "delete from db.t where id = $id"})};
  request.named_parameters = {{"id", int64_t{9}}, {"name", std::string("nine")}};
  auto stream = service_->Execute(request);
  ASSERT_TRUE(stream.ok()) << stream.status().ToString();
  EXPECT_EQ(CountsOf(*Drain(**stream)), (Strings{"1", "1"}));
  request.named_parameters.emplace_back("more", int64_t{1});
  EXPECT_EQ(service_->Execute(request).status().ToString(), "InvalidArgument: no statement has a parameter $more");
}

TEST_P(TransactionBlockTest, WhatABlockCannotHoldIsSaid) {
  Make();
  ASSERT_TRUE(Run("create table db.u as select 1::bigint as id").ok());
  const std::string insert = "insert into db.t values (7, 'g', null)";
  for (const auto& [sql, why] : std::vector<std::pair<std::string, std::string>>{
           {Block({"select 1"}), "between BEGIN and COMMIT stand INSERT, UPDATE, DELETE and MERGE, not SELECT"},
           {Block({insert, "create table db.v (a int)"}), "not CREATE"},
           {Block({insert, "alter table db.t add column b int"}), "not ALTER"},
           {Block({"explain " + insert}), "not EXPLAIN"},
           {Block({insert + " returning *"}), "RETURNING"},
           {Block({insert, "begin"}), "TRANSACTION"},
           {"begin; " + insert, "BEGIN stands in one request with its statements and with COMMIT"},
           {"begin", "BEGIN stands in one request"},
           {"begin transaction read only; " + insert + "; commit", "BEGIN READ ONLY"},
           {insert + "; " + insert, "several changes of one table between BEGIN and COMMIT"},
           {"commit", "TRANSACTION"},
           {Block({insert}) + "; " + insert, "BEGIN stands in one request"},
           {Block({insert, "insert into db.u values (2)"}), "change one table, not db.t and db.u"},
           {Block({"delete from db.u where false", insert}), "change one table, not db.t and db.u"},
           {Block(Strings(1001, "delete from db.t where false")), "more than 1000 statements"}}) {
    EXPECT_THAT(Value(sql), HasSubstr(why)) << sql.substr(0, 100);
  }
  EXPECT_EQ(Value("select count(*) from db.t"), "5");
  EXPECT_EQ(Value("select count(*) from db.u"), "1");
  const Status unknown = Run(Block({insert, "delete from db.t where nothing = 1"})).status();
  const auto position = SqlErrorPosition(unknown);
  EXPECT_EQ(unknown.code(), StatusCode::kInvalidArgument);
  ASSERT_TRUE(position.has_value()) << unknown.ToString();
  EXPECT_EQ(*position, Block({insert}, "").size() + std::string("delete from db.t where ").size());
}

}  // namespace
}  // namespace tarn::engine
