#include "engine/text_functions.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "duckdb.hpp"
#include "engine/testing/query_fixture.h"

namespace tarn::engine {
namespace {

using Alphabet = std::vector<std::string>;

/// DuckDB as it is beside DuckDB with our matcher, over the same random texts and patterns.
class TextDifferentialTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ReplaceTextMatching(*replaced_.instance);
    for (duckdb::Connection* each : {&theirs_, &ours_}) Run(*each, "create table t (s varchar, p varchar, e varchar)");
  }

  static duckdb::unique_ptr<duckdb::MaterializedQueryResult> Run(duckdb::Connection& connection,
                                                                 const std::string& sql) {
    auto result = connection.Query(sql);
    EXPECT_FALSE(result->HasError()) << sql << ": " << result->GetError();
    return result;
  }

  std::string AnyText(const Alphabet& alphabet, size_t max_length) {
    std::string text;
    const size_t length = random_.Below(max_length + 1);
    for (size_t i = 0; i < length; ++i) text += alphabet[random_.Below(alphabet.size())];
    return text;
  }

  void Fill(const Alphabet& of_texts, const Alphabet& of_patterns, const Alphabet& escapes) {
    duckdb::Appender theirs(theirs_, "t");
    duckdb::Appender ours(ours_, "t");
    for (int i = 0; i < kRows; ++i) {
      const std::string text = AnyText(of_texts, 9);
      const std::string pattern = AnyText(of_patterns, 7);
      const std::string& escape = escapes[random_.Below(escapes.size())];
      for (duckdb::Appender* each : {&theirs, &ours}) {
        each->AppendRow(duckdb::Value(text), duckdb::Value(pattern), duckdb::Value(escape));
      }
    }
  }

  void ExpectSame(const std::string& condition) {
    // A pattern that ends with its escape may be an error, which ends a query: those are compared one by one.
    const std::string ends_with_escape = "lower(right(p, 1)) in ('', lower(e), chr(0))";
    const std::string sql = "select s, p, e, " + condition + " as found from (select * from t where not " +
                            ends_with_escape + " order by rowid) as t";
    auto expected = Run(theirs_, sql);
    auto actual = Run(ours_, sql);
    ASSERT_EQ(actual->RowCount(), expected->RowCount());
    size_t found = 0;
    for (duckdb::idx_t row = 0; row < expected->RowCount(); ++row) {
      const bool value = expected->GetValue(3, row).GetValue<bool>();
      found += value ? 1 : 0;
      ASSERT_EQ(actual->GetValue(3, row).GetValue<bool>(), value)
          << condition << " of '" << expected->GetValue(0, row).ToString() << "', '"
          << expected->GetValue(1, row).ToString() << "', '" << expected->GetValue(2, row).ToString() << "'";
    }
    EXPECT_GT(found, expected->RowCount() / 100) << condition << ": nothing is shown when nearly nothing matches";
    auto rest = Run(theirs_, "select rowid from t where " + ends_with_escape + " limit 100");
    for (duckdb::idx_t row = 0; row < rest->RowCount(); ++row) {
      const std::string one =
          "select s, p, e, " + condition + " from t where rowid = " + rest->GetValue(0, row).ToString();
      auto theirs = theirs_.Query(one);
      auto ours = ours_.Query(one);
      ASSERT_EQ(ours->ToString(), theirs->ToString()) << condition;
    }
  }

  static constexpr int kRows = 20'000;
  Random random_{7};
  duckdb::DuckDB original_{nullptr};
  duckdb::DuckDB replaced_{nullptr};
  duckdb::Connection theirs_{original_};
  duckdb::Connection ours_{replaced_};
};

TEST_F(TextDifferentialTest, Like) {
  Fill({"a", "b", "ä", "€", "%", "A", "!"}, {"a", "b", "ä", "€", "%", "%", "%", "_", "_", "!", "A"},
       {"!", "", "%", "_", "a"});
  for (const char* condition : {"s like p", "s not like p", "s ilike p", "s not ilike p", "s like p escape e",
                                "s not like p escape e", "s ilike p escape e", "s not ilike p escape e"}) {
    ExpectSame(condition);
  }
}

TEST_F(TextDifferentialTest, LikeOfAsciiAndOfTheByteZero) {
  const std::string zero(1, '\0');
  Fill({"a", "b", "B", "A", "c"}, {"a", "B", "%", "%", "_", "C"}, {"x"});
  ExpectSame("s ilike p");
  ExpectSame("s not ilike p");
  Fill({"a", "Ä", zero}, {"a", "ä", "%", "_", zero}, {"", zero});
  for (const char* condition : {"s like p", "s ilike p", "s like p escape e", "s ilike p escape e"}) {
    ExpectSame(condition);
  }
}

TEST_F(TextDifferentialTest, Glob) {
  Fill({"a", "b", "c", "ä", "[", "]", "-", "\\"},
       {"a", "b", "ä", "*", "*", "*", "?", "?", "[", "[", "]", "]", "-", "!", "\\", "[a-c]", "[!b]"}, {""});
  ExpectSame("s glob p");
  ExpectSame("not (s glob p)");
}

TEST_F(TextDifferentialTest, ConstantPatterns) {
  Fill({"a", "b", "ä", "."}, {""}, {""});
  for (int i = 0; i < 60; ++i) {
    const std::string pattern = "'" + AnyText({"a", "b", "ä", "%", "%", "_"}, 6) + "'";
    const std::string regexp = "'" + AnyText({"a", "b", "\\.", "^", "$", "[^b]"}, 5) + "'";
    for (const std::string& condition :
         {"s like " + pattern, "s not like " + pattern, "s ilike " + pattern, "s like rpad(" + pattern + ", 70, '%')",
          "regexp_matches(s, " + regexp + ")", "regexp_matches(s, " + regexp + ", 's')"}) {
      const std::string sql = "select count(*), sum(hash(s)) from t where " + condition;
      EXPECT_EQ(Run(ours_, sql)->ToString(), Run(theirs_, sql)->ToString()) << condition;
    }
  }
}

/// DuckDB makes LIKE of constant ones, which ignores an anchor in the middle; but not within a lambda.
TEST_F(TextDifferentialTest, ConstantRegularExpressionsWithADot) {
  Fill({"a", "b", "ä", ".", "\n"}, {""}, {""});
  for (int i = 0; i < 60; ++i) {
    const Alphabet parts = {"a", "b", ".", ".*", "\\.", "^", "$", "[^b]"};
    const std::string regexp = "'" + AnyText(parts, 3) + ".*" + AnyText(parts, 3) + "'";
    for (const char* options : {"", ", 's'", ", 'i'"}) {
      const std::string begin = "select count(*), sum(hash(s)) from t where ";
      const std::string matches = "regexp_matches(s, " + regexp + options + ")";
      EXPECT_EQ(Run(ours_, begin + matches)->ToString(),
                Run(theirs_, begin + "list_transform([s], lambda s: " + matches + ")[1]")->ToString())
          << matches;
    }
  }
}

TEST_F(TextDifferentialTest, KeepsTheFastWays) {
  Fill({"a"}, {"a"}, {""});
  for (const char* condition :
       {"s like '%abc%'", "s like 'abc%'", "s like '%abc'", "s like 'abc'", "s not like '%abc%'",
        "regexp_matches(s, 'abc')", "regexp_matches(s, '^abc')", "s like '%a%b%'"}) {
    const std::string sql = std::string("explain select count(*) from t where ") + condition;
    EXPECT_EQ(Run(ours_, sql)->GetValue(1, 0).ToString(), Run(theirs_, sql)->GetValue(1, 0).ToString());
  }
}

class TextMatchingTest : public QueryFixture {
 protected:
  void SetUp() override { Open(Options()); }
};

TEST_F(TextMatchingTest, WildcardsDoNotMultiply) {
  for (const char* condition : {
           "repeat('a', 100) glob '*a*a*a*a*a*a*a*a*a*b'",
           "repeat('a', 1000 + range) glob repeat('*a', 30) || '*b'",
           "repeat('a', 200) like '%_a%_a%_a%_a%_a%_a%_a%_a%_b'",
           "repeat('a', 1000 + range) like repeat('%a', 30) || '%b'",
           "repeat('a', 1000 + range) ilike repeat('%A', 30) || '%b'",
           "repeat('ä', 1000 + range) ilike repeat('%Ä', 30) || '%b'",
           "repeat('a', 1000 + range) like repeat('%a', 30) || '%!b' escape '!'",
           "repeat('a', 1000 + range) ilike repeat('%a', 30) || '%!b' escape '!'",
           "not repeat('a', 1000 + range) not like repeat('%a', 30) || '%b'",
           "not repeat('a', 1000 + range) not ilike repeat('%a', 30) || '%b'",
           "not repeat('a', 1000 + range) not like repeat('%a', 30) || '%!b' escape '!'",
           "not repeat('a', 1000 + range) not ilike repeat('%a', 30) || '%!b' escape '!'",
           "regexp_matches(repeat('a', 1000), repeat('a.*', 30) || 'b')",
           "regexp_matches(repeat('a', 1000 + range), 'a.*a.*a.*a.*a.*a.*a.*a.*b', 's')",
           "regexp_matches(repeat('a', 1000 + range), 'a[\\s\\S]*a[\\s\\S]*a[\\s\\S]*a[\\s\\S]*a[\\s\\S]*b')",
           "regexp_matches(repeat('a', 1000 + range), 'a(?s:\\C*)a\\C*a\\C*a\\C*a\\C*a\\C*b')",
           "repeat('a', 5000000 + range) like '%' || repeat('a', 60000) || 'b' || '%'",
           "list_contains(list_transform([repeat('a', 1000 + range)], x -> x like '%a%a%a%a%a%a%a%a%_b'), true)",
       }) {
    QueryRequest request;
    request.sql = std::string("select ") + condition + " from range(3)";
    request.limits.timeout_micros = 60'000'000;
    auto answer = Query(request);
    ASSERT_TRUE(answer.ok()) << condition << ": " << answer.status().ToString();
    EXPECT_EQ(FirstValue(*answer), "false") << condition;
  }
}

TEST_F(TextMatchingTest, LongCallsInSlicesGiveWhatOneCallGives) {
  EXPECT_EQ(Value("select list(levenshtein(repeat('a', 10000 + range), repeat('a', if(range = 2, null, 10000))))"
                  "::varchar from range(5)"),
            "[0, 1, NULL, 3, 4]");
  EXPECT_EQ(
      Value("select list(list_distinct(list_resize([range], 600000, range)))::varchar from range(5) where range != 2"),
      "[[0], [1], [3], [4]]");
  EXPECT_EQ(
      Value("select list(list_aggregate(list_resize([range], 600000, 7 + range), 'mode'))::varchar from range(4)"),
      "[7, 8, 9, 10]");
  EXPECT_EQ(Value("select list(regexp_replace(repeat('ab', 4000000), '(ab)+', 'c' || range))::varchar from range(3)"),
            "[c0, c1, c2]");
  EXPECT_EQ(Value("select count(*) from range(1000) where list_aggregate(range(600000), 'median') = 299999.5"), "1000");
}

TEST_F(TextMatchingTest, ATimeoutEndsTheLongestMatch) {
  for (const char* sql : {
           "select repeat('a', 16000000 + range) like '%' || repeat('a', 8000000 + range) || '_b' from range(1)",
           "select repeat('a', 16000000 + range) ilike '%' || repeat('A', 8000000 + range) || '_b' from range(1)",
           "select repeat('a', 16000000 + range) glob '*' || repeat('a', 8000000 + range) || '?b' from range(1)",
           "select repeat('a', 60000000) like '%' || repeat('a', 60000) || '_b'",
           "select list_reduce(range(1000000), (a, x) -> a + levenshtein(repeat('a', 10000), repeat('b', 10000)))",
           "select max(list_reduce(range(1, 1000000), (a, b) -> (a * 31 + b) % 1000003)) from range(1000)",
           "select sum(levenshtein(repeat('a', 4000) || range, repeat('b', 4000))) from range(2000)",
           "select sum(regexp_matches(repeat('a', 100000 + range % 9), repeat('(a?)', 99) || 'b')::int) from "
           "range(200000)",
           "select sum(list_aggregate(list_transform(range(10000), x -> x + range), 'entropy')) from range(2000)",
           "select sum(len(list_distinct(list_transform(range(10000), x -> x + range)))) from range(2000)",
       }) {
    QueryRequest request;
    request.sql = sql;
    request.limits.timeout_micros = 300'000;
    EXPECT_EQ(Query(request).status().code(), StatusCode::kDeadlineExceeded) << sql;
  }
}

}  // namespace
}  // namespace tarn::engine
