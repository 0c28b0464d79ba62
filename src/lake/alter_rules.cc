#include "lake/alter_rules.h"

#include <algorithm>
#include <variant>

#include "delta/letter_case.h"
#include "lake/row_shape.h"

namespace tarn::lake {

namespace {

bool IsTime(const delta::ColumnPath& path) {
  return path.size() == 1 && delta::SameButForCase(path.front(), kTimeColumn);
}

}  // namespace

Status CheckAlter(const delta::Snapshot& table, const delta::TableChange& change) {
  const TableColumns columns{table.schema(), table.metadata().partition_columns};
  if (!columns.derives_time_date()) return Status::Ok();
  const auto* const renamed = std::get_if<delta::RenameColumn>(&change);
  const auto* const dropped = std::get_if<delta::DropColumns>(&change);
  const bool loses_time = (renamed != nullptr && IsTime(renamed->column)) ||
                          (dropped != nullptr && std::any_of(dropped->columns.begin(), dropped->columns.end(), IsTime));
  if (!loses_time) return Status::Ok();
  return Status::InvalidArgument(
      "the column time stays: the table is partitioned by its date (time_date), and rows to come would have another "
      "one of that name");
}

}  // namespace tarn::lake
