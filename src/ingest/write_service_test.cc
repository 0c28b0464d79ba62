#include "ingest/write_service.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "ingest/testing/points.h"
#include "ingest/text_scan.h"

namespace tarn::ingest {
namespace {

using testing::Point;

// The part of a lake that writing needs, in memory: schemas by name, and answers that a test prepares.
class FakeLake final : public lake::Lake {
 public:
  Result<wal::Position> Append(std::vector<lake::TableBatch> batches) override {
    ++appends;
    if (!answers.empty()) {
      const auto answer = std::move(answers.front());
      answers.pop_front();
      TARN_RETURN_NOT_OK(answer());
    }
    std::map<std::string, std::string> begun;
    for (const lake::TableBatch& batch : batches) {
      TARN_RETURN_NOT_OK(CheckAppend(batch));
      const std::string& name = batch.name.table;
      const std::string& first = begun.emplace(FoldCase(name), name).first->second;
      if (first != name && !schemas.contains(name)) return Status::InvalidArgument("db.{" + first + "," + name + "}");
    }
    for (const lake::TableBatch& batch : batches) {
      schemas.emplace(batch.name.table, batch.rows->schema());
      kept.measurements.push_back({batch.name.table, batch.rows});
    }
    return wal::Position{};
  }
  Status CheckAppend(const lake::TableBatch& batch) override {
    const auto found = refusals.find(batch.name.table);
    if (found != refusals.end()) return found->second;
    if (schemas.contains(batch.name.table)) return Status::Ok();
    for (const auto& [name, schema] : schemas) {
      if (FoldCase(name) == FoldCase(batch.name.table) && name != batch.name.table) {
        return Status::InvalidArgument("table " + batch.name.table + " differs only in case from " + name);
      }
    }
    return Status::Ok();
  }
  Result<std::vector<lake::RowRefusal>> Violations(const lake::TableBatch& batch) override {
    std::vector<lake::RowRefusal> refusals;
    if (const auto found = forbidden.find(batch.name.table); found != forbidden.end()) {
      const auto values = std::static_pointer_cast<arrow::DoubleArray>(batch.rows->GetColumnByName("v"));
      lake::RowRefusal refusal{.rows = {}, .reason = "v must not be " + std::to_string(found->second)};
      for (int64_t row = 0; values != nullptr && row < values->length(); ++row) {
        if (values->IsValid(row) && values->Value(row) == found->second) refusal.rows.push_back(row);
      }
      if (!refusal.rows.empty()) refusals.push_back(std::move(refusal));
    }
    return refusals;
  }
  Result<std::shared_ptr<arrow::Schema>> SchemaOf(const lake::TableName& name) override {
    ++schemas_read;
    if (const auto found = schema_failures.find(name.table); found != schema_failures.end()) return found->second;
    if (const auto found = schemas.find(name.table); found != schemas.end()) return found->second;
    for (const auto& [table, schema] : schemas) {
      if (FoldCase(table) == FoldCase(name.table)) return schema;
    }
    return Status::NotFound(name.ToString());
  }
  Result<std::vector<std::string>> ListTables(const std::string&) override {
    std::vector<std::string> tables;
    for (const auto& [table, schema] : schemas) tables.push_back(table);
    return tables;
  }

  Result<std::vector<std::string>> ListDatabases() override { return Status::Unsupported(""); }
  Result<std::shared_ptr<const lake::TableView>> Pin(const lake::TableName&,
                                                     const std::optional<lake::AsOf>&) override {
    return Status::Unsupported("");
  }
  Status FlushAll() override { return Status::Ok(); }
  Status FlushDue() override { return Status::Ok(); }
  Result<delta::OptimizeResult> Optimize(const lake::TableName&, const delta::OptimizeOptions&) override {
    return Status::Unsupported("");
  }
  Result<delta::VacuumResult> Vacuum(const lake::TableName&, const delta::VacuumOptions&) override {
    return Status::Unsupported("");
  }
  Result<std::vector<lake::TableStatus>> ListTableStatus() override { return Status::Unsupported(""); }
  lake::LakeStats stats() const override { return {}; }
  void Close() override {}

  std::map<std::string, std::shared_ptr<arrow::Schema>> schemas;
  std::deque<std::function<Status()>> answers;
  /// By table: the lake takes none of its rows, or does not even tell its schema.
  std::map<std::string, Status> refusals;
  /// What the field `v` must not be, by table.
  std::map<std::string, double> forbidden;
  std::map<std::string, Status> schema_failures;
  int appends = 0;
  int schemas_read = 0;
  ParsedLines kept;
};

class WriteServiceTest : public ::testing::Test {
 protected:
  std::vector<Point> Kept() const { return testing::PointsOf(lake_.kept); }

  FakeLake lake_;
  FakeClock clock_{1'700'000'000'123'456'789};
  WriteService service_{lake_, clock_};
};

TEST_F(WriteServiceTest, KeepsGoodLinesAndNamesBadOnes) {
  const WriteOutcome outcome = service_.WriteLines("db", "m v=1 1000\nbad\nn w=2i\n", {});
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.ToString();
  EXPECT_EQ(outcome.lines_kept, 2);
  ASSERT_EQ(outcome.errors.size(), 1u);
  EXPECT_EQ(outcome.errors[0].line_number, 2);
  EXPECT_EQ(outcome.error_count, 1);
  EXPECT_EQ(lake_.appends, 1) << "all measurements become durable together";
  EXPECT_EQ(Kept(), (std::vector<Point>{{"m", 1000, {{"v", testing::FloatText(1)}}},
                                        {"n", 1'700'000'000'123'456'789, {{"w", "i2"}}}}));
}

TEST_F(WriteServiceTest, AllOrNothingWritesNothingBesideABadLine) {
  const WriteOutcome refused = service_.WriteLines("db", "m v=1 1000\nbad\n", {.accept_partial = false});
  EXPECT_TRUE(refused.status.ok());
  EXPECT_EQ(refused.lines_kept, 0);
  ASSERT_EQ(refused.errors.size(), 1u);
  EXPECT_EQ(refused.errors[0].line_number, 2);
  EXPECT_EQ(lake_.appends, 0);
  EXPECT_EQ(service_.WriteLines("db", "m v=1 1000\n", {.accept_partial = false}).lines_kept, 1);
}

TEST_F(WriteServiceTest, NothingGoodMeansNothingIsAppended) {
  const WriteOutcome outcome = service_.WriteLines("db", "bad\n# comment\n", {});
  EXPECT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.error_count, 1);
  EXPECT_EQ(lake_.appends, 0);
}

TEST_F(WriteServiceTest, TypesComeFromTheTable) {
  lake_.schemas["m"] = arrow::schema({arrow::field("v", arrow::int64())});
  const WriteOutcome outcome = service_.WriteLines("db", "m v=1\nm v=2i", {});
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.lines_kept, 1);
  EXPECT_EQ(outcome.errors[0].reason, "field 'v' is double here and integer in the table");
}

TEST_F(WriteServiceTest, ALostSchemaRaceIsParsedAgain) {
  lake_.answers.push_back([&] {
    // Another writer adds the column as an integer in the meantime.
    lake_.schemas["m"] = arrow::schema({arrow::field("v", arrow::int64())});
    return Status::Conflict("v is bigint");
  });
  const WriteOutcome outcome = service_.WriteLines("db", "m v=1 5\nm w=2 6", {});
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.ToString();
  EXPECT_EQ(lake_.appends, 2);
  EXPECT_EQ(outcome.lines_kept, 1);
  ASSERT_EQ(outcome.errors.size(), 1u);
  EXPECT_EQ(outcome.errors[0].line_number, 1);
  EXPECT_EQ(Kept(), (std::vector<Point>{{"m", 6, {{"w", testing::FloatText(2)}}}}));
}

TEST_F(WriteServiceTest, RacesAreNotRetriedForEver) {
  for (int i = 0; i < 100; ++i) lake_.answers.push_back([] { return Status::Conflict("again"); });
  const WriteOutcome outcome = service_.WriteLines("db", "m v=1", {});
  EXPECT_EQ(outcome.status.code(), StatusCode::kUnavailable) << "the client's request was right";
  EXPECT_LT(lake_.appends, 20);
  EXPECT_EQ(outcome.lines_kept, 0);
}

TEST_F(WriteServiceTest, AMeasurementThatClashesWithATableIsRefusedAlone) {
  lake_.schemas["CPU"] = arrow::schema({arrow::field("v", arrow::float64())});
  const WriteOutcome outcome = service_.WriteLines("db", "cpu v=1\nm v=2 7\ncpu v=3", {});
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.ToString();
  EXPECT_EQ(outcome.lines_kept, 1);
  ASSERT_EQ(outcome.errors.size(), 2u);
  EXPECT_EQ(outcome.errors[0].reason, "table cpu differs only in case from CPU");
  EXPECT_EQ(outcome.errors[1].line_number, 3);
  EXPECT_EQ(Kept(), (std::vector<Point>{{"m", 7, {{"v", testing::FloatText(2)}}}}));
}

TEST_F(WriteServiceTest, OfTwoNewSpellingsTheFirstInTheBodyIsKept) {
  const WriteOutcome outcome = service_.WriteLines("db", "ok v=1 1\nCpu v=2 2\ncpu v=3 3\nCpu v=4 4\nCPU v=5 5", {});
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.ToString();
  EXPECT_EQ(outcome.lines_kept, 3);
  ASSERT_EQ(outcome.errors.size(), 2u);
  EXPECT_EQ(outcome.errors[0].line_number, 3);
  EXPECT_EQ(outcome.errors[0].reason, "measurement 'cpu' differs only in case from 'Cpu'");
  EXPECT_EQ(outcome.errors[1].line_number, 5);
  EXPECT_EQ(outcome.errors[1].reason, "measurement 'CPU' differs only in case from 'Cpu'");
  EXPECT_EQ(Kept().size(), 3u);

  const WriteOutcome all = service_.WriteLines("db", "X v=1 1\nx v=2 2\nok v=3 3", {.accept_partial = false});
  EXPECT_TRUE(all.status.ok()) << all.status.ToString();
  EXPECT_EQ(all.lines_kept, 0);
  ASSERT_EQ(all.errors.size(), 1u);
  EXPECT_EQ(all.errors[0].line_number, 2);
  EXPECT_EQ(Kept().size(), 3u);
}

TEST_F(WriteServiceTest, SpellingsThatAreTablesAreAllKept) {
  for (const char* table : {"Cpu", "cpu"}) lake_.schemas[table] = arrow::schema({arrow::field("v", arrow::float64())});
  const WriteOutcome both = service_.WriteLines("db", "cpu v=1 1\nCpu v=2 2\ncpu v=3 3", {});
  EXPECT_EQ(both.lines_kept, 3);
  EXPECT_EQ(both.error_count, 0);
  // Only the table is no new one, and comes after a spelling that would be.
  const WriteOutcome outcome = service_.WriteLines("db", "X v=1 1\nCpu v=2 2\nx v=3 3\ncpu v=4 4\nCPU v=5 5", {});
  EXPECT_EQ(outcome.lines_kept, 3);
  ASSERT_EQ(outcome.errors.size(), 2u);
  EXPECT_EQ(outcome.errors[0].reason, "measurement 'x' differs only in case from 'X'");
  EXPECT_EQ(outcome.errors[1].reason, "table CPU differs only in case from Cpu");
}

TEST_F(WriteServiceTest, ColumnsHaveAnyName) {
  const WriteOutcome outcome = service_.WriteLines("db", "m v=1 1\nm room\\ temp=2 2\nm,a;b=x v=3 3\nm v=4 4", {});
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.ToString();
  EXPECT_EQ(outcome.lines_kept, 4);
  EXPECT_TRUE(outcome.errors.empty());
  EXPECT_EQ(Kept().size(), 4u);
}

TEST_F(WriteServiceTest, OtherFailuresKeepNothing) {
  for (const auto& failure : {Status::Unavailable("disk full"), Status::InvalidArgument("who knows"),
                              Status::Internal("bug"), Status::Indeterminate("lost")}) {
    lake_.answers.push_back([&] { return failure; });
    const WriteOutcome outcome = service_.WriteLines("db", "m v=1\nbad", {});
    EXPECT_EQ(outcome.status.code(), failure.code());
    EXPECT_EQ(outcome.lines_kept, 0);
  }
  EXPECT_TRUE(Kept().empty());
}

TEST_F(WriteServiceTest, AFaultWhileReadingASchemaIsNoFaultOfTheLines) {
  lake_.schema_failures["m"] = Status::Unavailable("storage is away");
  const WriteOutcome outcome = service_.WriteLines("db", "ok v=1\nm v=1", {});
  EXPECT_EQ(outcome.status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(lake_.appends, 0);
}

TEST_F(WriteServiceTest, LinesOfATableThatTakesNoRowsAreRefusedAlone) {
  lake_.refusals["cc"] = Status::Unsupported("db.cc: table feature checkConstraints");
  lake_.refusals["gone"] = Status::NotFound("table db.gone does not exist");
  const WriteOutcome outcome = service_.WriteLines("db", "cc v=1 1\nok v=2 2\ncc v=3 3\ngone v=4 4", {});
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.ToString();
  EXPECT_EQ(outcome.lines_kept, 1);
  ASSERT_EQ(outcome.errors.size(), 3u);
  EXPECT_EQ(outcome.errors[0].line_number, 1);
  EXPECT_EQ(outcome.errors[0].reason, "db.cc: table feature checkConstraints");
  EXPECT_EQ(outcome.errors[1].line_number, 3);
  EXPECT_EQ(outcome.errors[2].line_number, 4);
  EXPECT_EQ(outcome.errors[2].reason, "table db.gone does not exist");
  EXPECT_EQ(Kept(), (std::vector<Point>{{"ok", 2, {{"v", testing::FloatText(2)}}}}));
}

TEST_F(WriteServiceTest, LinesThatBreakAConstraintAreRefusedByNumber) {
  lake_.forbidden["c"] = 2;
  const std::string body =
      "\xef\xbb\xbf"
      "c v=1 1\n# none\nc v=2 2\nok v=2 3\n\nc v=2 4\nbad\nc v=3 5";
  const WriteOutcome outcome = service_.WriteLines("db", body, {});
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.ToString();
  EXPECT_EQ(outcome.lines_kept, 3);
  ASSERT_EQ(outcome.errors.size(), 3u);
  EXPECT_EQ(outcome.errors[0].line_number, 3);
  EXPECT_EQ(outcome.errors[0].reason, "v must not be 2.000000");
  EXPECT_EQ(outcome.errors[0].original_line, "c v=2 2");
  EXPECT_EQ(outcome.errors[1].line_number, 6);
  EXPECT_EQ(outcome.errors[2].line_number, 7);
  EXPECT_EQ(Kept(), (std::vector<Point>{{"c", 1, {{"v", testing::FloatText(1)}}},
                                        {"c", 5, {{"v", testing::FloatText(3)}}},
                                        {"ok", 3, {{"v", testing::FloatText(2)}}}}));
  const WriteOutcome all_or_none = service_.WriteLines("db", "c v=1 1\nc v=2 2", {.accept_partial = false});
  EXPECT_EQ(all_or_none.error_count, 1);
  EXPECT_EQ(all_or_none.lines_kept, 0);
}

TEST_F(WriteServiceTest, AFaultThatMayPassRefusesTheBodyAndLosesNothing) {
  const std::string body = "garb v=1 1\nok v=2 2\nbad\ngarb v=3 3";
  for (int i = 1; i < kStatusCodeCount; ++i) {
    const auto code = static_cast<StatusCode>(i);
    const Status fault(code, "db.garb: 00000000000000000000.json: fails");
    // Those blame lines; Conflict is tried again first, for ever here.
    if (code == StatusCode::kInvalidArgument || code == StatusCode::kUnsupported || code == StatusCode::kNotFound ||
        code == StatusCode::kConflict) {
      continue;
    }
    for (const bool while_reading : {true, false}) {
      for (const bool accept_partial : {true, false}) {
        (while_reading ? lake_.schema_failures : lake_.refusals)["garb"] = fault;
        const std::string text = accept_partial ? body : "garb v=1 1\nok v=2 2\ngarb v=3 3";
        const WriteOutcome outcome = service_.WriteLines("db", text, {.accept_partial = accept_partial});
        EXPECT_EQ(outcome.status.ToString(), fault.ToString());
        EXPECT_EQ(outcome.lines_kept + outcome.error_count, 0);
        EXPECT_TRUE(outcome.errors.empty());
        EXPECT_TRUE(Kept().empty());
        lake_.schema_failures.clear();
        lake_.refusals.clear();
      }
    }
  }
  EXPECT_EQ(service_.WriteLines("db", body, {}).lines_kept, 3) << "sent again, each line is kept once";
  EXPECT_EQ(Kept().size(), 3u);
}

TEST_F(WriteServiceTest, LinesWithoutAColumnThatMustNotBeNullAreNamed) {
  lake_.schemas["m"] = arrow::schema({arrow::field("site", arrow::utf8(), false), arrow::field("v", arrow::float64()),
                                      arrow::field("req", arrow::float64(), false)});
  const WriteOutcome outcome =
      service_.WriteLines("db", "m,site=a v=1 1\nm,site=a req=2 2\nm,site=a req=3,v=3 3\nm req=4 4\nok v=5 5", {});
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.ToString();
  EXPECT_EQ(outcome.lines_kept, 3);
  ASSERT_EQ(outcome.errors.size(), 2u);
  EXPECT_EQ(outcome.errors[0].line_number, 1);
  EXPECT_EQ(outcome.errors[0].reason, "column 'req' of the table must not be null, and the line has no value for it");
  EXPECT_EQ(outcome.errors[1].line_number, 4);
  EXPECT_EQ(outcome.errors[1].reason, "column 'site' of the table must not be null, and the line has no value for it");
}

TEST_F(WriteServiceTest, DatabaseNamesAreChecked) {
  for (const char* database : {"", "system"}) {
    const WriteOutcome outcome = service_.WriteLines(database, "m v=1", {});
    EXPECT_EQ(outcome.status.code(), StatusCode::kInvalidArgument) << database;
  }
  EXPECT_EQ(lake_.appends, 0);
}

}  // namespace
}  // namespace tarn::ingest
