// Keeps temperatures in a Delta table: makes it, appends to it, reads some of it, corrects a mistake, compacts it and
// looks back.   readings FOLDER-OR-URI

#include <arrow/api.h>

#include <cstdio>
#include <string>

#include "tarn/base/clock.h"
#include "tarn/base/environment.h"
#include "tarn/base/random.h"
#include "tarn/delta/operations/append.h"
#include "tarn/delta/operations/delete.h"
#include "tarn/delta/operations/optimize.h"
#include "tarn/delta/operations/row_condition.h"
#include "tarn/delta/operations/scan.h"
#include "tarn/delta/table.h"
#include "tarn/delta/table_store.h"
#include "tarn/delta/transaction.h"

using tarn::Result;
using tarn::Status;
namespace delta = tarn::delta;

namespace {

using SnapshotPtr = std::shared_ptr<const delta::Snapshot>;

const auto kSchema = arrow::schema({arrow::field("sensor", arrow::utf8()), arrow::field("celsius", arrow::float64()),
                                    arrow::field("day", arrow::utf8())});

/// One day's readings of one sensor, warmer by the hour.
std::shared_ptr<arrow::RecordBatchReader> Readings(const std::string& sensor, const std::string& day, double first) {
  arrow::StringBuilder sensors;
  arrow::DoubleBuilder values;
  arrow::StringBuilder days;
  for (int hour = 0; hour < 24; ++hour) {
    (void)sensors.Append(sensor);
    (void)values.Append(first + 0.5 * hour);
    (void)days.Append(day);
  }
  const auto batch = arrow::RecordBatch::Make(kSchema, 24, {*sensors.Finish(), *values.Finish(), *days.Finish()});
  return *arrow::RecordBatchReader::Make({batch}, kSchema);
}

/// The rows above a temperature. Files that cannot have one are not opened.
Result<int64_t> CountAbove(const delta::TableContext& table, const delta::Snapshot& snapshot, double celsius) {
  using delta::Predicate;
  TARN_ASSIGN_OR_RETURN(
      const auto where,
      delta::MakeCondition(*snapshot.schema(), {Predicate::Compare(Predicate::Op::kGt, /*column=*/1, celsius)}));
  int64_t rows = 0;
  TARN_RETURN_NOT_OK(delta::ScanTable(table, snapshot, {.columns = {0, 1}, .where = where.get()},
                                      [&](const std::shared_ptr<arrow::RecordBatch>& batch) {
                                        rows += batch->num_rows();
                                        return Status::Ok();
                                      }));
  return rows;
}

void Tell(const delta::Snapshot& snapshot, int64_t hot) {
  std::printf("version %ld: %zu files, %ld readings above 26 degrees\n", static_cast<long>(snapshot.version()),
              snapshot.num_files(), static_cast<long>(hot));
}

Status Run(const std::string& uri) {
  tarn::Random random = tarn::Random::FromSystem();
  TARN_ASSIGN_OR_RETURN(auto store, delta::OpenTableStore(uri, /*entries=*/{}, tarn::ProcessEnvironment()));
  const delta::TableContext table{store, &tarn::SystemClock(), &random, nullptr};

  TARN_ASSIGN_OR_RETURN(const auto creation,
                        delta::Transaction::Create(table, {.schema = kSchema, .partition_columns = {"day"}}));
  TARN_ASSIGN_OR_RETURN(const delta::Committed created, creation->Commit());
  SnapshotPtr snapshot = created.snapshot;

  for (const char* day : {"2026-06-01", "2026-06-02"}) {
    for (const char* sensor : {"roof", "cellar", "broken"}) {
      const double first = sensor == std::string("broken") ? 900 : 15;
      TARN_ASSIGN_OR_RETURN(const delta::Committed appended,
                            delta::Append(table, snapshot, *Readings(sensor, day, first)));
      snapshot = appended.snapshot;
    }
  }
  TARN_ASSIGN_OR_RETURN(const int64_t hot, CountAbove(table, *snapshot, 26.0));
  Tell(*snapshot, hot);

  using delta::Predicate;
  TARN_ASSIGN_OR_RETURN(
      const auto impossible,
      delta::MakeCondition(*snapshot->schema(), {Predicate::Compare(Predicate::Op::kGt, /*column=*/1, 100.0)}));
  TARN_ASSIGN_OR_RETURN(const delta::ChangeResult deleted,
                        delta::Delete(table, snapshot, *impossible, {.predicate = "celsius > 100"}));
  TARN_ASSIGN_OR_RETURN(const delta::OptimizeResult compacted, delta::Optimize(table, deleted.snapshot, {}));
  TARN_ASSIGN_OR_RETURN(const int64_t left, CountAbove(table, *compacted.snapshot, 26.0));
  Tell(*compacted.snapshot, left);

  TARN_RETURN_NOT_OK(delta::WriteCheckpoint(table, *compacted.snapshot));
  TARN_ASSIGN_OR_RETURN(const SnapshotPtr before, delta::LoadSnapshotAt(table, 3));
  TARN_ASSIGN_OR_RETURN(const int64_t then, CountAbove(table, *before, 26.0));
  std::printf("version 3 had %ld\n", static_cast<long>(then));
  TARN_ASSIGN_OR_RETURN(const auto history, delta::ReadHistory(table, *compacted.snapshot, /*limit=*/3));
  for (const delta::HistoryEntry& entry : history) {
    std::printf("  %ld %s\n", static_cast<long>(entry.version), entry.info.operation.c_str());
  }
  return Status::Ok();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: readings FOLDER-OR-URI\n");
    return 2;
  }
  const Status status = Run(argv[1]);
  if (!status.ok()) std::fprintf(stderr, "readings: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
