#include "wal/recovery.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "wal/format.h"
#include "wal/segment_reader.h"

namespace tarn::wal::internal {

namespace {

using HeaderState = SegmentReader::HeaderState;
using Step = SegmentReader::Step;

/// How often a reader begins anew behind segments that a live owner removed.
constexpr int kMaxRounds = 100;

struct FoundSegment {
  std::string name;
  Position first = 0;
  int64_t bytes = 0;
};

class Recovery {
 public:
  Recovery(storage::SegmentStore& segments, Identity identity, Access access, const ReplayVisitor& visit)
      : segments_(segments), identity_(std::move(identity)), access_(access), visit_(visit) {}

  Result<RecoveredLog> Run() {
    for (int round = 0; round < kMaxRounds; ++round) {
      TARN_ASSIGN_OR_RETURN(const bool reached_end, ReplayFound());
      if (reached_end) return std::move(log_);
    }
    return Status::Unavailable("the WAL's owner removes segments faster than they are read");
  }

 private:
  /// Replays the segments that there are; false when the last of them was released and removed by its owner meanwhile,
  /// so that what holds the end was not among them.
  Result<bool> ReplayFound() {
    TARN_ASSIGN_OR_RETURN(const std::vector<FoundSegment> found, FindSegments());
    log_ = {};
    log_.end = identity_.released;
    if (identity_.resetting) {
      for (const FoundSegment& segment : found) log_.removable.push_back(segment.name);
      return true;
    }
    bool first_held = true;
    for (size_t i = 0; i < found.size(); ++i) {
      const bool last = i + 1 == found.size();
      if (!last && found[i + 1].first <= identity_.released + 1) {
        log_.removable.push_back(found[i].name);
        continue;
      }
      if (std::exchange(first_held, false) && found[i].first > identity_.released + 1) {
        return Missing(identity_.released + 1, found[i].first - 1, "before segment " + found[i].name);
      }
      const Status status = last ? ReplayLast(found[i]) : ReplayWhole(found[i], found[i + 1].first);
      if (status.Is(StatusCode::kNotFound) && access_ == Access::kShared) {
        TARN_RETURN_NOT_OK(CheckReleased(found[i]));
        if (last) return false;
        continue;
      }
      TARN_RETURN_NOT_OK(status);
    }
    if (access_ == Access::kExclusive && log_.end < identity_.released) {
      return Missing(log_.end + 1, identity_.released, "though released, behind the last segment");
    }
    return true;
  }

  static Status Missing(Position from, Position to, const std::string& where) {
    return Status::Corruption("WAL positions " + std::to_string(from) + " to " + std::to_string(to) + " are missing " +
                              where);
  }

  Result<std::vector<FoundSegment>> FindSegments() {
    TARN_ASSIGN_OR_RETURN(const std::vector<storage::SegmentInfo> files, segments_.List());
    std::vector<FoundSegment> found;
    for (const storage::SegmentInfo& file : files) {
      const std::optional<Position> first = ParseSegmentName(file.name);
      if (first.has_value()) found.push_back({file.name, *first, file.size_bytes});
    }
    // What was removed before the files were listed was released before that.
    if (access_ == Access::kShared) TARN_RETURN_NOT_OK(ReloadIdentity());
    return found;
  }

  Status ReloadIdentity() {
    TARN_ASSIGN_OR_RETURN(const std::optional<Identity> identity, LoadIdentity(segments_));
    if (!identity.has_value() || identity->uuid != identity_.uuid) {
      return Status::Unavailable("the WAL was reset while it was read");
    }
    identity_ = *identity;
    return Status::Ok();
  }

  /// A segment that vanished while a live log is read must have been released.
  Status CheckReleased(const FoundSegment& segment) {
    TARN_RETURN_NOT_OK(ReloadIdentity());
    if (identity_.released >= segment.first) return Status::Ok();
    return Status::Corruption("WAL segment " + segment.name + " vanished without having been released");
  }

  Result<HeaderState> ReadHeader(SegmentReader& reader) {
    Result<HeaderState> state = reader.ReadHeader(identity_.uuid);
    if (access_ == Access::kShared && state.status().Is(StatusCode::kCorruption)) {
      // The header may have been written between two looks at the segment.
      reader.Forget();
      state = reader.ReadHeader(identity_.uuid);
    }
    return state;
  }

  Status Visit(const SegmentReader& reader) {
    const RowsRecord& record = reader.record();
    return visit_({record.header.position, reader.schema(), record.key, record.payload});
  }

  void Held(const FoundSegment& segment, Position last, const SegmentReader& reader) {
    log_.segments.push_back({segment.name, last, segment.bytes});
    log_.end = last;
    log_.max_schema_id = std::max(log_.max_schema_id, reader.max_schema_id());
  }

  /// A segment that another follows: the next one began only when all before it was durable.
  Status ReplayWhole(const FoundSegment& segment, Position next_first) {
    SegmentReader reader(segments_, segment.name);
    TARN_ASSIGN_OR_RETURN(const HeaderState header, ReadHeader(reader));
    if (header == HeaderState::kUnfinished) return reader.Broken("the segment header is damaged");
    bool append_is_complete = true;
    while (reader.expected() < next_first) {
      TARN_ASSIGN_OR_RETURN(const Step step, reader.Next());
      if (step == Step::kEnd) {
        return Missing(reader.expected(), next_first - 1,
                       "or damaged in segment " + segment.name + " at offset " + std::to_string(reader.offset()));
      }
      append_is_complete = (reader.record().header.flags & kFlagContinues) == 0;
      TARN_RETURN_NOT_OK(Visit(reader));
    }
    if (!append_is_complete) return reader.Broken("the segment ends within an append");
    Held(segment, next_first - 1, reader);
    return Status::Ok();
  }

  /// The last segment may end in what a crash left.
  Status ReplayLast(const FoundSegment& segment) {
    SegmentReader reader(segments_, segment.name);
    TARN_ASSIGN_OR_RETURN(const HeaderState header, ReadHeader(reader));
    if (header == HeaderState::kUnfinished) {
      log_.removable.push_back(segment.name);
      return Status::Ok();
    }
    TARN_ASSIGN_OR_RETURN(const Position last, FindEnd(reader));
    if (last < segment.first) {
      log_.removable.push_back(segment.name);
      return Status::Ok();
    }
    reader.Rewind();
    while (reader.expected() <= last) {
      TARN_ASSIGN_OR_RETURN(const Step step, reader.Next());
      if (step == Step::kEnd) return reader.Broken("the record changed while it was read");
      TARN_RETURN_NOT_OK(Visit(reader));
    }
    Held(segment, last, reader);
    return Status::Ok();
  }

  /// The last position that belongs to a complete append, one less than the segment's first when there is none.
  Result<Position> FindEnd(SegmentReader& reader) {
    Position last = reader.expected() - 1;
    while (true) {
      TARN_ASSIGN_OR_RETURN(Step step, reader.Next());
      if (step == Step::kEnd) {
        TARN_ASSIGN_OR_RETURN(const bool damaged, reader.DamageIsProven());
        if (!damaged) return last;
        if (access_ == Access::kShared) {
          // The owner may have written both while the bytes between were read.
          reader.Forget();
          TARN_ASSIGN_OR_RETURN(step, reader.Next());
        }
        if (step == Step::kEnd) return reader.Broken("a record is damaged, and later ones are intact");
      }
      const RecordHeader& header = reader.record().header;
      if ((header.flags & kFlagContinues) == 0) last = header.position;
    }
  }

  storage::SegmentStore& segments_;
  Identity identity_;
  const Access access_;
  const ReplayVisitor& visit_;
  RecoveredLog log_;
};

}  // namespace

Result<RecoveredLog> Recover(storage::SegmentStore& segments, const Identity& identity, Access access,
                             const ReplayVisitor& visit) {
  return Recovery(segments, identity, access, visit).Run();
}

}  // namespace tarn::wal::internal
