#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "columnar/value.h"
#include "delta/snapshot.h"
#include "duckdb/common/types.hpp"
#include "duckdb/common/types/data_chunk.hpp"
#include "duckdb/common/types/value.hpp"
#include "engine/table_reads.h"
#include "lake/table_view.h"

namespace tarn::engine {

/// Buffered rows that a scan reads as if they were one file: batches of segments with equal partition values, bounded
/// in rows so that threads share the work. The batches belong to the view.
struct BufferGroup {
  std::vector<const arrow::RecordBatch*> batches;
  int64_t num_rows = 0;
  const std::vector<columnar::Value>* partition_values = nullptr;
};

/// The rows of a data file that is kept decoded: full vectors but for the last, which a scan refers to.
struct DecodedFile {
  /// Of the columns of each chunk.
  std::vector<std::string> names;
  std::vector<duckdb::unique_ptr<duckdb::DataChunk>> chunks;
  /// Hold the bytes of long strings.
  std::vector<std::shared_ptr<arrow::RecordBatch>> strings;
  int64_t num_rows = 0;
  int64_t bytes = 0;
};

/// A column as the scan names and types it.
struct ScanColumn {
  std::string name;
  /// Its name inside data files that do not go by ids (PROTOCOL.md, "Column Mapping").
  std::string physical_name;
  duckdb::LogicalType type;
  /// Position among the partition columns, -1 for a column that is stored in the files.
  int partition_index = -1;
  /// False for a column that only buffered rows have so far.
  bool in_snapshot = true;
};

/// A table view prepared for scanning: immutable, shared by everything a plan makes of one table. Building it costs
/// O(columns + segments), never O(files).
class ScanSource {
 public:
  /// `is_past` for a view that was asked for by version or time.
  static Result<std::shared_ptr<const ScanSource>> Make(std::shared_ptr<const lake::TableView> view,
                                                        bool is_past = false);

  const lake::TableView& view() const { return *view_; }
  const delta::Snapshot* snapshot() const { return view_->snapshot.get(); }
  const std::vector<ScanColumn>& columns() const { return columns_; }
  /// How the columns are found in data files.
  columnar::FieldMatch field_match() const {
    return view_->snapshot ? view_->snapshot->field_match() : columnar::FieldMatch::kName;
  }
  /// Whether data files have the columns under their names, all of them.
  bool files_have_names() const { return field_match() == columnar::FieldMatch::kName && !holds_void_; }
  const std::vector<BufferGroup>& groups() const { return groups_; }
  int64_t buffered_rows() const { return buffered_rows_; }
  size_t num_files() const { return view_->snapshot ? view_->snapshot->num_files() : 0; }
  bool is_past() const { return is_past_; }
  int64_t version() const { return view_->snapshot ? view_->snapshot->version() : -1; }
  /// Paths of the table's files begin with this, ending in '/'. Made of the table's name: queries and errors show paths
  /// to clients, whom the server's disk does not concern.
  const std::string& path_prefix() const { return path_prefix_; }

  /// What the scans of a plan read, for one that changes the table.
  TableReads& reads() const { return reads_; }

  /// Keeps a decoded file for as long as the plan lives: vectors refer to its strings.
  void Hold(std::shared_ptr<const DecodedFile> file) const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    held_.push_back(std::move(file));
  }

 private:
  ScanSource(std::shared_ptr<const lake::TableView> view, bool is_past) : view_(std::move(view)), is_past_(is_past) {}
  Status AddColumns();
  Status AddGroups();

  const std::shared_ptr<const lake::TableView> view_;
  const bool is_past_;
  bool holds_void_ = false;
  std::vector<ScanColumn> columns_;
  std::vector<BufferGroup> groups_;
  int64_t buffered_rows_ = 0;
  std::string path_prefix_;
  mutable TableReads reads_;
  mutable Mutex mutex_;
  mutable std::vector<std::shared_ptr<const DecodedFile>> held_ GUARDED_BY(mutex_);
};

}  // namespace tarn::engine
