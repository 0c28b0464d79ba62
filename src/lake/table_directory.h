#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "lake/living_table.h"
#include "lake/table_view.h"

namespace tarn::lake {

/// Which tables there are: those whose folders the store shows, and those that exist only as buffered rows. Every table
/// has one LivingTable for the life of the lake. Thread-safe.
class TableDirectory {
 public:
  TableDirectory(std::shared_ptr<storage::ObjectStore> store, Clock& clock, Random& random)
      : store_(std::move(store)), clock_(clock), random_(random) {}

  Result<std::vector<std::string>> Databases() EXCLUDES(mutex_);
  Result<std::vector<std::string>> Tables(const std::string& database) EXCLUDES(mutex_);

  /// By name in any case, looking into the store for one not seen before; NotFound.
  Result<std::shared_ptr<LivingTable>> Find(const TableName& name) EXCLUDES(mutex_);
  /// For appending: begins a table that does not exist. InvalidArgument when the name or its database differs only in
  /// case from an existing one.
  Result<std::shared_ptr<LivingTable>> FindOrBegin(const TableName& name) EXCLUDES(mutex_);
  /// Tables used so far.
  std::vector<std::shared_ptr<LivingTable>> Known() const EXCLUDES(mutex_);

 private:
  struct Folder {
    std::string name;
    /// Key without trailing '/'.
    std::string key;
  };
  struct Listing {
    std::vector<Folder> folders;
    int64_t listed_at_micros = 0;
  };

  /// Sub-folders that are names of users, not older than `max_age_micros`.
  Result<std::vector<Folder>> FoldersIn(const std::string& parent_key, int64_t max_age_micros) EXCLUDES(mutex_);
  Result<std::optional<Folder>> FindFolder(const std::string& parent_key, const std::string& name) EXCLUDES(mutex_);
  std::shared_ptr<LivingTable> Lookup(const TableName& name) const EXCLUDES(mutex_);
  std::shared_ptr<LivingTable> Register(TableName name, const std::string& key) EXCLUDES(mutex_);

  const std::shared_ptr<storage::ObjectStore> store_;
  Clock& clock_;
  Random& random_;
  mutable Mutex mutex_;
  /// By folded name.
  std::map<std::string, std::shared_ptr<LivingTable>> tables_ GUARDED_BY(mutex_);
  /// By the key of the parent folder; one entry per database and one for the lake.
  std::map<std::string, Listing> listings_ GUARDED_BY(mutex_);
};

}  // namespace tarn::lake
