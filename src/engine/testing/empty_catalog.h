#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lake/table_view.h"

namespace tarn::engine {

/// A lake without tables, for tests of what does not need any.
class EmptyCatalog final : public lake::TableCatalog {
 public:
  Result<std::vector<std::string>> ListDatabases() override { return std::vector<std::string>(); }
  Result<std::vector<std::string>> ListTables(const std::string& database) override {
    return Status::NotFound("no database " + database);
  }
  Result<std::shared_ptr<const lake::TableView>> Pin(const lake::TableName& name,
                                                     const std::optional<lake::AsOf>&) override {
    return Status::NotFound("no table " + name.ToString());
  }
};

}  // namespace tarn::engine
