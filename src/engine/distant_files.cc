#include "engine/distant_files.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "duckdb/storage/buffer_manager.hpp"
#include "engine/exception_barrier.h"

namespace tarn::engine {
namespace {

constexpr int64_t kMaxBytes = 64 << 20;
/// At most this part of the engine's memory.
constexpr int64_t kShareOfMemory = 16;
/// Of one scan. A scan of more is bound by what it reads, not by the first answers.
constexpr size_t kMaxFiles = 64;

constexpr char kCostKey[] = "tarn_read_cost";

struct CostState final : public duckdb::ClientContextState {
  std::shared_ptr<storage::ReadCost> cost = std::make_shared<storage::ReadCost>();
};

std::shared_ptr<storage::ReadCost> CostOf(duckdb::ClientContext& context) {
  const auto state = context.registered_state->Get<CostState>(kCostKey);
  return state ? state->cost : nullptr;
}

storage::KnownObject KnownObjectOf(const delta::DataFile& file) {
  return {file.key, file.size_bytes, std::to_string(file.modification_time_millis)};
}

}  // namespace

std::shared_ptr<const storage::ReadCost> CountReads(duckdb::ClientContext& context) {
  auto state = duckdb::make_shared_ptr<CostState>();
  auto cost = state->cost;
  context.registered_state->Remove(kCostKey);
  context.registered_state->Insert(kCostKey, std::move(state));
  return cost;
}

duckdb::shared_ptr<DistantFiles> DistantFiles::Of(duckdb::ClientContext& context) {
  const auto memory = static_cast<int64_t>(
      std::min<duckdb::idx_t>(duckdb::BufferManager::GetBufferManager(context).GetMaxMemory(), INT64_MAX));
  storage::ReadAheadOptions options;
  options.max_bytes = std::min(kMaxBytes, memory / kShareOfMemory);
  return duckdb::ObjectCache::GetObjectCache(context).GetOrCreate<DistantFiles>(ObjectType(), options);
}

Result<std::unique_ptr<storage::ObjectReader>> DistantFiles::Open(duckdb::ClientContext& context,
                                                                  const std::shared_ptr<storage::ObjectStore>& store,
                                                                  const delta::DataFile& file) {
  return ahead_.Open(store, KnownObjectOf(file), CostOf(context));
}

void DistantFiles::Want(duckdb::ClientContext& context, const LakeFileList& files) {
  const size_t count = std::min(files.num_files(), kMaxFiles);
  if (count == 0) return;
  const auto& store = files.source().view().store;
  std::vector<storage::KnownObject> wanted;
  for (size_t i = 0; i < count; ++i) {
    const delta::DataFile file = ValueOrThrow(files.source().snapshot()->File(files.FileAt(i)));
    if (store->LocalPath(file.key).has_value()) return;
    wanted.push_back(KnownObjectOf(file));
  }
  ahead_.Want(store, wanted, CostOf(context));
}

}  // namespace tarn::engine
