#include "lake/row_shape.h"

#include <arrow/array.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "lake/testing/lake_world.h"

namespace tarn::lake {
namespace {

using testing::MakeRows;

TableColumns TableOf(const arrow::Schema& batch) {
  TableColumns columns = *ColumnsOfNewTable(batch);
  auto fields = columns.schema->fields();
  for (const auto& field : batch.fields()) {
    if (columns.schema->GetFieldIndex(field->name()) < 0) fields.push_back(field);
  }
  columns.schema = arrow::schema(fields);
  return columns;
}

std::shared_ptr<arrow::RecordBatch> EmptyColumn(const std::string& name, const std::shared_ptr<arrow::DataType>& type) {
  return arrow::RecordBatch::MakeEmpty(arrow::schema({arrow::field(name, type)})).ValueOrDie();
}

/// Three rows of which the second has no x.
std::shared_ptr<arrow::RecordBatch> RowsWithSomeX() {
  arrow::Int64Builder id;
  arrow::DoubleBuilder x;
  EXPECT_TRUE(id.AppendValues({1, 2, 3}).ok());
  EXPECT_TRUE(x.AppendValues({1.0, 0.0, 3.0}, {true, false, true}).ok());
  arrow::ArrayVector arrays(2);
  EXPECT_TRUE(id.Finish(arrays.data()).ok());
  EXPECT_TRUE(x.Finish(&arrays[1]).ok());
  return arrow::RecordBatch::Make(
      arrow::schema({arrow::field("id", arrow::int64()), arrow::field("x", arrow::float64())}), 3, arrays);
}

TEST(RowShape, ReservedColumnsKeepTheirMeaning) {
  EXPECT_EQ(ColumnsOfNewTable(*EmptyColumn("time", arrow::int64())->schema()).status().code(),
            StatusCode::kInvalidArgument);
  const TableColumns table = TableOf(*MakeRows({.ids = {1}})->schema());
  EXPECT_TRUE(table.derives_time_date());
  for (const auto& [name, type] :
       std::vector<std::pair<std::string, std::shared_ptr<arrow::DataType>>>{{"time_date", arrow::date32()},
                                                                             {"TIME_DATE", arrow::date32()},
                                                                             {"time_ns", arrow::int64()},
                                                                             {"ID", arrow::int64()}}) {
    EXPECT_EQ(PlanColumns(*EmptyColumn(name, type)->schema(), table).status().code(), StatusCode::kInvalidArgument)
        << name;
  }
  EXPECT_TRUE(PlanColumns(*EmptyColumn("time_ns", arrow::int16())->schema(), table).ok());
}

TEST(RowShape, TypesOfDeltaAreWhatATableGets) {
  const TableColumns table = {arrow::schema({}), {}};
  for (const auto& [given, kept] :
       std::vector<std::pair<std::shared_ptr<arrow::DataType>, std::shared_ptr<arrow::DataType>>>{
           {arrow::uint8(), arrow::int16()},
           {arrow::uint64(), arrow::decimal128(20, 0)},
           {arrow::large_utf8(), arrow::utf8()},
           {arrow::dictionary(arrow::int32(), arrow::utf8()), arrow::utf8()},
           {arrow::timestamp(arrow::TimeUnit::NANO, "Europe/Paris"), arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")},
           {arrow::list(arrow::uint16()), arrow::list(arrow::field("element", arrow::int32()))}}) {
    const auto rows = EmptyColumn("x", given);
    const auto plan = PlanColumns(*rows->schema(), table);
    ASSERT_TRUE(plan.ok()) << given->ToString() << plan.status().ToString();
    const auto applied = ApplyPlan(*rows, *plan);
    ASSERT_TRUE(applied.ok()) << given->ToString() << applied.status().ToString();
    EXPECT_TRUE((*applied)->column(0)->type()->Equals(*kept)) << given->ToString();
  }
  EXPECT_EQ(PlanColumns(*EmptyColumn("x", arrow::duration(arrow::TimeUnit::SECOND))->schema(), table).status().code(),
            StatusCode::kInvalidArgument);
}

TEST(RowShape, CutsByDateAlsoBeforeTheEpoch) {
  const auto first = MakeRows({.ids = {1, 2}, .day = -1});
  const auto second = MakeRows({.ids = {3}, .day = 0});
  const auto rows = arrow::ConcatenateRecordBatches({first, second, first}).ValueOrDie();
  const auto segments = CutByPartition(rows, TableOf(*rows->schema()));
  ASSERT_TRUE(segments.ok());
  ASSERT_EQ(segments->size(), 2u);
  EXPECT_EQ((*segments)[0].partition_values[0], columnar::Value(int64_t{-1}));
  EXPECT_EQ((*segments)[0].num_rows, 4);
  EXPECT_EQ((*segments)[1].partition_values[0], columnar::Value(int64_t{0}));
  EXPECT_EQ((*segments)[1].num_rows, 1);
}

TEST(RowShape, CutsByColumnsOfOthersAndPutsThemBack) {
  const auto rows = MakeRows({.ids = {1, 2}, .extra_name = "host", .extra_type = arrow::utf8()});
  const TableColumns table = {rows->schema(), {"host"}};
  const auto segments = CutByPartition(rows, table);
  ASSERT_TRUE(segments.ok());
  ASSERT_EQ(segments->size(), 2u);
  EXPECT_EQ((*segments)[1].partition_values[0], columnar::Value(std::string("s2")));
  EXPECT_EQ((*segments)[1].batches[0]->schema()->GetFieldIndex("host"), -1);
  const auto whole = WholeRows((*segments)[1], table);
  ASSERT_TRUE(whole.ok()) << whole.status().ToString();
  EXPECT_TRUE((*whole)[0]->GetColumnByName("host")->Equals(*rows->Slice(1, 1)->GetColumnByName("host")));
}

TEST(RowShape, KeepsRowsWhoseConflictingColumnIsNull) {
  const auto x = RowsWithSomeX();
  const TableColumns table = {arrow::schema({arrow::field("id", arrow::int64()), arrow::field("x", arrow::utf8())}),
                              {}};
  const auto fitted = FitRows(x, table);
  ASSERT_TRUE(fitted.ok());
  EXPECT_EQ(fitted->kept->num_rows(), 1);
  EXPECT_EQ(fitted->kept->num_columns(), 1);
  EXPECT_EQ(fitted->rejected->num_rows(), 2);
  EXPECT_NE(fitted->reason.find("'x'"), std::string::npos);
  EXPECT_FALSE(FitsWhole(*x->schema(), *table.schema));
}

TEST(RowShape, KeepsRowsThatHaveWhatMustNotBeNull) {
  const auto x = RowsWithSomeX();
  const auto required = arrow::field("x", x->GetColumnByName("x")->type(), /*nullable=*/false);
  const TableColumns table = {arrow::schema({arrow::field("id", arrow::int64()), required}), {}};
  EXPECT_FALSE(HasRequired(*x, *required));
  const auto fitted = FitRows(x, table);
  ASSERT_TRUE(fitted.ok());
  EXPECT_EQ(fitted->kept->num_rows(), x->num_rows() - x->GetColumnByName("x")->null_count());
  EXPECT_EQ(fitted->rejected->num_rows(), x->GetColumnByName("x")->null_count());
  EXPECT_EQ(fitted->reason, "column 'x' must not be null in the table");
  EXPECT_TRUE(HasRequired(*fitted->kept, *required));
  const TableColumns lacking = {arrow::schema({arrow::field("y", arrow::int64(), /*nullable=*/false)}), {}};
  EXPECT_EQ(FitRows(x, lacking)->kept, nullptr);
}

}  // namespace
}  // namespace tarn::lake
