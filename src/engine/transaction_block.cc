#include "engine/transaction_block.h"

#include <algorithm>
#include <utility>

namespace tarn::engine {

Result<lake::TableForChange> TransactionBlock::Pin(const lake::TableName& name) {
  const auto as_changed = [](lake::TableForChange table) {
    auto view = std::make_shared<lake::TableView>(*table.view);
    view->snapshot = table.draft->snapshot();
    table.view = std::move(view);
    return table;
  };
  {
    MutexLock lock(mutex_);
    const auto found = pinned_.find(name);
    if (found != pinned_.end()) return as_changed(found->second);
  }
  TARN_ASSIGN_OR_RETURN(lake::TableForChange table, catalog_.PinForChange(name));
  table.draft = std::make_shared<delta::TableDraft>(table.context, table.view->snapshot);
  MutexLock lock(mutex_);
  for (const auto& [used, known] : pinned_) {
    if (known.view->name == table.view->name) return as_changed(pinned_.emplace(name, known).first->second);
  }
  return as_changed(pinned_.emplace(name, std::move(table)).first->second);
}

std::vector<lake::TableForChange> TransactionBlock::Changed() const {
  MutexLock lock(mutex_);
  std::vector<lake::TableForChange> changed;
  for (const auto& [name, table] : pinned_) {
    const bool is_known =
        std::any_of(changed.begin(), changed.end(), [&](const auto& known) { return known.draft == table.draft; });
    if (table.draft->changes() > 0 && !is_known) changed.push_back(table);
  }
  return changed;
}

Status TransactionBlock::CheckOneTable() const {
  const auto changed = Changed();
  if (changed.size() < 2) return Status::Ok();
  return Status::InvalidArgument("the statements between BEGIN and COMMIT change one table, not " +
                                 changed[0].view->name.ToString() + " and " + changed[1].view->name.ToString());
}

Status TransactionBlock::Commit() {
  TARN_RETURN_NOT_OK(CheckOneTable());
  for (const auto& table : Changed()) {
    TARN_ASSIGN_OR_RETURN(const auto snapshot, table.draft->Commit());
    if (snapshot != nullptr) catalog_.NoteCommit(table.view->name, snapshot);
  }
  return Status::Ok();
}

}  // namespace tarn::engine
