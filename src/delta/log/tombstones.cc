#include "delta/log/tombstones.h"

#include <unordered_set>

#include "delta/conflict.h"
#include "delta/log/checkpoint_reader.h"
#include "delta/log/commit_reader.h"
#include "delta/log/log_segment.h"
#include "delta/log/log_snapshot.h"
#include "delta/log/remove_visitor.h"
#include "delta/log/replay.h"
#include "delta/table_path.h"

namespace tarn::delta {

Status VisitTombstones(const TableContext& table, int64_t version, const std::function<Status(const Remove&)>& visit) {
  SegmentOptions options;
  options.version = version;
  TARN_ASSIGN_OR_RETURN(const LogSegment segment, ListSegment(*table.store, options));
  CommitReader reader(*table.store);
  for (size_t i = segment.commits.size(); i-- > 0;) {
    RemoveVisitor visitor(visit);
    TARN_RETURN_NOT_OK(reader.ReadAll(segment.commits[i], ReplayOptions().window_bytes, visitor));
  }
  if (!segment.checkpoint.has_value()) return Status::Ok();
  return VisitCheckpointRemoves(table.store, *segment.checkpoint, visit);
}

Status LogSnapshot::VisitRemoves(const TableContext& table, int64_t deleted_after_millis,
                                 const std::function<Status(const Remove&)>& visit) const {
  const std::string uri = store_->uri();
  std::unordered_set<std::string> seen;
  return VisitTombstones(table, version(), [&](const Remove& remove) -> Status {
    if (remove.deletion_timestamp_millis.value_or(0) <= deleted_after_millis) return Status::Ok();
    const std::string path = CanonicalPath(remove.path, uri);
    const std::string vector = remove.deletion_vector.has_value() ? remove.deletion_vector->UniqueId() : std::string();
    if (FindLive(state_.chunks, HashFileKey(path, vector), path, vector, uri).has_value()) return Status::Ok();
    if (!seen.insert(FileKeyText(path, remove.deletion_vector)).second) return Status::Ok();
    return visit(remove);
  });
}

}  // namespace tarn::delta
