#pragma once

#include <memory>
#include <string>

#include "base/random.h"
#include "base/status.h"
#include "cli/config_options.h"
#include "delta/table.h"
#include "lake/table_view.h"

namespace tarn::cli {

/// Whether what a command was given is the folder or URI of a table rather than a name.
inline bool IsPath(const std::string& table) { return table.find('/') != std::string::npos; }

/// InvalidArgument for what is no DATABASE.TABLE.
Result<lake::TableName> ParseTableName(const std::string& text);

/// A Delta table that is worked on without a lake around it: nothing is replayed, created or adopted.
struct AnyTable {
  /// As it was given.
  std::string name;
  std::unique_ptr<Random> random;
  delta::TableContext context;

  /// Its newest version; errors name it.
  Result<std::shared_ptr<const delta::Snapshot>> Load() const;
};

/// `table` is DATABASE.TABLE of the lake or, with a '/' in it, the folder or URI of any Delta table, which need not be
/// readable. InvalidArgument for anything else.
Result<AnyTable> OpenAnyTable(const LakeChoice& lake, const std::string& table);

}  // namespace tarn::cli
