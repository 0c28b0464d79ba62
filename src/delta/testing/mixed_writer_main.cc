/// One of several processes that work on one table at once, for tests to start, stop and kill:
///   tarn_mixed_writer URI append NAME COMMITS   appends rows (NAME, 0), (NAME, 1), … one commit each, and prints each
///                                               number once it is committed; begins behind those that NAME has already
///   tarn_mixed_writer URI optimize|checkpoint|vacuum   does so time and again until its standard input ends
/// Where TARN_DYNAMODB_TABLE names a table, its entries decide commits. Says on stderr what failed. Ends with 1 when an
/// append was refused.

#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/environment.h"
#include "base/random.h"
#include "delta/operations/append.h"
#include "delta/operations/optimize.h"
#include "delta/operations/vacuum.h"
#include "delta/table.h"
#include "delta/table_store.h"

namespace tarn::delta {
namespace {

std::shared_ptr<arrow::RecordBatchReader> Row(const Snapshot& snapshot, const std::string& name, int64_t number) {
  arrow::StringBuilder writers;
  arrow::Int64Builder numbers;
  TARN_CHECK(writers.Append(name).ok() && numbers.Append(number).ok());
  const auto batch = arrow::RecordBatch::Make(snapshot.schema(), 1, {*writers.Finish(), *numbers.Finish()});
  return *arrow::RecordBatchReader::Make({batch}, snapshot.schema());
}

Status AppendRows(const TableContext& table, const std::string& name, int64_t commits) {
  TARN_ASSIGN_OR_RETURN(auto snapshot, LoadSnapshot(table));
  for (int64_t number = snapshot->TxnVersion(name).value_or(-1) + 1; number < commits; ++number) {
    const Txn txn{.app_id = name, .version = number, .last_updated_millis = std::nullopt};
    TARN_ASSIGN_OR_RETURN(const Committed committed,
                          Append(table, snapshot, *Row(*snapshot, name, number), {.txn = txn}));
    snapshot = committed.snapshot;
    std::printf("%ld\n", static_cast<long>(number));
    std::fflush(stdout);
  }
  return Status::Ok();
}

Status MaintainOnce(const TableContext& table, const std::string& what) {
  TARN_ASSIGN_OR_RETURN(const auto snapshot, LoadSnapshot(table));
  if (what == "optimize") return Optimize(table, snapshot, {}).status();
  if (what == "checkpoint") return WriteCheckpoint(table, *snapshot);
  if (what == "vacuum") return Vacuum(table, snapshot, {}).status();
  return Status::InvalidArgument("no " + what);
}

bool InputEnded(int timeout_millis) {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  return ::poll(&input, 1, timeout_millis) > 0;
}

/// Losing to others is no failure of what keeps a table in order.
Status Maintain(const TableContext& table, const std::string& what) {
  do {
    const Status status = MaintainOnce(table, what);
    if (!status.ok() && !status.Is(StatusCode::kConflict)) return status;
  } while (!InputEnded(/*timeout_millis=*/50));
  return Status::Ok();
}

Status Run(const std::vector<std::string>& words) {
  if (words.size() != 2 && words.size() != 4) return Status::InvalidArgument("wrong number of words");
  Random random = Random::FromSystem();
  const Environment environment = ProcessEnvironment();
  const EntryTable entries{.name = std::string(ValueOf(environment, "TARN_DYNAMODB_TABLE"))};
  TARN_ASSIGN_OR_RETURN(auto store, OpenTableStore(words[0], entries, environment));
  const TableContext table{store, &SystemClock(), &random, nullptr};
  if (words.size() == 4 && words[1] == "append") {
    return AppendRows(table, words[2], std::strtol(words[3].c_str(), nullptr, 10));
  }
  return Maintain(table, words[1]);
}

}  // namespace
}  // namespace tarn::delta

int main(int argc, char** argv) {
  const tarn::Status status = tarn::delta::Run({argv + 1, argv + argc});
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
