#include "engine/gate_names.h"

#include "base/status.h"
#include "engine/exception_barrier.h"
#include "engine/table_changes_function.h"

namespace tarn::engine {

const GateNames& AllowedTableFunctions() {
  static const GateNames names{"range",
                               "generate_series",
                               "unnest",
                               "repeat",
                               "repeat_row",
                               "json_each",
                               "json_tree",
                               kTableChangesFunction,
                               "summary",
                               "duckdb_tables",
                               "duckdb_columns",
                               "duckdb_views",
                               "duckdb_schemas",
                               "duckdb_databases",
                               "duckdb_types",
                               "duckdb_constraints",
                               "duckdb_indexes",
                               "duckdb_sequences",
                               "duckdb_functions",
                               "duckdb_keywords",
                               "pg_timezone_names",
                               "icu_calendar_names"};
  return names;
}

const GateNames& AllowedTableMacros() {
  static const GateNames names{"histogram", "histogram_values"};
  return names;
}

const GateNames& LocalFileFunctions() {
  static const GateNames names{"read_parquet",
                               "parquet_scan",
                               "read_csv",
                               "read_csv_auto",
                               "read_json",
                               "read_json_auto",
                               "read_json_objects",
                               "read_json_objects_auto",
                               "read_ndjson",
                               "read_ndjson_auto",
                               "read_ndjson_objects",
                               "parquet_metadata",
                               "parquet_file_metadata",
                               "parquet_kv_metadata",
                               "parquet_schema",
                               "sniff_csv",
                               "glob"};
  return names;
}

const GateNames& CatalogScans() {
  static const GateNames names{"lake_scan", "system_scan"};
  return names;
}

const GateNames& DeniedFunctions() {
  static const GateNames names{"getenv",
                               "current_setting",
                               "getvariable",
                               "nextval",
                               "currval",
                               "setseed",
                               "write_log",
                               "sleep_ms",
                               "pg_sleep",
                               "txid_current",
                               "current_query",
                               "version",
                               "json_execute_serialized_sql",
                               "json_serialize_sql",
                               "json_serialize_plan",
                               "json_deserialize_sql",
                               "parse_duckdb_log_message"};
  return names;
}

void Deny(const std::string& what) { ThrowStatus(Status::PermissionDenied(what)); }

}  // namespace tarn::engine
