#include "engine/parse_limits.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "duckdb/parser/parser.hpp"
#include "engine/exception_barrier.h"

namespace tarn::engine {
namespace {

std::string Repeated(const std::string& piece, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) text += piece;
  return text;
}

Status Checked(const std::string& sql) {
  return Guarded([&] { CheckSize(MeasureText(sql)); });
}

TEST(ParseLimitsTest, CountsWhatStandsOutsideOfTextsAndComments) {
  const TextSize size = MeasureText(
      "Begin; insert into \"a;b\" values ('x; or y', $$ ; or $$, e'\\'; or', $t$;$t$) -- ; or\n/* ; /* or */ */;; "
      "commit");
  EXPECT_EQ(size.statements, 3u);
  EXPECT_EQ(size.first_word, "begin");
  EXPECT_EQ(size.conditions, 0u);
  EXPECT_EQ(size.comments, 2u);
  EXPECT_TRUE(size.is_sure);
}

TEST(ParseLimitsTest, EachStatementHasItsOwnConditions) {
  EXPECT_EQ(MeasureText("select 1 or 2 and 3; select a OR b; select between_or and_").conditions, 2u);
}

TEST(ParseLimitsTest, RefusesWhatTheParserTakesTooLongFor) {
  for (const std::string& sql :
       {"select 1 " + Repeated("+-", 2000) + "1", "select 1" + Repeated(" or 1", 20'001),
        "select 1 " + Repeated("/**/", 1001), "select 1 " + Repeated("/*", 1001), "select 1" + Repeated(",1", 500'000),
        // Where it is not sure what is a text, texts count as well.
        "select 1e'" + Repeated("+-", 2000) + "'",
        "select \xc2\xa0"
        "e'\\'" +
            Repeated("+-", 2000)}) {
    EXPECT_EQ(Checked(sql).code(), StatusCode::kInvalidArgument) << sql.substr(0, 40);
  }
  for (const std::string& sql :
       {"select '" + Repeated("+-", 2000) + "' --" + Repeated("-", 2000) + "\n/" + Repeated("*", 2000) + "/",
        "select 1" + Repeated(" or 1", 20'000), "select '" + Repeated("/**/", 1001) + "'",
        "select '" + Repeated(" or 1", 20'001) + "'", Repeated("select 1 or 1;", 20'001)}) {
    EXPECT_TRUE(Checked(sql).ok()) << sql.substr(0, 40) << " " << Checked(sql).ToString();
  }
}

TEST(ParseLimitsTest, OnlyLongStatementsHaveAnAccount) {
  EXPECT_EQ(TreeBytes(MeasureText("select 1")), 0);
  EXPECT_GE(TreeBytes(MeasureText("select 1" + Repeated(",1", 10'000))), 20'000 * 100);
}

/// The statements of a text by DuckDB's own tokens.
size_t StatementsOf(const std::string& sql, const duckdb::vector<duckdb::SimplifiedToken>& tokens) {
  size_t statements = 0;
  bool in_statement = false;
  for (const duckdb::SimplifiedToken& token : tokens) {
    if (token.type == duckdb::SimplifiedTokenType::SIMPLIFIED_TOKEN_COMMENT) continue;
    const bool ends = sql[token.start] == ';';
    if (!ends && !in_statement) ++statements;
    in_statement = !ends;
  }
  return statements;
}

TEST(ParseLimitsTest, TextsEndWhereTheParserSays) {
  const std::vector<std::string> pieces = {"'",        "'", "\"", "\\", "\\'",  "e'", "E",  "e",   "$",    "$$",
                                           "$a$",      "a", "1",  ".",  " ",    "\n", ";",  ";",   "--",   "/*",
                                           "*/",       "-", "+",  "/",  "*",    "x'", "b'", "u&'", "U&\"", "\xc2\xa0",
                                           "\xc3\xa4", "_", "(",  "1e", "0x1f", "?",  "@",  "\r",  "\t",   "''"};
  Random random(20261122);
  size_t sure = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string sql;
    const size_t length = 1 + random.Below(12);
    for (size_t i = 0; i < length; ++i) sql += pieces[random.Below(pieces.size())];
    // What follows counts where the text before it has ended.
    sql += "\n;z";
    const TextSize size = MeasureText(sql);
    const auto tokens = duckdb::Parser::Tokenize(sql);
    // The parser breaks off where a text does not end or has an escape that there is not.
    if (!size.is_sure || tokens.empty() || tokens.back().start + 1 != sql.size()) continue;
    ++sure;
    ASSERT_EQ(size.statements, StatementsOf(sql, tokens)) << ::testing::PrintToString(sql);
  }
  EXPECT_GT(sure, 50'000u);
}

}  // namespace
}  // namespace tarn::engine
