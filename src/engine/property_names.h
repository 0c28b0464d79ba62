#pragma once

#include <string>

#include "duckdb/parser/parsed_data/alter_info.hpp"
#include "duckdb/parser/parsed_data/create_table_info.hpp"

namespace tarn::engine {

/// Table properties in CREATE TABLE … WITH (…) and ALTER TABLE … SET (…) or RESET (…) as the statement spells them:
/// DuckDB's parser gives their names in lower case.
void RestorePropertyNames(const std::string& sql, duckdb::CreateTableInfo& table);
void RestorePropertyNames(const std::string& sql, duckdb::AlterInfo& info);

}  // namespace tarn::engine
