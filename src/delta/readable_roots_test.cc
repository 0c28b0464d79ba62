#include "delta/readable_roots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arrow/type.h>

#include "delta/files/deletion_vector.h"
#include "delta/operations/delete.h"
#include "delta/operations/optimize.h"
#include "delta/operations/restore.h"
#include "delta/operations/vacuum.h"
#include "delta/table_path.h"
#include "delta/testing/data_table.h"
#include "delta/transaction.h"
#include "storage/stores.h"
#include "storage/testing/temp_folder.h"

namespace tarn::delta {
namespace {

using storage::testing::TempFolder;
using testing::DataTable;
using ::testing::HasSubstr;

constexpr int64_t kDay = 24 * 3600 * kMicrosPerSecond;

const arrow::FieldVector kColumns = {arrow::field("id", arrow::int64())};

/// A lake of its own folder with a table that others refer to.
class ReadableRootsTest : public ::testing::Test {
 protected:
  std::shared_ptr<storage::ObjectStore> TableStore(const std::string& folder) {
    return storage::MakePrefixStore(lake_, folder);
  }
  std::shared_ptr<storage::ObjectStore> WithLake(const std::string& folder) {
    return MakeStoreWithRoots(TableStore(folder), {.stores = {lake_}});
  }

  /// Commits files under these paths into a table that has none of its own.
  static std::shared_ptr<const Snapshot> Refer(DataTable& table, const std::vector<Add>& files) {
    table.Create(arrow::schema(kColumns));
    const auto transaction = *Transaction::Begin(table.context(), table.Latest());
    for (const Add& file : files) transaction->AddFile(file);
    transaction->SetOperation("CLONE", {});
    const auto committed = transaction->Commit();
    EXPECT_TRUE(committed.ok()) << committed.status().ToString();
    return table.Latest();
  }

  Add Outside(const std::string& path, const DataFile& file) const {
    Add add;
    add.path = path;
    add.size_bytes = file.size_bytes;
    add.modification_time_millis = file.modification_time_millis;
    add.stats = R"({"numRecords":)" + std::to_string(file.num_records) + "}";
    return add;
  }

  static void DeleteId(DataTable& table, int64_t id) {
    const auto snapshot = table.Latest();
    const auto condition =
        *MakeCondition(*snapshot->schema(), {Predicate::Compare(Predicate::Op::kEq, 0, columnar::Value(id))});
    const auto deleted = Delete(table.context(), snapshot, *condition);
    ASSERT_TRUE(deleted.ok()) << deleted.status().ToString();
  }

  /// Both ways, long behind whatever was written.
  static void VacuumAll(DataTable& table) {
    for (const VacuumMode mode : {VacuumMode::kLite, VacuumMode::kFull}) {
      table.clock().Advance(SystemClock().WallMicros() - table.clock().WallMicros() + 8 * kDay);
      const auto vacuumed = Vacuum(table.context(), table.Latest(), {.mode = mode});
      ASSERT_TRUE(vacuumed.ok()) << vacuumed.status().ToString();
    }
  }

  TempFolder folder_;
  const std::shared_ptr<storage::ObjectStore> lake_ = *storage::OpenLocalStore(folder_.path() + "/lake");
  DataTable origin_{TableStore("db/origin")};
};

TEST_F(ReadableRootsTest, AbsoluteAndClimbingPathsAreReadAndNeverDeleted) {
  origin_.Create(arrow::schema(kColumns));
  origin_.Append(kColumns, R"([{"id":1},{"id":2}])");
  const DataFile first = *origin_.Append(kColumns, R"([{"id":3},{"id":4}])")->File(1);
  const DataFile second = *origin_.Latest()->File(0);
  DataTable clone(WithLake("db/clone"));
  const auto snapshot = Refer(
      clone, {Outside(origin_.store().uri() + "/" + first.key, first), Outside("../origin/" + second.key, second)});
  EXPECT_EQ(clone.Rows(*snapshot), origin_.Rows(*origin_.Latest()));
  const std::vector<std::string> origins = origin_.DataKeys();

  // Rows of its own, a deletion and a rewrite of everything into its own folder.
  clone.Append(kColumns, R"([{"id":5}])");
  DeleteId(clone, 1);
  const auto optimized = Optimize(clone.context(), clone.Latest(), {});
  ASSERT_TRUE(optimized.ok()) << optimized.status().ToString();
  EXPECT_EQ(clone.Latest()->num_files(), 1u);
  EXPECT_EQ(clone.Rows(*clone.Latest()).size(), 4u);

  VacuumAll(clone);
  EXPECT_EQ(origin_.DataKeys(), origins);
  EXPECT_EQ(origin_.Rows(*origin_.Latest()).size(), 4u);
  EXPECT_EQ(clone.DataKeys().size(), 1u);

  // What its first version had is still where it was.
  const auto restored = Restore(clone.context(), clone.Latest(), 1, {});
  ASSERT_TRUE(restored.ok()) << restored.status().ToString();
  EXPECT_EQ(clone.Rows(*clone.Latest()), origin_.Rows(*origin_.Latest()));
}

TEST_F(ReadableRootsTest, NothingOutsideIsWritten) {
  const auto store = WithLake("db/clone");
  const std::string place = folder_.path() + "/lake/db/origin/x";
  EXPECT_TRUE(store->CheckOutside(place).ok());
  EXPECT_TRUE(store->Put(place, AsBytes("x"), {}).status().Is(StatusCode::kPermissionDenied));
  EXPECT_TRUE(store->OpenWriter(place, {}).status().Is(StatusCode::kPermissionDenied));
  ASSERT_TRUE(lake_->Put("db/origin/x", AsBytes("x"), {}).ok());
  EXPECT_EQ(*store->Get(place), "x");
  EXPECT_EQ(store->Head(place)->key, place);
  EXPECT_EQ(store->LocalPath(place), place);
  EXPECT_EQ((*store->OpenKnown(place, 1))->info().key, place);
  EXPECT_TRUE(store->Delete(place).Is(StatusCode::kPermissionDenied));
  EXPECT_TRUE(lake_->Head("db/origin/x").ok());
}

TEST_F(ReadableRootsTest, WhatLiesBelowNoRootIsDeniedByName) {
  const auto alone = TableStore("db/t");
  const auto store = WithLake("db/t");
  const std::string lake = folder_.path() + "/lake";
  const auto denied = [](const storage::ObjectStore& reader, const std::string& path) {
    const Status status = KeyOfPath(path, reader).status();
    EXPECT_TRUE(status.Is(StatusCode::kPermissionDenied)) << path << ": " << status.ToString();
    EXPECT_THAT(status.message(), HasSubstr(path));
  };
  for (const std::string path : {"/etc/passwd", "s3://bucket/x", "https://host/x"}) {
    denied(*alone, path);
    denied(*store, path);
  }
  // A root's name is not that of a folder that only begins so, and not a file.
  denied(*store, lake + "2/x");
  denied(*store, lake);
  denied(*alone, lake + "/db/other/x");
  EXPECT_EQ(*KeyOfPath("../other/x", *store), lake + "/db/other/x");
  EXPECT_TRUE(KeyOfPath("../../../x", *store).status().Is(StatusCode::kPermissionDenied));
  // Its own files by their absolute names are its own.
  EXPECT_EQ(*KeyOfPath("file://" + lake + "/db/t/x", *alone), "x");
}

TEST_F(ReadableRootsTest, AFileThatMayNotBeReadFailsTheScanThatNeedsIt) {
  origin_.Create(arrow::schema(kColumns));
  const DataFile file = *origin_.Append(kColumns, R"([{"id":1}])")->File(0);
  DataTable clone(WithLake("db/clone"));
  Refer(clone, {Outside(origin_.store().uri() + "/" + file.key, file)});
  TableContext alone = clone.context();
  alone.store = TableStore("db/clone");
  const auto snapshot = LoadSnapshot(alone);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().ToString();
  const Status read = (*snapshot)->File(0).status();
  EXPECT_TRUE(read.Is(StatusCode::kPermissionDenied)) << read.ToString();
  EXPECT_THAT(read.message(), HasSubstr("/db/origin/" + file.key));
}

TEST_F(ReadableRootsTest, DeletionVectorsOutsideAreRead) {
  const std::map<std::string, std::string> with_vectors = {{"delta.enableDeletionVectors", "true"}};
  origin_.Create(arrow::schema(kColumns), {}, with_vectors);
  origin_.Append(kColumns, R"([{"id":1},{"id":2},{"id":3}])");
  DeleteId(origin_, 2);
  const DataFile file = *origin_.Latest()->File(0);
  ASSERT_TRUE(file.deletion_vector.has_value());
  DataTable clone(WithLake("db/clone"));
  clone.Create(arrow::schema(kColumns), {}, with_vectors);
  const auto transaction = *Transaction::Begin(clone.context(), clone.Latest());
  Add add = Outside("../origin/" + file.key, file);
  add.deletion_vector = file.deletion_vector;
  add.deletion_vector->storage_type = 'p';
  add.deletion_vector->path_or_inline =
      origin_.store().uri() + "/" + **DeletionVectorPath(*file.deletion_vector, origin_.store().uri());
  transaction->AddFile(add);
  transaction->SetOperation("CLONE", {});
  ASSERT_TRUE(transaction->Commit().ok());
  EXPECT_EQ(clone.Rows(*clone.Latest()), origin_.Rows(*origin_.Latest()));

  // One row more: the vector that replaces it lies in the clone's folder, and the old one stays.
  const std::vector<std::string> origins = origin_.DataKeys();
  DeleteId(clone, 3);
  EXPECT_EQ(clone.Rows(*clone.Latest()).size(), 1u);
  VacuumAll(clone);
  EXPECT_EQ(origin_.DataKeys(), origins);
  EXPECT_EQ(origin_.Rows(*origin_.Latest()).size(), 2u);
}

TEST_F(ReadableRootsTest, AnywhereIsEveryFileOfThisMachine) {
  const std::string other = folder_.path() + "/elsewhere";
  const auto elsewhere = *storage::OpenLocalStore(other);
  ASSERT_TRUE(elsewhere->Put("x y", AsBytes("text"), {}).ok());
  const auto store = MakeStoreWithRoots(TableStore("db/t"), {.anywhere = true});
  const std::string key = *KeyOfPath("file://" + other + "/x%20y", *store);
  EXPECT_EQ(key, other + "/x y");
  EXPECT_EQ(*store->Get(key), "text");
  EXPECT_TRUE(store->Get(other + "/z").status().Is(StatusCode::kNotFound));
  // Other schemes than S3's lead off this machine to whoever wrote the log.
  EXPECT_TRUE(store->CheckOutside("https://host/x").Is(StatusCode::kPermissionDenied));
  EXPECT_TRUE(store->CheckOutside("memory://x/y").Is(StatusCode::kPermissionDenied));
}

TEST_F(ReadableRootsTest, RootsAreOpenedByTheirUris) {
  const auto roots = OpenReadableRoots({folder_.path() + "/a", "file://" + folder_.path() + "/b%20c"});
  ASSERT_TRUE(roots.ok()) << roots.status().ToString();
  const auto store = MakeStoreWithRoots(TableStore("db/t"), *roots);
  EXPECT_TRUE(store->CheckOutside(folder_.path() + "/a/x").ok());
  EXPECT_TRUE(store->CheckOutside(folder_.path() + "/b c/x").ok());
  EXPECT_TRUE(store->CheckOutside(folder_.path() + "/lake/x").Is(StatusCode::kPermissionDenied));
  const auto unknown = OpenReadableRoots({"ftp://host/x"});
  EXPECT_TRUE(unknown.status().Is(StatusCode::kUnsupported));
  EXPECT_THAT(unknown.status().message(), HasSubstr("ftp://host/x"));
}

}  // namespace
}  // namespace tarn::delta
