#include "delta/testing/data_table.h"

#include <arrow/array.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>

#include <algorithm>

#include "delta/files/data_file_reader.h"
#include "delta/files/data_file_writer.h"
#include "delta/operations/rewrite.h"
#include "delta/table_path.h"
#include "delta/testing/expect_valid.h"
#include "storage/stores.h"

namespace tarn::delta::testing {

DataTable::DataTable(std::shared_ptr<storage::ObjectStore> store) : random_(5) {
  context_.store = store != nullptr ? std::move(store) : storage::MakeMemoryStore(clock_);
  context_.clock = &clock_;
  context_.random = &random_;
}

DataTable::~DataTable() {
  ValidateOptions options;
  options.check_data = true;
  if (!broken_) ExpectValid(context_, options);
}

std::shared_ptr<const Snapshot> DataTable::Create(std::shared_ptr<arrow::Schema> schema,
                                                  std::vector<std::string> partition_columns,
                                                  std::map<std::string, std::string> configuration) {
  CreateTableOptions options;
  options.schema = std::move(schema);
  options.partition_columns = std::move(partition_columns);
  options.configuration = std::move(configuration);
  return (*Transaction::Create(context_, options))->Commit()->snapshot;
}

std::shared_ptr<const Snapshot> DataTable::Append(const arrow::FieldVector& columns, const std::string& rows_json,
                                                  const PartitionValues& partition) {
  clock_.Advance(kMicrosPerSecond);
  const auto rows = *arrow::json::ArrayFromJSONString(arrow::struct_(columns), rows_json);
  const auto batch = *arrow::RecordBatch::FromStructArray(rows);
  const std::string key = PartitionFolder(partition) + "part-" + random_.Uuid() + ".parquet";
  const auto latest = Latest();
  const auto writer = *DataFileWriter::Open(*context_.store, key, batch->schema(), DataFileOptionsOf(*latest));
  TARN_CHECK(writer->Append(*batch).ok());
  const Add add = *writer->Finish(partition);
  const auto transaction = *Transaction::Begin(context_, latest);
  transaction->AddFile(add);
  transaction->SetOperation("WRITE", {});
  return transaction->Commit()->snapshot;
}

std::shared_ptr<const Snapshot> DataTable::Remove(const std::string& key) {
  const auto transaction = *Transaction::Begin(context_, Latest());
  delta::Remove remove;
  remove.path = EncodeLogPath(key);
  remove.deletion_timestamp_millis = clock_.WallMicros() / kMicrosPerMilli;
  transaction->RemoveFile(remove);
  transaction->SetOperation("DELETE", {});
  return transaction->Commit()->snapshot;
}

std::shared_ptr<const Snapshot> DataTable::Latest() { return *LoadSnapshot(context_); }

std::vector<std::string> DataTable::FileRows(const Snapshot& snapshot, const DataFile& file) {
  std::string suffix;
  for (size_t i = 0; i < file.partition_values.size(); ++i) {
    const auto& type = *snapshot.schema()->field(snapshot.partition_columns()[i])->type();
    suffix += "|" + columnar::FormatPartitionValue(file.partition_values[i], type).value_or("null");
  }
  std::vector<std::string> rows;
  const Status status = ReadDataFile(*context_.store, snapshot, file, DataFileColumns(snapshot),
                                     [&](const std::shared_ptr<arrow::RecordBatch>& batch) {
                                       for (int64_t row = 0; row < batch->num_rows(); ++row) {
                                         std::string text;
                                         for (const auto& column : batch->columns())
                                           text += "|" + (*column->GetScalar(row))->ToString();
                                         rows.push_back(text + suffix);
                                       }
                                       return Status::Ok();
                                     });
  TARN_CHECK(status.ok());
  return rows;
}

std::vector<std::string> DataTable::Rows(const Snapshot& snapshot) {
  std::vector<std::string> rows;
  for (FileIndex i = 0; i < snapshot.num_files(); ++i) {
    const std::vector<std::string> of_file = FileRows(snapshot, *snapshot.File(i));
    rows.insert(rows.end(), of_file.begin(), of_file.end());
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::vector<std::string> DataTable::DataKeys() {
  const auto entries = *context_.store->ListAll({});
  std::vector<std::string> keys;
  for (const storage::ListEntry& entry : entries) {
    if (!entry.object.key.starts_with("_delta_log/")) keys.push_back(entry.object.key);
  }
  return keys;
}

}  // namespace tarn::delta::testing
