#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "columnar/time_zone.h"
#include "delta/readable_roots.h"
#include "lake/living_table.h"
#include "lake/table_view.h"

namespace tarn::lake {

/// Which tables there are: those whose folders the store shows, and those that exist only as buffered rows. Every
/// folder has one LivingTable for the life of the lake, also where links give it several names. Thread-safe.
///
/// A table is its name exactly as spelled; `Cpu` and `cpu` are two. Whoever asks for a spelling that is not there gets
/// the only one that differs in case, and InvalidArgument where there are several: first for the database, then for the
/// table in it. Where two folders spell one name, the one that EncodePathPart writes is it, else the first in order.
class TableDirectory {
 public:
  TableDirectory(std::shared_ptr<storage::ObjectStore> store, Clock& clock, Random& random,
                 columnar::TimeZone partition_timezone, delta::ReadableRoots readable_roots)
      : store_(std::move(store)),
        clock_(clock),
        random_(random),
        partition_timezone_(std::move(partition_timezone)),
        readable_roots_(std::move(readable_roots)) {
    readable_roots_.stores.insert(readable_roots_.stores.begin(), store_);
  }

  /// As spelled, sorted without regard to case.
  Result<std::vector<std::string>> Databases() EXCLUDES(mutex_);
  /// None when there is no such database; it is looked for anew when it is not among those listed a moment ago.
  Result<std::vector<std::string>> Tables(const std::string& database) EXCLUDES(mutex_);
  /// Tables that nobody can name, because the folder of their database has a reserved name; each such folder is logged
  /// once.
  Result<std::vector<TableName>> TablesOfReservedDatabases() EXCLUDES(mutex_);

  /// By the rule above, looking into the store for a name not seen before; NotFound, InvalidArgument. A name in another
  /// case is found in folders listed a moment ago.
  Result<std::shared_ptr<LivingTable>> Find(const TableName& name) EXCLUDES(mutex_);
  /// The same; folders need not be listed anew since `listed_since_micros` on the monotonic clock. Whoever looks for
  /// many tables says when it began, so that a folder is listed once for all of them.
  Result<std::shared_ptr<LivingTable>> Find(const TableName& name, int64_t listed_since_micros) EXCLUDES(mutex_);
  /// Since when a listing counts as fresh where no call for many tables began.
  int64_t AMomentAgo() const;
  /// For appending: begins a table that does not exist. InvalidArgument when the name is not there as spelled, and it
  /// or its database differs only in case from one that is.
  Result<std::shared_ptr<LivingTable>> FindOrBegin(const TableName& name, int64_t listed_since_micros) EXCLUDES(mutex_);
  /// For rows acknowledged under this name: the table as spelled, whatever others there are by now.
  Result<std::shared_ptr<LivingTable>> FindOrBeginAsSpelled(const TableName& name, int64_t listed_since_micros)
      EXCLUDES(mutex_);
  /// Tables used so far, each once.
  std::vector<std::shared_ptr<LivingTable>> Known() const EXCLUDES(mutex_);

 private:
  struct Folder {
    std::string name;
    /// Key without trailing '/'.
    std::string key;
  };
  /// By folded name; each spelling once.
  using Folders = std::map<std::string, std::vector<Folder>>;
  struct Listing {
    std::shared_ptr<const Folders> folders;
    int64_t listed_at_micros = 0;
  };
  struct NamedTable {
    TableName name;
    std::shared_ptr<LivingTable> table;
  };
  struct RealTable {
    std::string folder;
    std::shared_ptr<LivingTable> table;
  };

  /// Sub-folders that are names of users, listed at `listed_since_micros` or later.
  Result<std::shared_ptr<const Folders>> FoldersIn(const std::string& parent_key, int64_t listed_since_micros)
      EXCLUDES(mutex_);
  /// Leaves each spelling once among folders of one folded name, and logs what the names hide or make ambiguous.
  Status SettleNames(bool are_tables, std::vector<Folder>& folders) EXCLUDES(mutex_);
  void WarnOnce(std::string_view event, const Folder& first, const Folder& second) EXCLUDES(mutex_);
  bool IsFirstWarning(const std::string& about) EXCLUDES(mutex_);
  Result<bool> IsTable(const std::string& key) const;

  /// Looks again where it is not found in a listing that is no longer quite fresh.
  Result<std::optional<Folder>> FindDatabase(const std::string& name, int64_t listed_since_micros) EXCLUDES(mutex_);
  Result<std::optional<Folder>> FindListedDatabase(const std::string& name, int64_t listed_since_micros)
      EXCLUDES(mutex_);
  Result<std::vector<std::string>> TablesIn(const Folder& database) EXCLUDES(mutex_);
  /// Tables only.
  Result<std::optional<Folder>> FindTable(const Folder& database, const std::string& name, int64_t listed_since_micros)
      EXCLUDES(mutex_);
  /// Those in use whose keys in `tables_` begin so.
  std::vector<NamedTable> InUse(const std::string& key_prefix) const EXCLUDES(mutex_);
  /// Spellings of a database that has tables in use, without looking at all of them.
  std::vector<std::string> DatabasesInUse(const std::string& name) const EXCLUDES(mutex_);
  std::shared_ptr<LivingTable> Lookup(const TableName& name) const EXCLUDES(mutex_);
  std::shared_ptr<LivingTable> Register(const TableName& name, const std::string& key) EXCLUDES(mutex_);

  const std::shared_ptr<storage::ObjectStore> store_;
  Clock& clock_;
  Random& random_;
  const columnar::TimeZone partition_timezone_;
  /// The lake's own store and those that were configured.
  delta::ReadableRoots readable_roots_;
  mutable Mutex mutex_;
  /// By folded database, database, folded table and table; several names may share a LivingTable.
  std::map<std::string, NamedTable> tables_ GUARDED_BY(mutex_);
  /// By the folded path of the folder that links lead to.
  std::multimap<std::string, RealTable> by_folder_ GUARDED_BY(mutex_);
  /// By the key of the parent folder; one entry per database and one for the lake.
  std::map<std::string, Listing> listings_ GUARDED_BY(mutex_);
  /// Folders and pairs of folders that were warned about.
  std::set<std::string> warned_ GUARDED_BY(mutex_);
};

}  // namespace tarn::lake
