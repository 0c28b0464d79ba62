#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "engine/query_service.h"
#include "engine/scan_source.h"

namespace tarn::engine {

/// A table of the lake at one pinned point, a system table, or, in listings only, a table that cannot be read with the
/// reason why. Immutable; shared by the transaction that pinned it and the plans over it.
class LakeTable final : public duckdb::TableCatalogEntry, public std::enable_shared_from_this<LakeTable> {
 public:
  static Result<std::shared_ptr<LakeTable>> Make(duckdb::Catalog& catalog, duckdb::SchemaCatalogEntry& schema,
                                                 const std::string& name, std::shared_ptr<const lake::TableView> view,
                                                 bool is_past);
  /// One that the statement may change.
  static Result<std::shared_ptr<LakeTable>> MakeForChange(duckdb::Catalog& catalog, duckdb::SchemaCatalogEntry& schema,
                                                          const std::string& name, lake::TableForChange table);
  static Result<std::shared_ptr<LakeTable>> MakeSystem(duckdb::Catalog& catalog, duckdb::SchemaCatalogEntry& schema,
                                                       const std::string& name, std::shared_ptr<SystemTable> table);
  static std::shared_ptr<LakeTable> MakeUnreadable(duckdb::Catalog& catalog, duckdb::SchemaCatalogEntry& schema,
                                                   const std::string& name, Status why);

  LakeTable(duckdb::Catalog& catalog, duckdb::SchemaCatalogEntry& schema, duckdb::CreateTableInfo& info)
      : TableCatalogEntry(catalog, schema, info) {}

  /// Null for a system table and an unreadable one.
  const std::shared_ptr<const ScanSource>& source() const { return source_; }
  const Status& status() const { return status_; }
  const std::optional<lake::TableForChange>& for_change() const { return for_change_; }

  duckdb::unique_ptr<duckdb::BaseStatistics> GetStatistics(duckdb::ClientContext& context,
                                                           duckdb::column_t column) override;
  duckdb::TableFunction GetScanFunction(duckdb::ClientContext& context,
                                        duckdb::unique_ptr<duckdb::FunctionData>& bind_data) override;
  duckdb::TableStorageInfo GetStorageInfo(duckdb::ClientContext& context) override;
  duckdb::virtual_column_map_t GetVirtualColumns() const override;
  duckdb::vector<duckdb::column_t> GetRowIdColumns() const override;
  void BindUpdateConstraints(duckdb::Binder& binder, duckdb::LogicalGet& get, duckdb::LogicalProjection& projection,
                             duckdb::LogicalUpdate& update, duckdb::ClientContext& context) override;

 private:
  std::shared_ptr<const ScanSource> source_;
  std::shared_ptr<SystemTable> system_table_;
  std::optional<lake::TableForChange> for_change_;
  Status status_;
};

/// What every attempt to change something through SQL is answered with.
Status ReadOnlyError();

}  // namespace tarn::engine
