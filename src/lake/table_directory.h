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

  /// By name in any case, looking into the store for one not seen before; NotFound. A name in another case is found in
  /// folders listed a moment ago.
  Result<std::shared_ptr<LivingTable>> Find(const TableName& name) EXCLUDES(mutex_);
  /// The same; folders need not be listed anew since `listed_since_micros` on the monotonic clock. Whoever looks for
  /// many tables says when it began, so that a folder is listed once for all of them.
  Result<std::shared_ptr<LivingTable>> Find(const TableName& name, int64_t listed_since_micros) EXCLUDES(mutex_);
  /// Since when a listing counts as fresh where no call for many tables began.
  int64_t AMomentAgo() const;
  /// For appending: begins a table that does not exist. InvalidArgument when the name or its database differs only in
  /// case from an existing one.
  Result<std::shared_ptr<LivingTable>> FindOrBegin(const TableName& name, int64_t listed_since_micros) EXCLUDES(mutex_);
  /// Tables used so far.
  std::vector<std::shared_ptr<LivingTable>> Known() const EXCLUDES(mutex_);

 private:
  struct Folder {
    std::string name;
    /// Key without trailing '/'.
    std::string key;
  };
  /// By folded name; in the order of keys where several differ only in case.
  using Folders = std::multimap<std::string, Folder>;
  struct Listing {
    std::shared_ptr<const Folders> folders;
    int64_t listed_at_micros = 0;
  };

  /// Sub-folders that are names of users, listed at `listed_since_micros` or later.
  Result<std::shared_ptr<const Folders>> FoldersIn(const std::string& parent_key, int64_t listed_since_micros)
      EXCLUDES(mutex_);
  Result<std::optional<Folder>> FindFolder(const std::string& parent_key, const std::string& name,
                                           int64_t listed_since_micros) EXCLUDES(mutex_);
  /// The database of a table used before, by name in any case.
  std::optional<Folder> KnownDatabase(const std::string& name) const EXCLUDES(mutex_);
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
