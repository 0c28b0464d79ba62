#include "cli/any_table.h"

#include <utility>

#include "base/clock.h"
#include "base/environment.h"
#include "base/uri.h"
#include "delta/table_store.h"
#include "storage/stores.h"

namespace tarn::cli {
namespace {

/// A table that cannot be read is no table to a lake, so its folder is found by its name alone.
Result<std::shared_ptr<storage::ObjectStore>> OpenStoreOf(const LakeChoice& lake, const TableSettings& settings,
                                                          const std::string& table) {
  const Environment environment = ProcessEnvironment();
  const std::string& uri = IsPath(table) ? table : lake.uri;
  TARN_ASSIGN_OR_RETURN(auto roots, RootsFor(uri, settings));
  TARN_ASSIGN_OR_RETURN(auto store, delta::OpenTableStore(uri, settings.entries, environment));
  if (!IsPath(table)) {
    TARN_ASSIGN_OR_RETURN(const lake::TableName name, ParseTableName(table));
    roots.stores.push_back(store);
    const std::string folder = EncodePathPart(name.database) + "/" + EncodePathPart(name.table);
    store = storage::MakePrefixStore(std::move(store), folder);
  }
  return delta::MakeStoreWithRoots(std::move(store), std::move(roots));
}

}  // namespace

Result<lake::TableName> ParseTableName(const std::string& text) {
  const size_t dot = text.find('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == text.size()) {
    return Status::InvalidArgument("'" + text + "' is neither a DATABASE.TABLE nor a path with a '/'");
  }
  return lake::TableName{text.substr(0, dot), text.substr(dot + 1)};
}

Result<std::shared_ptr<const delta::Snapshot>> AnyTable::Load() const {
  auto snapshot = delta::LoadSnapshot(context);
  if (!snapshot.ok()) return snapshot.status().WithContext("'" + name + "'");
  return snapshot;
}

Result<AnyTable> OpenAnyTable(const LakeChoice& lake, const std::string& table) {
  AnyTable opened;
  opened.name = table;
  TARN_ASSIGN_OR_RETURN(TableSettings settings, TableSettingsOf(lake));
  TARN_ASSIGN_OR_RETURN(opened.context.store, OpenStoreOf(lake, settings, table));
  opened.context.partition_timezone = std::move(settings.partition_timezone);
  opened.random = std::make_unique<Random>(Random::FromSystem());
  opened.context.clock = &SystemClock();
  opened.context.random = opened.random.get();
  return opened;
}

}  // namespace tarn::cli
