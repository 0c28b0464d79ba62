#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/random.h"
#include "columnar/parquet_reader.h"
#include "columnar/parquet_writer.h"
#include "storage/stores.h"
#include "storage/testing/fault_injection.h"

namespace tarn::columnar {
namespace {

using testing::HasSubstr;

std::shared_ptr<arrow::RecordBatch> Batch(const std::shared_ptr<arrow::Schema>& schema, const std::string& json) {
  auto rows = arrow::json::ArrayFromJSONString(arrow::struct_(schema->fields()), json);
  EXPECT_TRUE(rows.ok()) << rows.status().ToString();
  return *arrow::RecordBatch::FromStructArray(*rows);
}

/// Ids, all different, and a flag.
std::shared_ptr<arrow::RecordBatch> IdsAndFlags(int first, int count) {
  arrow::Int64Builder ids;
  arrow::Int64Builder flags;
  for (int i = first; i < first + count; ++i) EXPECT_TRUE(ids.Append(i).ok() && flags.Append(i % 2).ok());
  return arrow::RecordBatch::Make(
      arrow::schema({arrow::field("id", arrow::int64()), arrow::field("f", arrow::int64())}), count,
      {*ids.Finish(), *flags.Finish()});
}

/// Numbers that neither a dictionary nor zstd makes smaller.
std::shared_ptr<arrow::Array> RandomLongs(int count) {
  Random random(1);
  arrow::Int64Builder builder;
  for (int i = 0; i < count; ++i) EXPECT_TRUE(builder.Append(static_cast<int64_t>(random.Next())).ok());
  return *builder.Finish();
}

class ParquetTest : public testing::Test {
 protected:
  WrittenFile Write(const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches,
                    const ParquetWriterOptions& options = {}) {
    auto writer = ParquetWriter::Open(*store_, "f.parquet", batches[0]->schema(), options);
    EXPECT_TRUE(writer.ok()) << writer.status().ToString();
    for (const auto& batch : batches) {
      const Status status = (*writer)->Append(*batch);
      EXPECT_TRUE(status.ok()) << status.ToString();
    }
    auto file = (*writer)->Finish();
    EXPECT_TRUE(file.ok()) << file.status().ToString();
    return *file;
  }

  std::shared_ptr<arrow::Table> Read(const ParquetReadOptions& options = {}) {
    std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
    const Status status = ReadParquet(*store_, "f.parquet", options, [&](const auto& batch) {
      batches.push_back(batch);
      return Status::Ok();
    });
    EXPECT_TRUE(status.ok()) << status.ToString();
    EXPECT_FALSE(batches.empty());
    return *arrow::Table::FromRecordBatches(batches);
  }

  FakeClock clock_;
  std::shared_ptr<storage::ObjectStore> store_ = storage::MakeMemoryStore(clock_);
};

std::shared_ptr<arrow::Schema> EveryType() {
  return arrow::schema({
      arrow::field("byte", arrow::int8()),
      arrow::field("short", arrow::int16()),
      arrow::field("integer", arrow::int32()),
      arrow::field("long", arrow::int64(), /*nullable=*/false),
      arrow::field("float", arrow::float32()),
      arrow::field("double", arrow::float64()),
      arrow::field("boolean", arrow::boolean()),
      arrow::field("string", arrow::utf8()),
      arrow::field("binary", arrow::binary()),
      arrow::field("date", arrow::date32()),
      arrow::field("timestamp", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
      arrow::field("ntz", arrow::timestamp(arrow::TimeUnit::MICRO)),
      arrow::field("dec9", arrow::decimal128(9, 2)),
      arrow::field("dec18", arrow::decimal128(18, 2)),
      arrow::field("dec38", arrow::decimal128(38, 10)),
      arrow::field("list", arrow::list(arrow::field("element", arrow::int64()))),
      arrow::field("map", arrow::map(arrow::utf8(), arrow::field("value", arrow::int32()))),
      arrow::field("struct", arrow::struct_({arrow::field("a", arrow::int32()), arrow::field("b", arrow::utf8())})),
  });
}

const char kEveryTypeRows[] = R"([
  {"byte":-128,"short":1,"integer":2,"long":3,"float":0.1,"double":-1.5,"boolean":true,"string":"ä","binary":"x",
   "date":19000,"timestamp":"2024-02-29T12:34:56.000001","ntz":"1969-12-31T23:59:59.999999","dec9":"1.25",
   "dec18":"-1234567890123456.78","dec38":"1234567890123456789012345678.0123456789","list":[1,null],
   "map":[["k",1],["l",null]],"struct":{"a":5,"b":null}},
  {"long":-9223372036854775808},
  {"byte":127,"short":-1,"integer":-2,"long":9223372036854775807,"float":-0.5,"double":2.5,"boolean":false,
   "string":"b","binary":"y","date":-1,"timestamp":"2024-02-29T12:34:56.000002","ntz":"2020-01-01T00:00:00",
   "dec9":"-0.01","dec18":"0.00","dec38":"-0.0000000001","list":[],"map":[],"struct":{"a":-5,"b":"z"}}])";

TEST_F(ParquetTest, EveryTypeIsReadBackAsWritten) {
  const auto batch = Batch(EveryType(), kEveryTypeRows);
  const WrittenFile file = Write({batch});
  EXPECT_EQ(file.num_records, 3);
  EXPECT_EQ(file.key, "f.parquet");
  EXPECT_EQ(file.size_bytes, store_->Head("f.parquet")->size_bytes);
  EXPECT_EQ(file.modified_micros, store_->Head("f.parquet")->modified_micros);
  const auto table = Read();
  const auto expected = *arrow::Table::FromRecordBatches({batch});
  EXPECT_TRUE(table->schema()->Equals(*expected->schema(), false)) << table->schema()->ToString();
  EXPECT_TRUE(table->Equals(*expected)) << table->ToString();
}

TEST_F(ParquetTest, BatchesWithoutRowsMayHaveNoBuffers) {
  const auto list = arrow::list(arrow::field("element", arrow::int64()));
  const auto bare = arrow::ArrayData::Make(arrow::int64(), 0, {nullptr, nullptr});
  const auto empty =
      arrow::RecordBatch::Make(arrow::schema({arrow::field("list", list), arrow::field("x", arrow::int64())}), 0,
                               std::vector<std::shared_ptr<arrow::ArrayData>>{
                                   arrow::ArrayData::Make(list, 0, {nullptr, nullptr}, {bare}), bare});
  EXPECT_EQ(Write({empty}).num_records, 0);
  const auto rows = Batch(empty->schema(), R"([{"list":[1],"x":2}])");
  const WrittenFile file = Write({empty, rows, empty});
  EXPECT_EQ(file.num_records, 1);
  EXPECT_TRUE(Read()->Equals(**arrow::Table::FromRecordBatches({rows})));
}

TEST_F(ParquetTest, StatisticsOfEveryType) {
  const WrittenFile file = Write({Batch(EveryType(), kEveryTypeRows)});
  EXPECT_EQ(
      file.stats_json,
      R"({"numRecords":3,"minValues":{"byte":-128,"short":-1,"integer":-2,"long":-9223372036854775808,"float":-0.5,)"
      R"("double":-1.5,"string":"b","date":"1969-12-31","timestamp":"2024-02-29T12:34:56.000001Z",)"
      R"("ntz":"1969-12-31T23:59:59.999999","dec9":-0.01,"dec18":-1234567890123456.78,"dec38":-0.0000000001,)"
      R"("struct":{"a":-5,"b":"z"}},"maxValues":{"byte":127,"short":1,"integer":2,"long":9223372036854775807,)"
      R"("float":0.10000000149011612,"double":2.5,"string":"ä","date":"2022-01-08",)"
      R"("timestamp":"2024-02-29T12:34:56.000002Z","ntz":"2020-01-01T00:00:00.000000","dec9":1.25,"dec18":0.00,)"
      R"("dec38":1234567890123456789012345678.0123456789,"struct":{"a":5,"b":"z"}},"nullCount":{"byte":1,"short":1,)"
      R"("integer":1,"long":0,"float":1,"double":1,"boolean":1,"string":1,"binary":1,"date":1,"timestamp":1,"ntz":1,)"
      R"("dec9":1,"dec18":1,"dec38":1,"list":1,"map":1,"struct":{"a":1,"b":2}}})");
}

TEST_F(ParquetTest, RowGroupsCloseByRowsAndByBytes) {
  const auto schema = arrow::schema({arrow::field("x", arrow::int64())});
  const auto batch = arrow::RecordBatch::Make(schema, 100'000, {RandomLongs(100'000)});
  ParquetWriterOptions options;
  options.row_group_rows = 30'000;
  Write({batch, batch}, options);
  auto file = ParquetFile::Open(*store_, "f.parquet");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((*file)->num_rows(), 200'000);
  EXPECT_EQ((*file)->num_row_groups(), 7);
  EXPECT_EQ((*file)->row_group_rows(0), 30'000);
  EXPECT_EQ((*file)->row_group_rows(6), 20'000);

  options = {};
  options.row_group_bytes = 250'000;
  Write({batch}, options);
  file = ParquetFile::Open(*store_, "f.parquet");
  ASSERT_TRUE(file.ok());
  EXPECT_GE((*file)->num_row_groups(), 3);
  EXPECT_LE((*file)->num_row_groups(), 6);
}

TEST_F(ParquetTest, RowGroupsEndWhereTheyAreToldTo) {
  auto writer = *ParquetWriter::Open(*store_, "f.parquet", IdsAndFlags(0, 1)->schema(), {});
  // Nothing to end; the first rows, too few to choose encodings by; as many as are needed; some behind them.
  ASSERT_TRUE(writer->EndRowGroup().ok());
  int next = 0;
  for (const int rows : {2, 0, 3, 40'000, 1'000}) {
    for (const int piece : {rows / 2, rows - rows / 2}) {
      ASSERT_TRUE(writer->Append(*IdsAndFlags(next, piece)).ok());
      next += piece;
    }
    ASSERT_TRUE(writer->EndRowGroup().ok());
  }
  ASSERT_TRUE(writer->Finish().ok());
  const auto file = ParquetFile::Open(*store_, "f.parquet");
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  ASSERT_EQ((*file)->num_row_groups(), 4);
  EXPECT_EQ((*file)->row_group_rows(0), 2);
  EXPECT_EQ((*file)->row_group_rows(1), 3);
  EXPECT_EQ((*file)->row_group_rows(2), 40'000);
  EXPECT_EQ((*file)->row_group_rows(3), 1'000);
  const auto table = Read();
  ASSERT_TRUE(table->Equals(**arrow::Table::FromRecordBatches({IdsAndFlags(0, next)})));
}

TEST_F(ParquetTest, AFewRowsInARowGroupOfTheirOwnDoNotChooseTheEncodings) {
  const auto schema = arrow::schema({arrow::field("x", arrow::int64())});
  auto writer = *ParquetWriter::Open(*store_, "f.parquet", schema, {});
  ASSERT_TRUE(writer->Append(*Batch(schema, R"([{"x":null},{"x":null}])")).ok());
  ASSERT_TRUE(writer->EndRowGroup().ok());
  ASSERT_TRUE(writer->Append(*arrow::RecordBatch::Make(schema, 40'000, {RandomLongs(40'000)})).ok());
  const auto file = writer->Finish();
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  // A dictionary of what does not repeat would take two bytes more for each value.
  EXPECT_LT(file->size_bytes, 40'000 * 9);
}

TEST_F(ParquetTest, BytesWrittenGrowWithTheOpenRowGroup) {
  const auto schema = arrow::schema({arrow::field("x", arrow::int64())});
  auto writer = ParquetWriter::Open(*store_, "f.parquet", schema, {});
  ASSERT_TRUE(writer.ok());
  const auto batch = arrow::RecordBatch::Make(schema, 200'000, {RandomLongs(200'000)});
  ASSERT_TRUE((*writer)->Append(*batch->Slice(0, 100'000)).ok());
  const int64_t half = (*writer)->bytes_written();
  ASSERT_TRUE((*writer)->Append(*batch->Slice(100'000)).ok());
  const int64_t whole = (*writer)->bytes_written();
  const auto file = (*writer)->Finish();
  ASSERT_TRUE(file.ok());
  EXPECT_NEAR(static_cast<double>(half), 0.5 * static_cast<double>(file->size_bytes), 0.25 * file->size_bytes);
  EXPECT_NEAR(static_cast<double>(whole), static_cast<double>(file->size_bytes), 0.25 * file->size_bytes);
}

TEST_F(ParquetTest, AnUnfinishedWriterLeavesNothing) {
  const auto batch = Batch(arrow::schema({arrow::field("x", arrow::int64())}), R"([{"x":1}])");
  {
    auto writer = ParquetWriter::Open(*store_, "f.parquet", batch->schema(), {});
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Append(*batch).ok());
  }
  EXPECT_TRUE(store_->Head("f.parquet").status().Is(StatusCode::kNotFound));
}

TEST_F(ParquetTest, AFileWithoutRowsIsRead) {
  auto writer = ParquetWriter::Open(*store_, "f.parquet", EveryType(), {});
  ASSERT_TRUE(writer.ok());
  const auto file = (*writer)->Finish();
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_THAT(file->stats_json, HasSubstr(R"({"numRecords":0,"minValues":{},"maxValues":{},"nullCount":{"byte":0)"));
  int64_t rows = 0;
  const Status status = ReadParquet(*store_, "f.parquet", {}, [&](const auto& batch) {
    rows += batch->num_rows();
    return Status::Ok();
  });
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(rows, 0);
}

TEST_F(ParquetTest, ColumnsAreSelectedInTheOrderAskedForAndMissingOnesLeftOut) {
  Write({Batch(EveryType(), kEveryTypeRows)});
  const auto table = Read({{"struct", "absent", "byte"}, 2});
  EXPECT_EQ(table->num_columns(), 2);
  EXPECT_EQ(table->schema()->field(0)->name(), "struct");
  EXPECT_EQ(table->schema()->field(1)->name(), "byte");
  EXPECT_EQ(table->num_rows(), 3);
  const auto none = Read({{"absent"}, 2});
  EXPECT_EQ(none->num_columns(), 0);
}

TEST_F(ParquetTest, LeavesAndRowGroupsAreSelected) {
  ParquetWriterOptions options;
  options.row_group_rows = 1;
  Write({Batch(EveryType(), kEveryTypeRows)}, options);
  auto file = ParquetFile::Open(*store_, "f.parquet");
  ASSERT_TRUE(file.ok());
  ParquetSelection selection;
  selection.row_groups = {2};
  selection.leaves = (*file)->FindLeaves({"struct", "b"});
  ASSERT_EQ(selection.leaves.size(), 1U);
  EXPECT_EQ((*file)->NullCount(0, selection.leaves[0]), 1);
  EXPECT_EQ((*file)->NullCount(2, selection.leaves[0]), 0);
  EXPECT_EQ((*file)->FindLeaves({"map"}).size(), 2U);
  EXPECT_TRUE((*file)->FindLeaves({"struct", "c"}).empty());
  int64_t rows = 0;
  const Status status = (*file)->Read(selection, [&](const std::shared_ptr<arrow::RecordBatch>& batch) {
    EXPECT_EQ(batch->schema()->field(0)->type()->ToString(), "struct<b: string>");
    rows += batch->num_rows();
    return Status::Ok();
  });
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(rows, 1);
}

TEST_F(ParquetTest, BatchesOfLongTextsHaveFewRows) {
  arrow::StringBuilder texts;
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(texts.Append(std::string(100000, 'a') + std::to_string(i)).ok());
  const auto schema = arrow::schema({arrow::field("text", arrow::utf8())});
  Write({arrow::RecordBatch::Make(schema, 300, {*texts.Finish()})});
  int64_t rows = 0;
  const Status status = ReadParquet(*store_, "f.parquet", {}, [&](const auto& batch) {
    EXPECT_LE(batch->num_rows(), 150);
    rows += batch->num_rows();
    return Status::Ok();
  });
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(rows, 300);
}

TEST_F(ParquetTest, AFailingVisitorEndsTheReadWithItsStatus) {
  Write({Batch(EveryType(), kEveryTypeRows)});
  const Status status =
      ReadParquet(*store_, "f.parquet", {{}, 1}, [](const auto&) { return Status::Cancelled("enough"); });
  EXPECT_EQ(status.ToString(), "Cancelled: enough");
}

TEST_F(ParquetTest, DamagedFilesAreCorruptionNamingTheObject) {
  Write({Batch(EveryType(), kEveryTypeRows)});
  const std::string whole = *store_->Get("f.parquet");
  const auto ignore = [](const auto&) { return Status::Ok(); };
  std::vector<std::string> damaged = {"", "PAR1", std::string(100, 'x'), whole.substr(0, whole.size() / 2)};
  std::string page = whole;
  page[60] = static_cast<char>(page[60] ^ 0x55);
  damaged.push_back(page);
  for (const std::string& bytes : damaged) {
    ASSERT_TRUE(store_->Put("f.parquet", AsBytes(bytes), storage::Precondition::None()).ok());
    const Status status = ReadParquet(*store_, "f.parquet", {}, ignore);
    EXPECT_TRUE(status.Is(StatusCode::kCorruption)) << status.ToString();
    EXPECT_THAT(status.message(), HasSubstr("f.parquet"));
  }
  EXPECT_TRUE(ReadParquet(*store_, "none.parquet", {}, ignore).Is(StatusCode::kNotFound));
}

TEST_F(ParquetTest, SchemasThatAFileCannotHoldAreRefused) {
  const auto open = [&](const std::shared_ptr<arrow::DataType>& type) {
    return ParquetWriter::Open(*store_, "f.parquet", arrow::schema({arrow::field("c", type)}), {}).status();
  };
  EXPECT_TRUE(open(arrow::null()).Is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(open(arrow::struct_({})).Is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(open(arrow::large_utf8()).Is(StatusCode::kInvalidArgument));
  EXPECT_TRUE(open(arrow::timestamp(arrow::TimeUnit::NANO)).Is(StatusCode::kUnsupported));
  EXPECT_TRUE(open(arrow::list(arrow::int64())).ok());
  EXPECT_TRUE(
      ParquetWriter::Open(*store_, "f.parquet", arrow::schema({}), {}).status().Is(StatusCode::kInvalidArgument));
}

TEST_F(ParquetTest, ABatchOfAnotherSchemaIsRefused) {
  const auto batch = Batch(arrow::schema({arrow::field("x", arrow::int64())}), R"([{"x":1}])");
  auto writer = ParquetWriter::Open(*store_, "f.parquet", arrow::schema({arrow::field("x", arrow::int32())}), {});
  ASSERT_TRUE(writer.ok());
  EXPECT_TRUE((*writer)->Append(*batch).Is(StatusCode::kInvalidArgument));
}

TEST_F(ParquetTest, FieldIdsOfColumnMappingAreStored) {
  const auto id = [](const char* value) { return arrow::key_value_metadata({"json:delta.columnMapping.id"}, {value}); };
  const auto schema = arrow::schema(
      {arrow::field("col-1", arrow::struct_({arrow::field("col-2", arrow::int64(), true, id("2"))}), true, id("1"))});
  Write({Batch(schema, R"([{"col-1":{"col-2":5}}])")});
  auto file = ParquetFile::Open(*store_, "f.parquet");
  ASSERT_TRUE(file.ok());
  const auto& field = (*file)->schema()->field(0);
  EXPECT_EQ(*field->metadata()->Get("PARQUET:field_id"), "1");
  EXPECT_EQ(*field->type()->field(0)->metadata()->Get("PARQUET:field_id"), "2");
}

TEST_F(ParquetTest, TheFooterHasNoBoundsOfFloats) {
  Write({Batch(EveryType(), kEveryTypeRows)});
  auto file = ParquetFile::Open(*store_, "f.parquet");
  ASSERT_TRUE(file.ok());
  for (const char* name : {"float", "double"}) {
    EXPECT_EQ((*file)->NullCount(0, (*file)->FindLeaves({name})[0]), std::nullopt) << name;
  }
  EXPECT_EQ((*file)->NullCount(0, (*file)->FindLeaves({"integer"})[0]), 1);
}

TEST_F(ParquetTest, ColumnsOfValuesThatDifferHaveNoDictionary) {
  const auto schema = arrow::schema({arrow::field("unique", arrow::int64()), arrow::field("same", arrow::int64())});
  const auto values = RandomLongs(100000);
  const auto same = *arrow::MakeArrayFromScalar(arrow::Int64Scalar(7), values->length());
  const auto batch = arrow::RecordBatch::Make(schema, values->length(), {values, same});
  // In batches that come before and after the file is begun.
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (int64_t start = 0; start < batch->num_rows(); start += 7000) batches.push_back(batch->Slice(start, 7000));
  const WrittenFile file = Write(batches);
  EXPECT_EQ(file.num_records, 100000);
  // Eight bytes each; a dictionary would bring two more.
  EXPECT_LT(file.size_bytes, 100000 * 8 + 20000);
  EXPECT_TRUE(Read()->Equals(**arrow::Table::FromRecordBatches({batch}), /*check_metadata=*/false));
}

TEST_F(ParquetTest, APreconditionGuardsThePublication) {
  const auto batch = Batch(arrow::schema({arrow::field("x", arrow::int64())}), R"([{"x":1}])");
  ParquetWriterOptions options;
  options.precondition = storage::Precondition::IfAbsent();
  Write({batch}, options);
  auto writer = ParquetWriter::Open(*store_, "f.parquet", batch->schema(), options);
  Status status = writer.status();
  if (status.ok()) status = (*writer)->Append(*batch);
  if (status.ok()) status = (*writer)->Finish().status();
  EXPECT_TRUE(status.Is(StatusCode::kAlreadyExists)) << status.ToString();
}

TEST_F(ParquetTest, StorageThatFailsAnywhereLeavesNoPartOfAFile) {
  using storage::testing::FaultMode;
  const auto schema = arrow::schema({arrow::field("x", arrow::int64())});
  const auto batch = arrow::RecordBatch::Make(schema, 20'000, {RandomLongs(20'000)});
  for (const FaultMode mode : {FaultMode::kOnce, FaultMode::kForever, FaultMode::kReplyLost}) {
    const int64_t swept = storage::testing::SweepFaults({.mode = mode}, [&](auto injector, const auto& arm) {
      FakeClock clock;
      const auto plain = storage::MakeMemoryStore(clock);
      const auto faulty = storage::testing::MakeFaultyStore(plain, injector);
      arm();
      ParquetWriterOptions options;
      options.row_group_rows = 5'000;
      auto writer = ParquetWriter::Open(*faulty, "f.parquet", schema, options);
      Status status = writer.status();
      if (status.ok()) status = (*writer)->Append(*batch);
      if (status.ok()) status = (*writer)->Finish().status();
      if (writer.ok()) {
        EXPECT_TRUE(status.ok() || !(*writer)->Append(*batch).ok()) << "a writer that failed takes no more";
        writer->reset();
      }
      const auto head = plain->Head("f.parquet");
      if (!injector->fired()) {
        EXPECT_TRUE(status.ok()) << status.ToString();
      } else {
        EXPECT_TRUE(status.Is(StatusCode::kUnavailable) || status.Is(StatusCode::kIndeterminate)) << status.ToString();
        EXPECT_TRUE(!status.Is(StatusCode::kUnavailable) || head.status().Is(StatusCode::kNotFound));
      }
      if (!head.ok()) return;
      // What is there is whole.
      int64_t rows = 0;
      const Status read = ReadParquet(*plain, "f.parquet", {}, [&](const auto& part) {
        rows += part->num_rows();
        return Status::Ok();
      });
      EXPECT_TRUE(read.ok()) << read.ToString();
      EXPECT_EQ(rows, 20'000);
    });
    EXPECT_GT(swept, 2);
  }
}

}  // namespace
}  // namespace tarn::columnar
