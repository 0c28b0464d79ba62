#include "delta/testing/table_fixture.h"

#include <arrow/api.h>

#include "base/check.h"
#include "columnar/delta_schema.h"
#include "delta/log/commit_json.h"
#include "delta/table_path.h"
#include "delta/testing/expect_valid.h"
#include "storage/stores.h"

namespace tarn::delta::testing {

MemoryTable::MemoryTable() : random_(7) {
  context_.store = storage::MakeMemoryStore(clock_);
  context_.clock = &clock_;
  context_.random = &random_;
}

MemoryTable::MemoryTable(std::shared_ptr<storage::ObjectStore> store) : MemoryTable() {
  context_.store = std::move(store);
}

MemoryTable::~MemoryTable() {
  if (!broken_) ExpectValid(context_);
}

std::shared_ptr<arrow::Schema> MemoryTable::Schema(bool partitioned) {
  arrow::FieldVector fields{arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8())};
  if (partitioned) fields.push_back(arrow::field("day", arrow::date32()));
  return arrow::schema(fields);
}

Add MemoryTable::MakeAdd(const std::string& key, const std::string& stats) {
  Add add;
  add.path = EncodeLogPath(key);
  add.size_bytes = 100;
  add.modification_time_millis = 1;
  add.stats = stats;
  return add;
}

std::shared_ptr<const Snapshot> MemoryTable::Create(bool partitioned,
                                                    std::map<std::string, std::string> configuration) {
  CreateTableOptions options;
  options.schema = Schema(partitioned);
  if (partitioned) options.partition_columns = {"day"};
  options.configuration = std::move(configuration);
  auto transaction = Transaction::Create(context_, options);
  return (*transaction)->Commit()->snapshot;
}

std::shared_ptr<const Snapshot> MemoryTable::Append(const std::shared_ptr<const Snapshot>& base,
                                                    const std::vector<std::string>& keys) {
  auto transaction = Transaction::Begin(context_, base);
  for (const std::string& key : keys) (*transaction)->AddFile(MakeAdd(key));
  return (*transaction)->Commit()->snapshot;
}

void MemoryTable::PutCommit(int64_t version, const std::string& text) { Put(CommitKey(version), text); }

void MemoryTable::Put(const std::string& key, const std::string& text) {
  broken_ = true;
  TARN_CHECK(context_.store->Put(key, AsBytes(text), storage::Precondition::None()).ok());
}

std::string MemoryTable::Commit(int64_t version) { return *context_.store->Get(CommitKey(version)); }

std::string FirstLines(bool partitioned) {
  Metadata metadata;
  metadata.id = "11111111-2222-3333-4444-555555555555";
  metadata.schema_string = *columnar::SchemaToDeltaJson(*MemoryTable::Schema(partitioned));
  if (partitioned) metadata.partition_columns = {"day"};
  std::string text;
  AppendLine(text, Protocol());
  AppendLine(text, metadata);
  return text;
}

}  // namespace tarn::delta::testing
