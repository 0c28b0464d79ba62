#include "engine/testing/fake_lake.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/check.h"
#include "columnar/parquet_writer.h"

namespace tarn::engine::testing {
namespace {

columnar::Value ValueOf(const arrow::Array& array, int64_t row) {
  if (array.type_id() == arrow::Type::NA || array.IsNull(row)) return {};
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(array).Value(row);
    case arrow::Type::INT16:
      return int64_t{static_cast<const arrow::Int16Array&>(array).Value(row)};
    case arrow::Type::INT32:
    case arrow::Type::DATE32:
      return int64_t{array.data()->GetValues<int32_t>(1)[row]};
    case arrow::Type::INT64:
    case arrow::Type::TIMESTAMP:
      return array.data()->GetValues<int64_t>(1)[row];
    case arrow::Type::DOUBLE:
      return static_cast<const arrow::DoubleArray&>(array).Value(row);
    case arrow::Type::STRING:
      return static_cast<const arrow::StringArray&>(array).GetString(row);
    default:
      return {};
  }
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

lake::TableName Lower(const lake::TableName& name) { return {Lower(name.database), Lower(name.table)}; }

}  // namespace

delta::ColumnBounds BoundsOf(const arrow::Array& column) {
  delta::ColumnBounds bounds;
  bounds.null_count = column.null_count();
  for (int64_t i = 0; i < column.length(); i++) {
    columnar::Value value = ValueOf(column, i);
    if (const auto* real = std::get_if<double>(&value); real && std::isnan(*real)) {
      bounds.max_covers_nan = false;
      continue;
    }
    if (columnar::IsNull(value)) continue;
    if (columnar::IsNull(bounds.min) || *columnar::Compare(value, bounds.min) < 0) bounds.min = value;
    if (columnar::IsNull(bounds.max) || *columnar::Compare(value, bounds.max) > 0) bounds.max = value;
  }
  return bounds;
}

Result<delta::DataFile> FakeSnapshot::File(delta::FileIndex index) const {
  TARN_RETURN_NOT_OK(file_error);
  files_decoded++;
  return files_.at(index).data;
}

Result<std::vector<delta::FileIndex>> FakeSnapshot::Select(const std::vector<delta::Predicate>& all_of) const {
  std::vector<delta::FileIndex> all(files_.size());
  for (size_t i = 0; i < all.size(); i++) all[i] = static_cast<delta::FileIndex>(i);
  return SelectAmong(all, all_of);
}

Result<std::vector<delta::FileIndex>> FakeSnapshot::SelectAmong(const std::vector<delta::FileIndex>& candidates,
                                                                const std::vector<delta::Predicate>& all_of) const {
  if (!skipping) return candidates;
  std::vector<delta::FileIndex> selected;
  for (auto index : candidates) {
    const FakeFile& file = files_[index];
    auto bounds = [&](int column) { return file.bounds[static_cast<size_t>(column)]; };
    bool possible = std::all_of(all_of.begin(), all_of.end(), [&](const delta::Predicate& predicate) {
      return delta::MayMatch(predicate, file.data.num_records, bounds) == delta::Truth::kMaybe;
    });
    if (possible) selected.push_back(index);
  }
  return selected;
}

TableBuilder::TableBuilder(lake::TableName name, std::shared_ptr<storage::ObjectStore> store,
                           std::shared_ptr<arrow::Schema> schema, std::vector<std::string> partition_columns)
    : name_(std::move(name)), store_(std::move(store)), schema_(std::move(schema)) {
  for (const auto& column : partition_columns) partition_columns_.push_back(schema_->GetFieldIndex(column));
}

std::vector<columnar::Value> TableBuilder::PartitionValues(const arrow::RecordBatch& rows) const {
  std::vector<columnar::Value> values;
  for (int column : partition_columns_) {
    values.push_back(ValueOf(*rows.GetColumnByName(schema_->field(column)->name()), 0));
  }
  return values;
}

void TableBuilder::AddFile(const std::shared_ptr<arrow::RecordBatch>& rows) {
  FakeSnapshot::FakeFile file;
  file.data.key = "part-" + std::to_string(files_.size()) + ".parquet";
  file.data.num_records = rows->num_rows();
  file.data.partition_values = PartitionValues(*rows);
  auto stored = rows;
  for (int column : partition_columns_) {
    stored = *stored->RemoveColumn(stored->schema()->GetFieldIndex(schema_->field(column)->name()));
  }
  for (const auto& field : schema_->fields()) {
    auto column = rows->GetColumnByName(field->name());
    delta::ColumnBounds absent;
    absent.null_count = rows->num_rows();
    file.bounds.push_back(column ? BoundsOf(*column) : absent);
  }
  columnar::ParquetWriterOptions options;
  options.row_group_rows = row_group_rows_;
  auto writer = columnar::ParquetWriter::Open(*store_, file.data.key, stored->schema(), options);
  TARN_CHECK(writer.ok() && (*writer)->Append(*stored).ok());
  auto written = (*writer)->Finish();
  TARN_CHECK(written.ok());
  file.data.size_bytes = written->size_bytes;
  files_.push_back(std::move(file));
}

void TableBuilder::AddSegment(const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches) {
  auto segment = std::make_shared<lake::BufferSegment>();
  segment->batches = batches;
  for (const auto& batch : batches) segment->num_rows += batch->num_rows();
  segment->partition_values = PartitionValues(*batches.front());
  segments_.push_back(std::move(segment));
}

std::shared_ptr<FakeSnapshot> TableBuilder::Snapshot() const {
  return std::make_shared<FakeSnapshot>(version_, schema_, partition_columns_, files_);
}

std::shared_ptr<const lake::TableView> TableBuilder::View(bool skipping) const {
  auto view = std::make_shared<lake::TableView>();
  auto snapshot = Snapshot();
  snapshot->skipping = skipping;
  view->name = name_;
  view->store = store_;
  view->snapshot = std::move(snapshot);
  view->segments = segments_;
  view->schema = schema_;
  view->partition_columns = partition_columns_;
  return view;
}

void FakeCatalog::Set(std::shared_ptr<const lake::TableView> view) {
  MutexLock lock(mutex_);
  views_[Lower(view->name)] = std::move(view);
}

void FakeCatalog::SetHistory(int64_t version, std::shared_ptr<const lake::TableView> view) {
  MutexLock lock(mutex_);
  history_[{Lower(view->name), version}] = std::move(view);
}

void FakeCatalog::SetError(const lake::TableName& name, Status error) {
  MutexLock lock(mutex_);
  errors_[Lower(name)] = std::move(error);
}

void FakeCatalog::BeginUnlisted(const std::string& database) {
  MutexLock lock(mutex_);
  unlisted_.insert(Lower(database));
}

Result<std::vector<std::string>> FakeCatalog::ListDatabases() {
  MutexLock lock(mutex_);
  std::set<std::string> names;
  for (const auto& [name, view] : views_) names.insert(view->name.database);
  for (const auto& [name, error] : errors_) names.insert(name.database);
  for (const std::string& name : unlisted_) names.erase(name);
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<std::string>> FakeCatalog::ListTables(const std::string& database) {
  MutexLock lock(mutex_);
  unlisted_.erase(Lower(database));
  std::vector<std::string> names;
  for (const auto& [name, view] : views_) {
    if (name.database == Lower(database)) names.push_back(view->name.table);
  }
  for (const auto& [name, error] : errors_) {
    if (name.database == Lower(database)) names.push_back(name.table);
  }
  return names;
}

Result<std::shared_ptr<const lake::TableView>> FakeCatalog::Pin(const lake::TableName& name,
                                                                const std::optional<lake::AsOf>& as_of) {
  MutexLock lock(mutex_);
  auto error = errors_.find(Lower(name));
  if (error != errors_.end()) return error->second;
  if (as_of) {
    int64_t version = as_of->version ? *as_of->version : *as_of->timestamp_micros / 1'000'000;
    auto found = history_.find({Lower(name), version});
    if (found == history_.end()) return Status::NotFound("version " + std::to_string(version));
    return found->second;
  }
  auto found = views_.find(Lower(name));
  if (found == views_.end()) return Status::NotFound("table " + name.ToString());
  pins_++;
  return found->second;
}

}  // namespace tarn::engine::testing
