#pragma once

#include <arrow/type.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "lake/lake.h"

namespace tarn::maintenance::testing {

/// Tables whose maintenance is scripted; counts the calls.
class ScriptedLake final : public lake::Lake {
 public:
  Result<std::vector<std::string>> ListDatabases() override { return std::vector<std::string>{}; }
  Result<std::vector<std::string>> ListTables(const std::string&) override { return std::vector<std::string>{}; }
  Result<std::shared_ptr<const lake::TableView>> Pin(const lake::TableName&,
                                                     const std::optional<lake::AsOf>&) override {
    return Status::NotFound("no tables");
  }
  Result<wal::Position> Append(std::vector<lake::TableBatch>) override { return Status::Unavailable("read only"); }
  Status CheckAppend(const lake::TableBatch&) override { return Status::Unavailable("read only"); }
  Result<std::vector<lake::RowRefusal>> Violations(const lake::TableBatch&) override {
    return std::vector<lake::RowRefusal>();
  }
  Result<std::shared_ptr<arrow::Schema>> SchemaOf(const lake::TableName&) override { return Status::NotFound("none"); }
  Status FlushAll() override { return Status::Ok(); }
  Status FlushDue() override { return Status::Ok(); }
  Result<delta::OptimizeResult> Optimize(const lake::TableName& name, const delta::OptimizeOptions&) override {
    ++calls;
    if (name.table == fails) return Status::Unavailable("disk");
    delta::OptimizeResult result;
    if (has_work) {
      result.version = ++version;
      result.files_removed = 3;
      result.files_added = 1;
    }
    return result;
  }
  Result<delta::VacuumResult> Vacuum(const lake::TableName& name, const delta::VacuumOptions& options) override {
    ++calls;
    min_retention_millis = options.min_retention_millis;
    if (name.table == fails) return Status::Unavailable("disk");
    return delta::VacuumResult{.files = has_work ? 2 : 0, .bytes = has_work ? 20 : 0};
  }
  Result<std::vector<lake::TableStatus>> ListTableStatus() override {
    return std::vector<lake::TableStatus>{{.name = {"d", "a"}, .version = version},
                                          {.name = {"d", "b"}, .version = version}};
  }
  lake::LakeStats stats() const override { return {}; }
  void Close() override {}

  std::atomic<int> calls = 0;
  int64_t version = 1;
  bool has_work = false;
  std::string fails;
  int64_t min_retention_millis = 0;
};

}  // namespace tarn::maintenance::testing
