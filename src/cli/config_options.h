#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/status.h"
#include "delta/table_store.h"

namespace CLI {
class App;
}

namespace tarn::cli {

/// What was given as flags, by the key of the configuration.
using GivenKeys = std::map<std::string, std::string>;

/// Declares a flag for each key of the configuration that begins with `prefix`: --dynamodb-table for dynamodb.table.
/// `given` must outlive `app`.
void AddConfigOptions(CLI::App& app, std::string_view prefix, GivenKeys& given);

/// Which lake a command works on, or beside which tables.
struct LakeChoice {
  std::string uri;
  /// Of the keys dynamodb.*.
  GivenKeys entries;
};

/// Declares --lake and, for tables in S3, --dynamodb-table and its like. `choice` must outlive `app`.
void AddLakeOptions(CLI::App& app, const std::string& description, LakeChoice& choice);

/// What flags and variables of the keys dynamodb.* say. InvalidArgument names the one that is wrong.
Result<delta::EntryTable> EntryTableOf(const LakeChoice& choice);

}  // namespace tarn::cli
