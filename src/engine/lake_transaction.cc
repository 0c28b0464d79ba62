#include "engine/lake_transaction.h"

#include <algorithm>

#include "duckdb/common/error_data.hpp"
#include "duckdb/main/client_context.hpp"

namespace tarn::engine {

std::shared_ptr<LakeTable> LakeTransaction::Find(const Key& key) const {
  MutexLock lock(mutex_);
  auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : found->second;
}

std::shared_ptr<LakeTable> LakeTransaction::Keep(const Key& key, std::shared_ptr<LakeTable> entry) {
  MutexLock lock(mutex_);
  return entries_.try_emplace(key, std::move(entry)).first->second;
}

std::vector<PinnedTable> LakeTransaction::Pinned() const {
  MutexLock lock(mutex_);
  std::vector<PinnedTable> pinned;
  for (const auto& [key, entry] : entries_) {
    const auto& source = entry->source();
    if (!source) continue;
    pinned.push_back({source->view().name, source->version(), source->buffered_rows()});
  }
  return pinned;
}

bool LakeTransaction::ReadsPastOf(const lake::TableName& name) const {
  MutexLock lock(mutex_);
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& kept) {
    const auto& source = kept.second->source();
    return source && source->is_past() && source->view().name == name;
  });
}

duckdb::Transaction& LakeTransactionManager::StartTransaction(duckdb::ClientContext& context) {
  auto transaction = std::make_unique<LakeTransaction>(*this, context);
  LakeTransaction& reference = *transaction;
  MutexLock lock(mutex_);
  open_.emplace(&reference, std::move(transaction));
  return reference;
}

void LakeTransactionManager::End(duckdb::Transaction& transaction) {
  std::unique_ptr<LakeTransaction> ended;
  MutexLock lock(mutex_);
  auto found = open_.find(&transaction);
  if (found == open_.end()) return;
  ended = std::move(found->second);
  open_.erase(found);
  // Releasing views may free much memory; not under the lock.
  lock.Unlock();
}

duckdb::ErrorData LakeTransactionManager::CommitTransaction(duckdb::ClientContext&, duckdb::Transaction& transaction) {
  End(transaction);
  return duckdb::ErrorData();
}

void LakeTransactionManager::RollbackTransaction(duckdb::Transaction& transaction) { End(transaction); }

}  // namespace tarn::engine
