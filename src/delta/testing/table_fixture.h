#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "delta/snapshot.h"
#include "delta/table.h"
#include "delta/transaction.h"

namespace tarn::delta::testing {

/// A table in memory with the columns `id` long, `name` string, partitioned by nothing or by `day` date, and the means
/// to change it without data files. Failures abort the test. At its end the log must keep every rule of the protocol,
/// unless the test itself wrote into it or says that it broke it.
class MemoryTable {
 public:
  MemoryTable();
  explicit MemoryTable(std::shared_ptr<storage::ObjectStore> store);
  ~MemoryTable();
  MemoryTable(const MemoryTable&) = delete;
  MemoryTable& operator=(const MemoryTable&) = delete;

  /// For a test that damages the log; writing into it says so, too.
  void ExpectBroken() { broken_ = true; }

  const TableContext& context() const { return context_; }
  storage::ObjectStore& store() { return *context_.store; }
  FakeClock& clock() { return clock_; }

  static std::shared_ptr<arrow::Schema> Schema(bool partitioned = false);
  static Add MakeAdd(const std::string& key, const std::string& stats = R"({"numRecords":10})");

  std::shared_ptr<const Snapshot> Create(bool partitioned = false,
                                         std::map<std::string, std::string> configuration = {});
  std::shared_ptr<const Snapshot> Append(const std::shared_ptr<const Snapshot>& base,
                                         const std::vector<std::string>& keys);
  /// Writes a commit file as given.
  void PutCommit(int64_t version, const std::string& text);
  void Put(const std::string& key, const std::string& text);
  std::string Commit(int64_t version);

 private:
  FakeClock clock_;
  Random random_;
  TableContext context_;
  bool broken_ = false;
};

/// The first two lines of a table's first commit: protocol (1,2) and a metaData of MemoryTable's schema.
std::string FirstLines(bool partitioned = false);

}  // namespace tarn::delta::testing
