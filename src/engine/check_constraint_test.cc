// CHECK constraints by SQL, as the table keeps them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/testing/lake_write_fixture.h"

namespace tarn::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class CheckConstraintTest : public LakeWriteTest {
 protected:
  /// The text that a constraint is stored as, or why it is not.
  std::string Stored(const std::string& condition) {
    ++tables_;
    const std::string name = "c" + std::to_string(tables_);
    const auto made = Run("create table db." + name +
                          " (i int, l bigint, d double, f float, t varchar, b boolean, day date, at_time timestamptz, "
                          "price decimal(10,2), place struct(zip varchar, code int), "
                          "\"odd name\" int, tags varchar[], constraint the_rule check (" +
                          condition + ")) with ('delta.columnMapping.mode' = 'name')");
    if (!made.ok()) return made.status().ToString();
    return Latest(name)->metadata().configuration.at("delta.constraints.the_rule");
  }

  int tables_ = 0;
};

TEST_F(CheckConstraintTest, IsStoredInSparksWords) {
  EXPECT_EQ(Stored("i > 0"), "i > 0");
  EXPECT_EQ(Stored("I <> 5 and (l = 7 or not b)"), "(i <> 5) AND ((l = 7) OR (NOT b))");
  EXPECT_EQ(Stored("\"odd name\" in (1, -2, null)"), "`odd name` IN (1, -2, NULL)");
  EXPECT_EQ(Stored("t not in ('a\"b', 'c`d')"), "t NOT IN ('a\"b', 'c`d')");
  EXPECT_EQ(Stored("(place).zip is not null and (place).code between 1 and 99"),
            "(place.zip IS NOT NULL) AND (place.code BETWEEN 1 AND 99)");
  // As the table spells its columns, for readers to whom the case of letters matters.
  EXPECT_EQ(Stored("(PLACE).Zip = 'Zip' and upper(T) = 'T' and (Place).CODE > \"Odd NAME\""),
            "(place.zip = 'Zip') AND (upper(t) = 'T') AND (place.code > `odd name`)");
  EXPECT_EQ(Stored("d >= 1.5 and d < 1e3 and d is distinct from 7"), "(d >= 1.5) AND (d < 1e+03) AND (NOT (d <=> 7))");
  EXPECT_EQ(Stored("day > date '2024-01-31' or day = '2000-01-01'"),
            "(day > DATE '2024-01-31') OR (day = '2000-01-01')");
  EXPECT_EQ(Stored("t like 'a%_' and t not like '%z'"), "(t LIKE 'a%_') AND (t NOT LIKE '%z')");
  EXPECT_EQ(Stored("price * 2 - 1 > -price + 0.5"), "((price * 2) - 1) > ((- price) + 0.5)");
  EXPECT_EQ(Stored("case when b then length(t) > 2 else upper(t) = 'X' end"),
            "CASE WHEN b THEN length(t) > 2 ELSE upper(t) = 'X' END");
  EXPECT_EQ(Stored("coalesce(i, abs(l), 5) = 5 and year(day) > 2000 and b = true"),
            "(coalesce(i, abs(l), 5) = 5) AND (year(day) > 2000) AND (b = TRUE)");
  EXPECT_EQ(Stored("b is true and (b is not false) is not true"), "(b IS TRUE) AND ((b IS NOT FALSE) IS NOT TRUE)");
  EXPECT_EQ(Stored("(i > 0) is false or b is unknown"), "((i > 0) IS FALSE) OR (b IS NULL)");
}

TEST_F(CheckConstraintTest, WhatSparkMeansAnotherThingByIsRefused) {
  for (const char* condition : {"i / 2 > 1",
                                "i // 2 > 1",
                                "i % 2 = 0",
                                "d ^ 2 > 1",
                                "i::varchar = '5'",
                                "cast(d as int) = 5",
                                "trim(t) = 'a'",
                                "isnan(d)",
                                "t || 'x' = 'ax'",
                                "t like 'a\\%'",
                                "t ilike 'a'",
                                "regexp_matches(t, 'a')",
                                "t similar to 'a'",
                                "f = 0.1",
                                "strlen(t) = 3",
                                "len(tags) > 1",
                                "at_time > timestamp '2024-01-01'",
                                "'a' in tags",
                                "i & 1 = 1",
                                "i is true",
                                "t is not false",
                                "round(d) = 1",
                                "try_cast(t as int) = 1",
                                "place = {'zip': 'a', 'code': 1}",
                                "i > (select 1)",
                                "d > 'NaN'::double",
                                "t collate nocase = 'a'",
                                "list_contains(tags, 'a')",
                                "t < 'b' = b",
                                "i = '5'",
                                "unknown_function(i) > 1"}) {
    const std::string stored = Stored(condition);
    EXPECT_THAT(stored, ::testing::AnyOf(StartsWith("Unsupported: "), StartsWith("InvalidArgument: "),
                                         StartsWith("NotFound: Scalar Function")))
        << condition;
    EXPECT_EQ(Latest("c" + std::to_string(tables_)), nullptr) << condition;
  }
  EXPECT_THAT(Stored("i / 2 > 1"), HasSubstr("the constraint the_rule: (i / 2) in a constraint: Spark"));
}

TEST_F(CheckConstraintTest, NewRowsKeepThemAndNullsDoNot) {
  EXPECT_EQ(
      Value("create table db.k (a int check (a > 0), b int, /* constraint no */ CONSTRAINT \"Order\" check (b >= a), "
            "check (b < 100))"),
      "(no rows)");
  const auto& properties = Latest("k")->metadata().configuration;
  EXPECT_EQ(properties, (std::map<std::string, std::string>{{"delta.constraints.check_1", "a > 0"},
                                                            {"delta.constraints.check_2", "b < 100"},
                                                            {"delta.constraints.order", "b >= a"}}));
  EXPECT_EQ(Latest("k")->protocol().min_writer_version, 3);
  EXPECT_EQ(Latest("k")->protocol().min_reader_version, 1);
  EXPECT_EQ(Value("insert into db.k values (1, 2), (3, 3)"), "2");
  EXPECT_THAT(Value("insert into db.k values (1, 2), (5, 4)"), HasSubstr("the CHECK constraint order (b >= a)"));
  EXPECT_THAT(Value("insert into db.k values (1, null)"), StartsWith("InvalidArgument: "));
  EXPECT_THAT(Value("update db.k set a = a - 1"), HasSubstr("the CHECK constraint check_1 (a > 0)"));
  EXPECT_THAT(Value("create table db.n (a int, constraint x check (a > 0), constraint X check (a < 5))"),
              StartsWith("AlreadyExists: "));
}

TEST_F(CheckConstraintTest, AnEmptyTextThatPartitionsTheTableIsNull) {
  ASSERT_EQ(Value("create table db.e (id varchar, p varchar, check (p = '' or p = 'a')) partitioned by (p)"),
            "(no rows)");
  EXPECT_THAT(Value("insert into db.e values ('1', '')"), HasSubstr("p = null"));
  EXPECT_THAT(Value("merge into db.e using (select '' as p) s on false when not matched then insert (p) values (s.p)"),
              HasSubstr("p = null"));
  ASSERT_EQ(Value("alter table db.e drop constraint check_1"), "(no rows)");
  EXPECT_EQ(Value("insert into db.e select x, x from (values ('')) v(x) returning p is null and id = ''"), "true");
  EXPECT_EQ(Value("update db.e set p = 'a' returning p"), "a");
  EXPECT_EQ(Value("update db.e set p = '' returning p is null"), "true");
  EXPECT_EQ(Value("select p is null and id = '' from db.e"), "true");
}

TEST_F(CheckConstraintTest, WithoutANameTakesTheNextFreeOne) {
  EXPECT_EQ(Value("create table db.k (a int check (a > 0), check (a > 1), constraint Check_1 check (a > 2), "
                  "constraint other check (a > 3), constraint check_3 check (a > 4), check (a > 5))"),
            "(no rows)");
  EXPECT_EQ(Value("alter table db.k add check (a > 6)"), "(no rows)");
  EXPECT_EQ(Latest("k")->metadata().configuration,
            (std::map<std::string, std::string>{{"delta.constraints.check_1", "a > 2"},
                                                {"delta.constraints.check_2", "a > 0"},
                                                {"delta.constraints.check_3", "a > 4"},
                                                {"delta.constraints.check_4", "a > 1"},
                                                {"delta.constraints.check_5", "a > 5"},
                                                {"delta.constraints.check_6", "a > 6"},
                                                {"delta.constraints.other", "a > 3"}}));
}

// A text beside a time is one of the session's zone in Spark, and of UTC here.
TEST_F(CheckConstraintTest, OfTimesAreRefused) {
  for (const char* condition : {"ts > '2020-01-01'", "ts > day", "year(ts) = 2020"}) {
    EXPECT_THAT(Value(std::string("create table db.times (ts timestamptz, day date, "
                                  "check (") +
                      condition + "))"),
                StartsWith("Unsupported: "))
        << condition;
  }
  EXPECT_EQ(Value("create table db.times (ts timestamptz, day date, check (day > '2020-01-01'))"), "(no rows)");
}

TEST_F(CheckConstraintTest, AreAddedAndDropped) {
  MakeTable();
  EXPECT_THAT(Value("alter table db.t add constraint named check (name is not null)"), HasSubstr("cannot be added"));
  EXPECT_EQ(Value("alter table db.t add constraint positive check (id > 0);"), "(no rows)");
  EXPECT_EQ(Value("ALTER TABLE IF EXISTS db.\"t\" ADD CHECK (id < 1000 or name = 'check (') -- behind it"),
            "(no rows)");
  EXPECT_EQ(Latest()->metadata().configuration.at("delta.constraints.positive"), "id > 0");
  EXPECT_EQ(Latest()->metadata().configuration.at("delta.constraints.check_1"), "(id < 1000) OR (name = 'check (')");
  EXPECT_THAT(Value("insert into db.t values (0, 'x', null)"), HasSubstr("positive"));
  EXPECT_EQ(Value("alter table db.t drop constraint POSITIVE"), "(no rows)");
  EXPECT_EQ(Value("alter table db.t drop constraint if exists positive"), "(no rows)");
  EXPECT_THAT(Value("alter table db.t drop constraint positive"), StartsWith("NotFound: "));
  EXPECT_EQ(Value("insert into db.t values (0, 'x', null)"), "1");
  const int64_t version = Latest()->version();
  for (const char* sql :
       {"alter table db.t add constraint a check (getenv('HOME') = name)",
        "alter table db.t add check (id > 0), (id < 9)", "alter table db.t add check (id > 0); delete from db.t",
        "alter table db.t add constraint check", "alter table db.t add constraint a primary key (id)",
        "alter table db.t drop constraint", "alter table db.t add check (missing > 0)",
        "alter table system.tables add check (version > 0)", "alter table db.t add check (id / 2 > 0)",
        "explain alter table db.t add check (id > 0"}) {
    EXPECT_FALSE(Run(sql).ok()) << sql;
  }
  EXPECT_EQ(Latest()->version(), version);
  Open({});
  EXPECT_THAT(Value("alter table db.t add check (id > 0)"), StartsWith("PermissionDenied: "));
}

TEST_F(CheckConstraintTest, ErrorsSayWhatIsWrongAndWhere) {
  MakeTable();
  const auto at = [](const std::string& sql, const std::string& word) {
    return "(at byte " + std::to_string(sql.find(word)) + ")";
  };
  for (const std::string key : {"unique (id)", "foreign key (id) references db.u (id)"}) {
    for (const std::string name : {"", "constraint u "}) {
      const std::string sql = "alter table db.t add " + name + key;
      EXPECT_THAT(Value(sql),
                  StartsWith("Unsupported: ALTER TABLE: the constraints of a Delta table are CHECK and NOT"));
      EXPECT_THAT(Value(sql), HasSubstr(at(sql, key))) << sql;
    }
  }
  EXPECT_THAT(Value("alter table db.t add primary key (id)"), HasSubstr("the constraints of a Delta table are CHECK"));
  for (const std::string sql :
       {"alter table db.t add check (id > 0); select 1", "select 1; alter table db.t add constraint c check (id > 0)",
        "alter table db.t add check (id > 0); alter table db.t drop constraint c"}) {
    EXPECT_THAT(Value(sql), StartsWith("PermissionDenied: only one statement is allowed per request")) << sql;
  }
  struct Case {
    std::string sql;
    std::string wrong;
  };
  for (const auto& [sql, wrong] : std::vector<Case>{{"alter table db.t add constraint c check (id > 0) valid", "valid"},
                                                    {"alter table db.t add check (id > 0), (id < 9)", "(id < 9"},
                                                    {"alter table db.t\n add constraint c\n check (id > )", ")"},
                                                    {"alter table db.t add check (id > 0) where 1", "where"},
                                                    {"alter table db.t drop constraint c c2", "c2"},
                                                    {"alter table add check (id > 0)", "check"}}) {
    EXPECT_THAT(Value(sql), StartsWith("InvalidArgument: syntax error")) << sql;
    EXPECT_THAT(Value(sql), HasSubstr(at(sql, wrong))) << sql;
  }
  EXPECT_TRUE(Run("explain alter table db.t add constraint c check (id > 0)").ok());
  EXPECT_EQ(Latest()->metadata().configuration.size(), 0U);
}

}  // namespace
}  // namespace tarn::engine
