#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "duckdb/transaction/transaction.hpp"
#include "duckdb/transaction/transaction_manager.hpp"
#include "engine/lake_catalog.h"
#include "engine/lake_table.h"
#include "lake/table_view.h"

namespace tarn::engine {

/// What one transaction has pinned: the first use of a table fixes the view for every later reference. Entries of
/// tables live here and in the plans that use them, so a table that changes every second leaves nothing behind.
/// Thread-safe.
class LakeTransaction final : public duckdb::Transaction {
 public:
  using Transaction::Transaction;

  /// A table by lower-case database and name and, for history, the point asked for.
  struct Key {
    std::string database;
    std::string table;
    std::string as_of;
    auto operator<=>(const Key&) const = default;
  };

  std::shared_ptr<LakeTable> Find(const Key& key) const;
  /// Keeps the first entry of a key; returns what is kept.
  std::shared_ptr<LakeTable> Keep(const Key& key, std::shared_ptr<LakeTable> entry);
  std::vector<PinnedTable> Pinned() const;
  /// Whether it looked at earlier versions of a table or at its changes.
  bool ReadsPastOf(const lake::TableName& name) const;

 private:
  mutable Mutex mutex_;
  std::map<Key, std::shared_ptr<LakeTable>> entries_ GUARDED_BY(mutex_);
};

/// A statement that changes a table commits before its transaction ends, so begin and end are all there is.
/// Thread-safe.
class LakeTransactionManager final : public duckdb::TransactionManager {
 public:
  using TransactionManager::TransactionManager;

  duckdb::Transaction& StartTransaction(duckdb::ClientContext& context) override;
  duckdb::ErrorData CommitTransaction(duckdb::ClientContext& context, duckdb::Transaction& transaction) override;
  void RollbackTransaction(duckdb::Transaction& transaction) override;
  void Checkpoint(duckdb::ClientContext&, bool) override {}

 private:
  void End(duckdb::Transaction& transaction);

  Mutex mutex_;
  std::map<const duckdb::Transaction*, std::unique_ptr<LakeTransaction>> open_ GUARDED_BY(mutex_);
};

}  // namespace tarn::engine
