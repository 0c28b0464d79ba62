#include "engine/property_names.h"

#include <string_view>
#include <utility>
#include <vector>

#include "duckdb/common/string_util.hpp"
#include "duckdb/parser/parsed_data/alter_table_info.hpp"
#include "engine/sql_words.h"

namespace tarn::engine {
namespace {

/// The first word of each item in the parentheses behind `keyword`, or the last of several that points join.
std::vector<std::string> NamesBehind(const std::string& sql, std::string_view keyword) {
  const std::vector<SqlWord> words = WordsOf(sql);
  size_t at = 0;
  while (at + 1 < words.size() && !(words[at].Is(keyword) && words[at + 1].Is("("))) ++at;
  std::vector<std::string> names;
  int depth = 0;
  bool begins = false;
  for (++at; at < words.size(); ++at) {
    const SqlWord& word = words[at];
    if (word.Is(")") && --depth == 0) break;
    if (word.Is("(")) ++depth;
    if (begins && !word.Is(".")) names.push_back(word.text);
    if (begins && word.Is(".") && !names.empty()) names.pop_back();
    begins = depth == 1 && (word.Is("(") || word.Is(",") || word.Is(".") ||
                            (begins && at + 1 < words.size() && words[at + 1].Is(".")));
  }
  return names;
}

using Options = duckdb::case_insensitive_map_t<duckdb::unique_ptr<duckdb::ParsedExpression>>;

void Rename(const std::vector<std::string>& names, Options& options) {
  for (const std::string& name : names) {
    const auto found = options.find(name);
    if (found == options.end()) continue;
    auto value = std::move(found->second);
    options.erase(found);
    options.emplace(name, std::move(value));
  }
}

}  // namespace

void RestorePropertyNames(const std::string& sql, duckdb::CreateTableInfo& table) {
  if (!table.options.empty()) Rename(NamesBehind(sql, "with"), table.options);
}

void RestorePropertyNames(const std::string& sql, duckdb::AlterInfo& info) {
  if (info.type != duckdb::AlterType::ALTER_TABLE) return;
  switch (info.Cast<duckdb::AlterTableInfo>().alter_table_type) {
    case duckdb::AlterTableType::SET_TABLE_OPTIONS:
      return Rename(NamesBehind(sql, "set"), info.Cast<duckdb::SetTableOptionsInfo>().table_options);
    case duckdb::AlterTableType::RESET_TABLE_OPTIONS: {
      auto& names = info.Cast<duckdb::ResetTableOptionsInfo>().table_options;
      for (const std::string& name : NamesBehind(sql, "reset")) {
        if (names.erase(name) > 0) names.insert(name);
      }
      return;
    }
    default:
      return;
  }
}

}  // namespace tarn::engine
