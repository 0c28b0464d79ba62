// Statements that change a table beside others that do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "engine/testing/lake_write_fixture.h"

namespace tarn::engine {
namespace {

using ::testing::HasSubstr;

/// Statements by a service behind whose pins others commit.
class LakeConflictTest : public LakeWriteTest {
 protected:
  LakeConflictTest() {
    EngineOptions options;
    options.threads = 2;
    options.temp_directory = folder_.path() + "/spill-meddled";
    options.policy = {.writes = true};
    meddled_service_ = *QueryService::Open(options, meddled_, SystemClock());
  }

  Status RunMeddled(const std::string& sql, std::vector<Parameter> parameters = {}) {
    QueryRequest request{.sql = sql};
    request.parameters = std::move(parameters);
    TARN_ASSIGN_OR_RETURN(const auto stream, meddled_service_->Execute(request));
    return Drain(*stream).status();
  }

  /// Runs `sql` while `meanwhile` runs behind its first pin; gives how often it was run.
  int RunsBeside(const std::string& meanwhile, const std::string& sql, std::vector<Parameter> parameters = {}) {
    SCOPED_TRACE(sql + " beside " + meanwhile);
    meddled_.pins = 0;
    meddled_.behind_pin = [&] {
      if (meddled_.pins > 1) return;
      const Status done = Run(meanwhile).status();
      EXPECT_TRUE(done.ok()) << done.ToString();
    };
    const Status done = RunMeddled(sql, std::move(parameters));
    EXPECT_TRUE(done.ok()) << done.ToString();
    return meddled_.pins;
  }

  Meddled meddled_{*lake_};
  std::unique_ptr<QueryService> meddled_service_;
};

TEST_F(LakeConflictTest, AStatementBehindAnotherCommitRunsAgain) {
  MakeTable();
  int64_t id = 100;
  const auto change_all = [&] {
    ++id;
    EXPECT_EQ(Value("update db.t set name = '" + std::to_string(id) + "'"), Value("select count(*) from db.t"));
  };
  meddled_.behind_pin = [&] {
    if (meddled_.pins < 3) change_all();
  };
  EXPECT_TRUE(RunMeddled("delete from db.t where id = 1 or name = '101'").ok());
  EXPECT_EQ(meddled_.pins, 3);
  EXPECT_EQ(Value("select count(*) from db.t where name = '102'"), "4") << "it saw what the others had done";
  meddled_.behind_pin = [&] {
    EXPECT_EQ(Value("alter table db.t add column c" + std::to_string(++id) + " int"), "(no rows)");
  };
  meddled_.pins = 0;
  const Status lost = RunMeddled("alter table db.t add column mine int");
  EXPECT_EQ(lost.code(), StatusCode::kConflict);
  EXPECT_THAT(lost.message(), HasSubstr("others came first 9 times, the last time: db.t: version "));
  EXPECT_EQ(meddled_.pins, 2 * 9) << "by plan and change, once and eight times again";
  // Rows that only come in are in nobody's way.
  meddled_.pins = 0;
  meddled_.behind_pin = [&] { EXPECT_EQ(Value("insert into db.t (id) values (77)"), "1"); };
  EXPECT_TRUE(RunMeddled("delete from db.t where id = 2").ok());
  EXPECT_EQ(meddled_.pins, 1);
}

TEST_F(LakeConflictTest, StatementsOfOtherRowsAreNotInTheWay) {
  MakeTable();
  EXPECT_EQ(RunsBeside("update db.t set name = 'x' where day = '2026-01-02'",
                       "delete from db.t where day = '2026-01-01' and id = 2"),
            1);
  EXPECT_EQ(RunsBeside("delete from db.t where id = 3", "update db.t set name = 'y' where id < 3"), 1)
      << "by the bounds of the files";
  EXPECT_EQ(RunsBeside("update db.t set name = 'z' where id >= 4",
                       "delete from db.t where day = $1::date and name is null", {std::string("2026-01-01")}),
            1);
  EXPECT_EQ(RunsBeside("update db.t set name = name || '!' where id > 3",
                       "merge into db.t using (select 1 as k) s on id = k and day = '2026-01-01' when matched then "
                       "update set name = 'merged' when not matched then insert (id) values (k)"),
            1);
  EXPECT_EQ(RunsBeside("update db.t set name = name || '?' where id > 3",
                       "insert into db.t select id + 100, name, day from db.t where id = 1"),
            1);
  EXPECT_EQ(Rows("db.t"), Strings{"{'id': 1, 'name': merged, 'day': 2026-01-01}; {'id': 101, 'name': merged, 'day': "
                                  "2026-01-01}; {'id': 4, 'name': z!?, 'day': NULL}; {'id': 5, 'name': z!?, 'day': "
                                  "NULL}"});
}

TEST_F(LakeConflictTest, StatementsOfTheSameRowsAre) {
  MakeTable();
  EXPECT_EQ(RunsBeside("update db.t set name = 'x' where id = 1", "update db.t set name = name || 'y' where id < 3"),
            2);
  EXPECT_EQ(Value("select name from db.t where id = 1"), "xy");
  EXPECT_EQ(RunsBeside("update db.t set day = '2026-01-01' where id = 3", "delete from db.t where day = '2026-01-01'"),
            2)
      << "a row that came to be one of them";
  EXPECT_EQ(Value("select count(*) from db.t"), "2");
  EXPECT_EQ(RunsBeside("update db.t set id = 40 where id = 4",
                       "delete from db.t where day is null and id in (select max(id) from db.t)"),
            2)
      << "what one scan finds decides what the other looks for";
  EXPECT_EQ(Value("select sum(id) from db.t"), "5");
}

TEST_F(LakeConflictTest, WhatIsKnownByTheLogAloneIsReadAllTheSame) {
  MakeTable();
  const std::string not_blind = "insert into db.t select 900, 'other', null from db.t where id = 1";
  EXPECT_EQ(RunsBeside(not_blind, "insert into db.t select count(*), 'count', null from db.t"), 2);
  EXPECT_EQ(Value("select id from db.t where name = 'count'"), "6");
  EXPECT_EQ(RunsBeside("update db.t set id = 901 where id = 900",
                       "merge into db.t using (select 901 as k) s on id = k when matched then update set name = 'met' "
                       "when not matched then insert (id) values (k)"),
            2)
      << "by the bounds there was none of it";
  EXPECT_EQ(Value("select string_agg(name) from db.t where id = 901"), "met");
}

TEST_F(LakeConflictTest, WhatIsReadOfATablesHistoryIsRead) {
  MakeTable();
  for (const std::string from : {"table_changes('db.t', 0)", "db.t at (timestamp => now())"}) {
    const std::string before = Value("select max(id) from db.t");
    EXPECT_EQ(RunsBeside("insert into db.t select id + 1, 'theirs', null from db.t where id = " + before,
                         "insert into db.t select max(id) + 1, 'ours', null from " + from),
              2);
    EXPECT_EQ(Value("select max(id) - " + before + " from db.t where name = 'ours'"), "2");
  }
}

TEST_F(LakeConflictTest, ReturningRunsAgainBeforeItAnswers) {
  MakeTable();
  EXPECT_EQ(
      RunsBeside("update db.t set id = 30 where id = 3", "update db.t set id = id + 1 where name = 'c' returning id"),
      2);
  EXPECT_EQ(Value("select id from db.t where name = 'c'"), "31");
}

TEST_F(LakeConflictTest, ABlockBehindAnotherCommitRunsAgainAsAWhole) {
  MakeTable();
  const std::string block =
      "begin; insert into db.t values (70, 'mine', '2026-01-02'); update db.t set name = name || '+' where day = "
      "'2026-01-02'; commit";
  EXPECT_EQ(RunsBeside("update db.t set name = 'x' where day = '2026-01-01'", block), 1);
  EXPECT_EQ(RunsBeside("update db.t set name = 'theirs' where id = 3", block), 2);
  EXPECT_EQ(Value("select string_agg(id || name order by id, name) from db.t where day = '2026-01-02'"),
            "3theirs+,70mine+,70mine++");
  EXPECT_EQ(RunsBeside("update db.t set id = 71 where id = 70 and name = 'mine+'",
                       "begin; update db.t set name = 'none' where id = 72; insert into db.t (id) values (1); commit"),
            1)
      << "by the bounds of the files";
}

TEST_F(LakeConflictTest, RowsThatRestOnNothingAreNeverRefused) {
  MakeTable();
  ASSERT_TRUE(Run("create table db.u as select 55::bigint as id").ok());
  EXPECT_EQ(RunsBeside("update db.t set name = 'all'", "insert into db.t values (50, 'blind', null)"), 1);
  meddled_.pins = 0;
  meddled_.behind_pin = [&] { EXPECT_EQ(Value("update db.t set name = 'all'"), Value("select count(*) from db.t")); };
  EXPECT_TRUE(RunMeddled("insert into db.t (id) select id from db.u").ok());
  EXPECT_EQ(meddled_.pins, 2) << "of either table once";
  EXPECT_THAT(Commit(Latest()->version()), HasSubstr(R"("isBlindAppend":true)"));
}

TEST_F(LakeConflictTest, RowsByPositionFitATableThatGotAColumnMeanwhile) {
  MakeTable();
  EXPECT_EQ(RunsBeside("alter table db.t add column more int", "insert into db.t values (50, 'blind', null)"), 1);
  EXPECT_EQ(Value("select count(*) from db.t where id = 50 and more is null"), "1");
}

TEST_F(LakeConflictTest, SerializableTablesMindAppends) {
  MakeTable(" with ('delta.isolationLevel' = 'Serializable')");
  const std::string append = "insert into db.t values (60, 'new', '2026-01-02')";
  EXPECT_EQ(RunsBeside(append, "delete from db.t where day = '2026-01-01' and id = 1"), 1);
  EXPECT_EQ(RunsBeside(append, "delete from db.t where day = '2026-01-02'"), 2);
  EXPECT_EQ(Value("select count(*) from db.t where id = 60"), "0");
}

TEST_F(LakeConflictTest, NoneOfManyStatementsOfOneRowIsLostOrStarves) {
  MakeTable();
  constexpr int kThreads = 6;
  constexpr int kStatements = 10;
  std::atomic<int> failed = 0;
  std::vector<Thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back("updates", [&] {
      for (int i = 0; i < kStatements; ++i) {
        const Status done = Run("update db.t set id = id + 1 where day = '2026-01-02'").status();
        if (!done.ok()) {
          ++failed;
          ADD_FAILURE() << done.ToString();
        }
      }
    });
  }
  for (Thread& thread : threads) thread.Join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(Value("select id from db.t where name = 'c'"), std::to_string(3 + kThreads * kStatements));
}

}  // namespace
}  // namespace tarn::engine
