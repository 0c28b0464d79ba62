#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "duckdb/common/multi_file/base_file_reader.hpp"
#include "duckdb/common/types/data_chunk.hpp"
#include "duckdb/execution/expression_executor.hpp"
#include "engine/scan_source.h"

namespace tarn::engine {

/// Serves rows in memory as one file of a scan: a group of buffered rows, or a decoded data file. One thread reads it;
/// threads share the work by files.
class BufferReader final : public duckdb::BaseFileReader {
 public:
  BufferReader(duckdb::OpenFileInfo info, std::shared_ptr<const ScanSource> source, const BufferGroup& group);
  BufferReader(duckdb::OpenFileInfo info, std::shared_ptr<const ScanSource> source,
               std::shared_ptr<const DecodedFile> decoded);

  std::string GetReaderType() const override { return "TarnBuffer"; }
  double GetProgressInFile(duckdb::ClientContext& context) override;
  void AddVirtualColumn(duckdb::column_t id) override;
  bool TryInitializeScan(duckdb::ClientContext& context, duckdb::GlobalTableFunctionState& global,
                         duckdb::LocalTableFunctionState& local) override;
  void PrepareScan(duckdb::ClientContext& context, duckdb::GlobalTableFunctionState& global,
                   duckdb::LocalTableFunctionState& local) override;
  duckdb::AsyncResult Scan(duckdb::ClientContext& context, duckdb::GlobalTableFunctionState& global,
                           duckdb::LocalTableFunctionState& local, duckdb::DataChunk& chunk) override;

 private:
  void PrepareConversions(duckdb::ClientContext& context);
  void PrepareFilters(duckdb::ClientContext& context);
  BufferReader(duckdb::OpenFileInfo info, std::shared_ptr<const ScanSource> source);
  /// Numbers rows [offset, offset + count) of a vector by their place in the file.
  void NumberRows(int64_t count, duckdb::Vector& target, int64_t offset) const;
  /// Copies one output column's rows of one batch.
  void AppendRows(duckdb::ClientContext& context, const arrow::RecordBatch& batch, int64_t from, int64_t count,
                  size_t column, duckdb::Vector& target, int64_t offset);
  void Fill(duckdb::ClientContext& context, duckdb::DataChunk& chunk);
  /// The columns that filters look at first, the others only when a row passes.
  void FillAndFilter(duckdb::ClientContext& context, duckdb::DataChunk& chunk);
  enum class Columns { kAll, kFiltered, kOthers };
  /// Fills some columns from the current position and moves on; the number of rows.
  int64_t FillColumns(duckdb::ClientContext& context, duckdb::DataChunk& chunk, Columns which);
  /// The same with a vector of the decoded file, without copying.
  int64_t ReferColumns(duckdb::DataChunk& chunk, Columns which);
  bool Wanted(size_t column, Columns which) const {
    return which == Columns::kAll || filtered_columns_.contains(column) == (which == Columns::kFiltered);
  }

  std::shared_ptr<const ScanSource> source_;
  /// One of the two is null.
  const BufferGroup* group_ = nullptr;
  std::shared_ptr<const DecodedFile> decoded_;
  int64_t num_rows_ = 0;
  std::atomic<bool> taken_{false};
  std::atomic<int64_t> rows_done_{0};
  /// Of the group, or chunk of the decoded file.
  size_t batch_ = 0;
  int64_t row_in_batch_ = 0;
  duckdb::idx_t row_number_column_ = duckdb::DConstants::INVALID_INDEX;
  /// Where the columns of the batch being read are, -1 for none; found anew only when the schema object changes.
  const arrow::Schema* mapped_schema_ = nullptr;
  std::vector<int> mapping_;
  /// Expressions that DuckDB wants evaluated here, before the filters, by output column.
  std::unordered_map<size_t, std::unique_ptr<duckdb::ExpressionExecutor>> conversions_;
  /// Rows as they are in the batches, where some column needs a conversion.
  duckdb::DataChunk raw_;
  duckdb::unique_ptr<duckdb::Expression> filter_;
  std::set<size_t> filtered_columns_;
  std::unique_ptr<duckdb::ExpressionExecutor> filter_executor_;
};

}  // namespace tarn::engine
