#pragma once

#include "base/status.h"
#include "lake/table_view.h"

namespace duckdb {
struct AlterInfo;
}

namespace tarn::engine {

/// Whether ALTER TABLE or COMMENT ON asks for something that tables of the lake know. Unsupported names what they do
/// not.
Status CheckAlterKind(const duckdb::AlterInfo& info);

/// ALTER TABLE and COMMENT ON of a table of the lake, by one commit, or none when it is so already. What DuckDB calls
/// throws.
Status AlterLakeTable(lake::TableCatalog& catalog, const lake::TableName& name, duckdb::AlterInfo& info);

}  // namespace tarn::engine
