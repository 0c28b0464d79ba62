#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/query_service.h"

namespace tarn::engine {

/// `system.queries`: running ones first, then the last ended ones, newest first. Registered by QueryService itself; its
/// rows are made at each query.
std::shared_ptr<SystemTable> MakeQueriesTable(std::function<std::vector<QueryInfo>()> infos);

}  // namespace tarn::engine
