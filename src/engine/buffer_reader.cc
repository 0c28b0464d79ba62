#include "engine/buffer_reader.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <utility>

#include "duckdb/common/multi_file/multi_file_reader.hpp"
#include "duckdb/main/client_context.hpp"
#include "duckdb/parallel/async_result.hpp"
#include "duckdb/planner/expression/bound_conjunction_expression.hpp"
#include "duckdb/planner/expression/bound_reference_expression.hpp"
#include "engine/arrow_vectors.h"
#include "engine/exception_barrier.h"

namespace tarn::engine {
namespace {

constexpr int64_t kVectorRows = STANDARD_VECTOR_SIZE;

/// The column's definition under the names that data files use, so that one mapping serves both.
duckdb::MultiFileColumnDefinition Definition(const ScanColumn& column) {
  return duckdb::MultiFileColumnDefinition::CreateFromNameAndType(column.physical_name, column.type);
}

}  // namespace

BufferReader::BufferReader(duckdb::OpenFileInfo info, std::shared_ptr<const ScanSource> source)
    : BaseFileReader(std::move(info)), source_(std::move(source)) {
  for (const ScanColumn& column : source_->columns()) columns.push_back(Definition(column));
}

BufferReader::BufferReader(duckdb::OpenFileInfo info, std::shared_ptr<const ScanSource> source,
                           const BufferGroup& group)
    : BufferReader(std::move(info), std::move(source)) {
  group_ = &group;
  num_rows_ = group.num_rows;
}

BufferReader::BufferReader(duckdb::OpenFileInfo info, std::shared_ptr<const ScanSource> source,
                           std::shared_ptr<const DecodedFile> decoded)
    : BufferReader(std::move(info), std::move(source)) {
  decoded_ = std::move(decoded);
  num_rows_ = decoded_->num_rows;
  for (const ScanColumn& column : source_->columns()) {
    const auto at = std::find(decoded_->names.begin(), decoded_->names.end(), column.name);
    mapping_.push_back(at == decoded_->names.end() ? -1 : static_cast<int>(at - decoded_->names.begin()));
  }
}

double BufferReader::GetProgressInFile(duckdb::ClientContext&) {
  if (num_rows_ == 0) return 100.0;
  return 100.0 * static_cast<double>(rows_done_.load()) / static_cast<double>(num_rows_);
}

void BufferReader::AddVirtualColumn(duckdb::column_t id) {
  if (id != duckdb::MultiFileReader::COLUMN_IDENTIFIER_FILE_ROW_NUMBER) {
    ThrowStatus(Status::Unsupported("virtual column " + std::to_string(id) + " of buffered rows"));
  }
  // The mapper has just appended it.
  row_number_column_ = columns.size() - 1;
}

bool BufferReader::TryInitializeScan(duckdb::ClientContext&, duckdb::GlobalTableFunctionState&,
                                     duckdb::LocalTableFunctionState&) {
  return !taken_.exchange(true);
}

void BufferReader::PrepareScan(duckdb::ClientContext& context, duckdb::GlobalTableFunctionState&,
                               duckdb::LocalTableFunctionState&) {
  PrepareConversions(context);
  PrepareFilters(context);
}

void BufferReader::PrepareConversions(duckdb::ClientContext& context) {
  duckdb::vector<duckdb::LogicalType> raw_types;
  for (size_t i = 0; i < column_ids.size(); i++) {
    auto id = column_ids[duckdb::MultiFileLocalIndex(i)].GetId();
    raw_types.push_back(columns[id].type);
    auto expression = expression_map.find(id);
    if (expression == expression_map.end()) continue;
    auto executor = std::make_unique<duckdb::ExpressionExecutor>(context);
    executor->AddExpression(*expression->second);
    conversions_[i] = std::move(executor);
  }
  if (!conversions_.empty()) raw_.Initialize(duckdb::Allocator::Get(context), raw_types);
}

void BufferReader::PrepareFilters(duckdb::ClientContext& context) {
  if (!filters) return;
  for (auto& [position, filter] : filters->filters) {
    // The plan applies an optional filter again itself; nothing else does so for the rest.
    if (filter->filter_type == duckdb::TableFilterType::OPTIONAL_FILTER) continue;
    filtered_columns_.insert(position);
    auto id = column_ids[duckdb::MultiFileLocalIndex(position)].GetId();
    auto conversion = expression_map.find(id);
    const auto& type = conversion == expression_map.end() ? columns[id].type : conversion->second->return_type;
    auto expression = filter->ToExpression(duckdb::BoundReferenceExpression(type, position));
    if (!filter_) {
      filter_ = std::move(expression);
    } else {
      filter_ = duckdb::make_uniq<duckdb::BoundConjunctionExpression>(duckdb::ExpressionType::CONJUNCTION_AND,
                                                                      std::move(filter_), std::move(expression));
    }
  }
  if (filter_) filter_executor_ = std::make_unique<duckdb::ExpressionExecutor>(context, *filter_);
}

void BufferReader::NumberRows(int64_t count, duckdb::Vector& target, int64_t offset) const {
  auto* numbers = duckdb::FlatVector::GetData<int64_t>(target);
  const int64_t first = rows_done_.load() + offset;
  for (int64_t i = 0; i < count; i++) numbers[offset + i] = first + i;
}

void BufferReader::AppendRows(duckdb::ClientContext& context, const arrow::RecordBatch& batch, int64_t from,
                              int64_t count, size_t column, duckdb::Vector& target, int64_t offset) {
  auto id = column_ids[duckdb::MultiFileLocalIndex(column)].GetId();
  if (id == row_number_column_) return NumberRows(count, target, offset);
  if (batch.schema().get() != mapped_schema_) {
    mapping_.clear();
    for (const ScanColumn& known : source_->columns()) mapping_.push_back(batch.schema()->GetFieldIndex(known.name));
    mapped_schema_ = batch.schema().get();
  }
  int at = id < mapping_.size() ? mapping_[id] : -1;
  if (at < 0) {
    AppendNullRows(target, offset, count);
  } else {
    AppendArrowRows(context, *batch.column(at), from, count, target, offset);
  }
}

int64_t BufferReader::ReferColumns(duckdb::DataChunk& chunk, Columns which) {
  if (batch_ == decoded_->chunks.size()) return 0;
  duckdb::DataChunk& decoded = *decoded_->chunks[batch_++];
  const auto count = static_cast<int64_t>(decoded.size());
  for (size_t column = 0; column < chunk.ColumnCount(); column++) {
    if (!Wanted(column, which)) continue;
    const auto id = column_ids[duckdb::MultiFileLocalIndex(column)].GetId();
    if (id == row_number_column_) {
      NumberRows(count, chunk.data[column], 0);
    } else if (const int at = id < mapping_.size() ? mapping_[id] : -1; at >= 0) {
      chunk.data[column].Reference(decoded.data[static_cast<size_t>(at)]);
    } else {
      AppendNullRows(chunk.data[column], 0, count);
    }
  }
  return count;
}

int64_t BufferReader::FillColumns(duckdb::ClientContext& context, duckdb::DataChunk& chunk, Columns which) {
  if (decoded_ != nullptr) return ReferColumns(chunk, which);
  int64_t filled = 0;
  while (filled < kVectorRows && batch_ < group_->batches.size()) {
    const arrow::RecordBatch& batch = *group_->batches[batch_];
    int64_t count = std::min(kVectorRows - filled, batch.num_rows() - row_in_batch_);
    for (size_t column = 0; column < chunk.ColumnCount(); column++) {
      if (!Wanted(column, which)) continue;
      AppendRows(context, batch, row_in_batch_, count, column, chunk.data[column], filled);
    }
    filled += count;
    row_in_batch_ += count;
    if (row_in_batch_ == batch.num_rows()) {
      batch_++;
      row_in_batch_ = 0;
    }
  }
  return filled;
}

void BufferReader::Fill(duckdb::ClientContext& context, duckdb::DataChunk& chunk) {
  chunk.SetCardinality(static_cast<duckdb::idx_t>(FillColumns(context, chunk, Columns::kAll)));
}

void BufferReader::FillAndFilter(duckdb::ClientContext& context, duckdb::DataChunk& chunk) {
  duckdb::SelectionVector selected(STANDARD_VECTOR_SIZE);
  for (;;) {
    const size_t batch = batch_;
    const int64_t row_in_batch = row_in_batch_;
    const int64_t rows = FillColumns(context, chunk, Columns::kFiltered);
    chunk.SetCardinality(static_cast<duckdb::idx_t>(rows));
    if (rows == 0) return;
    const auto kept = filter_executor_->SelectExpression(chunk, selected);
    if (kept == 0) {
      rows_done_ += rows;
      chunk.Reset();
      continue;
    }
    batch_ = batch;
    row_in_batch_ = row_in_batch;
    FillColumns(context, chunk, Columns::kOthers);
    rows_done_ += rows;
    if (kept < chunk.size()) chunk.Slice(selected, kept);
    return;
  }
}

duckdb::AsyncResult BufferReader::Scan(duckdb::ClientContext& context, duckdb::GlobalTableFunctionState&,
                                       duckdb::LocalTableFunctionState&, duckdb::DataChunk& chunk) {
  chunk.Reset();
  if (conversions_.empty() && filter_executor_) {
    FillAndFilter(context, chunk);
    return chunk.size() == 0 ? duckdb::SourceResultType::FINISHED : duckdb::SourceResultType::HAVE_MORE_OUTPUT;
  }
  if (conversions_.empty()) {
    Fill(context, chunk);
  } else {
    raw_.Reset();
    Fill(context, raw_);
    for (size_t column = 0; column < chunk.ColumnCount(); column++) {
      auto conversion = conversions_.find(column);
      if (conversion == conversions_.end()) {
        chunk.data[column].Reference(raw_.data[column]);
        continue;
      }
      duckdb::DataChunk input;
      input.InitializeEmpty({raw_.data[column].GetType()});
      input.data[0].Reference(raw_.data[column]);
      input.SetCardinality(raw_.size());
      conversion->second->ExecuteExpression(input, chunk.data[column]);
    }
    chunk.SetCardinality(raw_.size());
  }
  // FINISHED only without rows: another thread may release this reader right after it.
  if (chunk.size() == 0) return duckdb::SourceResultType::FINISHED;
  rows_done_ += static_cast<int64_t>(chunk.size());
  if (filter_executor_) {
    duckdb::SelectionVector selected(STANDARD_VECTOR_SIZE);
    auto kept = filter_executor_->SelectExpression(chunk, selected);
    if (kept < chunk.size()) chunk.Slice(selected, kept);
  }
  return duckdb::SourceResultType::HAVE_MORE_OUTPUT;
}

}  // namespace tarn::engine
