#include "engine/hot_files.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>
#include <arrow/util/byte_size.h>

#include <algorithm>
#include <utility>

#include "columnar/arrow_status.h"
#include "columnar/parquet_reader.h"
#include "duckdb/main/client_context.hpp"
#include "duckdb/storage/buffer_manager.hpp"
#include "engine/arrow_vectors.h"
#include "engine/exception_barrier.h"
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
bool HasColumnsOf(const DecodedFile& file, const ScanSource& source) {
  for (const ScanColumn& column : source.columns()) {
    if (column.partition_index >= 0) continue;
    if (column.physical_name != column.name) return false;
    const auto at = std::find(file.names.begin(), file.names.end(), column.name);
    if (at == file.names.end()) return false;
    const auto& type = file.chunks.front()->data[static_cast<size_t>(at - file.names.begin())].GetType();
    if (type != column.type) return false;
  }
  return true;
}

/// Turns batches into chunks as they come.
class Decoder {
 public:
  explicit Decoder(duckdb::ClientContext& context) : context_(context), file_(std::make_shared<DecodedFile>()) {}

  Status Add(const std::shared_ptr<arrow::RecordBatch>& batch) {
    if (file_->names.empty()) TARN_RETURN_NOT_OK(Begin(*batch->schema()));
    file_->num_rows += batch->num_rows();
    std::vector<int> strings;
    for (int i = 0; i < batch->num_columns(); ++i) {
      if (arrow::is_base_binary_like(batch->column(i)->type_id())) strings.push_back(i);
    }
    if (!strings.empty()) {
      TARN_ASSIGN_OR_RETURN_ARROW(auto kept, batch->SelectColumns(strings));
      file_->bytes += arrow::util::TotalBufferSize(*kept);
      file_->strings.push_back(std::move(kept));
    }
    if (file_->num_rows > kMaxFileRows) return TooLarge();
    return Guarded([&] { return Append(*batch); });
  }

  /// Null when the file has no rows.
  std::shared_ptr<const DecodedFile> Take() { return file_->num_rows == 0 ? nullptr : std::move(file_); }

 private:
  static Status TooLarge() { return Status::ResourceExhausted("too large to keep"); }

  Status Begin(const arrow::Schema& schema) {
    for (const auto& field : schema.fields()) {
      TARN_ASSIGN_OR_RETURN(auto type, SqlType(*field->type()));
      if (type.IsNested()) return Status::Unsupported("nested columns are not kept");
      file_->names.push_back(field->name());
      row_bytes_ += static_cast<int64_t>(duckdb::GetTypeIdSize(type.InternalType()));
      types_.push_back(std::move(type));
    }
    return Status::Ok();
  }

  Status Append(const arrow::RecordBatch& batch) {
    for (int64_t from = 0; from < batch.num_rows();) {
      if (file_->chunks.empty() || file_->chunks.back()->size() == STANDARD_VECTOR_SIZE) {
        file_->bytes += row_bytes_ * STANDARD_VECTOR_SIZE;
        if (file_->bytes > kMaxDecodedBytes) return TooLarge();
        file_->chunks.push_back(duckdb::make_uniq<duckdb::DataChunk>());
        file_->chunks.back()->Initialize(duckdb::Allocator::DefaultAllocator(), types_);
      }
      duckdb::DataChunk& chunk = *file_->chunks.back();
      const auto filled = static_cast<int64_t>(chunk.size());
      const int64_t count = std::min<int64_t>(STANDARD_VECTOR_SIZE - filled, batch.num_rows() - from);
      for (int i = 0; i < batch.num_columns(); ++i) {
        AppendArrowRows(context_, *batch.column(i), from, count, chunk.data[static_cast<size_t>(i)], filled);
      }
      chunk.SetCardinality(static_cast<duckdb::idx_t>(filled + count));
      from += count;
    }
    return Status::Ok();
  }

  duckdb::ClientContext& context_;
  std::shared_ptr<DecodedFile> file_;
  duckdb::vector<duckdb::LogicalType> types_;
  int64_t row_bytes_ = 0;
};

std::shared_ptr<const DecodedFile> Decode(duckdb::ClientContext& context, storage::ObjectStore& store,
                                          const std::string& key) {
  Decoder decoder(context);
  const Status read = columnar::ReadParquet(
      store, key, {}, [&](const std::shared_ptr<arrow::RecordBatch>& batch) { return decoder.Add(batch); });
  // The usual way reports what is wrong with the file.
  return read.ok() ? decoder.Take() : nullptr;
}

}  // namespace

duckdb::shared_ptr<HotFiles> HotFiles::Of(duckdb::ClientContext& context) {
  const auto memory = static_cast<int64_t>(
      std::min<duckdb::idx_t>(duckdb::BufferManager::GetBufferManager(context).GetMaxMemory(), INT64_MAX));
  return duckdb::ObjectCache::GetObjectCache(context).GetOrCreate<HotFiles>(
      ObjectType(), std::min(kMaxTotalBytes, memory / kShareOfMemory));
}

std::shared_ptr<const DecodedFile> HotFiles::Open(duckdb::ClientContext& context, const std::string& path,
                                                  const delta::DataFile& file, const ScanSource& source) {
  if (file.size_bytes > kMaxFileBytes || file.num_records > kMaxFileRows) return nullptr;
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
    decoded = Decode(context, *store, file.key);
    if (decoded == nullptr) return nullptr;
    Keep(path, decoded);
  }
  return HasColumnsOf(*decoded, source) ? decoded : nullptr;
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
