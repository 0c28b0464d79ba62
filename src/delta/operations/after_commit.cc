#include "delta/operations/after_commit.h"

#include "base/log.h"
#include "delta/log/checksum.h"
#include "delta/protocol_features.h"
#include "delta/transaction.h"

namespace tarn::delta {

bool CheckpointIsDue(const Snapshot& snapshot, int64_t before, int64_t otherwise) {
  const int64_t interval = PropertyNumber(snapshot.metadata(), "delta.checkpointInterval", otherwise);
  // The first version is read as fast without.
  if (snapshot.version() <= 0) return false;
  return snapshot.version() / interval != (before < 0 ? 0 : before / interval);
}

void WriteAfterCommit(const TableContext& table, const Snapshot& snapshot, int64_t before) {
  if (snapshot.version() <= before) return;
  const auto tell = [&](const char* what, const Status& status) {
    if (status.ok()) return;
    Log(LogLevel::kInfo, what,
        {{"table", table.store->uri()}, {"version", snapshot.version()}, {"why", status.ToString()}});
  };
  tell("version checksum left out", WriteChecksum(table, snapshot));
  if (CheckpointIsDue(snapshot, before)) tell("checkpoint left out", WriteCheckpoint(table, snapshot));
}

}  // namespace tarn::delta
