#include "lake/table_directory.h"

#include <simdjson.h>

#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "base/uri.h"
#include "lake/lake.h"
#include "lake/lookup_fault.h"
#include "lake/table_names.h"
#include "storage/stores.h"

namespace tarn::lake {

namespace {

constexpr int64_t kListingAgeMicros = kMicrosPerSecond;
/// The same where a database is not in the listing: another writer may have just begun it.
constexpr int64_t kMissAgeMicros = 100 * kMicrosPerMilli;
/// More than anyone reads; beyond it no further pair of folders is warned about.
constexpr size_t kMaxWarnings = 1000;

/// Each part once folded and once as spelled, so that names which differ only in case stand together; ended by a byte
/// that no name may hold.
std::string DatabasePrefix(const std::string& name) { return FoldCase(name) + '\0'; }
std::string TablesPrefix(const std::string& database) { return DatabasePrefix(database) + database + '\0'; }
std::string TablePrefix(const std::string& database, const std::string& table) {
  return TablesPrefix(database) + FoldCase(table) + '\0';
}
std::string KeyOf(const TableName& name) { return TablePrefix(name.database, name.table) + name.table; }

/// Names, each once, in the order of folded ones.
class NameList {
 public:
  void Add(const std::string& name) { names_.emplace(FoldCase(name), name); }
  std::vector<std::string> Values() const {
    std::vector<std::string> values;
    values.reserve(names_.size());
    for (const auto& [folded, name] : names_) values.push_back(name);
    return values;
  }

 private:
  std::set<std::pair<std::string, std::string>> names_;
};

/// The folder that a key means once links are followed. A link that is put in another place later goes unnoticed.
std::string RealFolder(const storage::ObjectStore& store, const std::string& key) {
  const auto path = store.LocalPath(key);
  if (!path.has_value()) return key;
  std::error_code error;
  const std::string real = std::filesystem::weakly_canonical(*path, error).string();
  return error ? *path : real;
}

/// Also where a file system does not tell case apart. Keys, unlike paths, do not begin with '/' and are what they are.
bool IsSameFolder(const std::string& real, const std::string& other) {
  std::error_code error;
  return real == other || (real.starts_with('/') && std::filesystem::equivalent(real, other, error));
}

}  // namespace

int64_t TableDirectory::AMomentAgo() const { return clock_.MonotonicMicros() - kListingAgeMicros; }

Result<bool> TableDirectory::IsTable(const std::string& key) const {
  auto exists = delta::TableExists(*storage::MakePrefixStore(store_, key));
  if (!exists.ok()) return AsLookupFault(std::move(exists).status());
  return exists;
}

Result<std::shared_ptr<const TableDirectory::Folders>> TableDirectory::FoldersIn(const std::string& parent_key,
                                                                                 int64_t listed_since_micros) {
  const int64_t now = clock_.MonotonicMicros();
  {
    MutexLock guard(mutex_);
    const auto found = listings_.find(parent_key);
    if (found != listings_.end() && found->second.listed_at_micros >= listed_since_micros) return found->second.folders;
  }
  const std::string prefix = parent_key.empty() ? "" : parent_key + "/";
  auto folders = std::make_shared<Folders>();
  const Status seen = store_->List({.prefix = prefix, .start_after = {}, .group_by_folder = true},
                                   [&](const storage::ListEntry& entry) {
                                     if (!entry.is_folder) return true;
                                     std::string key = entry.object.key;
                                     key.pop_back();
                                     const std::string part = key.substr(prefix.size());
                                     // A name of a user begins with neither: both are encoded. These
                                     // folders are Delta's, ours, or hidden.
                                     if (part.empty() || part[0] == '_' || part[0] == '.') return true;
                                     auto name = PercentDecode(part);
                                     if (name.ok() && simdjson::validate_utf8(*name)) {
                                       (*folders)[FoldCase(*name)].push_back({*name, std::move(key)});
                                     }
                                     return true;
                                   });
  TARN_RETURN_NOT_OK(AsLookupFault(seen));
  for (auto& [folded, same] : *folders) {
    if (same.size() > 1) TARN_RETURN_NOT_OK(SettleNames(!parent_key.empty(), same));
  }
  MutexLock guard(mutex_);
  if (folders->empty() && !parent_key.empty()) {
    listings_.erase(parent_key);
    return std::shared_ptr<const Folders>(std::move(folders));
  }
  return (listings_[parent_key] = {std::move(folders), now}).folders;
}

Status TableDirectory::SettleNames(bool are_tables, std::vector<Folder>& folders) {
  std::vector<Folder> settled;
  for (Folder& folder : folders) {
    if (are_tables) {
      TARN_ASSIGN_OR_RETURN(const bool is_table, IsTable(folder.key));
      if (!is_table) continue;
    }
    const auto same = std::find_if(settled.begin(), settled.end(),
                                   [&folder](const Folder& other) { return other.name == folder.name; });
    if (same == settled.end()) {
      settled.push_back(std::move(folder));
      continue;
    }
    if (folder.key.substr(folder.key.rfind('/') + 1) == EncodePathPart(folder.name)) std::swap(*same, folder);
    WarnOnce("two folders have one name once decoded; the other one is not seen", *same, folder);
  }
  for (size_t i = 1; i < settled.size(); ++i) {
    WarnOnce("names of folders differ only in case; each is found only as it is spelled", settled[i - 1], settled[i]);
  }
  folders = std::move(settled);
  return Status::Ok();
}

void TableDirectory::WarnOnce(std::string_view event, const Folder& first, const Folder& second) {
  if (!IsFirstWarning(first.key + '\0' + second.key)) return;
  Log(LogLevel::kWarning, event, {{"folder", first.key}, {"other", second.key}});
}

bool TableDirectory::IsFirstWarning(const std::string& about) {
  MutexLock guard(mutex_);
  return warned_.size() < kMaxWarnings && warned_.insert(about).second;
}

namespace {

/// The spelling asked for, else the only other one; `by_name` are keys of folders.
Result<std::optional<std::string>> ChooseSpelling(std::string_view what, const std::string& name,
                                                  const std::map<std::string, std::string>& by_name) {
  if (by_name.empty()) return std::optional<std::string>();
  if (by_name.contains(name)) return std::optional<std::string>(name);
  if (by_name.size() == 1) return std::optional<std::string>(by_name.begin()->first);
  std::string folders;
  for (const auto& [spelled, key] : by_name) folders += (folders.empty() ? "'" : " and '") + key + "'";
  return Status::InvalidArgument(std::string(what) + " '" + name + "' is ambiguous: the folders " + folders +
                                 " differ only in case; spell it as one of them");
}

}  // namespace

Result<std::optional<TableDirectory::Folder>> TableDirectory::FindDatabase(const std::string& name,
                                                                           int64_t listed_since_micros) {
  if (IsReservedDatabase(name)) return std::optional<Folder>();
  TARN_ASSIGN_OR_RETURN(auto found, FindListedDatabase(name, listed_since_micros));
  const int64_t fresh = clock_.MonotonicMicros() - kMissAgeMicros;
  if (found.has_value() || fresh <= listed_since_micros) return found;
  return FindListedDatabase(name, fresh);
}

Result<std::optional<TableDirectory::Folder>> TableDirectory::FindListedDatabase(const std::string& name,
                                                                                 int64_t listed_since_micros) {
  std::map<std::string, std::string> by_name;
  TARN_ASSIGN_OR_RETURN(const auto listed, FoldersIn("", listed_since_micros));
  if (const auto same = listed->find(FoldCase(name)); same != listed->end()) {
    for (const Folder& folder : same->second) by_name.emplace(folder.name, folder.key);
  }
  // One whose first flush is to come has no folder yet.
  for (const std::string& known : DatabasesInUse(name)) by_name.emplace(known, EncodePathPart(known));
  TARN_ASSIGN_OR_RETURN(const auto spelled, ChooseSpelling("database", name, by_name));
  if (!spelled.has_value()) return std::optional<Folder>();
  return std::optional<Folder>({*spelled, by_name.at(*spelled)});
}

Result<std::optional<TableDirectory::Folder>> TableDirectory::FindTable(const Folder& database, const std::string& name,
                                                                        int64_t listed_since_micros) {
  std::map<std::string, std::string> by_name;
  for (const NamedTable& known : InUse(TablePrefix(database.name, name))) {
    by_name.emplace(known.name.table, known.table->folder());
  }
  TARN_ASSIGN_OR_RETURN(const auto listed, FoldersIn(database.key, listed_since_micros));
  if (const auto same = listed->find(FoldCase(name)); same != listed->end()) {
    for (const Folder& folder : same->second) {
      if (by_name.contains(folder.name)) continue;
      TARN_ASSIGN_OR_RETURN(const bool is_table, IsTable(folder.key));
      if (is_table) by_name.emplace(folder.name, folder.key);
    }
  }
  TARN_ASSIGN_OR_RETURN(const auto spelled, ChooseSpelling("table", database.name + "." + name, by_name));
  if (!spelled.has_value()) return std::optional<Folder>();
  return std::optional<Folder>({*spelled, by_name.at(*spelled)});
}

std::vector<TableDirectory::NamedTable> TableDirectory::InUse(const std::string& key_prefix) const {
  std::vector<NamedTable> found;
  MutexLock guard(mutex_);
  for (auto at = tables_.lower_bound(key_prefix); at != tables_.end() && at->first.starts_with(key_prefix); ++at) {
    if (!at->second.table->Forgettable()) found.push_back(at->second);
  }
  return found;
}

std::vector<std::string> TableDirectory::DatabasesInUse(const std::string& name) const {
  std::vector<std::string> found;
  const std::string prefix = DatabasePrefix(name);
  MutexLock guard(mutex_);
  for (auto at = tables_.lower_bound(prefix); at != tables_.end() && at->first.starts_with(prefix);) {
    if (at->second.table->Forgettable()) {
      ++at;
      continue;
    }
    found.push_back(at->second.name.database);
    // One table is enough; the next database begins behind all of this one's.
    std::string behind = TablesPrefix(found.back());
    ++behind.back();
    at = tables_.lower_bound(behind);
  }
  return found;
}

std::shared_ptr<LivingTable> TableDirectory::Lookup(const TableName& name) const {
  MutexLock guard(mutex_);
  const auto found = tables_.find(KeyOf(name));
  return found == tables_.end() ? nullptr : found->second.table;
}

std::shared_ptr<LivingTable> TableDirectory::Register(const TableName& name, const std::string& key) {
  const std::string real = RealFolder(*store_, key);
  const std::string folded = FoldCase(real);
  std::vector<RealTable> alike;
  {
    MutexLock guard(mutex_);
    const auto [begin, end] = by_folder_.equal_range(folded);
    for (auto at = begin; at != end; ++at) alike.push_back(at->second);
  }
  std::shared_ptr<LivingTable> table;
  for (const RealTable& other : alike) {
    if (IsSameFolder(other.folder, real)) table = other.table;
  }
  MutexLock guard(mutex_);
  const auto [named, is_new_name] = tables_.try_emplace(KeyOf(name), NamedTable{name, table});
  if (!is_new_name || table != nullptr) return named->second.table;
  const auto [begin, end] = by_folder_.equal_range(folded);
  for (auto at = begin; at != end; ++at) {
    if (at->second.folder == real) return named->second.table = at->second.table;
  }
  delta::TableContext context;
  context.store = delta::MakeStoreWithRoots(storage::MakePrefixStore(store_, key), readable_roots_);
  context.clock = &clock_;
  context.random = &random_;
  context.partition_timezone = partition_timezone_;
  table = std::make_shared<LivingTable>(name, key, std::move(context));
  by_folder_.emplace(folded, RealTable{real, table});
  return named->second.table = table;
}

Result<std::shared_ptr<LivingTable>> TableDirectory::Find(const TableName& name) { return Find(name, AMomentAgo()); }

Result<std::shared_ptr<LivingTable>> TableDirectory::Find(const TableName& name, int64_t listed_since_micros) {
  // One that was begun and got no rows does not stand in the way of another spelling.
  if (auto known = Lookup(name); known != nullptr && !known->Forgettable()) return known;
  const Status missing = Status::NotFound("table " + name.ToString() + " does not exist");
  if (!CheckTableName(name).ok()) return missing;
  // A listing costs as much as there are tables; where this name would be is seen at once.
  const std::string exact_key = JoinPath(EncodePathPart(name.database), EncodePathPart(name.table));
  TARN_ASSIGN_OR_RETURN(const bool is_there, IsTable(exact_key));
  if (is_there) return Register(name, exact_key);

  TARN_ASSIGN_OR_RETURN(const auto database, FindDatabase(name.database, listed_since_micros));
  if (!database.has_value()) return missing;
  TARN_ASSIGN_OR_RETURN(const auto table, FindTable(*database, name.table, listed_since_micros));
  if (!table.has_value()) return missing;
  return Register({database->name, table->name}, table->key);
}

Result<std::shared_ptr<LivingTable>> TableDirectory::FindOrBegin(const TableName& name, int64_t listed_since_micros) {
  TARN_RETURN_NOT_OK(CheckTableName(name));
  const auto found = Find(name, listed_since_micros);
  if (found.ok()) {
    if (Lookup(name) == *found) return found;
    return Status::InvalidArgument("table " + name.ToString() + " differs only in case from " +
                                   (*found)->name().ToString());
  }
  if (!found.status().Is(StatusCode::kNotFound)) return found.status();
  TARN_ASSIGN_OR_RETURN(const auto database, FindDatabase(name.database, listed_since_micros));
  if (database.has_value() && database->name != name.database) {
    return Status::InvalidArgument("database '" + name.database + "' differs only in case from '" + database->name +
                                   "'");
  }
  return FindOrBeginAsSpelled(name, listed_since_micros);
}

Result<std::shared_ptr<LivingTable>> TableDirectory::FindOrBeginAsSpelled(const TableName& name,
                                                                          int64_t listed_since_micros) {
  if (auto known = Lookup(name); known != nullptr) return known;
  // A folder that spells the name is the place, however it encodes it.
  const auto place = [&](const std::string& parent, const std::string& part) -> Result<std::string> {
    TARN_ASSIGN_OR_RETURN(const auto listed, FoldersIn(parent, listed_since_micros));
    if (const auto same = listed->find(FoldCase(part)); same != listed->end()) {
      for (const Folder& folder : same->second) {
        if (folder.name == part) return folder.key;
      }
    }
    return JoinPath(parent, EncodePathPart(part));
  };
  TARN_ASSIGN_OR_RETURN(const std::string database_key, place("", name.database));
  TARN_ASSIGN_OR_RETURN(const std::string table_key, place(database_key, name.table));
  return Register(name, table_key);
}

std::vector<std::shared_ptr<LivingTable>> TableDirectory::Known() const {
  std::vector<std::shared_ptr<LivingTable>> known;
  MutexLock guard(mutex_);
  known.reserve(by_folder_.size());
  for (const auto& [folded, real] : by_folder_) known.push_back(real.table);
  return known;
}

Result<std::vector<std::string>> TableDirectory::Databases() {
  NameList names;
  TARN_ASSIGN_OR_RETURN(const auto listed, FoldersIn("", AMomentAgo()));
  for (const auto& [folded, same] : *listed) {
    if (IsReservedDatabase(folded)) continue;
    for (const Folder& folder : same) names.Add(folder.name);
  }
  // A table just flushed for the first time is younger than the listing.
  for (const NamedTable& known : InUse("")) {
    if (known.table->exists()) names.Add(known.name.database);
  }
  return names.Values();
}

Result<std::vector<TableName>> TableDirectory::TablesOfReservedDatabases() {
  std::vector<TableName> tables;
  TARN_ASSIGN_OR_RETURN(const auto listed, FoldersIn("", AMomentAgo()));
  for (const auto& [folded, same] : *listed) {
    if (!IsReservedDatabase(folded)) continue;
    for (const Folder& folder : same) {
      TARN_ASSIGN_OR_RETURN(const auto names, TablesIn(folder));
      for (const std::string& name : names) tables.push_back({folder.name, name});
      if (names.empty() || !IsFirstWarning(folder.key)) continue;
      Log(LogLevel::kWarning, "tables in a folder whose name is reserved cannot be queried; rename it",
          {{"folder", folder.key}, {"tables", names.size()}});
    }
  }
  return tables;
}

Result<std::vector<std::string>> TableDirectory::Tables(const std::string& database) {
  TARN_ASSIGN_OR_RETURN(const auto folder, FindDatabase(database, AMomentAgo()));
  if (!folder.has_value()) return std::vector<std::string>();
  return TablesIn(*folder);
}

Result<std::vector<std::string>> TableDirectory::TablesIn(const Folder& database) {
  NameList names;
  for (const NamedTable& known : InUse(TablesPrefix(database.name))) {
    if (known.table->exists()) names.Add(known.name.table);
  }
  TARN_ASSIGN_OR_RETURN(const auto listed, FoldersIn(database.key, AMomentAgo()));
  for (const auto& [folded, same] : *listed) {
    for (const Folder& table : same) {
      const auto known = Lookup({database.name, table.name});
      if (known == nullptr || known->snapshot() == nullptr) {
        TARN_ASSIGN_OR_RETURN(const bool is_table, IsTable(table.key));
        if (!is_table) continue;
      }
      names.Add(table.name);
    }
  }
  return names.Values();
}

}  // namespace tarn::lake
