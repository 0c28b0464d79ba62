#pragma once

#include <memory>
#include <string>

#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/common/table_column.hpp"
#include "duckdb/function/table_function.hpp"
#include "engine/scan_source.h"

namespace tarn::engine {

/// The function that scans a table view: DuckDB's Parquet scan with our file list and column mapping, plus its bind
/// data. Everything it needs lives in it, `entry` (the table it belongs to, may be null) included, so that a plan may
/// outlive the transaction that bound it. `entry` shows itself to DuckDB as the table of the scan.
duckdb::TableFunction MakeLakeScan(duckdb::ClientContext& context, std::shared_ptr<const ScanSource> source,
                                   std::shared_ptr<duckdb::TableCatalogEntry> entry,
                                   duckdb::unique_ptr<duckdb::FunctionData>& bind_data);

/// filename, file_row_number, file_index and the empty column that count(*) reads.
duckdb::virtual_column_map_t LakeVirtualColumns();

}  // namespace tarn::engine
