#include "delta/operations/delete.h"

#include <utility>

namespace tarn::delta {

Result<ChangeResult> Delete(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                            RowCondition& condition, const DeleteOptions& options) {
  return ChangeRows(table, std::move(snapshot),
                    {&condition, nullptr, {}, "DELETE", PredicateParameter(options.predicate), options.files});
}

}  // namespace tarn::delta
