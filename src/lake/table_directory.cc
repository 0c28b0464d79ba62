#include "lake/table_directory.h"

#include <simdjson.h>

#include <algorithm>
#include <set>

#include "base/uri.h"
#include "lake/lake.h"
#include "lake/table_names.h"
#include "storage/stores.h"

namespace tarn::lake {

namespace {

constexpr int64_t kListingAgeMicros = kMicrosPerSecond;

/// Adds a name unless one that differs only in case is there; the first wins.
void AddName(std::map<std::string, std::string>& names, const std::string& name) {
  names.try_emplace(FoldCase(name), name);
}

std::vector<std::string> Values(const std::map<std::string, std::string>& names) {
  std::vector<std::string> values;
  for (const auto& [folded, name] : names) values.push_back(name);
  return values;
}

}  // namespace

int64_t TableDirectory::AMomentAgo() const { return clock_.MonotonicMicros() - kListingAgeMicros; }

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
  TARN_RETURN_NOT_OK(store_->List(
      {.prefix = prefix, .start_after = {}, .group_by_folder = true}, [&](const storage::ListEntry& entry) {
        if (!entry.is_folder) return true;
        std::string key = entry.object.key;
        key.pop_back();
        const std::string part = key.substr(prefix.size());
        // A name of a user begins with neither: both are encoded. These folders are
        // Delta's, ours, or hidden.
        if (part.empty() || part[0] == '_' || part[0] == '.') return true;
        auto name = PercentDecode(part);
        if (name.ok() && simdjson::validate_utf8(*name) && !(parent_key.empty() && IsReservedDatabase(*name))) {
          folders->emplace(FoldCase(*name), Folder{*name, std::move(key)});
        }
        return true;
      }));
  MutexLock guard(mutex_);
  if (folders->empty() && !parent_key.empty()) {
    listings_.erase(parent_key);
    return std::shared_ptr<const Folders>(std::move(folders));
  }
  return (listings_[parent_key] = {std::move(folders), now}).folders;
}

Result<std::optional<TableDirectory::Folder>> TableDirectory::FindFolder(const std::string& parent_key,
                                                                         const std::string& name,
                                                                         int64_t listed_since_micros) {
  TARN_ASSIGN_OR_RETURN(const auto folders, FoldersIn(parent_key, listed_since_micros));
  const auto [begin, end] = folders->equal_range(FoldCase(name));
  if (begin == end) return std::optional<Folder>();
  const auto exact = std::find_if(begin, end, [&name](const auto& entry) { return entry.second.name == name; });
  return std::optional<Folder>(exact == end ? begin->second : exact->second);
}

std::shared_ptr<LivingTable> TableDirectory::Lookup(const TableName& name) const {
  MutexLock guard(mutex_);
  const auto found = tables_.find(FoldName(name));
  return found == tables_.end() ? nullptr : found->second;
}

std::shared_ptr<LivingTable> TableDirectory::Register(TableName name, const std::string& key) {
  delta::TableContext context;
  context.store = storage::MakePrefixStore(store_, key);
  context.clock = &clock_;
  context.random = &random_;
  std::string folded = FoldName(name);
  auto table = std::make_shared<LivingTable>(std::move(name), key, std::move(context));
  MutexLock guard(mutex_);
  return tables_.try_emplace(std::move(folded), std::move(table)).first->second;
}

Result<std::shared_ptr<LivingTable>> TableDirectory::Find(const TableName& name) { return Find(name, AMomentAgo()); }

Result<std::shared_ptr<LivingTable>> TableDirectory::Find(const TableName& name, int64_t listed_since_micros) {
  if (auto known = Lookup(name); known != nullptr) return known;
  const Status missing = Status::NotFound("table " + name.ToString() + " does not exist");
  if (!CheckTableName(name).ok()) return missing;
  // A listing costs as much as there are tables; where this name would be is seen at once.
  const std::string exact_key = JoinPath(EncodePathPart(name.database), EncodePathPart(name.table));
  TARN_ASSIGN_OR_RETURN(const bool is_there, delta::TableExists(*storage::MakePrefixStore(store_, exact_key)));
  if (is_there) return Register(name, exact_key);

  TARN_ASSIGN_OR_RETURN(const auto database, FindFolder("", name.database, listed_since_micros));
  if (!database.has_value()) return missing;
  TARN_ASSIGN_OR_RETURN(const auto folder, FindFolder(database->key, name.table, listed_since_micros));
  if (!folder.has_value() || folder->key == exact_key) return missing;
  TARN_ASSIGN_OR_RETURN(const bool exists, delta::TableExists(*storage::MakePrefixStore(store_, folder->key)));
  if (!exists) return missing;
  return Register({database->name, folder->name}, folder->key);
}

Result<std::shared_ptr<LivingTable>> TableDirectory::FindOrBegin(const TableName& name, int64_t listed_since_micros) {
  const auto same_case = [&name](std::shared_ptr<LivingTable> table) -> Result<std::shared_ptr<LivingTable>> {
    if (table->name() == name) return table;
    return Status::InvalidArgument("table " + name.ToString() + " differs only in case from " +
                                   table->name().ToString());
  };
  TARN_RETURN_NOT_OK(CheckTableName(name));
  auto found = Find(name, listed_since_micros);
  if (found.ok()) return same_case(std::move(found).value());
  if (!found.status().Is(StatusCode::kNotFound)) return std::move(found).status();

  TARN_ASSIGN_OR_RETURN(auto database, FindFolder("", name.database, listed_since_micros));
  if (!database.has_value()) database = KnownDatabase(name.database);
  if (database.has_value() && database->name != name.database) {
    return Status::InvalidArgument("database '" + name.database + "' differs only in case from '" + database->name +
                                   "'");
  }
  const std::string parent = database.has_value() ? database->key : EncodePathPart(name.database);
  return same_case(Register(name, JoinPath(parent, EncodePathPart(name.table))));
}

std::optional<TableDirectory::Folder> TableDirectory::KnownDatabase(const std::string& name) const {
  const std::string first = FoldName({name, {}});
  MutexLock guard(mutex_);
  const auto found = tables_.lower_bound(first);
  if (found == tables_.end() || !found->first.starts_with(first)) return std::nullopt;
  const std::string& database = found->second->name().database;
  return Folder{database, EncodePathPart(database)};
}

std::vector<std::shared_ptr<LivingTable>> TableDirectory::Known() const {
  std::vector<std::shared_ptr<LivingTable>> known;
  MutexLock guard(mutex_);
  known.reserve(tables_.size());
  for (const auto& [folded, table] : tables_) known.push_back(table);
  return known;
}

Result<std::vector<std::string>> TableDirectory::Databases() {
  std::map<std::string, std::string> names;
  TARN_ASSIGN_OR_RETURN(const auto folders, FoldersIn("", AMomentAgo()));
  for (const auto& [folded, folder] : *folders) AddName(names, folder.name);
  for (const auto& table : Known()) {
    // A table just flushed for the first time is younger than the listing.
    if (table->exists()) AddName(names, table->name().database);
  }
  return Values(names);
}

Result<std::vector<std::string>> TableDirectory::Tables(const std::string& database) {
  std::map<std::string, std::string> names;
  for (const auto& table : Known()) {
    if (FoldCase(table->name().database) == FoldCase(database) && table->exists()) {
      AddName(names, table->name().table);
    }
  }
  TARN_ASSIGN_OR_RETURN(const auto databases, FoldersIn("", AMomentAgo()));
  const auto [begin, end] = databases->equal_range(FoldCase(database));
  for (auto folder = begin; folder != end; ++folder) {
    TARN_ASSIGN_OR_RETURN(const auto tables, FoldersIn(folder->second.key, AMomentAgo()));
    for (const auto& [folded, table] : *tables) {
      const auto known = Lookup({folder->second.name, table.name});
      if (known == nullptr || known->snapshot() == nullptr) {
        TARN_ASSIGN_OR_RETURN(const bool exists, delta::TableExists(*storage::MakePrefixStore(store_, table.key)));
        if (!exists) continue;
      }
      AddName(names, table.name);
    }
  }
  return Values(names);
}

}  // namespace tarn::lake
