#pragma once

#include <memory>
#include <string>

#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/function/table_function.hpp"
#include "engine/query_service.h"

namespace tarn::engine {

/// The function that reads a system table when a query runs, once per reference to it.
duckdb::TableFunction MakeSystemScan(const std::string& name, std::shared_ptr<SystemTable> table,
                                     std::shared_ptr<duckdb::TableCatalogEntry> entry,
                                     duckdb::unique_ptr<duckdb::FunctionData>& bind_data);

}  // namespace tarn::engine
