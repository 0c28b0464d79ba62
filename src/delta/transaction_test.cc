#include "delta/transaction.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "delta/testing/table_fixture.h"

namespace tarn::delta {
namespace {

using testing::MemoryTable;

TEST(TransactionTest, CreatesAppendsAndLoads) {
  MemoryTable table;
  auto snapshot = table.Create();
  EXPECT_EQ(snapshot->version(), 0);
  EXPECT_EQ(snapshot->num_files(), 0u);
  snapshot = table.Append(snapshot, {"a.parquet", "b c.parquet"});
  EXPECT_EQ(snapshot->version(), 1);
  ASSERT_EQ(snapshot->num_files(), 2u);
  const auto loaded = LoadSnapshot(table.context());
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  EXPECT_EQ((*loaded)->version(), 1);
  ASSERT_EQ((*loaded)->num_files(), 2u);
  EXPECT_EQ((*loaded)->File(0)->key, "a.parquet");
  EXPECT_EQ((*loaded)->File(1)->key, "b c.parquet");
  EXPECT_EQ((*loaded)->File(1)->num_records, 10);
  EXPECT_EQ((*loaded)->protocol(), Protocol());
  EXPECT_TRUE((*loaded)->schema()->Equals(*snapshot->schema()));
}

TEST(TransactionTest, BlindAppendsRebase) {
  MemoryTable table;
  const auto base = table.Create();
  for (int i = 0; i < 3; ++i) {
    auto transaction = Transaction::Begin(table.context(), base);
    ASSERT_TRUE(transaction.ok());
    (*transaction)->AddFile(MemoryTable::MakeAdd("f" + std::to_string(i) + ".parquet"));
    const auto committed = (*transaction)->Commit();
    ASSERT_TRUE(committed.ok()) << committed.status().ToString();
    EXPECT_EQ(committed->version, i + 1);
    EXPECT_EQ(committed->rebases, i > 0 ? 1 : 0);
    EXPECT_EQ(committed->snapshot->num_files(), static_cast<size_t>(i + 1));
  }
}

}  // namespace
}  // namespace tarn::delta
