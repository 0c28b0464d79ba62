#include "delta/constraints.h"

#include <arrow/array.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delta/operations/alter_table.h"
#include "delta/operations/delete.h"
#include "delta/operations/overwrite.h"
#include "delta/operations/table_writer.h"
#include "delta/operations/update.h"
#include "delta/testing/data_table.h"
#include "delta/validate/validate.h"

namespace tarn::delta {
namespace {

using testing::DataTable;
using ::testing::HasSubstr;
using Rows = std::vector<std::string>;

const arrow::FieldVector kColumns = {arrow::field("v", arrow::int64()), arrow::field("part", arrow::utf8())};
const std::map<std::string, std::string> kPositive = {{"delta.constraints.positive", "v > 0"}};

std::shared_ptr<arrow::RecordBatch> Batch(const std::string& rows, const arrow::FieldVector& columns = kColumns) {
  const auto array = *arrow::json::ArrayFromJSONString(arrow::struct_(columns), rows);
  return *arrow::RecordBatch::FromStructArray(array);
}

std::shared_ptr<arrow::Field> WithInvariant(const std::shared_ptr<arrow::Field>& field, const std::string& json) {
  return field->WithMetadata(arrow::key_value_metadata({"delta.invariants"}, {json}));
}

TEST(RowConstraints, ARowMustMakeEveryOneTrue) {
  const Metadata metadata = {.configuration = {{"delta.constraints.a_small", "v < 10 OR part = 'any'"},
                                               {"delta.constraints.positive", "v > 0"},
                                               {"delta.appendOnly", "true"}}};
  const auto constraints = RowConstraints::Of(metadata, arrow::schema(kColumns));
  ASSERT_TRUE(constraints.ok()) << constraints.status().ToString();
  const auto rows = Batch(R"([{"v":1},{"v":0},{"v":null},{"v":11},{"v":11,"part":"any"},{"v":-1,"part":"b"}])");
  const auto found = (*constraints)->Find(*rows, 100);
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0].row, 1);
  EXPECT_EQ((*constraints)->Reason(found[0]), "the CHECK constraint positive (v > 0) is violated");
  EXPECT_EQ(found[1].row, 2) << "null is not true";
  EXPECT_EQ(found[2].row, 3);
  EXPECT_EQ((*constraints)->Reason(found[2]), "the CHECK constraint a_small (v < 10 OR part = 'any') is violated");
  EXPECT_EQ(found[3].row, 5);
  EXPECT_EQ((*constraints)->Find(*rows, 1).size(), 1U);
  const Status status = (*constraints)->Check(*rows->Slice(3));
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "the CHECK constraint a_small (v < 10 OR part = 'any') is violated by a row with v = 11, part = null");
}

TEST(RowConstraints, ARowWithoutAValueIsRefused) {
  const Metadata metadata = {.configuration = {{"delta.constraints.c", "v + 1 IS NULL OR v + 1 <> 0"}}};
  const auto constraints = RowConstraints::Of(metadata, arrow::schema(kColumns));
  ASSERT_TRUE(constraints.ok()) << constraints.status().ToString();
  const Status status = (*constraints)->Check(*Batch(R"([{"v":5},{"v":9223372036854775807}])"));
  EXPECT_THAT(status.message(), HasSubstr("a number that is too large for long by a row with v = 9223372036854775807"));
}

TEST(RowConstraints, InvariantsAreOfColumnsAtAnyDepth) {
  const auto inner = WithInvariant(arrow::field("n", arrow::int32()), R"({"expression":{"expression":"o.n < 3"}})");
  const arrow::FieldVector columns = {
      WithInvariant(arrow::field("i", arrow::int32()), R"({"expression":{"expression":"i > 3"}})"),
      arrow::field("o", arrow::struct_({inner}))};
  const auto constraints = RowConstraints::Of({}, arrow::schema(columns));
  ASSERT_TRUE(constraints.ok()) << constraints.status().ToString();
  EXPECT_TRUE((*constraints)->Check(*Batch(R"([{"i":4,"o":{"n":2}}])", columns)).ok());
  EXPECT_THAT((*constraints)->Check(*Batch(R"([{"i":3,"o":{"n":2}}])", columns)).message(),
              HasSubstr("the invariant of column i (i > 3)"));
  EXPECT_THAT((*constraints)->Check(*Batch(R"([{"i":4,"o":{"n":3}}])", columns)).message(),
              HasSubstr("the invariant of column o.n (o.n < 3)"));
  EXPECT_FALSE((*constraints)->Check(*Batch(R"([{"i":4,"o":null}])", columns)).ok()) << "null, as for the parent";
}

TEST(RowConstraints, HaveABoundTogether) {
  Metadata metadata;
  const std::string expression = "v > 0 AND '" + std::string(60'000, 'x') + "' <> part";
  for (int i = 0; i < 8; ++i) metadata.configuration["delta.constraints.c" + std::to_string(i)] = expression;
  EXPECT_TRUE(RowConstraints::Of(metadata, arrow::schema(kColumns)).ok());
  metadata.configuration["delta.constraints.one_more"] = expression;
  const Status refused = RowConstraints::Of(metadata, arrow::schema(kColumns)).status();
  EXPECT_TRUE(refused.Is(StatusCode::kUnsupported)) << refused.ToString();
  EXPECT_THAT(refused.message(), HasSubstr("bytes together"));
}

TEST(RowConstraints, WhatIsNotUnderstoodIsRefusedByName) {
  const auto status = [](const arrow::FieldVector& columns, const std::string& expression) {
    Metadata metadata;
    if (!expression.empty()) metadata.configuration["delta.constraints.c"] = expression;
    return RowConstraints::Of(metadata, arrow::schema(columns)).status();
  };
  EXPECT_EQ(status(kColumns, "part RLIKE 'a+'").ToString(),
            "Unsupported: the CHECK constraint c (part RLIKE 'a+'): not understood at position 6: 'RLIKE'");
  EXPECT_THAT(status(kColumns, "v + 1").message(), HasSubstr("neither true nor false"));
  const auto odd = WithInvariant(arrow::field("v", arrow::int64()), R"({"between":[1,2]})");
  EXPECT_THAT(status({odd}, "").message(), HasSubstr("the invariant of column 'v' has a form that is not known"));
  const auto element = WithInvariant(arrow::field("element", arrow::int64()), R"({"expression":{"expression":"1=1"}})");
  EXPECT_THAT(status({arrow::field("l", arrow::list(element))}, "").message(), HasSubstr("in a list or map"));
}

class ConstrainedTable : public ::testing::Test {
 protected:
  void SetUp() override {
    table_.Create(arrow::schema(kColumns), {"part"}, kPositive);
    ASSERT_TRUE(Write(R"([{"v":1,"part":"a"},{"v":2,"part":"a"},{"v":3,"part":"b"}])").ok());
  }

  Status Write(const std::string& rows) {
    TableWriter writer(table_.context(), table_.Latest(), {});
    TARN_RETURN_NOT_OK(writer.Append(*Batch(rows)));
    TARN_ASSIGN_OR_RETURN(const auto adds, writer.Finish());
    TARN_ASSIGN_OR_RETURN(const auto transaction, Transaction::Begin(table_.context(), table_.Latest()));
    for (const Add& add : adds) transaction->AddFile(add);
    return transaction->Commit().status();
  }
  /// Another writer, which minds no constraint.
  void WriteCarelessly(const std::string& rows) { table_.Append({kColumns[0]}, rows, {{"part", "a"}}); }

  DataTable table_;
};

/// Gives v another value.
class SetTo final : public RowUpdate {
 public:
  explicit SetTo(int64_t value) : value_(value) {}
  Result<std::shared_ptr<arrow::RecordBatch>> Apply(const std::shared_ptr<arrow::RecordBatch>& rows) override {
    std::string values;
    for (int64_t row = 0; row < rows->num_rows(); ++row) {
      values += (row == 0 ? "" : ",") + std::to_string(value_);
    }
    return *rows->SetColumn(0, kColumns[0], *arrow::json::ArrayFromJSONString(arrow::int64(), "[" + values + "]"));
  }

 private:
  const int64_t value_;
};

TEST_F(ConstrainedTable, IsMadeWithTheProtocolThatSaysSo) {
  EXPECT_EQ(table_.Latest()->protocol().min_writer_version, 3);
  EXPECT_EQ(table_.Latest()->protocol().min_reader_version, 1);
  DataTable other;
  const CreateTableOptions options = {.schema = arrow::schema(kColumns),
                                      .configuration = {{"delta.constraints.c", "w > 0"}}};
  EXPECT_THAT(Transaction::Create(other.context(), options).status().message(), HasSubstr("there is no column w"));
}

TEST_F(ConstrainedTable, TakesNoRowThatBreaksIt) {
  const Status status = Write(R"([{"v":4,"part":"a"},{"v":-5,"part":"b"}])");
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("the CHECK constraint positive (v > 0) is violated by a row with v = -5"));
  EXPECT_TRUE(Write(R"([{"v":4,"part":null}])").ok());
  EXPECT_EQ(table_.Rows(*table_.Latest()), (Rows{"|1|a", "|2|a", "|3|b", "|4|null"}));
}

TEST_F(ConstrainedTable, UpdatesAndOverwritesAreCheckedAndNothingIsLeft) {
  const auto keys = table_.DataKeys();
  const auto latest = table_.Latest();
  const auto some = *MakeCondition(*latest->schema(), {Predicate::Compare(Predicate::Op::kEq, 0, int64_t{2})});
  SetTo nothing(0);
  EXPECT_THAT(Update(table_.context(), latest, *some, nothing).status().message(), HasSubstr("positive"));
  const auto batch = Batch(R"([{"v":7,"part":"a"},{"v":0,"part":"a"}])");
  const auto reader = *arrow::RecordBatchReader::Make({batch});
  EXPECT_THAT(Overwrite(table_.context(), latest, *reader, {}).status().message(), HasSubstr("positive"));
  EXPECT_EQ(table_.DataKeys(), keys);
  SetTo nine(9);
  EXPECT_TRUE(Update(table_.context(), latest, *some, nine).ok());
  EXPECT_EQ(table_.Rows(*table_.Latest()), (Rows{"|1|a", "|3|b", "|9|a"}));
}

TEST_F(ConstrainedTable, RowsThatAreMerelyCopiedMayBreakIt) {
  WriteCarelessly(R"([{"v":-1},{"v":-2},{"v":5}])");
  const auto latest = table_.Latest();
  const auto some = *MakeCondition(*latest->schema(), {Predicate::Compare(Predicate::Op::kEq, 0, int64_t{-1})});
  const auto deleted = Delete(table_.context(), latest, *some);
  ASSERT_TRUE(deleted.ok()) << deleted.status().ToString();
  EXPECT_EQ(deleted->counts.rows_copied, 2);
}

TEST_F(ConstrainedTable, AWinnerThatAddsAConstraintIsNotOverlooked) {
  TableWriter writer(table_.context(), table_.Latest(), {});
  ASSERT_TRUE(writer.Append(*Batch(R"([{"v":50,"part":"a"}])")).ok());
  const auto adds = writer.Finish();
  ASSERT_TRUE(adds.ok());
  const auto append = *Transaction::Begin(table_.context(), table_.Latest());
  for (const Add& add : *adds) append->AddFile(add);
  const auto winner = *Transaction::Begin(table_.context(), table_.Latest());
  Metadata metadata = table_.Latest()->metadata();
  metadata.configuration["delta.constraints.small"] = "v < 10";
  ASSERT_TRUE(winner->SetMetadata(metadata).ok());
  ASSERT_TRUE(winner->Commit().ok());
  EXPECT_EQ(append->Commit().status().code(), StatusCode::kConflict);
  for (const Add& add : *adds) ASSERT_TRUE(table_.store().Delete(add.path).ok());
  EXPECT_FALSE(Write(R"([{"v":50,"part":"a"}])").ok());
}

TEST_F(ConstrainedTable, ConstraintsComeAndGo) {
  const auto alter = [&](const TableChange& change) {
    return AlterTable(table_.context(), table_.Latest(), change).status();
  };
  EXPECT_THAT(alter(AddConstraint{"small", "v < 3"}).message(),
              HasSubstr("the CHECK constraint small (v < 3) is violated by a row with v = 3"));
  EXPECT_EQ(alter(AddConstraint{"POSITIVE", "v > 0"}).code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(alter(AddConstraint{"odd", "v rlike 'x'"}).code(), StatusCode::kUnsupported);
  EXPECT_EQ(alter(AddConstraint{"", "v > 0"}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(alter(DropConstraint{"small"}).code(), StatusCode::kNotFound);
  ASSERT_TRUE(alter(AddConstraint{"Small", "v < 4 AND part <> 'z'"}).ok());
  EXPECT_EQ(table_.Latest()->metadata().configuration.at("delta.constraints.small"), "v < 4 AND part <> 'z'");
  EXPECT_FALSE(Write(R"([{"v":4,"part":"a"}])").ok());
  ASSERT_TRUE(alter(DropConstraint{"SMALL"}).ok());
  EXPECT_TRUE(Write(R"([{"v":4,"part":"a"}])").ok());
}

TEST(AlteredTable, AConstraintRaisesTheProtocol) {
  DataTable table;
  table.Create(arrow::schema(kColumns));
  EXPECT_EQ(table.Latest()->protocol().min_writer_version, 2);
  ASSERT_TRUE(AlterTable(table.context(), table.Latest(), AddConstraint{"positive", "v > 0"}).ok());
  EXPECT_EQ(table.Latest()->protocol(), (Protocol{1, 3, std::nullopt, std::nullopt}));
  DataTable listed;
  listed.Create(arrow::schema(kColumns), {}, {{"delta.enableDeletionVectors", "true"}});
  ASSERT_TRUE(AlterTable(listed.context(), listed.Latest(), AddConstraint{"positive", "v > 0"}).ok());
  EXPECT_THAT(*listed.Latest()->protocol().writer_features, ::testing::Contains("checkConstraints"));
}

TEST_F(ConstrainedTable, WhatIsNotUnderstoodKeepsNewRowsOutAndTheValidatorSaysSo) {
  table_.ExpectBroken();
  const auto change = *Transaction::Begin(table_.context(), table_.Latest());
  Metadata metadata = table_.Latest()->metadata();
  metadata.configuration["delta.constraints.odd"] = "part RLIKE 'a'";
  ASSERT_TRUE(change->SetMetadata(metadata).ok());
  ASSERT_TRUE(change->Commit().ok());
  const Status status = Write(R"([{"v":4,"part":"a"}])");
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("the CHECK constraint odd (part RLIKE 'a')"));
  const auto some = *MakeCondition(*table_.Latest()->schema(), {Predicate::Compare(Predicate::Op::kEq, 0, int64_t{1})});
  EXPECT_TRUE(Delete(table_.context(), table_.Latest(), *some).ok());
  const auto report = ValidateTable(table_.context(), {});
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(report->errors, 0U);
  bool found = false;
  for (const Finding& finding : report->findings) found = found || finding.rule == "constraint";
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace tarn::delta
