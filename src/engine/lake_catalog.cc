#include "engine/lake_catalog.h"

#include <map>
#include <set>
#include <utility>

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/catalog/catalog_entry/schema_catalog_entry.hpp"
#include "duckdb/catalog/entry_lookup_info.hpp"
#include "duckdb/common/string_util.hpp"
#include "duckdb/function/replacement_scan.hpp"
#include "duckdb/main/attached_database.hpp"
#include "duckdb/main/client_context.hpp"
#include "duckdb/main/client_context_state.hpp"
#include "duckdb/main/config.hpp"
#include "duckdb/main/database_manager.hpp"
#include "duckdb/parser/parsed_data/create_schema_info.hpp"
#include "duckdb/parser/tableref/basetableref.hpp"
#include "duckdb/planner/parsed_data/bound_create_table_info.hpp"
#include "duckdb/planner/tableref/bound_at_clause.hpp"
#include "duckdb/storage/database_size.hpp"
#include "duckdb/storage/storage_extension.hpp"
#include "engine/exception_barrier.h"
#include "engine/lake_table.h"
#include "engine/lake_table_alter.h"
#include "engine/lake_table_ddl.h"
#include "engine/lake_transaction.h"
#include "engine/lake_write.h"
#include "engine/table_changes_function.h"
#include "engine/transaction_block.h"
#include "lake/lake.h"

namespace tarn::engine {
namespace {

using duckdb::CatalogEntry;
using duckdb::CatalogTransaction;
using duckdb::optional_ptr;
using duckdb::StringUtil;

/// DuckDB's own default schema, in which sessions start: always there. A lake has no such database, a catalog of single
/// tables puts them there.
constexpr char kMainSchema[] = "main";

constexpr char kMayChangeKey[] = "tarn_may_change";
struct MayChangeState final : public duckdb::ClientContextState {
  explicit MayChangeState(std::shared_ptr<TransactionBlock> of) : block(std::move(of)) {}
  /// Null for a statement that stands alone.
  const std::shared_ptr<TransactionBlock> block;
  std::optional<std::string> condition;
};

duckdb::shared_ptr<MayChangeState> MayChange(duckdb::ClientContext& context) {
  return context.registered_state->Get<MayChangeState>(kMayChangeKey);
}

struct LakeStorageInfo final : public duckdb::StorageExtensionInfo {
  lake::TableCatalog* catalog = nullptr;
  std::shared_ptr<const SystemTableRegistry> system_tables;
};

/// The range of a CHANGES clause: a list of one or two versions or times.
delta::ChangeRange RangeOf(const duckdb::Value& value) {
  delta::ChangeRange range;
  const auto& ends = duckdb::ListValue::GetChildren(value);
  const bool by_time = duckdb::ListType::GetChildType(value.type()).id() != duckdb::LogicalTypeId::BIGINT;
  for (size_t i = 0; i < ends.size(); i++) {
    delta::ChangePoint point;
    if (by_time) {
      const int64_t micros = duckdb::TimestampTZValue::Get(ends[i]).value;
      point.timestamp_millis = i == 0 ? delta::CeilMillis(micros) : delta::FloorMillis(micros);
    } else {
      point.version = ends[i].GetValue<int64_t>();
    }
    if (i == 0) {
      range.first = point;
    } else {
      range.last = point;
    }
  }
  return range;
}

std::optional<lake::AsOf> AsOfClause(const duckdb::EntryLookupInfo& lookup) {
  auto clause = lookup.GetAtClause();
  if (!clause) return std::nullopt;
  lake::AsOf as_of;
  std::string unit = StringUtil::Lower(clause->Unit());
  const duckdb::Value& value = clause->GetValue();
  duckdb::Value converted;
  std::string error;
  if (unit == "version") {
    // A cast would round anything else.
    if (value.IsNull() || !value.type().IsIntegral() ||
        !value.DefaultTryCastAs(duckdb::LogicalType::BIGINT, converted, &error)) {
      ThrowStatus(Status::InvalidArgument("AT (VERSION => …) takes a whole number, not " + value.ToString()));
    }
    as_of.version = converted.GetValue<int64_t>();
  } else if (unit == "timestamp") {
    if (value.IsNull() || !value.DefaultTryCastAs(duckdb::LogicalType::TIMESTAMP, converted, &error)) {
      ThrowStatus(Status::InvalidArgument("AT (TIMESTAMP => …) takes a time, not " + value.ToString()));
    }
    as_of.timestamp_micros = converted.GetValue<duckdb::timestamp_t>().value;
  } else if (unit == kChangesUnit && value.type().id() == duckdb::LogicalTypeId::LIST) {
    as_of.changes = RangeOf(value);
  } else {
    ThrowStatus(Status::InvalidArgument("AT takes VERSION or TIMESTAMP, not " + clause->Unit()));
  }
  return as_of;
}

std::string PointKey(const delta::ChangePoint& point) {
  return point.version ? "v" + std::to_string(*point.version) : "t" + std::to_string(*point.timestamp_millis);
}

std::string AsOfKey(const std::optional<lake::AsOf>& as_of) {
  if (!as_of) return {};
  if (as_of->changes) {
    return "changes " + PointKey(as_of->changes->first) + (as_of->changes->last ? PointKey(*as_of->changes->last) : "");
  }
  return as_of->version ? "v" + std::to_string(*as_of->version) : "t" + std::to_string(*as_of->timestamp_micros);
}

/// One database of the lake. Tables are looked up when they are named.
class LakeSchema final : public duckdb::SchemaCatalogEntry {
 public:
  LakeSchema(duckdb::Catalog& catalog, duckdb::CreateSchemaInfo& info, const LakeStorageInfo& lake)
      : SchemaCatalogEntry(catalog, info), lake_(lake), is_system_(name == kSystemDatabase) {}

  optional_ptr<CatalogEntry> LookupEntry(CatalogTransaction transaction,
                                         const duckdb::EntryLookupInfo& lookup) override {
    if (lookup.GetCatalogType() != duckdb::CatalogType::TABLE_ENTRY) return nullptr;
    auto entry = Open(transaction.GetContext(), lookup.GetEntryName(), AsOfClause(lookup));
    if (!entry.ok()) {
      if (entry.status().Is(StatusCode::kNotFound) && !lookup.GetAtClause()) return nullptr;
      ThrowStatus(entry.status());
    }
    return (*entry).get();
  }

  void Scan(duckdb::ClientContext& context, duckdb::CatalogType type,
            const std::function<void(CatalogEntry&)>& callback) override {
    if (type != duckdb::CatalogType::TABLE_ENTRY) return;
    for (const std::string& table : TableNames()) {
      auto entry = Open(context, table, std::nullopt);
      if (entry.ok()) {
        callback(**entry);
      } else if (!entry.status().Is(StatusCode::kNotFound)) {
        // One broken table must not hide the others; it is listed with the reason.
        callback(*KeepUnreadable(context, table, entry.status()));
      }
    }
  }
  void Scan(duckdb::CatalogType, const std::function<void(CatalogEntry&)>&) override {
    ThrowStatus(Status::Unsupported("tables of the lake are listed within a query only"));
  }

  duckdb::SimilarCatalogEntry GetSimilarEntry(CatalogTransaction, const duckdb::EntryLookupInfo& lookup) override {
    duckdb::SimilarCatalogEntry best;
    if (lookup.GetCatalogType() != duckdb::CatalogType::TABLE_ENTRY) return best;
    for (const std::string& table : TableNames()) {
      double score = StringUtil::SimilarityRating(table, lookup.GetEntryName());
      if (score > best.score) {
        best.score = score;
        best.name = table;
      }
    }
    return best;
  }

  optional_ptr<CatalogEntry> CreateIndex(CatalogTransaction, duckdb::CreateIndexInfo&,
                                         duckdb::TableCatalogEntry&) override {
    ThrowStatus(ReadOnlyError());
  }
  optional_ptr<CatalogEntry> CreateFunction(CatalogTransaction, duckdb::CreateFunctionInfo&) override {
    ThrowStatus(ReadOnlyError());
  }
  optional_ptr<CatalogEntry> CreateTable(CatalogTransaction transaction, duckdb::BoundCreateTableInfo& info) override {
    if (is_system_ || !MayChange(transaction.GetContext())) ThrowStatus(ReadOnlyError());
    ThrowIfError(CreateLakeTable(*lake_.catalog, {name, info.Base().table}, info));
    return nullptr;
  }
  optional_ptr<CatalogEntry> CreateView(CatalogTransaction, duckdb::CreateViewInfo&) override {
    ThrowStatus(ReadOnlyError());
  }
  optional_ptr<CatalogEntry> CreateSequence(CatalogTransaction, duckdb::CreateSequenceInfo&) override {
    ThrowStatus(ReadOnlyError());
  }
  optional_ptr<CatalogEntry> CreateTableFunction(CatalogTransaction, duckdb::CreateTableFunctionInfo&) override {
    ThrowStatus(ReadOnlyError());
  }
  optional_ptr<CatalogEntry> CreateCopyFunction(CatalogTransaction, duckdb::CreateCopyFunctionInfo&) override {
    ThrowStatus(ReadOnlyError());
  }
  optional_ptr<CatalogEntry> CreatePragmaFunction(CatalogTransaction, duckdb::CreatePragmaFunctionInfo&) override {
    ThrowStatus(ReadOnlyError());
  }
  optional_ptr<CatalogEntry> CreateCollation(CatalogTransaction, duckdb::CreateCollationInfo&) override {
    ThrowStatus(ReadOnlyError());
  }
  optional_ptr<CatalogEntry> CreateType(CatalogTransaction, duckdb::CreateTypeInfo&) override {
    ThrowStatus(ReadOnlyError());
  }
  void DropEntry(duckdb::ClientContext&, duckdb::DropInfo&) override { ThrowStatus(ReadOnlyError()); }
  void Alter(CatalogTransaction transaction, duckdb::AlterInfo& info) override {
    if (is_system_ || !MayChange(transaction.GetContext())) ThrowStatus(ReadOnlyError());
    ThrowIfError(AlterLakeTable(*lake_.catalog, {name, info.name}, info));
  }

 private:
  LakeTransaction& TransactionOf(duckdb::ClientContext& context) {
    return duckdb::Transaction::Get(context, catalog).Cast<LakeTransaction>();
  }

  std::vector<std::string> TableNames() {
    if (is_system_) return lake_.system_tables ? lake_.system_tables->Names() : std::vector<std::string>();
    auto names = lake_.catalog->ListTables(name);
    if (!names.ok() && names.status().Is(StatusCode::kNotFound)) return {};
    return ValueOrThrow(std::move(names));
  }

  /// The entry that the transaction has of the table; pins it at the first use.
  Result<std::shared_ptr<LakeTable>> Open(duckdb::ClientContext& context, const std::string& table,
                                          const std::optional<lake::AsOf>& as_of) {
    LakeTransaction& transaction = TransactionOf(context);
    LakeTransaction::Key key{name, table, AsOfKey(as_of)};
    if (auto entry = transaction.Find(key); entry && entry->status().ok()) return entry;
    TARN_ASSIGN_OR_RETURN(auto entry, Load(context, table, as_of));
    // Names that differ only in case may be two tables or one; the latter is kept once.
    key.table = entry->name;
    return transaction.Keep(key, std::move(entry));
  }

  Result<std::shared_ptr<LakeTable>> Load(duckdb::ClientContext& context, const std::string& table,
                                          const std::optional<lake::AsOf>& as_of) {
    if (is_system_) {
      auto system_table = lake_.system_tables ? lake_.system_tables->Find(table) : nullptr;
      if (!system_table) return Status::NotFound("system table " + table);
      if (as_of) return Status::InvalidArgument("system tables have no history");
      return LakeTable::MakeSystem(catalog, *this, StringUtil::Lower(table), std::move(system_table));
    }
    // A table reached through a link goes by the name that was used.
    const auto shown = [&](const lake::TableView& view) {
      return StringUtil::CIEquals(view.name.table, table) ? view.name.table : table;
    };
    if (const auto may = MayChange(context); may && !as_of) {
      TARN_ASSIGN_OR_RETURN(auto for_change,
                            may->block ? may->block->Pin({name, table}) : lake_.catalog->PinForChange({name, table}));
      const std::string shown_name = shown(*for_change.view);
      return LakeTable::MakeForChange(catalog, *this, shown_name, std::move(for_change));
    }
    TARN_ASSIGN_OR_RETURN(auto view, lake_.catalog->Pin({name, table}, as_of));
    const std::string shown_name = shown(*view);
    return LakeTable::Make(catalog, *this, shown_name, std::move(view), as_of.has_value());
  }

  std::shared_ptr<LakeTable> KeepUnreadable(duckdb::ClientContext& context, const std::string& table, Status why) {
    // A key of its own, so that a later use of the table tries to open it and reports the reason itself.
    LakeTransaction::Key key{name, table, "unreadable"};
    return TransactionOf(context).Keep(key, LakeTable::MakeUnreadable(catalog, *this, table, std::move(why)));
  }

  const LakeStorageInfo& lake_;
  const bool is_system_;
};

/// The attached catalog: databases of the lake as schemas.
class LakeCatalog final : public duckdb::Catalog {
 public:
  LakeCatalog(duckdb::AttachedDatabase& database, const LakeStorageInfo& lake) : Catalog(database), lake_(lake) {}

  void Initialize(bool) override {}
  std::string GetCatalogType() override { return kLakeStorageType; }
  std::string GetDefaultSchema() const override { return kMainSchema; }
  bool SupportsTimeTravel() const override { return true; }
  bool InMemory() override { return false; }
  std::string GetDBPath() override { return {}; }
  duckdb::DatabaseSize GetDatabaseSize(duckdb::ClientContext&) override { return {}; }
  // A lake may have a database called like an attached one; see RedirectToLake.
  bool CheckAmbiguousCatalogOrSchema(duckdb::ClientContext&, const std::string&) override { return false; }

  optional_ptr<duckdb::SchemaCatalogEntry> LookupSchema(CatalogTransaction transaction,
                                                        const duckdb::EntryLookupInfo& lookup,
                                                        duckdb::OnEntryNotFound if_not_found) override {
    duckdb::vector<std::string> alike = SpellingsOf(lookup.GetEntryName());
    // Looks anew for a database that another writer may have just begun.
    if (alike.empty() && lake_.catalog->ListTables(lookup.GetEntryName()).ok()) {
      alike = SpellingsOf(lookup.GetEntryName());
    }
    for (const std::string& database : alike) {
      if (database == lookup.GetEntryName()) return Schema(database);
    }
    if (alike.size() == 1) return Schema(alike.front());
    if (alike.empty() && transaction.context && MayChange(*transaction.context) &&
        lake::CheckTableName({lookup.GetEntryName(), "t"}).ok()) {
      // It begins to exist with its first table.
      return Schema(lookup.GetEntryName());
    }
    if (!alike.empty()) {
      ThrowStatus(Status::InvalidArgument("database '" + lookup.GetEntryName() + "' is ambiguous: '" +
                                          StringUtil::Join(alike, "' and '") +
                                          "' differ only in case; spell it as one of them"));
    }
    if (if_not_found == duckdb::OnEntryNotFound::RETURN_NULL) return nullptr;
    ThrowStatus(Status::NotFound("there is no database " + lookup.GetEntryName()));
  }

  void ScanSchemas(duckdb::ClientContext&, std::function<void(duckdb::SchemaCatalogEntry&)> callback) override {
    for (const std::string& database : SchemaNames()) callback(*Schema(database));
  }

  optional_ptr<CatalogEntry> CreateSchema(CatalogTransaction, duckdb::CreateSchemaInfo&) override {
    ThrowStatus(ReadOnlyError());
  }
  duckdb::PhysicalOperator& PlanCreateTableAs(duckdb::ClientContext& context, duckdb::PhysicalPlanGenerator& planner,
                                              duckdb::LogicalCreateTable& create,
                                              duckdb::PhysicalOperator& rows) override {
    return PlanLakeCreateTableAs(context, planner, *lake_.catalog, create, rows);
  }
  duckdb::PhysicalOperator& PlanInsert(duckdb::ClientContext& context, duckdb::PhysicalPlanGenerator& planner,
                                       duckdb::LogicalInsert& insert,
                                       optional_ptr<duckdb::PhysicalOperator> rows) override {
    return PlanLakeInsert(context, planner, *lake_.catalog, insert, rows);
  }
  duckdb::PhysicalOperator& PlanDelete(duckdb::ClientContext&, duckdb::PhysicalPlanGenerator& planner,
                                       duckdb::LogicalDelete& op, duckdb::PhysicalOperator& rows) override {
    return PlanLakeDelete(planner, *lake_.catalog, op, rows);
  }
  duckdb::PhysicalOperator& PlanUpdate(duckdb::ClientContext&, duckdb::PhysicalPlanGenerator& planner,
                                       duckdb::LogicalUpdate& update, duckdb::PhysicalOperator& rows) override {
    return PlanLakeUpdate(planner, *lake_.catalog, update, rows);
  }
  duckdb::PhysicalOperator& PlanMergeInto(duckdb::ClientContext&, duckdb::PhysicalPlanGenerator& planner,
                                          duckdb::LogicalMergeInto& merge, duckdb::PhysicalOperator& rows) override {
    return PlanLakeMerge(planner, *lake_.catalog, merge, rows);
  }
  duckdb::ErrorData SupportsCreateTable(duckdb::BoundCreateTableInfo&) override {
    // DescribeNewTable says what it cannot have.
    return duckdb::ErrorData();
  }
  // Without these two DuckDB plans an index on a table of its own kind and crashes.
  duckdb::unique_ptr<duckdb::LogicalOperator> BindCreateIndex(duckdb::Binder&, duckdb::CreateStatement&,
                                                              duckdb::TableCatalogEntry&,
                                                              duckdb::unique_ptr<duckdb::LogicalOperator>) override {
    ThrowStatus(ReadOnlyError());
  }
  duckdb::unique_ptr<duckdb::LogicalOperator> BindAlterAddIndex(duckdb::Binder&, duckdb::TableCatalogEntry&,
                                                                duckdb::unique_ptr<duckdb::LogicalOperator>,
                                                                duckdb::unique_ptr<duckdb::CreateIndexInfo>,
                                                                duckdb::unique_ptr<duckdb::AlterTableInfo>) override {
    ThrowStatus(ReadOnlyError());
  }

 private:
  void DropSchema(duckdb::ClientContext&, duckdb::DropInfo&) override { ThrowStatus(ReadOnlyError()); }

  std::vector<std::string> SchemaNames() {
    std::vector<std::string> names{kMainSchema, kSystemDatabase};
    for (std::string& database : ValueOrThrow(lake_.catalog->ListDatabases())) {
      if (database != kMainSchema) names.push_back(std::move(database));
    }
    return names;
  }

  /// The databases that this name may mean.
  duckdb::vector<std::string> SpellingsOf(const std::string& name) {
    duckdb::vector<std::string> alike;
    for (std::string& database : SchemaNames()) {
      if (StringUtil::CIEquals(database, name)) alike.push_back(std::move(database));
    }
    return alike;
  }

  LakeSchema* Schema(const std::string& database) {
    MutexLock lock(mutex_);
    auto& schema = schemas_[database];
    if (!schema) {
      duckdb::CreateSchemaInfo info;
      info.catalog = GetName();
      info.schema = database;
      schema = std::make_unique<LakeSchema>(*this, info, lake_);
    }
    return schema.get();
  }

  const LakeStorageInfo& lake_;
  Mutex mutex_;
  /// As many as the lake has databases; plans refer to them, so they stay.
  std::map<std::string, std::unique_ptr<LakeSchema>> schemas_ GUARDED_BY(mutex_);
};

/// DuckDB takes the first part of `x.t` for an attached database when there is one of that name (`system`, `memory`,
/// `lake`). When it then finds no such table, this points it to the lake's own database x.
duckdb::unique_ptr<duckdb::TableRef> RedirectToLake(duckdb::ClientContext& context, duckdb::ReplacementScanInput& input,
                                                    optional_ptr<duckdb::ReplacementScanData>) {
  bool has_catalog = !input.catalog_name.empty();
  bool has_schema = !input.schema_name.empty();
  if (has_catalog == has_schema) return nullptr;
  const std::string& database = has_catalog ? input.catalog_name : input.schema_name;
  if (!duckdb::DatabaseManager::Get(context).GetDatabase(context, database)) return nullptr;
  auto lake = duckdb::Catalog::GetCatalogEntry(context, kLakeCatalogName);
  if (!lake || lake->GetCatalogType() != kLakeStorageType) return nullptr;
  duckdb::EntryLookupInfo lookup(duckdb::CatalogType::SCHEMA_ENTRY, database);
  if (!lake->GetSchema(context, lookup, duckdb::OnEntryNotFound::RETURN_NULL)) return nullptr;
  auto table = duckdb::make_uniq<duckdb::BaseTableRef>();
  table->catalog_name = kLakeCatalogName;
  table->schema_name = database;
  table->table_name = input.table_name;
  return table;
}

}  // namespace

void RegisterLakeCatalog(duckdb::DBConfig& config, lake::TableCatalog& catalog,
                         std::shared_ptr<const SystemTableRegistry> system_tables) {
  auto info = duckdb::make_shared_ptr<LakeStorageInfo>();
  info->catalog = &catalog;
  info->system_tables = std::move(system_tables);
  auto extension = duckdb::make_shared_ptr<duckdb::StorageExtension>();
  extension->storage_info = std::move(info);
  extension->attach = [](optional_ptr<duckdb::StorageExtensionInfo> storage, duckdb::ClientContext&,
                         duckdb::AttachedDatabase& database, const std::string&, duckdb::AttachInfo&,
                         duckdb::AttachOptions&) -> duckdb::unique_ptr<duckdb::Catalog> {
    return duckdb::make_uniq<LakeCatalog>(database, static_cast<const LakeStorageInfo&>(*storage));
  };
  extension->create_transaction_manager = [](optional_ptr<duckdb::StorageExtensionInfo>,
                                             duckdb::AttachedDatabase& database,
                                             duckdb::Catalog&) -> duckdb::unique_ptr<duckdb::TransactionManager> {
    return duckdb::make_uniq<LakeTransactionManager>(database);
  };
  duckdb::StorageExtension::Register(config, kLakeStorageType, std::move(extension));
}

void LetChangeTables(duckdb::ClientContext& context, bool may, std::shared_ptr<TransactionBlock> block) {
  context.registered_state->Remove(kMayChangeKey);
  if (may) {
    context.registered_state->Insert(kMayChangeKey, duckdb::make_shared_ptr<MayChangeState>(std::move(block)));
  }
}

void SetCondition(duckdb::ClientContext& context, std::optional<std::string> condition) {
  if (const auto may = MayChange(context)) may->condition = std::move(condition);
}

std::optional<std::string> ConditionOf(duckdb::ClientContext& context) {
  const auto may = MayChange(context);
  return may ? may->condition : std::nullopt;
}

void RegisterLakeNames(duckdb::DatabaseInstance& instance) {
  duckdb::DBConfig::GetConfig(instance).replacement_scans.emplace_back(RedirectToLake);
}

std::vector<PinnedTable> PinnedTables(duckdb::ClientContext& context) {
  auto database = duckdb::DatabaseManager::Get(context).GetDatabase(context, kLakeCatalogName);
  if (!database) return {};
  auto transaction = duckdb::Transaction::TryGet(context, *database);
  return transaction ? transaction->Cast<LakeTransaction>().Pinned() : std::vector<PinnedTable>();
}

}  // namespace tarn::engine
