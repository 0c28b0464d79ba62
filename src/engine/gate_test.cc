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

TEST_F(GateTest, LetsQueriesThrough) {
  for (std::string_view statement : kAllowedStatements) {
    const Status status = Run(statement);
    EXPECT_TRUE(status.ok()) << statement << ": " << status.ToString();
  }
}

}  // namespace
}  // namespace tarn::engine
