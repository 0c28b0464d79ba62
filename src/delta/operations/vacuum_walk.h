#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "delta/log/log_segment.h"
#include "delta/operations/vacuum.h"
#include "delta/table.h"

namespace tarn::delta {

/// Names in front of the '=' of a table's partition folders.
std::vector<std::string> PartitionFolderNames(const Snapshot& snapshot);

/// Whether vacuum passes a file or folder over for its own name (not its path), as Spark does.
bool IsHiddenName(std::string_view name, const std::vector<std::string>& partition_folders);

/// Takes what a walk meets, the verdict open but for what is hidden or outside.
using VacuumVisit = std::function<Status(VacuumFile)>;

/// Every file of the table's folder, in the order of keys; hidden folders are visited as one and not looked into.
Status WalkFolder(storage::ObjectStore& store, const std::vector<std::string>& partition_folders,
                  const VacuumVisit& visit);

/// The files, data and deletion vectors, that the removes of some commits name, each once.
Status WalkRemoves(const TableContext& table, const std::vector<LogFile>& commits,
                   const std::vector<std::string>& partition_folders, const VacuumVisit& visit);

/// Tells the files of a store that are reached through a link below its root: what that leads to lies elsewhere, and
/// may not be the table's to delete. Remembers folders. Thread-compatible.
class LinkFinder {
 public:
  explicit LinkFinder(const storage::ObjectStore& store) : store_(store) {}
  bool IsLinked(const std::string& key);

 private:
  const storage::ObjectStore& store_;
  /// Without the '/' at the end.
  std::map<std::string, bool> folders_;
};

}  // namespace tarn::delta
