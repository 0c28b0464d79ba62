// What Spark makes of expressions over a table that it wrote, and what we do (tools/corpus/spark_expressions.py).

#include <arrow/array/concatenate.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "base/clock.h"
#include "base/random.h"
#include "base/testing/source_tree.h"
#include "columnar/value_array.h"
#include "delta/expressions/expression.h"
#include "delta/files/data_file_reader.h"
#include "delta/table.h"
#include "storage/stores.h"

namespace tarn::delta {
namespace {

namespace fs = std::filesystem;

/// A row of the table with its place in the order of ids.
struct SparkRow {
  std::shared_ptr<arrow::RecordBatch> batch;
  int64_t row = 0;
  int64_t id = 0;
};

std::vector<SparkRow> RowsById(const TableContext& table, const Snapshot& snapshot) {
  std::vector<int> columns(static_cast<size_t>(snapshot.schema()->num_fields()));
  std::iota(columns.begin(), columns.end(), 0);
  std::vector<SparkRow> rows;
  for (FileIndex i = 0; i < snapshot.num_files(); ++i) {
    const Status read = ReadDataFile(
        *table.store, snapshot, *snapshot.File(i), columns, [&](const std::shared_ptr<arrow::RecordBatch>& batch) {
          for (int64_t row = 0; row < batch->num_rows(); ++row) {
            rows.push_back({batch, row, std::get<int64_t>(columnar::ValueAt(*batch->column(0), row))});
          }
          return Status::Ok();
        });
    EXPECT_TRUE(read.ok()) << read.ToString();
  }
  std::ranges::sort(rows, {}, &SparkRow::id);
  return rows;
}

std::string TruthOf(const Result<columnar::Value>& value) {
  if (!value.ok()) return "error";
  const bool* truth = std::get_if<bool>(&*value);
  return truth == nullptr ? "null" : *truth ? "true" : "false";
}

/// Where Spark's settings matter, no row passes here: it is null or an error, whichever.
bool Agrees(const std::string& ours, std::string_view ansi, std::string_view lenient) {
  if (ansi == lenient) return ours == ansi;
  return ours == "null" || ours == "error";
}

TEST(ExpressionSpark, MeansWhatSparkMeans) {
  const fs::path folder = SourceRoot() / "tests" / "fixtures" / "delta" / "spark-expressions";
  Random random(1);
  const auto store = storage::OpenLocalStore((folder / "table").string());
  ASSERT_TRUE(store.ok()) << store.status().ToString();
  const TableContext table{.store = *store, .clock = &SystemClock(), .random = &random};
  const auto snapshot = LoadSnapshot(table);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();
  const std::vector<SparkRow> rows = RowsById(table, **snapshot);
  ASSERT_FALSE(rows.empty());

  simdjson::dom::parser parser;
  simdjson::dom::array cases;
  ASSERT_EQ(parser.load((folder / "expressions.json").string()).get(cases), simdjson::SUCCESS);
  ASSERT_GT(cases.size(), 100U);
  for (const simdjson::dom::element one : cases) {
    const std::string_view text = one["expression"].get_string();
    const auto expression = Expression::Parse(text, *(*snapshot)->schema());
    ASSERT_TRUE(expression.ok()) << text << ": " << expression.status().ToString();
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::string ours = TruthOf((*expression)->At(*rows[i].batch, rows[i].row));
      const std::string_view ansi = one["ansi"].at(i).get_string();
      const std::string_view lenient = one["lenient"].at(i).get_string();
      EXPECT_TRUE(Agrees(ours, ansi, lenient))
          << text << " in row " << rows[i].id << ": Spark says " << ansi << " or " << lenient << ", we " << ours;
    }
  }
}

}  // namespace
}  // namespace tarn::delta
