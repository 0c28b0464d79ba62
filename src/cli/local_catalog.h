#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"
#include "cli/config_options.h"
#include "delta/table.h"
#include "lake/lake.h"
#include "lake/table_view.h"

namespace tarn::cli {

/// The tables of one `tarn sql`: those of a lake, where one was opened, and single Delta folders as tables of the
/// database `main`, where queries look for names without a database. Thread-safe.
class LocalCatalog final : public lake::TableCatalog {
 public:
  LocalCatalog(Clock& clock, Random& random) : clock_(clock), random_(random) {}

  /// Before the first query; the lake outlives the catalog.
  void SetLake(lake::Lake* lake) { lake_ = lake; }
  Status AddDeltaTable(const std::string& name, const std::string& uri, const TableSettings& settings);

  Result<std::vector<std::string>> ListDatabases() override;
  Result<std::vector<std::string>> ListTables(const std::string& database) override;
  Result<std::shared_ptr<const lake::TableView>> Pin(const lake::TableName& name,
                                                     const std::optional<lake::AsOf>& as_of) override;
  Result<lake::TableForChange> PinForChange(const lake::TableName& name) override;
  Result<delta::TableContext> PlaceForNew(const lake::TableName& name) override;
  void NoteCommit(const lake::TableName& name, const std::shared_ptr<const delta::Snapshot>& snapshot) override;

 private:
  struct DeltaTable {
    std::string name;
    delta::TableContext context;
    std::shared_ptr<const delta::Snapshot> snapshot;
    /// No statement has seen the snapshot yet, so it need not be brought up to date for one.
    bool is_new = true;
  };
  /// The newest snapshot: a statement that runs again must see what came in its way.
  Result<std::shared_ptr<const delta::Snapshot>> Newest(DeltaTable& table) EXCLUDES(mutex_);

  Clock& clock_;
  Random& random_;
  lake::Lake* lake_ = nullptr;
  /// By lower-case name; the mutex guards the snapshots within.
  Mutex mutex_;
  std::map<std::string, DeltaTable> tables_;
};

}  // namespace tarn::cli
