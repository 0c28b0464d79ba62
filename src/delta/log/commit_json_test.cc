#include "delta/log/commit_json.h"

#include <gtest/gtest.h>

#include "delta/log/last_checkpoint.h"
#include "delta/log/log_names.h"
#include "delta/table.h"
#include "delta/table_path.h"
#include "storage/stores.h"

namespace tarn::delta {
namespace {

class Recorder final : public ActionVisitor {
 public:
  Status OnAdd(const AddRecord& add) override {
    Add copy;
    copy.path = add.path;
    copy.size_bytes = add.size_bytes;
    copy.modification_time_millis = add.modification_time_millis;
    copy.data_change = add.data_change;
    copy.deletion_vector = add.deletion_vector;
    copy.partition_values = *ParsePartitionValuesObject(add.partition_values);
    copy.tags = *ParseTagsObject(add.tags);
    if (!add.stats_token.empty()) copy.stats = *UnescapeJsonString(add.stats_token);
    adds.push_back(copy);
    return Status::Ok();
  }
  Status OnRemove(const RemoveRecord& remove) override {
    removes.emplace_back(remove.path);
    return Status::Ok();
  }
  Status OnMetadata(Metadata metadata) override {
    metadatas.push_back(std::move(metadata));
    return Status::Ok();
  }
  Status OnProtocol(Protocol protocol) override {
    protocols.push_back(std::move(protocol));
    return Status::Ok();
  }
  Status OnTxn(Txn txn) override {
    txns.push_back(std::move(txn));
    return Status::Ok();
  }
  Status OnCommitInfo(std::string_view json) override {
    TARN_ASSIGN_OR_RETURN(info, ParseCommitInfo(json));
    return Status::Ok();
  }
  std::vector<Add> adds;
  std::vector<std::string> removes;
  std::vector<Metadata> metadatas;
  std::vector<Protocol> protocols;
  std::vector<Txn> txns;
  CommitInfo info;
};

Status Parse(std::string_view text, Recorder& recorder) {
  CommitParser parser;
  return parser.ParseCommit(text, recorder);
}

StatusCode CodeOf(std::string_view text) {
  Recorder recorder;
  return Parse(text, recorder).code();
}

TEST(CommitJsonTest, ActionsSurviveWritingAndReading) {
  Add add;
  add.path = "day=1/a%20b.parquet";
  add.partition_values = {{"day", "1"}, {"q\"uote", "tab\t\x01 ünï"}, {"none", std::nullopt}};
  add.size_bytes = 1234567890123;
  add.modification_time_millis = 77;
  add.data_change = false;
  add.stats = R"({"numRecords":3,"minValues":{"s":"\"\\"}})";
  add.tags = {{"k", "v"}};
  add.deletion_vector = DeletionVector{'u', "ab^-aqEH.-t@S}K{vb[*k^", 4, 40, 6};
  Metadata metadata;
  metadata.id = "id";
  metadata.name = "n";
  metadata.schema_string = "{\"type\":\"struct\",\"fields\":[]}";
  metadata.partition_columns = {"day"};
  metadata.configuration = {{"delta.appendOnly", "true"}};
  metadata.created_time_millis = 5;
  const Protocol protocol{3, 7, std::vector<std::string>{"a"}, std::vector<std::string>{"a", "b"}};
  CommitInfo info;
  info.operation = "WRITE";
  info.is_blind_append = true;
  info.txn_id = "t";
  info.read_version = 4;
  std::string text;
  AppendLine(text, info);
  AppendLine(text, protocol);
  AppendLine(text, metadata);
  AppendLine(text, Txn{"app", 9, 1});
  AppendLine(text, add);
  Recorder recorder;
  ASSERT_TRUE(Parse(text, recorder).ok()) << Parse(text, recorder).ToString();
  ASSERT_EQ(recorder.adds.size(), 1u);
  EXPECT_EQ(recorder.adds[0].path, add.path);
  EXPECT_EQ(recorder.adds[0].partition_values, add.partition_values);
  EXPECT_EQ(recorder.adds[0].stats, add.stats);
  EXPECT_EQ(recorder.adds[0].tags, add.tags);
  EXPECT_EQ(recorder.adds[0].deletion_vector, add.deletion_vector);
  EXPECT_EQ(recorder.adds[0].size_bytes, add.size_bytes);
  EXPECT_FALSE(recorder.adds[0].data_change);
  EXPECT_EQ(recorder.metadatas, std::vector<Metadata>{metadata});
  EXPECT_EQ(recorder.protocols, std::vector<Protocol>{protocol});
  EXPECT_EQ(recorder.txns[0].version, 9);
  EXPECT_EQ(recorder.info.txn_id, "t");
  EXPECT_EQ(recorder.info.read_version, 4);
  EXPECT_EQ(recorder.info.is_blind_append, true);
  EXPECT_EQ(add.deletion_vector->UniqueId(), "uab^-aqEH.-t@S}K{vb[*k^@4");
}

TEST(CommitJsonTest, UnknownThingsArePassedOver) {
  Recorder recorder;
  const Status status = Parse(
      "{\"somethingNew\":{\"a\":[1,{\"b\":2}]}}\r\n\n"
      "{\"add\":{\"new\":{\"x\":[]},\"path\":\"p\",\"size\":1,\"stats\":null,\"tags\":null,\"dataChange\":true}}\n"
      "{\"cdc\":{\"path\":\"c\"}}\n"
      "{\"remove\":{\"path\":\"r\",\"dataChange\":true}}",
      recorder);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(recorder.adds.size(), 1u);
  EXPECT_EQ(recorder.removes, std::vector<std::string>{"r"});
}

TEST(CommitJsonTest, BrokenLinesAreCorruption) {
  for (const char* text :
       {"{", "nonsense", "[]", "{\"add\":5}", "{\"add\":{\"size\":1}}", "{\"add\":{\"path\":\"p\"}}",
        "{\"add\":{\"path\":\"p\",\"size\":-1}}", "{\"add\":{\"path\":\"p\",\"size\":\"1\"}}",
        "{\"add\":{\"path\":\"p\",\"size\":1}", "{\"add\":{\"path\":\"p\",\"size\":1}}}",
        "{\"add\":{\"path\":\"p\",\"size\":1}} x", "{\"remove\":{}}", "{\"metaData\":{\"id\":\"x\"}}",
        "{\"protocol\":{\"minReaderVersion\":1}}", "{\"txn\":{\"appId\":\"a\"}}",
        "{\"add\":{\"path\":\"\xff\",\"size\":1}}", "{\"add\":{\"path\":\"p\",\"size\":1,\"stats\":nul}}"}) {
    EXPECT_EQ(CodeOf(text), StatusCode::kCorruption) << text;
  }
}

TEST(CommitJsonTest, RecordCountsAreFoundInAnyForm) {
  EXPECT_EQ(NumRecordsOf(R"({"numRecords":12,"x":1})", false), 12);
  EXPECT_EQ(NumRecordsOf(R"({"x":1, "numRecords" : 12})", false), 12);
  EXPECT_EQ(NumRecordsOf(R"({"minValues":{"numRecords":12}})", false), -1);
  EXPECT_EQ(NumRecordsOf(R"({"numRecords":-12})", false), -1);
  EXPECT_EQ(NumRecordsOf(R"({"numRecords":1.5})", false), -1);
  EXPECT_EQ(NumRecordsOf(R"("{\"numRecords\":12}")", true), 12);
  EXPECT_EQ(NumRecordsOf(R"("{\"a\":0,\"numRecords\":12}")", true), 12);
  EXPECT_EQ(NumRecordsOf("", false), -1);
}

TEST(CommitJsonTest, TokensAreUnescaped) {
  EXPECT_EQ(*UnescapeJsonString(R"("")"), "");
  EXPECT_EQ(*UnescapeJsonString(R"("a")"), "a");
  EXPECT_EQ(*UnescapeJsonString(R"("{\"a\":\"\\\/\b\f\n\r\t\"}")"), "{\"a\":\"\\/\b\f\n\r\t\"}");
  EXPECT_EQ(*UnescapeJsonString(R"("\u00e4\"\ud83d\ude00\u0000")"), std::string("\u00e4\"\U0001F600\0", 8));
  for (const std::string token : {R"()", R"(")", R"(a)", R"("a)", R"(a")", R"("a\")", R"("\x")", R"("\u12")"}) {
    EXPECT_EQ(UnescapeJsonString(token).status().code(), StatusCode::kCorruption) << token;
  }
}

TEST(CommitJsonTest, TextsAreEscaped) {
  std::string json;
  AppendJsonString(json, std::string("a\"b\\c\n\r\t\x01\x1f\x7f\u00e4/\0", 15));
  EXPECT_EQ(json, "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u001f\x7f\u00e4/\\u0000\"");
  EXPECT_EQ(*UnescapeJsonString(json), std::string("a\"b\\c\n\r\t\x01\x1f\x7f\u00e4/\0", 15));
}

TEST(TablePathTest, EqualFilesHaveOneForm) {
  const std::string root = "file:///lake/db/t";
  const auto canonical = [&](std::string_view path) { return CanonicalPath(path, root); };
  EXPECT_EQ(canonical("a/b.parquet"), "a/b.parquet");
  EXPECT_EQ(canonical("a%20b"), "a b");
  EXPECT_EQ(canonical("100%"), "100%");
  EXPECT_EQ(canonical("./a//b"), "a/b");
  EXPECT_EQ(canonical("a/../b"), "b");
  EXPECT_EQ(canonical("../t/f"), "f");
  EXPECT_EQ(canonical("../u/f"), "/lake/db/u/f");
  EXPECT_EQ(canonical("../../../../f"), "/f");
  EXPECT_EQ(CanonicalPath("../u/f", "s3://b/t"), "s3://b/u/f");
  EXPECT_EQ(CanonicalPath("../f", "memory://"), "../f");
  EXPECT_EQ(canonical("/p%20q"), "/p q");
  EXPECT_EQ(canonical("file:/p"), "/p");
  EXPECT_EQ(canonical("file:///p"), "/p");
  EXPECT_EQ(canonical("file:///lake/db/t/x=1/f"), "x=1/f");
  EXPECT_EQ(canonical("/lake/db/t/f"), "f");
  EXPECT_EQ(canonical("/lake/db/t2/f"), "/lake/db/t2/f");
  EXPECT_EQ(canonical("/lake/db/t/../u/f"), "/lake/db/u/f");
  for (const char* path : {"s3://b/t/f", "s3a://b/t/f", "s3n://b/t/f"}) EXPECT_EQ(CanonicalPath(path, "s3://b/t"), "f");
  EXPECT_EQ(CanonicalPath("s3a://b/t2/f", "s3://b/t"), "s3://b/t2/f");
  // A store's URI is encoded as the paths are.
  EXPECT_EQ(CanonicalPath("file:///x%20y/f", "file:///x%20y"), "f");
  EXPECT_EQ(CanonicalPath("/x%2520y/f", "file:///x%2520y"), "f");
}

TEST(TablePathTest, PathsOutsideTheTableAreDenied) {
  const auto store = storage::OpenLocalStore("/lake/t");
  ASSERT_TRUE(store.ok());
  const auto code = [&](std::string_view path) { return KeyOfPath(path, **store).status().code(); };
  EXPECT_EQ(code("a"), StatusCode::kOk);
  EXPECT_EQ(code("file:///lake/t/a"), StatusCode::kOk);
  for (const char* path : {"/etc/passwd", "file:///etc/passwd", "../x", "a/../../x", "%2e%2e/x", "s3://bucket/x",
                           "/lake/t/../x", "file:///lake/t%2F..%2Fx"}) {
    EXPECT_EQ(code(path), StatusCode::kPermissionDenied) << path;
  }
  // No store has files of these names: that is the table's fault.
  for (const char* path : {"", "a/", "%00"}) EXPECT_EQ(code(path), StatusCode::kCorruption) << path;
}

TEST(TablePathTest, KeysAreShownWithoutThePlaceOfTheLake) {
  const auto shown = [](std::string_view key) { return ShownKey(key, "file:///srv/my%20lake/db/t"); };
  EXPECT_EQ(shown("a/b"), "a/b");
  EXPECT_EQ(shown("/srv/my lake/db/other/x"), "../other/x");
  EXPECT_EQ(shown("/srv/my lake/other/t/x"), "../../other/t/x");
  EXPECT_EQ(shown("/srv/x"), "/srv/x");
  EXPECT_EQ(shown("s3://bucket/x"), "s3://bucket/x");
  EXPECT_EQ(ShownKey("s3://bucket/x", "s3://bucket/t"), "../x");
  EXPECT_EQ(ShownKey("s3://other/x", "s3://bucket/t"), "s3://other/x");
  EXPECT_EQ(ShownKey("/x", "file:///t"), "/x");
}

TEST(TablePathTest, PartitionFoldersAreEscapedTwice) {
  const std::string folder = PartitionFolder({{"a b", "x/y%"}, {"t", "2020-01-01 00:00:00"}, {"n", std::nullopt}});
  EXPECT_EQ(folder, "a b=x%2Fy%25/t=2020-01-01 00%3A00%3A00/n=__HIVE_DEFAULT_PARTITION__/");
  const std::string path = EncodeLogPath(folder + "f.parquet");
  EXPECT_EQ(path.find(' '), std::string::npos);
  EXPECT_EQ(CanonicalPath(path, "memory://"), folder + "f.parquet");
}

TEST(LogNamesTest, NamesAreTold) {
  using Kind = LogName::Kind;
  const auto kind = [](std::string_view name) {
    const auto parsed = ParseLogName(name);
    return parsed.has_value() ? std::optional(parsed->kind) : std::nullopt;
  };
  EXPECT_EQ(kind("00000000000000000010.json"), Kind::kCommit);
  EXPECT_EQ(kind("00000000000000000010.crc"), Kind::kChecksum);
  EXPECT_EQ(kind("00000000000000000010.checkpoint.parquet"), Kind::kCheckpoint);
  EXPECT_EQ(kind("00000000000000000010.checkpoint.0000000001.0000000003.parquet"), Kind::kCheckpoint);
  EXPECT_EQ(kind("00000000000000000010.checkpoint.0000000004.0000000003.parquet"), std::nullopt);
  EXPECT_EQ(kind("00000000000000000010.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json"), Kind::kUuidCheckpoint);
  EXPECT_EQ(kind("00000000000000000010.00000000000000000012.compacted.json"), Kind::kCompacted);
  EXPECT_EQ(kind(".00000000000000000010.json.crc"), std::nullopt);
  EXPECT_EQ(kind("0010.json"), std::nullopt);
  EXPECT_EQ(kind("99999999999999999999.json"), std::nullopt);
  EXPECT_EQ(kind("_last_checkpoint"), std::nullopt);
  EXPECT_EQ(CommitKey(12), "_delta_log/00000000000000000012.json");
}

TEST(LastCheckpointTest, AnythingOddIsNoHint) {
  EXPECT_EQ(ParseLastCheckpoint(R"({"version":10,"size":5,"parts":3})")->parts, 3);
  for (const char* text : {"", "{", "[]", "{}", R"({"version":"1"})", R"({"version":-1})", "null"}) {
    EXPECT_FALSE(ParseLastCheckpoint(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace tarn::delta
