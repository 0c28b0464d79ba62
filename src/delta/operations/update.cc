#include "delta/operations/update.h"

#include <utility>

namespace tarn::delta {

Result<ChangeResult> Update(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                            RowCondition& condition, RowUpdate& update, const UpdateOptions& options) {
  ChangeRequest request{.condition = &condition, .update = &update, .operation = "UPDATE"};
  request.parameters = PredicateParameter(options.predicate);
  request.files = options.files;
  return ChangeRows(table, std::move(snapshot), request);
}

}  // namespace tarn::delta
