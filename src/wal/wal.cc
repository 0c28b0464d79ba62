#include "wal/wal.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <optional>
#include <set>
#include <utility>

#include "base/mutex.h"
#include "wal/format.h"
#include "wal/identity.h"
#include "wal/recovery.h"

namespace tarn::wal {

namespace {

using internal::Identity;
using internal::kRecordHeaderBytes;
using internal::kSegmentHeaderBytes;
using internal::RecordHeader;
using internal::SealedSegment;
using internal::StoreIdentity;

constexpr std::array<std::byte, internal::kAlignment> kZeros{};

int64_t PayloadBytes(const NewRecord& record) {
  int64_t bytes = 0;
  for (const ByteSpan piece : record.payload) bytes += static_cast<int64_t>(piece.size());
  return bytes;
}

int64_t RecordBytes(int64_t payload_bytes, size_t key_bytes) {
  const int64_t body_bytes = payload_bytes + static_cast<int64_t>(key_bytes);
  return kRecordHeaderBytes + body_bytes + internal::PaddingOf(body_bytes);
}

/// InvalidArgument when the format cannot hold the record.
Status CheckRecord(const NewRecord& record) {
  if (record.schema == nullptr) return Status::InvalidArgument("a WAL record needs a schema");
  if (PayloadBytes(record) > kMaxPayloadBytes) {
    return Status::InvalidArgument("a WAL record of " + std::to_string(PayloadBytes(record)) + " bytes; the limit is " +
                                   std::to_string(kMaxPayloadBytes));
  }
  if (static_cast<int64_t>(record.schema->bytes.size()) > kMaxPayloadBytes) {
    return Status::InvalidArgument("a WAL schema of " + std::to_string(record.schema->bytes.size()) + " bytes");
  }
  if (record.idempotency_key.size() > internal::kMaxKeyBytes) {
    return Status::InvalidArgument("an idempotency key of " + std::to_string(record.idempotency_key.size()) + " bytes");
  }
  return Status::Ok();
}

/// An Append that waits for its group.
struct PendingAppend {
  std::vector<NewRecord> records;
  /// What the records can take at most, each with its schema.
  int64_t max_bytes = 0;
  bool done = false;
  Status status;
  Position last = 0;
  CondVar wake;
};

/// The encoded form of one group: headers of its own, payloads where the callers hold them.
class GroupEncoder {
 public:
  GroupEncoder(uint32_t salt, Position next) : salt_(salt), next_(next), first_(next) {}

  void Add(const PendingAppend& append, std::set<uint32_t>& written_schemas) {
    for (size_t i = 0; i < append.records.size(); ++i) {
      const NewRecord& record = append.records[i];
      if (written_schemas.insert(record.schema->id).second) {
        const ByteSpan bytes = AsBytes(record.schema->bytes);
        AddRecord(RecordKind::kSchema, 0, record.schema->id, {&bytes, 1}, {});
      }
      const uint8_t flags = i + 1 < append.records.size() ? internal::kFlagContinues : 0;
      AddRecord(RecordKind::kRows, flags, record.schema->id, record.payload, record.idempotency_key);
      ++next_;
      ++records_;
    }
  }

  std::span<const ByteSpan> pieces() const { return pieces_; }
  int64_t records() const { return records_; }
  Position next() const { return next_; }

 private:
  void AddRecord(RecordKind kind, uint8_t flags, uint32_t schema_id, std::span<const ByteSpan> payload,
                 std::string_view key) {
    RecordHeader header;
    header.position = next_;
    header.schema_id = schema_id;
    header.key_bytes = static_cast<uint16_t>(key.size());
    header.kind = static_cast<uint8_t>(kind);
    header.flags = flags;
    header.group_index = static_cast<uint32_t>(next_ - first_);
    const size_t header_at = pieces_.size();
    pieces_.emplace_back();
    int64_t payload_bytes = 0;
    for (const ByteSpan piece : payload) {
      pieces_.push_back(piece);
      payload_bytes += static_cast<int64_t>(piece.size());
    }
    header.payload_bytes = static_cast<uint32_t>(payload_bytes);
    pieces_.push_back(AsBytes(key));
    const int64_t padding = internal::PaddingOf(payload_bytes + static_cast<int64_t>(key.size()));
    pieces_.push_back(ByteSpan(kZeros).subspan(0, static_cast<size_t>(padding)));
    header.body_crc = salt_;
    for (size_t i = header_at + 1; i < pieces_.size(); ++i) header.body_crc = Crc32c(pieces_[i], header.body_crc);
    headers_.push_back(internal::EncodeRecordHeader(header, salt_));
    pieces_[header_at] = headers_.back();
  }

  const uint32_t salt_;
  Position next_;
  const Position first_;
  int64_t records_ = 0;
  /// A deque: pieces point into it while it grows.
  std::deque<internal::EncodedRecordHeader> headers_;
  std::vector<ByteSpan> pieces_;
};

class WalImpl final : public Wal {
 public:
  WalImpl(std::shared_ptr<storage::SegmentStore> segments, WalOptions options, Clock& clock, Random& random,
          Identity identity, internal::RecoveredLog recovered)
      : segments_(std::move(segments)),
        options_(options),
        clock_(clock),
        random_(random),
        identity_(std::move(identity)),
        next_schema_id_(recovered.max_schema_id + 1),
        next_position_(recovered.end + 1),
        sealed_(std::move(recovered.segments)),
        end_(recovered.end) {
    for (const SealedSegment& segment : sealed_) sealed_bytes_ += segment.bytes;
  }

  Result<Position> Append(std::vector<NewRecord> records) override;
  Status Release(Position position) override { return ReleaseSealing(position, options_.segment_bytes / 4); }
  Status ReleaseAtEnd(Position position) override { return ReleaseSealing(position, 1); }

  std::shared_ptr<const SchemaEntry> DefineSchema(std::string bytes) override {
    return std::make_shared<const SchemaEntry>(SchemaEntry{next_schema_id_++, std::move(bytes)});
  }

  const std::string& uuid() const override { return identity_.uuid; }
  Position end() const override {
    MutexLock lock(mutex_);
    return end_;
  }
  WalStats stats() const override {
    MutexLock lock(mutex_);
    WalStats stats = stats_;
    stats.segments = static_cast<int64_t>(sealed_.size()) + (active_bytes_ > 0 ? 1 : 0);
    stats.bytes = sealed_bytes_ + active_bytes_;
    return stats;
  }

 private:
  /// Appends that are written and synced together.
  using Group = std::vector<PendingAppend*>;

  Group TakeGroup() REQUIRES(mutex_);
  /// Refuses the appends for which there is no room and returns how much the others can take.
  int64_t RefuseBeyondLimit(Group& group) REQUIRES(mutex_);
  Status WriteGroup(const Group& group, int64_t max_bytes) EXCLUDES(mutex_);
  Status MakeRoom(int64_t max_bytes) EXCLUDES(mutex_);
  void Seal() EXCLUDES(mutex_);
  /// Releases; seals an active segment of at least `worth_sealing_bytes` when nothing in it is needed.
  Status ReleaseSealing(Position position, int64_t worth_sealing_bytes) EXCLUDES(mutex_);
  Status RemoveReleased(const std::vector<SealedSegment>& victims) EXCLUDES(mutex_);
  void StopLeading() REQUIRES(mutex_);
  void Stop(const Status& cause) EXCLUDES(mutex_);

  const std::shared_ptr<storage::SegmentStore> segments_;
  const WalOptions options_;
  Clock& clock_;
  Random& random_;
  const Identity identity_;
  std::atomic<uint32_t> next_schema_id_;

  // Used only by whoever has set leading_.
  std::unique_ptr<storage::SegmentWriter> writer_;
  std::string active_name_;
  uint32_t active_salt_ = 0;
  std::set<uint32_t> active_schemas_;
  Position next_position_;

  mutable Mutex mutex_;
  std::deque<PendingAppend*> queue_ GUARDED_BY(mutex_);
  bool leading_ GUARDED_BY(mutex_) = false;
  bool releasing_ GUARDED_BY(mutex_) = false;
  /// Notified when leading_ or releasing_ ends.
  CondVar idle_;
  /// Not OK once a write or sync failed.
  Status stopped_ GUARDED_BY(mutex_);
  std::vector<SealedSegment> sealed_ GUARDED_BY(mutex_);
  int64_t sealed_bytes_ GUARDED_BY(mutex_) = 0;
  int64_t active_bytes_ GUARDED_BY(mutex_) = 0;
  Position end_ GUARDED_BY(mutex_);
  WalStats stats_ GUARDED_BY(mutex_);
};

Result<Position> WalImpl::Append(std::vector<NewRecord> records) {
  PendingAppend append;
  for (const NewRecord& record : records) {
    TARN_RETURN_NOT_OK(CheckRecord(record));
    append.max_bytes += RecordBytes(PayloadBytes(record), record.idempotency_key.size());
    append.max_bytes += RecordBytes(static_cast<int64_t>(record.schema->bytes.size()), 0);
  }
  if (records.empty()) return Status::InvalidArgument("an append without records");
  append.records = std::move(records);

  MutexLock lock(mutex_);
  queue_.push_back(&append);
  // Whoever finds itself first while nobody writes does so for all that wait.
  while (!append.done && (leading_ || queue_.front() != &append)) append.wake.wait(mutex_);
  if (!append.done) {
    leading_ = true;
    Group group = TakeGroup();
    Status status = stopped_;
    if (status.ok()) {
      const int64_t max_bytes = RefuseBeyondLimit(group);
      lock.Unlock();
      if (!group.empty()) status = WriteGroup(group, max_bytes);
      lock.Lock();
    }
    for (PendingAppend* member : group) {
      member->status = status;
      member->done = true;
      member->wake.notify_one();
    }
    StopLeading();
  }
  TARN_RETURN_NOT_OK(append.status);
  return append.last;
}

WalImpl::Group WalImpl::TakeGroup() {
  Group group;
  int64_t bytes = 0;
  while (!queue_.empty()) {
    bytes += queue_.front()->max_bytes;
    if (!group.empty() && bytes > options_.max_group_bytes) break;
    group.push_back(queue_.front());
    queue_.pop_front();
  }
  return group;
}

int64_t WalImpl::RefuseBeyondLimit(Group& group) {
  // Should the active segment be sealed for this group, the next header comes on top.
  const int64_t room = options_.max_total_bytes - sealed_bytes_ - active_bytes_ - kSegmentHeaderBytes;
  int64_t taken = 0;
  std::erase_if(group, [&](PendingAppend* append) {
    if (append->max_bytes <= room - taken) {
      taken += append->max_bytes;
      return false;
    }
    append->status =
        Status::ResourceExhausted("the WAL would exceed its " + std::to_string(options_.max_total_bytes) + " bytes");
    append->done = true;
    append->wake.notify_one();
    return true;
  });
  return taken;
}

Status WalImpl::WriteGroup(const Group& group, int64_t max_bytes) {
  TARN_RETURN_NOT_OK(MakeRoom(max_bytes));
  GroupEncoder encoder(active_salt_, next_position_);
  for (PendingAppend* append : group) {
    encoder.Add(*append, active_schemas_);
    append->last = encoder.next() - 1;
  }
  const int64_t bytes_before = writer_->size_bytes();
  Status status = writer_->AppendPieces(encoder.pieces());
  const int64_t sync_began = clock_.MonotonicMicros();
  if (status.ok()) status = writer_->Sync();
  const int64_t sync_micros = clock_.MonotonicMicros() - sync_began;
  if (!status.ok()) {
    Stop(status);
    return Status::Unavailable("the WAL stopped: " + status.message());
  }
  next_position_ = encoder.next();
  MutexLock lock(mutex_);
  end_ = next_position_ - 1;
  active_bytes_ = writer_->size_bytes();
  stats_.records_appended += encoder.records();
  stats_.bytes_appended += active_bytes_ - bytes_before;
  stats_.syncs += 1;
  stats_.sync_micros_total += sync_micros;
  return Status::Ok();
}

/// Sees to an active segment that the group fits into. Its header is durable before any record is written, so that a
/// damaged header is never taken for that of an empty segment.
Status WalImpl::MakeRoom(int64_t max_bytes) {
  if (writer_ != nullptr && writer_->size_bytes() + max_bytes > options_.segment_bytes) Seal();
  if (writer_ != nullptr) return Status::Ok();
  int64_t room = 0;
  {
    MutexLock lock(mutex_);
    room = options_.max_total_bytes - sealed_bytes_;
  }
  const int64_t preallocate_bytes = std::min(std::max(options_.segment_bytes, kSegmentHeaderBytes + max_bytes), room);
  internal::SegmentHeader header;
  header.salt = static_cast<uint32_t>(random_.Next());
  header.first_position = next_position_;
  header.uuid = identity_.uuid;
  std::string name = internal::SegmentName(next_position_);
  // When this fails nothing was written, and the next append tries again.
  TARN_ASSIGN_OR_RETURN(std::unique_ptr<storage::SegmentWriter> writer, segments_->Create(name, preallocate_bytes));
  Status status = writer->Append(AsBytes(EncodeSegmentHeader(header)));
  if (status.ok()) status = writer->Sync();
  if (!status.ok()) {
    Stop(status);
    return Status::Unavailable("the WAL stopped: " + status.message());
  }
  writer_ = std::move(writer);
  active_name_ = std::move(name);
  active_salt_ = header.salt;
  active_schemas_.clear();
  MutexLock lock(mutex_);
  active_bytes_ = kSegmentHeaderBytes;
  return Status::Ok();
}

void WalImpl::Seal() {
  const int64_t bytes = writer_->size_bytes();
  writer_.reset();
  MutexLock lock(mutex_);
  sealed_.push_back({std::move(active_name_), next_position_ - 1, bytes});
  sealed_bytes_ += bytes;
  active_bytes_ = 0;
}

void WalImpl::StopLeading() {
  leading_ = false;
  if (!queue_.empty()) queue_.front()->wake.notify_one();
  idle_.notify_all();
}

void WalImpl::Stop(const Status& cause) {
  MutexLock lock(mutex_);
  stopped_ = Status::Unavailable("the WAL stopped: " + cause.message());
}

Status WalImpl::ReleaseSealing(Position position, int64_t worth_sealing_bytes) {
  MutexLock lock(mutex_);
  while (releasing_) idle_.wait(mutex_);
  releasing_ = true;
  // A log that is released whole need not be replayed; but a new segment has its price.
  while (leading_ && position >= end_ && active_bytes_ >= worth_sealing_bytes) idle_.wait(mutex_);
  if (!leading_ && position >= end_ && active_bytes_ >= worth_sealing_bytes && stopped_.ok()) {
    leading_ = true;
    lock.Unlock();
    Seal();
    lock.Lock();
    StopLeading();
  }
  std::vector<SealedSegment> victims;
  for (const SealedSegment& segment : sealed_) {
    if (segment.last <= position) victims.push_back(segment);
  }
  lock.Unlock();
  Status status = victims.empty() ? Status::Ok() : RemoveReleased(victims);
  lock.Lock();
  releasing_ = false;
  idle_.notify_all();
  return status;
}

Status WalImpl::RemoveReleased(const std::vector<SealedSegment>& victims) {
  // First, so that numbering and the beginning of the log are known when the segments are gone.
  TARN_RETURN_NOT_OK(StoreIdentity(*segments_, {identity_.uuid, victims.back().last, false}));
  for (const SealedSegment& victim : victims) {
    TARN_RETURN_NOT_OK(segments_->Remove(victim.name));
    MutexLock lock(mutex_);
    sealed_bytes_ -= victim.bytes;
    std::erase_if(sealed_, [&](const SealedSegment& segment) { return segment.name == victim.name; });
  }
  return Status::Ok();
}

/// Removes every segment and lets the log begin at position 1 under its new name.
Result<Identity> FinishReset(storage::SegmentStore& segments, Identity identity) {
  TARN_ASSIGN_OR_RETURN(const std::vector<storage::SegmentInfo> files, segments.List());
  for (const storage::SegmentInfo& file : files) {
    if (internal::ParseSegmentName(file.name).has_value()) TARN_RETURN_NOT_OK(segments.Remove(file.name));
  }
  identity.resetting = false;
  TARN_RETURN_NOT_OK(StoreIdentity(segments, identity));
  return identity;
}

/// The log's identity, made when there is no log yet.
Result<Identity> TakeIdentity(storage::SegmentStore& segments, Random& random) {
  TARN_ASSIGN_OR_RETURN(std::optional<Identity> identity, internal::LoadIdentity(segments));
  if (identity.has_value()) {
    if (identity->resetting) return FinishReset(segments, *std::move(identity));
    return *std::move(identity);
  }
  // The identity is durable before the first segment is created.
  TARN_ASSIGN_OR_RETURN(const std::vector<storage::SegmentInfo> files, segments.List());
  for (const storage::SegmentInfo& file : files) {
    if (!internal::ParseSegmentName(file.name).has_value()) continue;
    return Status::Corruption("WAL segment " + file.name + " without " + std::string(internal::kIdentityName));
  }
  Identity fresh;
  fresh.uuid = random.Uuid();
  TARN_RETURN_NOT_OK(StoreIdentity(segments, fresh));
  return fresh;
}

}  // namespace

Result<std::unique_ptr<Wal>> Wal::Open(std::shared_ptr<storage::SegmentStore> segments, const WalOptions& options,
                                       Clock& clock, Random& random,
                                       const std::function<Status(const ReplayedRecord&)>& replay) {
  TARN_ASSIGN_OR_RETURN(Identity identity, TakeIdentity(*segments, random));
  TARN_ASSIGN_OR_RETURN(internal::RecoveredLog recovered,
                        internal::Recover(*segments, identity, internal::Access::kExclusive, replay));
  // What was replayed may be in the memory of a machine whose process died before its sync. It must last: what builds
  // on it comes behind it.
  if (!recovered.segments.empty()) TARN_RETURN_NOT_OK(segments->Sync(recovered.segments.back().name));
  for (const std::string& name : recovered.removable) TARN_RETURN_NOT_OK(segments->Remove(name));
  return std::make_unique<WalImpl>(std::move(segments), options, clock, random, std::move(identity),
                                   std::move(recovered));
}

Status Wal::ReadOnly(storage::SegmentStore& segments, std::string* uuid,
                     const std::function<Status(const ReplayedRecord&)>& replay) {
  TARN_ASSIGN_OR_RETURN(const std::optional<Identity> identity, internal::LoadIdentity(segments));
  if (!identity.has_value()) return Status::NotFound("no WAL");
  *uuid = identity->uuid;
  return internal::Recover(segments, *identity, internal::Access::kShared, replay).status();
}

Status Reset(storage::SegmentStore& segments, Random& random) {
  Identity identity;
  identity.uuid = random.Uuid();
  identity.resetting = true;
  TARN_RETURN_NOT_OK(StoreIdentity(segments, identity));
  return FinishReset(segments, std::move(identity)).status();
}

Result<bool> IsEmpty(storage::SegmentStore& segments) {
  TARN_ASSIGN_OR_RETURN(const std::vector<storage::SegmentInfo> files, segments.List());
  return std::none_of(files.begin(), files.end(), [](const storage::SegmentInfo& file) {
    return internal::ParseSegmentName(file.name).has_value();
  });
}

}  // namespace tarn::wal
