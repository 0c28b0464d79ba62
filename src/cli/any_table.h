#pragma once

#include <memory>
#include <string>

#include "base/random.h"
#include "base/status.h"
#include "cli/config_options.h"
#include "delta/table.h"

namespace tarn::cli {

/// A Delta table that is worked on without a lake around it: nothing is replayed, created or adopted.
struct AnyTable {
  std::unique_ptr<Random> random;
  delta::TableContext context;
};

/// `table` is DATABASE.TABLE of the lake or, with a '/' in it, the folder or URI of any Delta table, which need not be
/// readable. InvalidArgument for anything else.
Result<AnyTable> OpenAnyTable(const LakeChoice& lake, const std::string& table);

}  // namespace tarn::cli
