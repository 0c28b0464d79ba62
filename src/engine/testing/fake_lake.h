#pragma once

#include <arrow/type_fwd.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "delta/snapshot.h"
#include "lake/table_view.h"
#include "storage/object_store.h"

namespace tarn::engine::testing {

/// A snapshot without a log: files and their bounds are given by the test.
class FakeSnapshot final : public delta::Snapshot {
 public:
  struct FakeFile {
    delta::DataFile data;
    /// By column of the schema.
    std::vector<delta::ColumnBounds> bounds;
  };

  FakeSnapshot(int64_t version, std::shared_ptr<arrow::Schema> schema, std::vector<int> partition_columns,
               std::vector<FakeFile> files)
      : version_(version),
        schema_(std::move(schema)),
        partition_columns_(std::move(partition_columns)),
        files_(std::move(files)) {}

  int64_t version() const override { return version_; }
  int64_t timestamp_millis() const override { return version_ * 1000; }
  const delta::Protocol& protocol() const override { return protocol_; }
  const delta::Metadata& metadata() const override { return metadata_; }
  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  const std::vector<int>& partition_columns() const override { return partition_columns_; }
  columnar::FieldMatch field_match() const override { return columnar::FieldMatch::kName; }
  std::optional<int64_t> TxnVersion(const std::string&) const override { return std::nullopt; }
  size_t num_files() const override { return files_.size(); }
  int64_t total_bytes() const override { return 0; }
  Result<delta::DataFile> File(delta::FileIndex index) const override;
  Result<delta::Add> AddAction(delta::FileIndex) const override { return Status::Unsupported("add actions"); }
  Result<std::vector<delta::FileIndex>> Select(const std::vector<delta::Predicate>& all_of) const override;
  Result<std::vector<delta::FileIndex>> SelectAmong(const std::vector<delta::FileIndex>& candidates,
                                                    const std::vector<delta::Predicate>& all_of) const override;
  Result<delta::ColumnBounds> Bounds(delta::FileIndex index, int column) const override {
    return files_.at(index).bounds.at(static_cast<size_t>(column));
  }
  size_t memory_bytes() const override { return 0; }
  const std::vector<FakeFile>& files() const { return files_; }

  /// Turns file skipping off, for comparing answers.
  bool skipping = true;
  /// Files that were decoded, which a plan should not do for all of them.
  mutable std::atomic<int64_t> files_decoded{0};
  /// When set, every read of a file entry fails with it.
  Status file_error;

 private:
  int64_t version_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<int> partition_columns_;
  std::vector<FakeFile> files_;
  delta::Protocol protocol_;
  delta::Metadata metadata_;
};

/// Makes views of one table: rows go to Parquet files of the store or to buffer segments.
class TableBuilder {
 public:
  /// `schema` is the table's; partition columns by name.
  TableBuilder(lake::TableName name, std::shared_ptr<storage::ObjectStore> store, std::shared_ptr<arrow::Schema> schema,
               std::vector<std::string> partition_columns);

  /// `rows` may lack columns, have them in any order and narrower; partition columns in it are constant and left out of
  /// the file.
  void AddFile(const std::shared_ptr<arrow::RecordBatch>& rows);
  void AddSegment(const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches);
  void ClearSegments() { segments_.clear(); }
  void SetVersion(int64_t version) { version_ = version; }
  void SetRowGroupRows(int64_t rows) { row_group_rows_ = rows; }
  std::shared_ptr<const lake::TableView> View(bool skipping = true) const;
  std::shared_ptr<FakeSnapshot> Snapshot() const;

 private:
  std::vector<columnar::Value> PartitionValues(const arrow::RecordBatch& rows) const;

  lake::TableName name_;
  std::shared_ptr<storage::ObjectStore> store_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<int> partition_columns_;
  std::vector<FakeSnapshot::FakeFile> files_;
  std::vector<std::shared_ptr<const lake::BufferSegment>> segments_;
  int64_t version_ = 0;
  /// Several row groups even in small files.
  int64_t row_group_rows_ = 4096;
};

/// Views by name. Thread-safe.
class FakeCatalog final : public lake::TableCatalog {
 public:
  void Set(std::shared_ptr<const lake::TableView> view);
  /// The view that `AT (VERSION => version)` finds.
  void SetHistory(int64_t version, std::shared_ptr<const lake::TableView> view);
  void SetError(const lake::TableName& name, Status error);

  /// Not among the databases before somebody asks for its tables.
  void BeginUnlisted(const std::string& database);

  Result<std::vector<std::string>> ListDatabases() override;
  Result<std::vector<std::string>> ListTables(const std::string& database) override;
  Result<std::shared_ptr<const lake::TableView>> Pin(const lake::TableName& name,
                                                     const std::optional<lake::AsOf>& as_of) override;
  /// How often a newest view was given out.
  int64_t pins() const { return pins_.load(); }

 private:
  Mutex mutex_;
  std::map<lake::TableName, std::shared_ptr<const lake::TableView>> views_ GUARDED_BY(mutex_);
  std::map<std::pair<lake::TableName, int64_t>, std::shared_ptr<const lake::TableView>> history_ GUARDED_BY(mutex_);
  std::map<lake::TableName, Status> errors_ GUARDED_BY(mutex_);
  std::set<std::string> unlisted_ GUARDED_BY(mutex_);
  std::atomic<int64_t> pins_{0};
};

/// The least and the greatest value and the nulls of one column, exactly.
delta::ColumnBounds BoundsOf(const arrow::Array& column);

}  // namespace tarn::engine::testing
