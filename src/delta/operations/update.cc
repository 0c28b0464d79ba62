#include "delta/operations/update.h"

#include <utility>

namespace tarn::delta {

Result<ChangeResult> Update(const TableContext& table, std::shared_ptr<const Snapshot> snapshot,
                            RowCondition& condition, RowUpdate& update, const UpdateOptions& options) {
  return ChangeRows(table, std::move(snapshot),
                    {&condition, &update, {}, "UPDATE", PredicateParameter(options.predicate), options.files});
}

}  // namespace tarn::delta
