#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "storage/segment_store.h"

namespace tarn::storage::testing {

/// Segments in memory that remember what was synced and what was not. The same seed and calls give the same faults.
/// Thread-safe.
class SimulatedSegments final : public SegmentStore {
 public:
  explicit SimulatedSegments(uint64_t seed) : random_(seed) {}

  /// The power goes: of what was not synced, any part stays, is torn at any byte or is lost sector by sector. Writers
  /// from before fail from now on.
  void LosePower();
  /// The process dies: the page cache keeps everything, still not synced. Writers from before fail from now on.
  void KillProcess();
  /// The n-th Sync of a writer from now on fails, and what it should have made durable is torn as by a power loss. 0
  /// for none.
  void FailSync(int64_t nth);
  /// Create and growing appends that need more than this in total are refused as by a full disk.
  void SetCapacity(int64_t bytes);
  /// Replaces a segment's bytes, all of them durable; for tests that damage a log.
  void Overwrite(std::string_view name, std::string bytes);

  Result<std::unique_ptr<SegmentWriter>> Create(std::string_view name, int64_t preallocate_bytes) override;
  Result<std::string> Read(std::string_view name) override;
  Result<std::string> ReadRange(std::string_view name, int64_t offset, int64_t length) override;
  Status Sync(std::string_view name) override;
  Result<std::vector<SegmentInfo>> List() override;
  Status Remove(std::string_view name) override;
  Status WriteFile(std::string_view name, ByteSpan bytes) override;

 private:
  class Writer;
  struct File {
    /// What a reader sees: appended bytes, then zeros up to what was preallocated.
    std::string bytes;
    size_t appended = 0;
    /// Up to here the bytes outlive a power loss.
    size_t synced = 0;
    bool name_is_durable = false;
    bool removed = false;
  };

  Status AppendTo(const std::shared_ptr<File>& file, int64_t life, ByteSpan bytes) EXCLUDES(mutex_);
  Status SyncOf(const std::shared_ptr<File>& file, int64_t life) EXCLUDES(mutex_);
  void ShrinkToFit(const std::shared_ptr<File>& file, int64_t life) EXCLUDES(mutex_);
  void Tear(File& file) REQUIRES(mutex_);
  int64_t UsedBytes() REQUIRES(mutex_);

  Mutex mutex_;
  Random random_ GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<File>, std::less<>> files_ GUARDED_BY(mutex_);
  /// Counts deaths; a writer of an earlier life is dead.
  int64_t life_ GUARDED_BY(mutex_) = 0;
  int64_t syncs_until_failure_ GUARDED_BY(mutex_) = 0;
  int64_t capacity_bytes_ GUARDED_BY(mutex_) = INT64_MAX;
};

}  // namespace tarn::storage::testing
