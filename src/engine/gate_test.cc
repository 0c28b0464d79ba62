#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/query_service.h"
#include "engine/testing/empty_catalog.h"
#include "engine/testing/gate_statements.h"
#include "storage/testing/temp_folder.h"

namespace tarn::engine {
namespace {

std::string Replace(std::string text, std::string_view from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

class GateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(folder_.path() + "/dir");
    std::ofstream(folder_.path() + "/file.csv") << "the secret\n";
    auto opened = QueryService::Open({.threads = 2}, catalog_, SystemClock());
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    service_ = std::move(*opened);
  }

  Status Run(std::string_view statement) {
    QueryRequest request;
    request.sql = Replace(Replace(std::string(statement), "$FILE", folder_.path() + "/file.csv"), "$DIR",
                          folder_.path() + "/dir");
    auto stream = service_->Execute(request);
    if (!stream.ok()) return stream.status();
    for (;;) {
      auto batch = (*stream)->Next();
      if (!batch.ok()) return batch.status();
      if (*batch == nullptr) return Status::Ok();
    }
  }

  storage::testing::TempFolder folder_;
  EmptyCatalog catalog_;
  std::unique_ptr<QueryService> service_;
};

TEST_F(GateTest, RefusesWhatIsNotAQueryOfTheLake) {
  for (std::string_view statement : kRefusedStatements) {
    const Status status = Run(statement);
    EXPECT_FALSE(status.ok()) << statement;
    EXPECT_NE(status.code(), StatusCode::kInternal) << statement << ": " << status.ToString();
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() + "/dir"));
  EXPECT_EQ(service_->stats().instances_replaced, 0);
  EXPECT_TRUE(Run("select 1").ok());
}

TEST_F(GateTest, SurvivesDeepNesting) {
  const auto nested = [](std::string_view open, std::string_view core, std::string_view close, int depth) {
    std::string sql = "select ";
    for (int i = 0; i < depth; ++i) sql += open;
    sql += core;
    for (int i = 0; i < depth; ++i) sql += close;
    return sql;
  };
  EXPECT_TRUE(Run(nested("(", "1", ")", 100)).ok());
  EXPECT_TRUE(Run(nested("(", "1", ")", 5000)).ok()) << "parentheses alone nest nothing";
  EXPECT_EQ(Run(nested("(select ", "1", ")", 5000)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Run(nested("* from (select ", "1", ")", 5000)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Run(nested("[", "1", "]", 5000)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Run(nested("abs(", "1", ")", 5000)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Run(nested("case when true then ", "1", " end", 5000)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Run(nested("not ", "true", "", 20000)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Run(nested("1 + ", "1", "", 20000)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Run(nested("1 union all select ", "1", "", 20000)).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(Run("select 1").ok());
}

TEST_F(GateTest, WhatIsNoQueryIsNotAllowedWhateverTheParserMakesOfIt) {
  for (std::string_view statement : {"reset all", "RESET ALL;", "/* first */ reset all", "reset threads"}) {
    EXPECT_EQ(Run(statement).code(), StatusCode::kPermissionDenied) << statement;
  }
}

/// `count` CTEs, each of which takes two of the one before.
std::string DoublingCtes(int count, const std::string& how, const std::string& what) {
  std::string sql = "with t0 as (select 1 as x)";
  for (int i = 1; i < count; ++i) {
    const std::string before = "t" + std::to_string(i - 1);
    sql += ", t" + std::to_string(i) + " as " + how + " (select " + what + " from " + before + " a, " + before + " b)";
  }
  return sql + " select count(*) from t" + std::to_string(count - 1);
}

TEST_F(GateTest, RefusesShortStatementsThatGrowWhenPlanned) {
  std::string nested = "select 1 as x";
  for (int i = 0; i < 36; ++i) nested = Replace("select *, * from (@)", "@", nested);
  for (const std::string& sql : {
           DoublingCtes(36, "", "*"),
           DoublingCtes(36, "materialized", "*"),
           DoublingCtes(36, "not materialized", "a.x"),
           DoublingCtes(36, "", "a.*, b.*"),
           DoublingCtes(36, "", "columns(*) + 1"),
           nested,
           Replace("select 1 in (@1)", "@", Replace(std::string(300'000, '@'), "@", "1,")),
           Replace("values @(1)", "@", Replace(std::string(300'000, '@'), "@", "(1),")),
       }) {
    EXPECT_EQ(Run(sql).code(), StatusCode::kInvalidArgument) << sql.substr(0, 100);
  }
  for (const std::string& sql : {
           DoublingCtes(6, "", "*"),
           DoublingCtes(6, "not materialized", "a.x"),
           DoublingCtes(36, "", "a.x"),
           DoublingCtes(36, "", "a.*"),
           DoublingCtes(36, "materialized", "a.x"),
           Replace("select 1 in (@1)", "@", Replace(std::string(10'000, '@'), "@", "2,")),
       }) {
    const Status status = Run(sql);
    EXPECT_TRUE(status.ok()) << sql.substr(0, 100) << ": " << status.ToString();
  }
}

/// Subqueries one in the other, `what` each time of the column x of the inner one.
std::string NestedSubqueries(int count, const std::string& what) {
  std::string sql = "select 1 as x";
  for (int i = 0; i < count; ++i) sql = "select " + what + " as x from (" + sql + ")";
  return "select count(x) from (" + sql + ")";
}

TEST_F(GateTest, RefusesTypesThatGrowWithEverySubquery) {
  for (const std::string what :
       {"{'a': x, 'b': x}", "row(x, x)", "(x, x)", "struct_pack(a := x, b := x)", "map([x], [x])",
        "struct_insert({'a': x}, b := x)", "list_zip([x], [x])", "[{'a': x}, {'b': x}][1]",
        "struct_concat({'a': x}, {'b': x})", "union_value(a := {'a': x, 'b': x})"}) {
    EXPECT_EQ(Run(NestedSubqueries(36, what)).code(), StatusCode::kInvalidArgument) << what;
    const Status few = Run(NestedSubqueries(3, what));
    EXPECT_TRUE(few.ok()) << what << ": " << few.ToString();
  }
  EXPECT_TRUE(Run("select count(t) from (select {'a': 1, 'b': [map {'k': row(1, 2)}]} as x) t").ok());
  EXPECT_TRUE(Run(NestedSubqueries(100, "[x]")).ok());
}

TEST_F(GateTest, LetsQueriesThrough) {
  for (std::string_view statement : kAllowedStatements) {
    const Status status = Run(statement);
    EXPECT_TRUE(status.ok()) << statement << ": " << status.ToString();
  }
}

}  // namespace
}  // namespace tarn::engine
