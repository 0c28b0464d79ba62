#include "delta/operations/delete.h"

#include <utility>

namespace tarn::delta {

Result<ChangeResult> Delete(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                            RowCondition& condition, const DeleteOptions& options) {
  ChangeRequest request{.condition = &condition, .operation = "DELETE"};
  request.parameters = PredicateParameter(options.predicate);
  request.files = options.files;
  return ChangeRows(table, std::move(snapshot), request);
}

}  // namespace tarn::delta
