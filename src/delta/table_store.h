#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/environment.h"
#include "base/status.h"
#include "storage/object_store.h"

namespace tarn::delta {

/// Where entries decide commits to tables in S3 (docs/storage.md): a table of DynamoDB in Spark's layout.
struct EntryTable {
  /// Empty: there are none, and commits are decided by the store's If-None-Match.
  std::string name;
  /// Where it is; as AWS's variables say when empty.
  std::string region;
  std::string endpoint;
  /// In entries, tables are called "<scheme>://bucket/folder", as the other writers call them.
  std::string scheme = "s3a";
};

/// storage::OpenStore for what tables are read from and committed to. `entries` matters for S3 alone. What a URL of a
/// web server names is one table, whose log is found by the names that its files have to have.
Result<std::shared_ptr<storage::ObjectStore>> OpenTableStore(std::string_view uri, const EntryTable& entries,
                                                             const Environment& environment);

}  // namespace tarn::delta
