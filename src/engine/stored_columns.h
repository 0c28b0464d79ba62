#pragma once

#include "duckdb/common/multi_file/base_file_reader.hpp"
#include "duckdb/common/multi_file/multi_file_data.hpp"
#include "engine/scan_source.h"

namespace tarn::engine {

/// The column of an open file that holds a column of the table; null when the file lacks it.
const duckdb::MultiFileColumnDefinition* StoredColumn(const duckdb::BaseFileReader& reader, const ScanSource& source,
                                                      size_t column);

/// The table's columns as DuckDB is to look for them in one open file where it does not do so by their names: each,
/// members of structs at any depth included, is identified by the name that this file has for it. Throws Corruption for
/// a file without field ids where the table goes by them.
duckdb::vector<duckdb::MultiFileColumnDefinition> ColumnsAsStored(
    const duckdb::vector<duckdb::MultiFileColumnDefinition>& columns, const duckdb::BaseFileReader& reader,
    const ScanSource& source);

/// Throws Corruption, naming the file and the column, when a column of the table is of another kind in an open file, so
/// that its values cannot be those that were written to the table.
void CheckKindOfColumn(const duckdb::BaseFileReader& reader, const ScanSource& source, size_t column);

}  // namespace tarn::engine
