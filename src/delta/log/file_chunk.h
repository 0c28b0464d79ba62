#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "delta/actions.h"
#include "delta/files/statistics.h"
#include "delta/log/commit_json.h"
#include "storage/object_store.h"

namespace tarn::delta {

/// Identity of a file in the log: its canonical path and the unique id of its deletion vector.
uint64_t HashFileKey(std::string_view canonical_path, std::string_view deletion_vector_id);

/// Where statistics lie that are not held in memory: JSON string tokens within one object.
struct StatsSource {
  std::shared_ptr<storage::ObjectStore> store;
  std::string key;
};

/// Partition values of every tuple of a chunk, typed for one partitioning.
struct TypedPartitions {
  std::string partitioning;
  std::vector<std::vector<columnar::Value>> tuples;
};

/// An immutable run of `add` actions in compact form: a fixed record per file, one arena for texts, partition values
/// encoded by dictionary. Statistics are either held as text or read again from the commit when they are needed; parsed
/// bounds are cached by column. Shared between snapshots; thread-safe.
class FileChunk {
 public:
  /// Chunks stay below this many files, so that marking one file dead copies little.
  static constexpr size_t kMaxFiles = 16 * 1024;

  struct Record {
    uint64_t hash = 0;
    int64_t size_bytes = 0;
    int64_t modification_time_millis = 0;
    int64_t num_records = -1;
    /// Into the arena, or into the object of StatsSource.
    int64_t stats_offset = 0;
    uint32_t stats_length = 0;
    uint32_t path_offset = 0;
    uint32_t path_length = 0;
    uint32_t partition = 0;
    /// Index of what few files have, or kNoExtra.
    uint32_t extra = kNoExtra;
    bool data_change = true;
  };
  static constexpr uint32_t kNoExtra = UINT32_MAX;

  struct Extra {
    std::optional<DeletionVector> deletion_vector;
    std::string tags_json;
  };

  size_t size() const { return records_.size(); }
  const Record& record(size_t slot) const { return records_[slot]; }
  /// As in the log.
  std::string_view Path(size_t slot) const;
  std::string_view PartitionJson(size_t tuple) const;
  size_t num_partition_tuples() const { return partitions_.size(); }
  const Extra* ExtraOf(size_t slot) const;
  std::string DeletionVectorId(size_t slot) const;
  bool has_deletion_vectors() const { return has_deletion_vectors_; }
  bool holds_statistics() const { return source_.store == nullptr; }

  /// The file's `stats` text, "" when it has none.
  Result<std::string> StatsText(size_t slot) const;
  /// Visits the texts of several files, reading neighbours together.
  Status VisitStats(const std::vector<uint32_t>& slots,
                    const std::function<Status(uint32_t slot, std::string_view text)>& visit) const;

  /// The slot of a file, found through an index that is built at the first call; nullopt when it is not here.
  std::optional<uint32_t> Find(uint64_t hash, std::string_view canonical_path, std::string_view deletion_vector_id,
                               std::string_view table_uri) const EXCLUDES(mutex_);

  /// Makes the bounds of `columns` known for `slots` as far as statistics tell them; then calls `use` with them.
  /// Statistics that cannot be read or parsed count as absent.
  void WithBounds(const std::vector<StatsColumn>& columns, const std::vector<uint32_t>& slots,
                  const std::function<void(const std::vector<const ColumnFacts*>&)>& use) const EXCLUDES(mutex_);

  /// The tuples typed by `parse`, which is called once per tuple and partitioning. A failure is not cached.
  Result<std::shared_ptr<const TypedPartitions>> Typed(
      const std::string& partitioning,
      const std::function<Result<std::vector<columnar::Value>>(std::string_view json)>& parse) const EXCLUDES(mutex_);

  /// Memory of the file entries, held statistics and parsed bounds aside.
  size_t entry_bytes() const;

 private:
  friend class FileChunkBuilder;
  struct Span {
    uint32_t offset = 0;
    uint32_t length = 0;
  };

  std::string_view Text(Span span) const { return std::string_view(arena_).substr(span.offset, span.length); }
  void BuildIndex() const REQUIRES(mutex_);

  std::vector<Record> records_;
  std::string arena_;
  std::vector<Span> partitions_;
  std::vector<Extra> extras_;
  StatsSource source_;
  size_t held_stats_bytes_ = 0;
  bool has_deletion_vectors_ = false;

  mutable Mutex mutex_;
  /// Open addressing by hash; slot + 1, 0 is empty.
  mutable std::vector<uint16_t> index_ GUARDED_BY(mutex_);
  mutable std::vector<std::shared_ptr<ColumnFacts>> facts_ GUARDED_BY(mutex_);
  mutable std::shared_ptr<const TypedPartitions> typed_ GUARDED_BY(mutex_);
};

/// Fills a chunk. Thread-compatible.
class FileChunkBuilder {
 public:
  FileChunkBuilder();
  /// With a source, statistics are remembered as ranges of it.
  explicit FileChunkBuilder(StatsSource source);

  void Reserve(size_t files, size_t arena_bytes);
  /// `stats_offset` is where `add.stats_token` begins in the source; ignored without one.
  Status Add(const AddRecord& add, std::string_view canonical_path, int64_t stats_offset);
  /// The same for statistics that are plain text, as checkpoints hold them.
  Status AddPlain(const AddRecord& add, std::string_view canonical_path, std::string_view stats);
  /// Copies a file of a chunk that holds its statistics.
  void Copy(const FileChunk& from, size_t slot);

  size_t size() const { return chunk_->records_.size(); }
  size_t arena_bytes() const { return chunk_->arena_.size(); }
  std::shared_ptr<const FileChunk> Finish();

 private:
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  FileChunk::Record& NewRecord(const AddRecord& add, uint64_t hash);
  FileChunk::Span Store(std::string_view text);
  uint32_t PartitionTuple(std::string_view json);

  std::shared_ptr<FileChunk> chunk_;
  std::unordered_map<std::string, uint32_t, TextHash, std::equal_to<>> tuples_;
};

}  // namespace tarn::delta
