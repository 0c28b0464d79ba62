#include "engine/hot_files.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>

#include <algorithm>
#include <utility>

#include "columnar/parquet_reader.h"
#include "duckdb/main/client_context.hpp"
#include "duckdb/storage/buffer_manager.hpp"
#include "engine/lake_types.h"

namespace tarn::engine {
namespace {

constexpr int kOpensBeforeDecoding = 3;
constexpr int64_t kMaxFileBytes = 4 << 20;
constexpr int64_t kMaxFileRows = 250'000;
constexpr int64_t kMaxDecodedBytes = 16 << 20;
constexpr int64_t kMaxTotalBytes = 64 << 20;
/// At most this part of the engine's memory.
constexpr int64_t kShareOfMemory = 16;
constexpr size_t kMaxEntries = 1024;

/// True when the scan may take every column as the file has it.
bool HasColumnsOf(const arrow::Schema& schema, const ScanSource& source) {
  for (const ScanColumn& column : source.columns()) {
    if (column.partition_index >= 0) continue;
    if (column.physical_name != column.name) return false;
    const int at = schema.GetFieldIndex(column.name);
    if (at < 0) return false;
    auto type = SqlType(*schema.field(at)->type());
    if (!type.ok() || *type != column.type || type->IsNested()) return false;
  }
  return true;
}

std::shared_ptr<const DecodedFile> Decode(storage::ObjectStore& store, const std::string& key) {
  auto decoded = std::make_shared<DecodedFile>();
  const Status read = columnar::ReadParquet(store, key, {}, [&](const std::shared_ptr<arrow::RecordBatch>& batch) {
    decoded->bytes += arrow::util::TotalBufferSize(*batch);
    decoded->group.num_rows += batch->num_rows();
    if (decoded->bytes > kMaxDecodedBytes || decoded->group.num_rows > kMaxFileRows) {
      return Status::ResourceExhausted("too large to keep");
    }
    decoded->group.batches.push_back(batch.get());
    decoded->batches.push_back(batch);
    return Status::Ok();
  });
  // The usual way reports what is wrong with the file.
  if (!read.ok() || decoded->batches.empty()) return nullptr;
  return decoded;
}

}  // namespace

duckdb::shared_ptr<HotFiles> HotFiles::Of(duckdb::ClientContext& context) {
  const auto memory = static_cast<int64_t>(
      std::min<duckdb::idx_t>(duckdb::BufferManager::GetBufferManager(context).GetMaxMemory(), INT64_MAX));
  return duckdb::ObjectCache::GetObjectCache(context).GetOrCreate<HotFiles>(
      ObjectType(), std::min(kMaxTotalBytes, memory / kShareOfMemory));
}

std::shared_ptr<const DecodedFile> HotFiles::Open(const std::string& path, const delta::DataFile& file,
                                                  const ScanSource& source) {
  if (file.size_bytes > kMaxFileBytes || file.num_records > kMaxFileRows || file.deletion_vector) return nullptr;
  const std::shared_ptr<storage::ObjectStore>& store = source.view().store;
  std::shared_ptr<const DecodedFile> decoded;
  {
    MutexLock lock(mutex_);
    Entry* entry = FindOrAdd(path, file, store);
    entry->used = ++clock_;
    decoded = entry->decoded;
    if (decoded == nullptr) {
      if (entry->opens > kOpensBeforeDecoding) return nullptr;
      // Tried once, by the opener that makes it more than this many.
      if (++entry->opens <= kOpensBeforeDecoding) return nullptr;
    }
  }
  if (decoded == nullptr) {
    decoded = Decode(*store, file.key);
    if (decoded == nullptr) return nullptr;
    Keep(path, decoded);
  }
  return HasColumnsOf(*decoded->batches.front()->schema(), source) ? decoded : nullptr;
}

HotFiles::Entry* HotFiles::FindOrAdd(const std::string& path, const delta::DataFile& file,
                                     const std::shared_ptr<storage::ObjectStore>& store) {
  auto found = entries_.find(path);
  if (found != entries_.end()) {
    Entry& entry = found->second;
    if (entry.store.lock() == store && entry.size_bytes == file.size_bytes &&
        entry.modification_time_millis == file.modification_time_millis) {
      return &entry;
    }
    if (entry.decoded) bytes_ -= entry.decoded->bytes;
    entries_.erase(found);
  }
  while (entries_.size() >= kMaxEntries && DropOldest(false)) {
  }
  Entry& entry = entries_[path];
  entry.store = store;
  entry.size_bytes = file.size_bytes;
  entry.modification_time_millis = file.modification_time_millis;
  return &entry;
}

void HotFiles::Keep(const std::string& path, std::shared_ptr<const DecodedFile> decoded) {
  MutexLock lock(mutex_);
  auto found = entries_.find(path);
  if (found == entries_.end() || found->second.decoded != nullptr) return;
  while (bytes_ + decoded->bytes > max_bytes_) {
    if (DropOldest(true)) continue;
    // Every other one is in use; this one gets another chance later.
    found->second.opens = 0;
    return;
  }
  bytes_ += decoded->bytes;
  found->second.decoded = std::move(decoded);
}

bool HotFiles::DropOldest(bool with_rows) {
  auto oldest = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    const Entry& entry = it->second;
    if (with_rows && entry.decoded == nullptr) continue;
    if (entry.decoded.use_count() > 1) continue;
    if (oldest == entries_.end() || entry.used < oldest->second.used) oldest = it;
  }
  if (oldest == entries_.end()) return false;
  if (oldest->second.decoded) bytes_ -= oldest->second.decoded->bytes;
  entries_.erase(oldest);
  return true;
}

}  // namespace tarn::engine
