#include "cli/any_table.h"

#include <utility>

#include "base/clock.h"
#include "base/uri.h"
#include "storage/stores.h"

namespace tarn::cli {
namespace {

/// A table that cannot be read is no table to a lake, so its folder is found by its name alone.
Result<std::shared_ptr<storage::ObjectStore>> OpenTableStore(const std::string& lake, const std::string& table) {
  if (table.find('/') != std::string::npos) return storage::OpenStore(table);
  const size_t dot = table.find('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == table.size()) {
    return Status::InvalidArgument("'" + table + "' is neither a DATABASE.TABLE nor a path with a '/'");
  }
  TARN_ASSIGN_OR_RETURN(auto store, storage::OpenStore(lake));
  return storage::MakePrefixStore(std::move(store),
                                  EncodePathPart(table.substr(0, dot)) + "/" + EncodePathPart(table.substr(dot + 1)));
}

}  // namespace

Result<AnyTable> OpenAnyTable(const std::string& lake, const std::string& table) {
  AnyTable opened;
  TARN_ASSIGN_OR_RETURN(opened.context.store, OpenTableStore(lake, table));
  opened.random = std::make_unique<Random>(Random::FromSystem());
  opened.context.clock = &SystemClock();
  opened.context.random = opened.random.get();
  return opened;
}

}  // namespace tarn::cli
