#include "delta/log/file_chunk.h"

#include <arrow/type.h>

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "delta/table_path.h"

namespace tarn::delta {

namespace {

/// Statistics of neighbours are read together across gaps of other fields.
constexpr int64_t kMaxReadGap = 16 << 10;
constexpr int64_t kMaxReadBytes = 1 << 20;
/// Columns whose parsed bounds a chunk keeps.
constexpr size_t kMaxCachedColumns = 16;

/// To shrink is to copy, which a little less memory is not worth.
template <typename Container>
void ShrinkIfWasteful(Container& container) {
  if (container.capacity() - container.size() > container.size() / 16) container.shrink_to_fit();
}

}  // namespace

uint64_t HashFileKey(std::string_view canonical_path, std::string_view deletion_vector_id) {
  uint64_t hash = std::hash<std::string_view>()(canonical_path);
  if (!deletion_vector_id.empty()) {
    hash ^= std::rotl(std::hash<std::string_view>()(deletion_vector_id) * 0x9E3779B97F4A7C15ull, 31);
  }
  return hash;
}

std::string_view FileChunk::Path(size_t slot) const {
  return Text({records_[slot].path_offset, records_[slot].path_length});
}

std::string_view FileChunk::PartitionJson(size_t tuple) const { return Text(partitions_[tuple]); }

const FileChunk::Extra* FileChunk::ExtraOf(size_t slot) const {
  const uint32_t extra = records_[slot].extra;
  return extra == kNoExtra ? nullptr : &extras_[extra];
}

std::string FileChunk::DeletionVectorId(size_t slot) const {
  const Extra* extra = ExtraOf(slot);
  return extra != nullptr && extra->deletion_vector.has_value() ? extra->deletion_vector->UniqueId() : std::string();
}

Result<std::string> FileChunk::StatsText(size_t slot) const {
  std::string text;
  TARN_RETURN_NOT_OK(VisitStats({static_cast<uint32_t>(slot)}, [&](uint32_t, std::string_view found) {
    text = found;
    return Status::Ok();
  }));
  return text;
}

Status FileChunk::VisitStats(const std::vector<uint32_t>& slots,
                             const std::function<Status(uint32_t, std::string_view)>& visit) const {
  if (holds_statistics()) {
    for (const uint32_t slot : slots) {
      const Record& record = records_[slot];
      TARN_RETURN_NOT_OK(visit(slot, std::string_view(arena_).substr(record.stats_offset, record.stats_length)));
    }
    return Status::Ok();
  }
  std::vector<uint32_t> order;
  for (const uint32_t slot : slots) {
    if (records_[slot].stats_length > 0) {
      order.push_back(slot);
    } else {
      TARN_RETURN_NOT_OK(visit(slot, {}));
    }
  }
  if (order.empty()) return Status::Ok();
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return records_[a].stats_offset < records_[b].stats_offset; });
  TARN_ASSIGN_OR_RETURN(const auto reader, source_.store->Open(source_.key));
  std::string window;
  for (size_t first = 0; first < order.size();) {
    const int64_t begin = records_[order[first]].stats_offset;
    int64_t end = begin + records_[order[first]].stats_length;
    size_t last = first + 1;
    for (; last < order.size(); ++last) {
      const Record& next = records_[order[last]];
      const int64_t next_end = next.stats_offset + next.stats_length;
      if (next.stats_offset - end > kMaxReadGap || next_end - begin > kMaxReadBytes) break;
      end = std::max(end, next_end);
    }
    window.resize(end - begin);
    TARN_ASSIGN_OR_RETURN(
        const size_t read,
        reader->ReadAt(begin, MutableByteSpan(reinterpret_cast<std::byte*>(window.data()), window.size())));
    if (read != window.size()) return Status::Corruption(source_.key + " is shorter than it was");
    for (; first < last; ++first) {
      const Record& record = records_[order[first]];
      TARN_ASSIGN_OR_RETURN(const std::string text, UnescapeJsonString(std::string_view(window).substr(
                                                        record.stats_offset - begin, record.stats_length)));
      TARN_RETURN_NOT_OK(visit(order[first], text));
    }
  }
  return Status::Ok();
}

void FileChunk::BuildIndex() const {
  static_assert(kMaxFiles < UINT16_MAX);
  index_.assign(std::bit_ceil(records_.size() * 2), 0);
  const size_t mask = index_.size() - 1;
  for (size_t slot = 0; slot < records_.size(); ++slot) {
    size_t at = records_[slot].hash & mask;
    while (index_[at] != 0) at = (at + 1) & mask;
    index_[at] = static_cast<uint16_t>(slot + 1);
  }
}

std::optional<uint32_t> FileChunk::Find(uint64_t hash, std::string_view canonical_path,
                                        std::string_view deletion_vector_id, std::string_view table_uri) const {
  if (records_.empty()) return std::nullopt;
  MutexLock lock(mutex_);
  if (index_.empty()) BuildIndex();
  const size_t mask = index_.size() - 1;
  std::optional<uint32_t> found;
  for (size_t at = hash & mask; index_[at] != 0; at = (at + 1) & mask) {
    const uint32_t slot = index_[at] - 1;
    if (records_[slot].hash == hash && CanonicalPath(Path(slot), table_uri) == canonical_path &&
        DeletionVectorId(slot) == deletion_vector_id) {
      // Of several, the last one is the newest.
      if (!found.has_value() || slot > *found) found = slot;
    }
  }
  return found;
}

void FileChunk::WithBounds(const std::vector<StatsColumn>& columns, const std::vector<uint32_t>& slots,
                           const std::function<void(const std::vector<const ColumnFacts*>&)>& use) const {
  TARN_CHECK(columns.size() <= kMaxCachedColumns);
  std::vector<std::shared_ptr<ColumnFacts>> wanted;
  std::vector<uint32_t> missing;
  {
    MutexLock lock(mutex_);
    for (const StatsColumn& column : columns) {
      auto found = std::find_if(facts_.begin(), facts_.end(), [&](const auto& facts) {
        return facts->column().name == column.name && facts->column().type->Equals(*column.type);
      });
      if (found == facts_.end()) {
        if (facts_.size() >= kMaxCachedColumns) facts_.erase(facts_.begin());
        facts_.push_back(std::make_shared<ColumnFacts>(column, size()));
        found = facts_.end() - 1;
      }
      wanted.push_back(*found);
    }
    for (const uint32_t slot : slots) {
      if (std::any_of(wanted.begin(), wanted.end(), [&](const auto& facts) { return !facts->Known(slot); })) {
        missing.push_back(slot);
      }
    }
  }
  std::vector<std::pair<uint32_t, FileFacts>> parsed;
  if (!missing.empty()) {
    parsed.reserve(missing.size());
    StatsParser parser;
    // What cannot be read stays unknown: the file is kept, and reading its rows will tell.
    (void)VisitStats(missing, [&](uint32_t slot, std::string_view text) {
      auto facts = parser.Parse(text, columns);
      if (!facts.ok()) facts = parser.Parse({}, columns);
      parsed.emplace_back(slot, std::move(facts).value());
      return Status::Ok();
    }).ok();
  }
  MutexLock lock(mutex_);
  for (const auto& [slot, facts] : parsed) {
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (!wanted[i]->Known(slot)) wanted[i]->Set(slot, facts.columns[i]);
    }
  }
  std::vector<const ColumnFacts*> view;
  for (const auto& facts : wanted) view.push_back(facts.get());
  use(view);
}

Result<std::shared_ptr<const TypedPartitions>> FileChunk::Typed(
    const std::string& partitioning,
    const std::function<Result<std::vector<columnar::Value>>(std::string_view)>& parse) const {
  {
    MutexLock lock(mutex_);
    if (typed_ != nullptr && typed_->partitioning == partitioning) return typed_;
  }
  auto typed = std::make_shared<TypedPartitions>();
  typed->partitioning = partitioning;
  typed->tuples.reserve(partitions_.size());
  for (size_t tuple = 0; tuple < partitions_.size(); ++tuple) {
    TARN_ASSIGN_OR_RETURN(auto values, parse(PartitionJson(tuple)));
    typed->tuples.push_back(std::move(values));
  }
  MutexLock lock(mutex_);
  typed_ = typed;
  return std::shared_ptr<const TypedPartitions>(std::move(typed));
}

size_t FileChunk::entry_bytes() const {
  return sizeof(*this) + records_.capacity() * sizeof(Record) + arena_.capacity() - held_stats_bytes_ +
         partitions_.capacity() * sizeof(Span) + extras_.capacity() * sizeof(Extra) +
         std::bit_ceil(records_.size() * 2) * sizeof(uint16_t);
}

FileChunkBuilder::FileChunkBuilder() : chunk_(std::make_shared<FileChunk>()) {}

FileChunkBuilder::FileChunkBuilder(StatsSource source) : FileChunkBuilder() { chunk_->source_ = std::move(source); }

void FileChunkBuilder::Reserve(size_t files, size_t arena_bytes) {
  chunk_->records_.reserve(files);
  chunk_->arena_.reserve(arena_bytes);
}

FileChunk::Span FileChunkBuilder::Store(std::string_view text) {
  const FileChunk::Span span{static_cast<uint32_t>(chunk_->arena_.size()), static_cast<uint32_t>(text.size())};
  chunk_->arena_.append(text);
  TARN_CHECK(chunk_->arena_.size() <= UINT32_MAX);
  return span;
}

uint32_t FileChunkBuilder::PartitionTuple(std::string_view json) {
  const auto found = tuples_.find(json);
  if (found != tuples_.end()) return found->second;
  const auto tuple = static_cast<uint32_t>(chunk_->partitions_.size());
  chunk_->partitions_.push_back(Store(json));
  tuples_.emplace(std::string(json), tuple);
  return tuple;
}

FileChunk::Record& FileChunkBuilder::NewRecord(const AddRecord& add, uint64_t hash) {
  const FileChunk::Span path = Store(add.path);
  FileChunk::Record record;
  record.hash = hash;
  record.size_bytes = add.size_bytes;
  record.modification_time_millis = add.modification_time_millis;
  record.path_offset = path.offset;
  record.path_length = path.length;
  record.partition = PartitionTuple(add.partition_values);
  record.data_change = add.data_change;
  if (add.deletion_vector.has_value() || !add.tags.empty()) {
    record.extra = static_cast<uint32_t>(chunk_->extras_.size());
    chunk_->extras_.push_back({add.deletion_vector, std::string(add.tags)});
    chunk_->has_deletion_vectors_ |= add.deletion_vector.has_value();
  }
  chunk_->records_.push_back(record);
  return chunk_->records_.back();
}

Status FileChunkBuilder::Add(const AddRecord& add, std::string_view canonical_path, int64_t stats_offset) {
  if (chunk_->source_.store == nullptr) {
    if (add.stats_token.empty()) return AddPlain(add, canonical_path, {});
    TARN_ASSIGN_OR_RETURN(const std::string stats, UnescapeJsonString(add.stats_token));
    return AddPlain(add, canonical_path, stats);
  }
  const std::string dv = add.deletion_vector.has_value() ? add.deletion_vector->UniqueId() : std::string();
  FileChunk::Record& record = NewRecord(add, HashFileKey(canonical_path, dv));
  if (!add.stats_token.empty()) {
    record.num_records = NumRecordsOf(add.stats_token, /*escaped=*/true);
    record.stats_offset = stats_offset;
    record.stats_length = static_cast<uint32_t>(add.stats_token.size());
  }
  return Status::Ok();
}

Status FileChunkBuilder::AddPlain(const AddRecord& add, std::string_view canonical_path, std::string_view stats) {
  const std::string dv = add.deletion_vector.has_value() ? add.deletion_vector->UniqueId() : std::string();
  FileChunk::Record& record = NewRecord(add, HashFileKey(canonical_path, dv));
  if (!stats.empty()) {
    record.num_records = NumRecordsOf(stats, /*escaped=*/false);
    const FileChunk::Span span = Store(stats);
    record.stats_offset = span.offset;
    record.stats_length = span.length;
    chunk_->held_stats_bytes_ += span.length;
  }
  return Status::Ok();
}

void FileChunkBuilder::Copy(const FileChunk& from, size_t slot) {
  TARN_CHECK(from.holds_statistics() && chunk_->holds_statistics());
  FileChunk::Record record = from.records_[slot];
  const FileChunk::Span path = Store(from.Path(slot));
  record.path_offset = path.offset;
  record.path_length = path.length;
  const FileChunk::Span stats = Store(std::string_view(from.arena_).substr(record.stats_offset, record.stats_length));
  record.stats_offset = stats.offset;
  chunk_->held_stats_bytes_ += stats.length;
  record.partition = PartitionTuple(from.PartitionJson(record.partition));
  if (const FileChunk::Extra* extra = from.ExtraOf(slot); extra != nullptr) {
    record.extra = static_cast<uint32_t>(chunk_->extras_.size());
    chunk_->extras_.push_back(*extra);
    chunk_->has_deletion_vectors_ |= extra->deletion_vector.has_value();
  }
  chunk_->records_.push_back(record);
}

std::shared_ptr<const FileChunk> FileChunkBuilder::Finish() {
  ShrinkIfWasteful(chunk_->records_);
  ShrinkIfWasteful(chunk_->arena_);
  ShrinkIfWasteful(chunk_->partitions_);
  tuples_.clear();
  return std::exchange(chunk_, std::make_shared<FileChunk>());
}

}  // namespace tarn::delta
