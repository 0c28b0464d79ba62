// Writing to a table with column mapping that Spark made: ids, nested members whose names were swapped and given again,
// a renamed partition column.

#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/testing/source_tree.h"
#include "columnar/parquet_reader.h"
#include "delta/files/column_mapping.h"
#include "delta/files/data_file_writer.h"
#include "delta/operations/delete.h"
#include "delta/operations/optimize.h"
#include "delta/operations/rewrite.h"
#include "delta/operations/update.h"
#include "delta/testing/data_table.h"
#include "storage/stores.h"
#include "storage/testing/temp_folder.h"

namespace tarn::delta {
namespace {

namespace fs = std::filesystem;

class MappedTable : public ::testing::Test {
 protected:
  MappedTable() {
    const fs::path table = SourceRoot() / "tests" / "fixtures" / "delta" / "spark-column-mapping-nested" / "table";
    fs::copy(table, folder_.path(), fs::copy_options::recursive);
    table_ = std::make_unique<testing::DataTable>(*storage::OpenLocalStore(folder_.path()));
  }

  /// Names and field ids of a data file's columns as they are stored.
  std::vector<std::pair<std::string, int32_t>> Stored(const std::string& key) {
    const auto file = *columnar::ParquetFile::Open(table_->store(), key);
    std::vector<std::pair<std::string, int32_t>> columns;
    for (const auto& field : file->schema()->fields()) {
      columns.emplace_back(field->name(), columnar::StoredFieldId(*field).value_or(-1));
    }
    return columns;
  }

  storage::testing::TempFolder folder_;
  std::unique_ptr<testing::DataTable> table_;
};

TEST_F(MappedTable, CompactionKeepsRowsNamesAndIds) {
  const auto before = table_->Latest();
  ASSERT_EQ(before->field_match(), columnar::FieldMatch::kFieldId);
  ASSERT_EQ(before->num_files(), 2U);
  const std::vector<std::string> rows = table_->Rows(*before);
  for (FileIndex i = 0; i < before->num_files(); ++i) {
    const auto rewritten = RewriteFiles(table_->context(), *before, {i}, {int64_t{1} << 30, 0});
    ASSERT_TRUE(rewritten.ok()) << rewritten.status().ToString();
    EXPECT_EQ(rewritten->adds[0].partition_values, before->AddAction(i)->partition_values);
    const auto transaction = *Transaction::Begin(table_->context(), table_->Latest());
    transaction->RemoveFile(rewritten->removes[0]);
    transaction->AddFile(rewritten->adds[0]);
    transaction->SetOperation("OPTIMIZE", {});
    const auto committed = transaction->Commit();
    ASSERT_TRUE(committed.ok()) << committed.status().ToString();
    // Spark keeps the partition column in its files too.
    EXPECT_EQ(Stored(rewritten->keys[0]).size(), 4U);
    EXPECT_THAT(Stored(before->File(1)->key), ::testing::IsSupersetOf(Stored(rewritten->keys[0])));
  }
  EXPECT_EQ(table_->Rows(*table_->Latest()), rows);
  // Statistics are under the physical names as well.
  const int id = before->schema()->GetFieldIndex("id");
  EXPECT_EQ(table_->Latest()->Select({Predicate::Compare(Predicate::Op::kEq, id, int64_t{2})})->size(), 1U);
}

class SameAgain final : public RowUpdate {
 public:
  Result<std::shared_ptr<arrow::RecordBatch>> Apply(const std::shared_ptr<arrow::RecordBatch>& rows) override {
    return rows;
  }
};

TEST_F(MappedTable, ChangedRowsKeepNamesIdsAndPartitions) {
  const auto before = table_->Latest();
  const std::vector<std::string> rows = table_->Rows(*before);
  const int id = before->schema()->GetFieldIndex("id");
  const auto is_one = *MakeCondition(*before->schema(), {Predicate::Compare(Predicate::Op::kEq, id, int64_t{1})});
  SameAgain update;
  const auto updated = Update(table_->context(), before, *is_one, update);
  ASSERT_TRUE(updated.ok()) << updated.status().ToString();
  EXPECT_EQ(updated->counts.rows, 1);
  EXPECT_EQ(updated->counts.files_added, 1);
  EXPECT_EQ(table_->Rows(*updated->snapshot), rows);
  const auto selected = *updated->snapshot->Select(is_one->predicates());
  ASSERT_EQ(selected.size(), 1U);
  EXPECT_THAT(Stored(before->File(1)->key), ::testing::IsSupersetOf(Stored(updated->snapshot->File(selected[0])->key)));
  const auto deleted = Delete(table_->context(), updated->snapshot, *is_one);
  ASSERT_TRUE(deleted.ok()) << deleted.status().ToString();
  EXPECT_EQ(table_->Rows(*table_->Latest()).size(), rows.size() - 1);
}

TEST_F(MappedTable, NewColumnsGetANameAndIdsOfTheirOwn) {
  const auto before = table_->Latest();
  arrow::FieldVector fields = before->schema()->fields();
  // A name that only mapped tables can have, and what an old dropped column may have left in a buffered schema.
  const auto inner = arrow::struct_({arrow::field("a b", arrow::int64())});
  fields.push_back(arrow::field("with space", inner)->WithMetadata(fields[0]->metadata()));
  auto schema = MapNewColumns(*before->schema(), before->metadata(), *arrow::schema(fields), *table_->context().random);
  const auto& added = *schema->field(schema->num_fields() - 1);
  EXPECT_TRUE(columnar::PhysicalName(added).starts_with("col-"));
  EXPECT_TRUE(CheckMapping(*schema, before->field_match()).ok());

  arrow::FieldVector columns = {schema->field(0), schema->field(schema->num_fields() - 1)};
  const auto rows = *arrow::RecordBatch::FromStructArray(
      *arrow::json::ArrayFromJSONString(arrow::struct_(columns), R"([{"id":3,"with space":{"a b":7}}])"));
  const auto writer = *DataFileWriter::Open(table_->store(), "new.parquet", rows->schema(), DataFileOptionsOf(*before));
  ASSERT_TRUE(writer->Append(*rows).ok());
  const auto transaction = *Transaction::Begin(table_->context(), before);
  ASSERT_TRUE(transaction->SetSchema(schema).ok());
  transaction->AddFile(*writer->Finish(before->AddAction(0)->partition_values));
  transaction->SetOperation("WRITE", {});
  const auto committed = transaction->Commit();
  ASSERT_TRUE(committed.ok()) << committed.status().ToString();

  const auto after = table_->Latest();
  const auto max_id = [](const Snapshot& snapshot) {
    return std::stoi(snapshot.metadata().configuration.at("delta.columnMapping.maxColumnId"));
  };
  EXPECT_EQ(max_id(*after), max_id(*before) + 2);
  EXPECT_EQ(columnar::MappingId(added), max_id(*before) + 1);
  EXPECT_EQ(Stored("new.parquet")[1], std::pair(columnar::PhysicalName(added), max_id(*before) + 1));
  const std::vector<std::string> all = table_->Rows(*after);
  EXPECT_EQ(all.size(), 3U);
  EXPECT_THAT(all, ::testing::Contains(::testing::AllOf(::testing::StartsWith("|3|"), ::testing::HasSubstr("7"))));
}

TEST_F(MappedTable, PartitionValuesGoByPhysicalNames) {
  const auto before = table_->Latest();
  const auto transaction = *Transaction::Begin(table_->context(), before);
  Add add = *before->AddAction(0);
  add.path = "elsewhere.parquet";
  add.partition_values = {{"part", "x"}};
  transaction->AddFile(add);
  EXPECT_EQ(transaction->Commit().status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tarn::delta
