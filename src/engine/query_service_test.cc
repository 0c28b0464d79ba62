#include "engine/query_service.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include "engine/testing/empty_catalog.h"

namespace tarn::engine {
namespace {

TEST(QueryServiceTest, AnswersASelect) {
  EmptyCatalog catalog;
  EngineOptions options;
  options.threads = 2;
  auto service = QueryService::Open(options, catalog, SystemClock());
  ASSERT_TRUE(service.ok()) << service.status().ToString();
  QueryRequest request;
  request.sql = "select 42 as answer";
  auto stream = (*service)->Execute(request);
  ASSERT_TRUE(stream.ok()) << stream.status().ToString();
  auto batch = (*stream)->Next();
  ASSERT_TRUE(batch.ok()) << batch.status().ToString();
  ASSERT_NE(*batch, nullptr);
  EXPECT_EQ((*batch)->num_rows(), 1);
  EXPECT_EQ((*batch)->column(0)->ToString(), "[\n  42\n]");
  EXPECT_EQ(*(*stream)->Next(), nullptr);
  request.sql = "copy (select 1) to '/tmp/x'";
  EXPECT_EQ((*service)->Execute(request).status().code(), StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace tarn::engine
