// Reads the Delta golden tables (each archive holds delta/ and mostly expected/*.parquet) and compares their rows as
// multisets.

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/testing/source_tree.h"
#include "columnar/parquet_reader.h"
#include "delta/files/data_file_reader.h"
#include "delta/log/log_names.h"
#include "delta/operations/rewrite.h"
#include "delta/table.h"
#include "storage/stores.h"
#include "storage/testing/temp_folder.h"

namespace tarn::delta {
namespace {

namespace fs = std::filesystem;

/// Tables without expected rows that must give an error, while opening or reading, and never rows.
const std::map<std::string, StatusCode> kBroken = {
    {"hive", StatusCode::kNotFound},
    {"no-delta-log-folder", StatusCode::kNotFound},
    {"checkpoint", StatusCode::kNotFound},
    {"delete-re-add-same-file-different-transactions", StatusCode::kNotFound},
    {"log-replay-special-characters-b", StatusCode::kNotFound},
    {"deltalog-invalid-protocol-version", StatusCode::kUnsupported},
    {"deltalog-state-reconstruction-from-checkpoint-missing-metadata", StatusCode::kCorruption},
    {"deltalog-state-reconstruction-from-checkpoint-missing-protocol", StatusCode::kCorruption},
    {"deltalog-state-reconstruction-without-metadata", StatusCode::kCorruption},
    {"deltalog-state-reconstruction-without-protocol", StatusCode::kCorruption},
    {"data-reader-absolute-paths-escaped-chars", StatusCode::kCorruption},
    {"deltalog-commit-info", StatusCode::kCorruption},
    {"update-deleted-directory", StatusCode::kCorruption},
    {"versions-not-contiguous", StatusCode::kCorruption},
};

/// Tables with partition timestamps that do not name their zone, and the zone of their writer.
const std::map<std::string, std::string> kZones = {{"data-reader-partition-values", "America/Los_Angeles"}};

std::string DecimalText(__int128 unscaled, int32_t scale) {
  return arrow::Decimal128(static_cast<int64_t>(unscaled >> 64), static_cast<uint64_t>(unscaled)).ToString(scale);
}

std::string Render(const arrow::Array& array, int64_t row);

template <typename ArrayType>
std::string RenderNumber(const arrow::Array& array, int64_t row) {
  return std::to_string(static_cast<const ArrayType&>(array).Value(row));
}

std::string RenderList(const arrow::Array& values, int64_t begin, int64_t end, bool sorted) {
  std::vector<std::string> items;
  for (int64_t i = begin; i < end; ++i) items.push_back(Render(values, i));
  if (sorted) std::sort(items.begin(), items.end());
  std::string out = "[";
  for (const std::string& item : items) out += item + ",";
  return out + "]";
}

std::string RenderReal(double value) {
  char text[40];
  std::snprintf(text, sizeof(text), "%.17g", value);
  return text;
}

std::string Render(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return "null";
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(array).Value(row) ? "true" : "false";
    case arrow::Type::INT8:
      return RenderNumber<arrow::Int8Array>(array, row);
    case arrow::Type::INT16:
      return RenderNumber<arrow::Int16Array>(array, row);
    case arrow::Type::INT32:
      return RenderNumber<arrow::Int32Array>(array, row);
    case arrow::Type::INT64:
      return RenderNumber<arrow::Int64Array>(array, row);
    case arrow::Type::DATE32:
      return RenderNumber<arrow::Date32Array>(array, row);
    case arrow::Type::TIMESTAMP:
      return RenderNumber<arrow::TimestampArray>(array, row);
    case arrow::Type::FLOAT:
      return RenderReal(static_cast<const arrow::FloatArray&>(array).Value(row));
    case arrow::Type::DOUBLE:
      return RenderReal(static_cast<const arrow::DoubleArray&>(array).Value(row));
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return '"' + std::string(static_cast<const arrow::BinaryArray&>(array).GetView(row)) + '"';
    case arrow::Type::DECIMAL128:
      return static_cast<const arrow::Decimal128Array&>(array).FormatValue(row);
    case arrow::Type::STRUCT: {
      const auto& record = static_cast<const arrow::StructArray&>(array);
      std::string out = "{";
      for (int i = 0; i < record.num_fields(); ++i) {
        out += record.struct_type()->field(i)->name() + ":" + Render(*record.field(i), row) + ",";
      }
      return out + "}";
    }
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapArray&>(array);
      return RenderList(*map.values(), map.value_offset(row), map.value_offset(row + 1), /*sorted=*/true);
    }
    case arrow::Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(array);
      return RenderList(*list.values(), list.value_offset(row), list.value_offset(row + 1), /*sorted=*/false);
    }
    default:
      return "?" + array.type()->ToString();
  }
}

std::string RenderPartition(const columnar::Value& value, const arrow::DataType& type) {
  if (columnar::IsNull(value)) return "null";
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* real = std::get_if<double>(&value)) return RenderReal(*real);
  if (const auto* text = std::get_if<std::string>(&value)) return '"' + *text + '"';
  const auto& decimal = std::get<columnar::DecimalValue>(value);
  __int128 unscaled = decimal.unscaled;
  const int32_t scale = static_cast<const arrow::DecimalType&>(type).scale();
  for (int32_t i = decimal.scale; i < scale; ++i) unscaled *= 10;
  return DecimalText(unscaled, scale);
}

/// Rows as texts, the columns in the schema's order; columns of `fixed` have one value for the whole file.
void RenderRows(const arrow::RecordBatch& batch, const arrow::Schema& schema, const std::map<int, std::string>& fixed,
                std::vector<std::string>& rows) {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (const auto& field : schema.fields()) columns.push_back(batch.GetColumnByName(field->name()));
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    std::string text;
    for (int i = 0; i < schema.num_fields(); ++i) {
      const auto value = fixed.find(i);
      if (value != fixed.end()) {
        text += value->second;
      } else {
        text += columns[i] == nullptr ? "null" : Render(*columns[i], row);
      }
      text += "|";
    }
    rows.push_back(std::move(text));
  }
}

/// All rows of the table's newest version.
Result<std::vector<std::string>> ReadTable(const fs::path& folder, const columnar::TimeZone& partition_timezone) {
  TARN_ASSIGN_OR_RETURN(const auto store, storage::OpenLocalStore(folder.string()));
  FakeClock clock;
  Random random(1);
  const TableContext table{store, &clock, &random, nullptr, partition_timezone};
  TARN_ASSIGN_OR_RETURN(const auto snapshot, LoadSnapshot(table));
  std::vector<std::string> rows;
  for (FileIndex i = 0; i < snapshot->num_files(); ++i) {
    TARN_ASSIGN_OR_RETURN(const DataFile file, snapshot->File(i));
    std::map<int, std::string> fixed;
    for (size_t p = 0; p < snapshot->partition_columns().size(); ++p) {
      const int column = snapshot->partition_columns()[p];
      fixed[column] = RenderPartition(file.partition_values[p], *snapshot->schema()->field(column)->type());
    }
    TARN_RETURN_NOT_OK(ReadDataFile(*store, *snapshot, file, DataFileColumns(*snapshot), [&](const auto& batch) {
      RenderRows(*batch, *snapshot->schema(), fixed, rows);
      return Status::Ok();
    }));
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

Result<std::vector<std::string>> ReadExpected(const fs::path& folder, const fs::path& table) {
  TARN_ASSIGN_OR_RETURN(const auto store, storage::OpenLocalStore(folder.string()));
  TARN_ASSIGN_OR_RETURN(const auto table_store, storage::OpenLocalStore(table.string()));
  FakeClock clock;
  Random random(1);
  TARN_ASSIGN_OR_RETURN(const auto snapshot, LoadSnapshot({table_store, &clock, &random, nullptr}));
  std::vector<std::string> rows;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(".parquet") || name[0] == '.') continue;
    TARN_RETURN_NOT_OK(columnar::ReadParquet(*store, name, {}, [&](const auto& batch) {
      RenderRows(*batch, *snapshot->schema(), {}, rows);
      return Status::Ok();
    }));
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

/// Deletes the commits that the newest checkpoint makes superfluous; false when there is none.
bool KeepOnlyCheckpoint(const fs::path& log) {
  int64_t newest = -1;
  for (const auto& entry : fs::directory_iterator(log)) {
    const auto name = ParseLogName(entry.path().filename().string());
    if (!name.has_value()) continue;
    const bool is_checkpoint = name->kind == LogName::Kind::kCheckpoint || name->kind == LogName::Kind::kUuidCheckpoint;
    if (is_checkpoint) newest = std::max(newest, name->version);
  }
  if (newest < 0) return false;
  std::vector<fs::path> superfluous;
  for (const auto& entry : fs::directory_iterator(log)) {
    const auto name = ParseLogName(entry.path().filename().string());
    if (name.has_value() && name->version < newest) superfluous.push_back(entry.path());
    if (name.has_value() && name->kind == LogName::Kind::kCommit && name->version == newest) {
      superfluous.push_back(entry.path());
    }
  }
  for (const fs::path& path : superfluous) fs::remove(path);
  return true;
}

class GoldenTables : public ::testing::Test {
 protected:
  fs::path Unpack(const fs::path& archive) {
    const std::string command = "tar --zstd -xf '" + archive.string() + "' -C '" + folder_.path() + "' 2>/dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    std::string name = archive.filename().string();
    return fs::path(folder_.path()) / name.substr(0, name.find(".tar"));
  }

  void Check(const std::string& name, const fs::path& table);

  storage::testing::TempFolder folder_;
  std::vector<std::string> read_;
  std::vector<std::string> from_checkpoint_;
};

void GoldenTables::Check(const std::string& name, const fs::path& table) {
  columnar::TimeZone zone;
  if (const auto named = kZones.find(name); named != kZones.end()) {
    const auto found = columnar::TimeZone::Find(named->second);
    ASSERT_TRUE(found.ok()) << found.status().ToString();
    zone = *found;
  }
  const auto rows = ReadTable(table / "delta", zone);
  if (const auto broken = kBroken.find(name); broken != kBroken.end()) {
    EXPECT_EQ(rows.status().code(), broken->second) << rows.status().ToString();
    return;
  }
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  if (!fs::exists(table / "expected")) {
    EXPECT_TRUE(rows->empty());
    return;
  }
  const auto expected = ReadExpected(table / "expected", table / "delta");
  ASSERT_TRUE(expected.ok()) << expected.status().ToString();
  EXPECT_EQ(rows->size(), expected->size());
  EXPECT_TRUE(*rows == *expected) << "first of ours:   " << (rows->empty() ? "" : rows->front())
                                  << "\nfirst expected:  " << (expected->empty() ? "" : expected->front());
  read_.push_back(name);
  if (!KeepOnlyCheckpoint(table / "delta" / "_delta_log")) return;
  const auto again = ReadTable(table / "delta", zone);
  ASSERT_TRUE(again.ok()) << "from the checkpoint alone: " << again.status().ToString();
  EXPECT_TRUE(*again == *expected) << "from the checkpoint alone";
  from_checkpoint_.push_back(name);
}

TEST_F(GoldenTables, OurCorpusGivesItsRows) {
  int tables = 0;
  for (const auto& entry : fs::directory_iterator(SourceRoot() / "tests" / "fixtures" / "delta")) {
    SCOPED_TRACE(entry.path().filename().string());
    const fs::path folder = fs::path(folder_.path()) / entry.path().filename();
    fs::create_directories(folder / "expected");
    fs::copy(entry.path() / "table", folder / "delta", fs::copy_options::recursive);
    fs::copy_file(entry.path() / "expected.parquet", folder / "expected" / "rows.parquet");
    Check(entry.path().filename().string(), folder);
    ++tables;
  }
  EXPECT_EQ(static_cast<int>(read_.size()), tables);
}

TEST_F(GoldenTables, GiveTheirRowsOrATypedError) {
  const std::optional<fs::path> folder = SharedFixture("delta-golden");
  if (!folder) GTEST_SKIP() << "the Delta golden tables are not beside this checkout: 89 tables were not read";
  std::vector<fs::path> archives;
  for (const auto& entry : fs::directory_iterator(*folder)) {
    if (entry.path().string().ends_with(".tar.zst")) archives.push_back(entry.path());
  }
  std::sort(archives.begin(), archives.end());
  EXPECT_EQ(archives.size(), 89u);
  for (const fs::path& archive : archives) {
    const std::string name = archive.filename().string().substr(0, archive.filename().string().find(".tar"));
    SCOPED_TRACE(name);
    const fs::path table = Unpack(archive);
    Check(name, table);
    fs::remove_all(table);
  }
  std::printf("%zu golden tables read identically:\n", read_.size());
  for (const std::string& name : read_) std::printf("  %s\n", name.c_str());
  EXPECT_EQ(read_.size(), 71u);
  std::printf("%zu of them also from their newest checkpoint alone\n", from_checkpoint_.size());
  // Classic ones in one file and in parts, v2 ones in JSON and Parquet with sidecars.
  EXPECT_EQ(from_checkpoint_.size(), 10u);
}

}  // namespace
}  // namespace tarn::delta
