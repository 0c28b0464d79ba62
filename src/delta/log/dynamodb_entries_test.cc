#include "delta/log/dynamodb_entries.h"

#include <gtest/gtest.h>

#include "storage/s3/sigv4.h"
#include "storage/testing/fake_http_server.h"

namespace tarn::delta {
namespace {

using storage::testing::FakeReply;
using storage::testing::FakeRequest;

constexpr char kEntry[] =
    R"({"tablePath":{"S":"s3a://b/t \"ü\""},"fileName":{"S":"0.json"},"tempPath":{"S":".tmp/0.json.u"},)"
    R"("complete":{"S":"true"},"expireTime":{"N":"17"}})";

class DynamoDbEntriesTest : public ::testing::Test {
 protected:
  std::string Asked() { return server_.requests().back().body; }

  std::string answer_ = "{}";
  int status_ = 200;
  Random random_{1};
  storage::testing::FakeHttpServer server_{
      [this](const FakeRequest&) { return FakeReply{.status = status_, .body = answer_}; }};
  std::shared_ptr<CommitEntries> entries_ = MakeDynamoDbEntries(
      storage::OpenDynamoDb({.name = "delta_log", .region = "r", .endpoint = server_.url()},
                            {{"AWS_ACCESS_KEY_ID", "AKID"}, {"AWS_SECRET_ACCESS_KEY", "secret"}}, random_)
          .value());
  const CommitEntry entry_{"s3a://b/t", "0.json", ".tmp/0.json.u", false};
};

TEST_F(DynamoDbEntriesTest, AreReadConsistently) {
  answer_ = std::string(R"({"Item":)") + kEntry + "}";
  const auto found = entries_->Get("s3a://b/t \"ü\"", "0.json").value();
  EXPECT_EQ(Asked(), R"({"TableName":"delta_log","ConsistentRead":true,)"
                     R"("Key":{"tablePath":{"S":"s3a://b/t \"ü\""},"fileName":{"S":"0.json"}}})");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->table_path, "s3a://b/t \"ü\"");
  EXPECT_EQ(found->file_name, "0.json");
  EXPECT_EQ(found->temp_path, ".tmp/0.json.u");
  EXPECT_TRUE(found->complete);
  answer_ = "{}";
  EXPECT_FALSE(entries_->Get("s3a://b/t", "0.json").value().has_value());
}

TEST_F(DynamoDbEntriesTest, TheNewestIsTheFirstOfADescendingQuery) {
  answer_ = std::string(R"({"Items":[)") + kEntry + R"(],"Count":1,"LastEvaluatedKey":{}})";
  EXPECT_EQ(entries_->Newest("s3a://b/t").value()->file_name, "0.json");
  EXPECT_EQ(Asked(),
            R"({"TableName":"delta_log","ConsistentRead":true,"ScanIndexForward":false,"Limit":1,)"
            R"("KeyConditionExpression":"tablePath = :t","ExpressionAttributeValues":{":t":{"S":"s3a://b/t"}}})");
  answer_ = R"({"Items":[],"Count":0})";
  EXPECT_FALSE(entries_->Newest("s3a://b/t").value().has_value());
}

TEST_F(DynamoDbEntriesTest, AreAddedOnceAndCompletedByTheirTemporaryFile) {
  ASSERT_TRUE(entries_->Add(entry_).ok());
  EXPECT_EQ(Asked(),
            R"json({"TableName":"delta_log","ConditionExpression":"attribute_not_exists(fileName)","Item":{)json"
            R"("tablePath":{"S":"s3a://b/t"},"fileName":{"S":"0.json"},"tempPath":{"S":".tmp/0.json.u"},)"
            R"("complete":{"S":"false"}}})");
  ASSERT_TRUE(entries_->Complete(entry_, 99).ok());
  EXPECT_EQ(Asked(), R"({"TableName":"delta_log","ConditionExpression":"tempPath = :t","ExpressionAttributeValues":{)"
                     R"(":t":{"S":".tmp/0.json.u"}},"Item":{"tablePath":{"S":"s3a://b/t"},"fileName":{"S":"0.json"},)"
                     R"("tempPath":{"S":".tmp/0.json.u"},"complete":{"S":"true"},"expireTime":{"N":"99"}}})");
  status_ = 400;
  answer_ = R"({"__type":"x#ConditionalCheckFailedException","message":"The conditional request failed"})";
  EXPECT_EQ(entries_->Add(entry_).code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(entries_->Complete(entry_, 99).code(), StatusCode::kConflict);
}

TEST_F(DynamoDbEntriesTest, BrokenAnswersAreNamed) {
  for (const char* const answer :
       {"", "<html>", R"({"Item":{"tablePath":{"S":"t"},"fileName":{"S":"0.json"},"complete":{"S":"true"}}})",
        R"({"Item":{"tablePath":{"S":"t"},"fileName":{"S":"f"},"tempPath":{"S":"p"},"complete":{"BOOL":true}}})",
        R"({"Item":{"tablePath":{"S":"t"},"fileName":{"S":"f"},"tempPath":{"S":"p"},"complete":{"S":"maybe"}}})"}) {
    answer_ = answer;
    EXPECT_EQ(entries_->Get("t", "f").status().code(), StatusCode::kCorruption) << answer;
  }
  answer_ = "{}";
  EXPECT_EQ(entries_->Newest("t").status().code(), StatusCode::kCorruption);
}

}  // namespace
}  // namespace tarn::delta
