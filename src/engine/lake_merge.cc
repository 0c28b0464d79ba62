#include <map>
#include <utility>

#include "duckdb/execution/expression_executor.hpp"
#include "duckdb/planner/expression/bound_constant_expression.hpp"
#include "duckdb/planner/operator/logical_merge_into.hpp"
#include "engine/exception_barrier.h"
#include "engine/lake_write.h"
#include "engine/lake_write_operator.h"

namespace tarn::engine {

using duckdb::DataChunk;
using duckdb::idx_t;
using duckdb::LogicalType;
using duckdb::MergeActionCondition;
using duckdb::MergeActionType;
using duckdb::SelectionVector;

namespace {

/// One WHEN … THEN of a MERGE, its expressions over the chunks that come.
struct Action {
  MergeActionType type = MergeActionType::MERGE_DO_NOTHING;
  /// Null when it is always taken.
  duckdb::unique_ptr<duckdb::Expression> condition;
  /// For each column of the table what a new or updated row has; a message for an error.
  duckdb::vector<duckdb::unique_ptr<duckdb::Expression>> values;
};
using Actions = std::map<MergeActionCondition, std::vector<Action>>;

/// Rows of a chunk by number.
struct RowSet {
  explicit RowSet(idx_t most) : rows(most) {}
  void Add(idx_t row) { rows.set_index(count++, row); }
  SelectionVector rows;
  idx_t count = 0;
};

/// Sends each row that the join of target and source gives to the first action that takes it.
class LakeMerge final : public LakeWrite {
 public:
  LakeMerge(duckdb::PhysicalPlan& plan, duckdb::vector<LogicalType> types, lake::TableCatalog& catalog, BeginEdit begin,
            bool returns_rows, RowLayout layout, Actions actions, PlaceColumns place,
            duckdb::optional_idx source_marker)
      : LakeWrite(plan, std::move(types), catalog, std::move(begin), {.operation = "MERGE"}, returns_rows),
        layout_(std::move(layout)),
        actions_(std::move(actions)),
        place_(place),
        source_marker_(source_marker) {}

  std::string GetName() const override { return "LAKE_MERGE"; }

 private:
  void Take(duckdb::ClientContext& context, DataChunk& chunk, WriteState& state) const override {
    std::map<MergeActionCondition, RowSet> kinds;
    for (const auto kind : {MergeActionCondition::WHEN_MATCHED, MergeActionCondition::WHEN_NOT_MATCHED_BY_SOURCE,
                            MergeActionCondition::WHEN_NOT_MATCHED_BY_TARGET}) {
      kinds.emplace(kind, chunk.size());
    }
    duckdb::UnifiedVectorFormat files;
    duckdb::UnifiedVectorFormat markers;
    chunk.data[place_.file].ToUnifiedFormat(chunk.size(), files);
    if (source_marker_.IsValid()) chunk.data[source_marker_.GetIndex()].ToUnifiedFormat(chunk.size(), markers);
    for (idx_t row = 0; row < chunk.size(); row++) {
      const bool in_target = files.validity.RowIsValid(files.sel->get_index(row));
      const bool in_source = !source_marker_.IsValid() || markers.validity.RowIsValid(markers.sel->get_index(row));
      const auto kind = !in_target  ? MergeActionCondition::WHEN_NOT_MATCHED_BY_TARGET
                        : in_source ? MergeActionCondition::WHEN_MATCHED
                                    : MergeActionCondition::WHEN_NOT_MATCHED_BY_SOURCE;
      kinds.at(kind).Add(row);
    }
    for (auto& [kind, rows] : kinds) {
      const auto actions = actions_.find(kind);
      if (actions != actions_.end()) Distribute(context, actions->second, chunk, std::move(rows), state);
    }
  }

  void Distribute(duckdb::ClientContext& context, const std::vector<Action>& actions, DataChunk& chunk, RowSet rows,
                  WriteState& state) const {
    for (const Action& action : actions) {
      if (rows.count == 0) return;
      RowSet taken(chunk.size());
      RowSet left(chunk.size());
      if (action.condition) {
        DataChunk some;
        some.InitializeEmpty(chunk.GetTypes());
        some.Slice(chunk, rows.rows, rows.count);
        SelectionVector chosen(rows.count);
        duckdb::ExpressionExecutor executor(context, *action.condition);
        const idx_t count = executor.SelectExpression(some, chosen);
        idx_t next = 0;
        for (idx_t i = 0; i < rows.count; i++) {
          const bool is_chosen = next < count && chosen.get_index(next) == i;
          if (is_chosen) ++next;
          (is_chosen ? taken : left).Add(rows.rows.get_index(i));
        }
      } else {
        std::swap(taken, rows);
      }
      if (taken.count > 0) Act(context, action, chunk, taken, state);
      rows = std::move(left);
    }
  }

  void Act(duckdb::ClientContext& context, const Action& action, DataChunk& chunk, const RowSet& rows,
           WriteState& state) const {
    switch (action.type) {
      case MergeActionType::MERGE_DO_NOTHING:
        return;
      case MergeActionType::MERGE_ERROR: {
        std::string message = "MERGE met a row for which it is to fail";
        if (!action.values.empty())
          message = Evaluate(context, action, chunk, rows, {LogicalType::VARCHAR})->GetValue(0, 0).ToString();
        ThrowStatus(Status::InvalidArgument(message));
      }
      case MergeActionType::MERGE_DELETE: {
        Remove(chunk, rows, state);
        ReturnDeleted(chunk, rows.rows, rows.count, place_, state);
        state.deleted += rows.count;
        state.count += rows.count;
        return;
      }
      case MergeActionType::MERGE_UPDATE:
        Remove(chunk, rows, state);
        state.updated += rows.count;
        return Put(context, action, chunk, rows, "UPDATE", state);
      case MergeActionType::MERGE_INSERT:
        state.inserted += rows.count;
        return Put(context, action, chunk, rows, "INSERT", state);
    }
  }

  /// A row of the target can become only one other.
  void Remove(DataChunk& chunk, const RowSet& rows, WriteState& state) const {
    SelectionVector fresh(rows.count);
    if (RemoveRows(chunk, rows.rows, rows.count, place_, state, fresh) == rows.count) return;
    ThrowStatus(Status::InvalidArgument(
        "MERGE: a row of the target matches several rows of the source; make its condition or the source unique"));
  }

  duckdb::unique_ptr<DataChunk> Evaluate(duckdb::ClientContext& context, const Action& action, DataChunk& chunk,
                                         const RowSet& rows, const duckdb::vector<LogicalType>& types) const {
    DataChunk some;
    some.InitializeEmpty(chunk.GetTypes());
    some.Slice(chunk, rows.rows, rows.count);
    auto result = duckdb::make_uniq<DataChunk>();
    result->Initialize(context, types);
    duckdb::ExpressionExecutor executor(context, action.values);
    executor.Execute(some, *result);
    result->SetCardinality(rows.count);
    return result;
  }

  void Put(duckdb::ClientContext& context, const Action& action, DataChunk& chunk, const RowSet& rows,
           const char* action_name, WriteState& state) const {
    const auto put = Evaluate(context, action, chunk, rows, layout_.types);
    Insert(context, layout_, *put, state);
    state.count += rows.count;
    if (!returns_rows()) return;
    DataChunk told;
    told.InitializeEmpty(types);
    for (idx_t i = 0; i < put->ColumnCount(); i++) told.data[i].Reference(put->data[i]);
    told.data[put->ColumnCount()].Reference(duckdb::Value(action_name));
    told.SetCardinality(rows.count);
    Return(told, state);
  }

  void Describe(const WriteState& state, TableEdit::Statement& statement) const override {
    statement.metrics = {{"numTargetRowsInserted", std::to_string(state.inserted)},
                         {"numTargetRowsUpdated", std::to_string(state.updated)},
                         {"numTargetRowsDeleted", std::to_string(state.deleted)}};
  }

  const RowLayout layout_;
  const Actions actions_;
  const PlaceColumns place_;
  const duckdb::optional_idx source_marker_;
};

/// An expression for NULL of a type.
duckdb::unique_ptr<duckdb::Expression> NullOf(const LogicalType& type) {
  return duckdb::make_uniq<duckdb::BoundConstantExpression>(duckdb::Value(type));
}

Action MakeAction(duckdb::LogicalMergeInto& merge, duckdb::BoundMergeIntoAction& bound) {
  Action action{.type = bound.action_type, .condition = std::move(bound.condition)};
  const auto& columns = merge.table.GetColumns();
  if (bound.action_type == MergeActionType::MERGE_UPDATE) {
    for (const auto& column : columns.Physical()) action.values.push_back(NullOf(column.Type()));
    for (idx_t i = 0; i < bound.columns.size(); i++) {
      auto& value = bound.expressions[i];
      if (value->GetExpressionType() == duckdb::ExpressionType::VALUE_DEFAULT) continue;
      action.values[bound.columns[i].index] = std::move(value);
    }
    // UPDATE that sets nothing.
    if (bound.columns.empty()) action = {.condition = std::move(action.condition)};
  } else if (bound.action_type == MergeActionType::MERGE_INSERT && !bound.column_index_map.empty()) {
    for (const auto& column : columns.Physical()) {
      const idx_t mapped = bound.column_index_map[column.Physical()];
      action.values.push_back(mapped == duckdb::DConstants::INVALID_INDEX ? NullOf(column.Type())
                                                                          : std::move(bound.expressions[mapped]));
    }
  } else {
    action.values = std::move(bound.expressions);
  }
  for (idx_t i = 0; i < action.values.size(); i++) {
    if (action.values[i]->GetExpressionType() == duckdb::ExpressionType::VALUE_DEFAULT) {
      action.values[i] = NullOf(columns.GetColumn(duckdb::PhysicalIndex(i)).Type());
    }
  }
  return action;
}

}  // namespace

duckdb::PhysicalOperator& PlanLakeMerge(duckdb::PhysicalPlanGenerator& planner, lake::TableCatalog& catalog,
                                        duckdb::LogicalMergeInto& merge, duckdb::PhysicalOperator& rows) {
  BeginEdit begin = EditOf(merge.table);
  Actions actions;
  for (auto& [kind, bound] : merge.actions) {
    for (auto& each : bound) {
      actions[kind].push_back(MakeAction(merge, *each));
    }
  }
  const PlaceColumns place{merge.row_id_start, merge.row_id_start + 1};
  auto& write =
      planner.Make<LakeMerge>(merge.types, catalog, std::move(begin), merge.return_chunk,
                              RowLayout::Of(merge.table.GetColumns()), std::move(actions), place, merge.source_marker);
  write.children.push_back(rows);
  return write;
}

}  // namespace tarn::engine
