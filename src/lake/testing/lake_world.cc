#include "lake/testing/lake_world.h"

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "columnar/parquet_reader.h"
#include "storage/forwarding_store.h"
#include "storage/stores.h"

namespace tarn::lake::testing {

namespace {

using storage::testing::SimulatedSegments;

class SimulatedLock final : public storage::FolderLock {
 public:
  SimulatedLock(SimulatedNodes& nodes, std::string node) : nodes_(nodes), node_(std::move(node)) {}
  ~SimulatedLock() override { nodes_.Unlock(node_); }

 private:
  SimulatedNodes& nodes_;
  const std::string node_;
};

class SimulatedFolders final : public WalFolders {
 public:
  explicit SimulatedFolders(SimulatedNodes& nodes) : nodes_(nodes) {}
  Result<std::vector<std::string>> ListNodes() override { return nodes_.Nodes(); }
  Result<std::unique_ptr<storage::FolderLock>> Lock(const std::string& node) override {
    if (!nodes_.TryLock(node)) return Status::Conflict("node " + node + " is held");
    return std::unique_ptr<storage::FolderLock>(std::make_unique<SimulatedLock>(nodes_, node));
  }
  Result<std::unique_ptr<storage::FolderLock>> LockAdoption(const std::string& node) override {
    return Lock(node + "/adoption");
  }
  Result<std::shared_ptr<storage::SegmentStore>> OpenSegments(const std::string& node) override {
    return std::shared_ptr<storage::SegmentStore>(nodes_.Segments(node));
  }

 private:
  SimulatedNodes& nodes_;
};

void AddIds(const arrow::RecordBatch& batch, std::multiset<int64_t>& ids) {
  const auto column = std::static_pointer_cast<arrow::Int64Array>(batch.GetColumnByName("id"));
  ASSERT_NE(column, nullptr);
  for (int64_t row = 0; row < column->length(); ++row) ids.insert(column->Value(row));
}

void AddIdsOfFile(storage::ObjectStore& store, const std::string& key, std::multiset<int64_t>& ids) {
  const Status read =
      columnar::ReadParquet(store, key, {.columns = {"id"}}, [&](const std::shared_ptr<arrow::RecordBatch>& batch) {
        AddIds(*batch, ids);
        return Status::Ok();
      });
  ASSERT_TRUE(read.ok()) << read.ToString();
}

std::shared_ptr<arrow::Array> ExtraColumn(const RowsOf& rows) {
  std::shared_ptr<arrow::Array> array;
  if (rows.extra_type->id() == arrow::Type::STRING) {
    arrow::StringBuilder builder;
    for (const int64_t id : rows.ids) EXPECT_TRUE(builder.Append("s" + std::to_string(id)).ok());
    EXPECT_TRUE(builder.Finish(&array).ok());
  } else if (rows.extra_type->id() == arrow::Type::DOUBLE) {
    arrow::DoubleBuilder builder;
    for (const int64_t id : rows.ids) EXPECT_TRUE(builder.Append(static_cast<double>(id) / 2).ok());
    EXPECT_TRUE(builder.Finish(&array).ok());
  } else {
    arrow::Int64Builder builder;
    EXPECT_TRUE(builder.AppendValues(rows.ids).ok());
    EXPECT_TRUE(builder.Finish(&array).ok());
    array = *array->View(rows.extra_type);
  }
  return array;
}

}  // namespace

std::unique_ptr<WalFolders> SimulatedNodes::Folders() { return std::make_unique<SimulatedFolders>(*this); }

std::shared_ptr<SimulatedSegments> SimulatedNodes::Segments(const std::string& node) {
  MutexLock guard(mutex_);
  auto& segments = nodes_[node];
  if (segments == nullptr) segments = std::make_shared<SimulatedSegments>(seed_ + nodes_.size());
  return segments;
}

std::vector<std::string> SimulatedNodes::Nodes() const {
  std::vector<std::string> names;
  MutexLock guard(mutex_);
  for (const auto& [name, segments] : nodes_) names.push_back(name);
  return names;
}

void SimulatedNodes::Delete(const std::string& node) {
  MutexLock guard(mutex_);
  nodes_.erase(node);
}

void SimulatedNodes::LosePower() {
  MutexLock guard(mutex_);
  for (const auto& [name, segments] : nodes_) {
    if (!locked_.contains(name)) segments->LosePower();
  }
}

void SimulatedNodes::KillProcess() {
  MutexLock guard(mutex_);
  for (const auto& [name, segments] : nodes_) {
    if (!locked_.contains(name)) segments->KillProcess();
  }
}

std::map<std::string, std::string> SimulatedNodes::Backup(const std::string& node) {
  std::map<std::string, std::string> files;
  const auto segments = Segments(node);
  const auto listed = segments->List();
  EXPECT_TRUE(listed.ok());
  for (const auto& info : *listed) files[info.name] = *segments->Read(info.name);
  // Small whole files are not segments and are not listed.
  if (auto identity = segments->Read("wal.json"); identity.ok()) files["wal.json"] = *identity;
  return files;
}

void SimulatedNodes::Restore(const std::string& node, const std::map<std::string, std::string>& files) {
  Delete(node);
  const auto segments = Segments(node);
  for (const auto& [name, bytes] : files) {
    if (name == "wal.json") {
      EXPECT_TRUE(segments->WriteFile(name, AsBytes(bytes)).ok());
    } else {
      segments->Overwrite(name, bytes);
    }
  }
}

bool SimulatedNodes::TryLock(const std::string& node) {
  MutexLock guard(mutex_);
  return locked_.insert(node).second;
}

void SimulatedNodes::Unlock(const std::string& node) {
  MutexLock guard(mutex_);
  locked_.erase(node);
}

namespace {

/// Lets others go first, and may overlook what a commit depends on.
class ContendedStore final : public storage::ForwardingStore {
 public:
  ContendedStore(LakeWorld& world, std::shared_ptr<storage::ObjectStore> store)
      : ForwardingStore(std::move(store)), world_(world) {}
  Result<storage::ObjectInfo> Put(std::string_view key, ByteSpan bytes,
                                  const storage::Precondition& precondition) override {
    if (precondition.kind != storage::Precondition::Kind::kIfAbsent) {
      return ForwardingStore::Put(key, bytes, precondition);
    }
    if (world_.before_commit) world_.before_commit(key);
    return ForwardingStore::Put(key, bytes,
                                world_.canary_overwrites_commits ? storage::Precondition::None() : precondition);
  }

 private:
  LakeWorld& world_;
};

}  // namespace

LakeWorld::LakeWorld(uint64_t seed, size_t memory_bytes)
    : random(seed),
      budget("buffers", memory_bytes),
      store(storage::MakeMemoryStore(clock)),
      faults(std::make_shared<storage::testing::FaultInjector>()),
      nodes(seed) {}

LakeOptions LakeWorld::Options() {
  LakeOptions options;
  options.store = storage::testing::MakeFaultyStore(std::make_shared<ContendedStore>(*this, store), faults);
  options.clock = &clock;
  options.random = &random;
  options.buffer_budget = &budget;
  options.executor = &executor;
  options.refresh_interval_micros = 0;
  options.adoption_patience_micros = 0;
  options.coalesce_fan_in = 3;
  options.wal.segment_bytes = 64 << 10;
  return options;
}

Result<std::unique_ptr<Lake>> LakeWorld::Open() { return Open(Options()); }

Result<std::unique_ptr<Lake>> LakeWorld::Open(const LakeOptions& options) {
  LakeSeams seams;
  seams.wal_folders = nodes.Folders();
  seams.at_point = at_point;
  seams.canary_replays_twice = canary_replays_twice;
  return OpenLake(options, std::move(seams));
}

std::shared_ptr<arrow::RecordBatch> MakeRows(const RowsOf& rows) {
  constexpr int64_t kMicrosPerDay = 86'400'000'000;
  const auto time_type = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  arrow::TimestampBuilder time(time_type, arrow::default_memory_pool());
  arrow::Int64Builder id;
  for (const int64_t value : rows.ids) {
    EXPECT_TRUE(time.Append(rows.day * kMicrosPerDay + value % 1'000'000).ok());
    EXPECT_TRUE(id.Append(value).ok());
  }
  arrow::FieldVector fields = {arrow::field("time", time_type), arrow::field("id", arrow::int64())};
  arrow::ArrayVector arrays(2);
  EXPECT_TRUE(time.Finish(arrays.data()).ok());
  EXPECT_TRUE(id.Finish(&arrays[1]).ok());
  if (rows.extra_name.has_value()) {
    arrays.push_back(ExtraColumn(rows));
    fields.push_back(arrow::field(*rows.extra_name, arrays.back()->type()));
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), static_cast<int64_t>(rows.ids.size()), arrays);
}

Status AppendIds(Lake& lake, std::vector<int64_t> ids, int64_t day, const TableName& name) {
  return lake.Append({{name, MakeRows({.ids = std::move(ids), .day = day})}}).status();
}

std::unique_ptr<Lake> MustOpen(LakeWorld& world) {
  auto lake = world.Open();
  EXPECT_TRUE(lake.ok()) << lake.status().ToString();
  return lake.ok() ? std::move(lake).value() : nullptr;
}

delta::TableContext ForeignContext(LakeWorld& world, const std::string& folder) {
  return {storage::MakePrefixStore(world.store, folder), &world.clock, &world.random};
}

Status CommitForeign(LakeWorld& world, const std::string& folder, const std::string& lines) {
  const auto context = ForeignContext(world, folder);
  TARN_ASSIGN_OR_RETURN(const auto snapshot, delta::LoadSnapshot(context));
  const std::string key = delta::CommitKey(snapshot->version() + 1);
  return context.store->Put(key, AsBytes(lines), storage::Precondition::IfAbsent()).status();
}

std::multiset<int64_t> CommittedIdsOf(const TableView& view) {
  std::multiset<int64_t> ids;
  if (view.snapshot == nullptr) return ids;
  for (size_t i = 0; i < view.snapshot->num_files(); ++i) {
    const auto file = view.snapshot->File(static_cast<delta::FileIndex>(i));
    EXPECT_TRUE(file.ok()) << file.status().ToString();
    AddIdsOfFile(*view.store, file->key, ids);
  }
  return ids;
}

int64_t RowCountOf(const TableView& view) {
  int64_t count = 0;
  if (view.snapshot != nullptr) {
    for (size_t i = 0; i < view.snapshot->num_files(); ++i) {
      count += view.snapshot->File(static_cast<delta::FileIndex>(i))->num_records;
    }
  }
  for (const auto& segment : view.segments) count += segment->num_rows;
  return count;
}

std::multiset<int64_t> IdsOf(const TableView& view) {
  auto ids = CommittedIdsOf(view);
  for (const auto& segment : view.segments) {
    for (const auto& batch : segment->batches) AddIds(*batch, ids);
  }
  return ids;
}

std::multiset<int64_t> IdsIn(Lake& lake, const TableName& name) {
  const auto view = lake.Pin(name, std::nullopt);
  if (view.ok()) return IdsOf(**view);
  EXPECT_EQ(view.status().code(), StatusCode::kNotFound) << view.status().ToString();
  return {};
}

std::multiset<int64_t> RejectedIds(storage::ObjectStore& store, const std::string& folder) {
  std::multiset<int64_t> ids;
  const auto files = store.ListAll({.prefix = "_tarn/rejected/" + folder + "/"});
  EXPECT_TRUE(files.ok());
  for (const auto& entry : *files) {
    if (entry.object.key.ends_with(".parquet")) AddIdsOfFile(store, entry.object.key, ids);
  }
  return ids;
}

}  // namespace tarn::lake::testing
