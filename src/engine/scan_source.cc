#include "engine/scan_source.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <utility>

#include "base/uri.h"
#include "columnar/without_void.h"
#include "delta/snapshot.h"
#include "engine/lake_catalog.h"
#include "engine/lake_types.h"

namespace tarn::engine {
namespace {

/// Small enough that two threads share a buffer of usual size, large enough that opening a group costs nothing.
constexpr int64_t kGroupRows = 120'000;

/// Before a name that no file has.
constexpr char kNotStored[] = "\x01 not stored: ";

}  // namespace

Result<std::shared_ptr<const ScanSource>> ScanSource::Make(std::shared_ptr<const lake::TableView> view, bool is_past) {
  auto source = std::shared_ptr<ScanSource>(new ScanSource(std::move(view), is_past));
  TARN_RETURN_NOT_OK(source->AddColumns());
  TARN_RETURN_NOT_OK(source->AddGroups());
  const lake::TableName& name = source->view_->name;
  source->path_prefix_ = kLakeScheme + EncodePathPart(name.database) + "/" + EncodePathPart(name.table) + "/";
  return std::shared_ptr<const ScanSource>(std::move(source));
}

Status ScanSource::AddColumns() {
  const arrow::Schema& schema = *view_->schema;
  int snapshot_fields = view_->snapshot ? view_->snapshot->schema()->num_fields() : 0;
  for (int i = 0; i < schema.num_fields(); i++) {
    const arrow::Field& field = *schema.field(i);
    Result<duckdb::LogicalType> type = SqlType(*field.type());
    if (!type.ok()) return type.status().WithContext("column " + field.name());
    const bool in_snapshot = i < snapshot_fields;
    holds_void_ = holds_void_ || columnar::HoldsVoid(*field.type());
    std::string stored_name = in_snapshot ? view_->snapshot->StoredName(i) : field.name();
    // The own name of a column that is not committed yet may be the stored one of another, which was renamed.
    if (!in_snapshot && field_match() != columnar::FieldMatch::kName) stored_name.insert(0, kNotStored);
    columns_.push_back({field.name(), std::move(stored_name), std::move(*type), -1, in_snapshot});
  }
  for (size_t i = 0; i < view_->partition_columns.size(); i++) {
    columns_[static_cast<size_t>(view_->partition_columns[i])].partition_index = static_cast<int>(i);
  }
  return Status::Ok();
}

Status ScanSource::AddGroups() {
  for (const auto& segment : view_->segments) {
    if (segment->partition_values.size() != view_->partition_columns.size()) {
      return Status::Internal("a buffer segment of " + view_->name.ToString() + " lacks partition values");
    }
    for (const auto& batch : segment->batches) {
      if (batch->num_rows() == 0) continue;
      bool joins = !groups_.empty() && groups_.back().num_rows + batch->num_rows() <= kGroupRows &&
                   *groups_.back().partition_values == segment->partition_values;
      if (!joins) groups_.push_back({{}, 0, &segment->partition_values});
      groups_.back().batches.push_back(batch.get());
      groups_.back().num_rows += batch->num_rows();
      buffered_rows_ += batch->num_rows();
    }
  }
  return Status::Ok();
}

}  // namespace tarn::engine
