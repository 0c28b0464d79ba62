#include "lake/living_table.h"

#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/executor.h"
#include "lake/testing/lake_world.h"
#include "storage/testing/simulated_segments.h"

namespace tarn::lake {
namespace {

using testing::kTable;
using testing::LakeWorld;
using testing::MakeRows;
using testing::RowCountOf;

/// A committed version that says when the table asks it which rows it covers: in the middle of its publication.
class ObservedSnapshot final : public delta::Snapshot {
 public:
  ObservedSnapshot(std::shared_ptr<const delta::Snapshot> real, std::function<void()> on_asked)
      : real_(std::move(real)), on_asked_(std::move(on_asked)) {}

  std::optional<int64_t> TxnVersion(const std::string&) const override {
    on_asked_();
    return 1;
  }

  int64_t version() const override { return real_->version(); }
  int64_t timestamp_millis() const override { return real_->timestamp_millis(); }
  const delta::Protocol& protocol() const override { return real_->protocol(); }
  const delta::Metadata& metadata() const override { return real_->metadata(); }
  const std::shared_ptr<arrow::Schema>& schema() const override { return real_->schema(); }
  const std::vector<int>& partition_columns() const override { return real_->partition_columns(); }
  columnar::FieldMatch field_match() const override { return real_->field_match(); }
  size_t num_files() const override { return real_->num_files(); }
  int64_t total_bytes() const override { return real_->total_bytes(); }
  Result<delta::DataFile> File(delta::FileIndex index) const override { return real_->File(index); }
  Result<delta::Add> AddAction(delta::FileIndex index) const override { return real_->AddAction(index); }
  Result<std::vector<delta::FileIndex>> Select(const std::vector<delta::Predicate>& all_of) const override {
    return real_->Select(all_of);
  }
  Result<std::vector<delta::FileIndex>> SelectAmong(const std::vector<delta::FileIndex>& candidates,
                                                    const std::vector<delta::Predicate>& all_of) const override {
    return real_->SelectAmong(candidates, all_of);
  }
  Result<delta::ColumnBounds> Bounds(delta::FileIndex index, int column) const override {
    return real_->Bounds(index, column);
  }
  size_t memory_bytes() const override { return real_->memory_bytes(); }

 private:
  const std::shared_ptr<const delta::Snapshot> real_;
  const std::function<void()> on_asked_;
};

/// Buffers rows as the record at position 1 of a log.
void BufferRows(LivingTable& table, const std::shared_ptr<arrow::RecordBatch>& rows) {
  auto prepared = table.Prepare(*rows);
  ASSERT_OK(prepared);
  BufferEntry entry;
  entry.log = std::make_shared<RowLog>("node-1", nullptr, std::make_shared<storage::testing::SimulatedSegments>(1));
  entry.position = 1;
  entry.num_rows = rows->num_rows();
  entry.cut_by = prepared->cut_by;
  entry.schema = rows->schema();
  for (const BufferSegment& segment : prepared->segments) entry.segments.push_back(ShareSegment(segment, nullptr));
  table.Publish(*prepared, std::make_shared<const BufferEntry>(std::move(entry)));
}

TEST(LivingTable, APinNeverFallsBetweenAVersionAndLettingGoOfItsRows) {
  constexpr int kTurns = 1000;
  LakeWorld world;
  const auto lake = testing::MustOpen(world);
  ASSERT_OK(testing::AppendIds(*lake, {1, 2, 3}));
  ASSERT_OK(lake->FlushAll());
  const auto committed = (*lake->Pin(kTable, std::nullopt))->snapshot;
  LivingTable table(kTable, "other", testing::ForeignContext(world, "other"));
  BufferRows(table, MakeRows({.ids = {1, 2, 3}}));
  ASSERT_EQ(RowCountOf(**table.View()), 3);

  std::atomic<bool> pinning = false;
  std::atomic<bool> pinned = false;
  std::shared_ptr<const TableView> view;
  Thread reader;
  table.PublishSnapshot(std::make_shared<ObservedSnapshot>(committed, [&] {
    reader = Thread("reader", [&] {
      pinning = true;
      view = *table.View();
      pinned = true;
    });
    // The pin has many turns to end here, and must not.
    while (!pinning) std::this_thread::yield();
    for (int turn = 0; turn < kTurns && !pinned; ++turn) std::this_thread::yield();
  }));
  reader.Join();
  EXPECT_EQ(RowCountOf(*view), 3);
  EXPECT_TRUE(view->segments.empty());
  EXPECT_NE(view->snapshot, nullptr);
}

}  // namespace
}  // namespace tarn::lake
