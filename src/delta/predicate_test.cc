#include "delta/predicate.h"

#include <arrow/type.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "delta/files/statistics.h"

namespace tarn::delta {
namespace {

using Op = Predicate::Op;
using columnar::Value;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

ColumnBounds Ints(int64_t min, int64_t max, int64_t nulls = 0) {
  ColumnBounds bounds;
  bounds.min = min;
  bounds.max = max;
  bounds.null_count = nulls;
  return bounds;
}

bool May(const Predicate& predicate, const ColumnBounds& bounds, int64_t records = 10) {
  return MayMatch(predicate, records, [&](int) { return bounds; }) == Truth::kMaybe;
}

Predicate Leaf(Op op, Value value) { return Predicate::Compare(op, 0, std::move(value)); }
Predicate Not(Predicate child) { return {Op::kNot, -1, {}, {std::move(child)}}; }

TEST(PredicateTest, ComparisonsExcludeByBounds) {
  const ColumnBounds bounds = Ints(10, 20);
  EXPECT_FALSE(May(Leaf(Op::kEq, int64_t{9}), bounds));
  EXPECT_TRUE(May(Leaf(Op::kEq, int64_t{10}), bounds));
  EXPECT_TRUE(May(Leaf(Op::kEq, int64_t{20}), bounds));
  EXPECT_FALSE(May(Leaf(Op::kEq, int64_t{21}), bounds));
  EXPECT_FALSE(May(Leaf(Op::kLt, int64_t{10}), bounds));
  EXPECT_TRUE(May(Leaf(Op::kLe, int64_t{10}), bounds));
  EXPECT_FALSE(May(Leaf(Op::kGt, int64_t{20}), bounds));
  EXPECT_TRUE(May(Leaf(Op::kGe, int64_t{20}), bounds));
  EXPECT_TRUE(May(Leaf(Op::kNe, int64_t{10}), bounds));
  EXPECT_FALSE(May(Leaf(Op::kNe, int64_t{5}), Ints(5, 5)));
  EXPECT_TRUE(May(Not(Leaf(Op::kNe, int64_t{5})), Ints(5, 5)));
  EXPECT_FALSE(May(Not(Leaf(Op::kGe, int64_t{10})), bounds));
}

TEST(PredicateTest, UnknownFactsKeepTheFile) {
  const ColumnBounds unknown;
  for (const Op op : {Op::kEq, Op::kNe, Op::kLt, Op::kLe, Op::kGt, Op::kGe}) {
    EXPECT_TRUE(May(Leaf(op, int64_t{1}), unknown, -1));
  }
  EXPECT_TRUE(May({Op::kIsNull, 0, {}, {}}, unknown, -1));
  EXPECT_TRUE(May({Op::kIsNotNull, 0, {}, {}}, unknown, -1));
  // Bounds of another kind than the literal.
  EXPECT_TRUE(May(Leaf(Op::kEq, std::string("x")), Ints(1, 2)));
}

TEST(PredicateTest, NullsNeverMatchComparisons) {
  const ColumnBounds all_null = [] {
    ColumnBounds bounds;
    bounds.null_count = 10;
    return bounds;
  }();
  EXPECT_FALSE(May(Leaf(Op::kNe, int64_t{1}), all_null));
  EXPECT_FALSE(May(Not(Leaf(Op::kEq, int64_t{1})), all_null));
  EXPECT_FALSE(May({Op::kIsNotNull, 0, {}, {}}, all_null));
  EXPECT_TRUE(May({Op::kIsNull, 0, {}, {}}, all_null));
  EXPECT_FALSE(May({Op::kIsNull, 0, {}, {}}, Ints(1, 2, 0)));
  EXPECT_FALSE(May(Not({Op::kIsNotNull, 0, {}, {}}), Ints(1, 2, 0)));
  EXPECT_FALSE(May(Leaf(Op::kEq, Value()), Ints(1, 2)));
  EXPECT_FALSE(May(Not(Leaf(Op::kEq, Value())), Ints(1, 2)));
}

TEST(PredicateTest, InListsFollowSql) {
  const ColumnBounds bounds = Ints(10, 20);
  EXPECT_TRUE(May({Op::kIn, 0, {int64_t{1}, int64_t{15}}, {}}, bounds));
  EXPECT_FALSE(May({Op::kIn, 0, {int64_t{1}, int64_t{25}}, {}}, bounds));
  EXPECT_FALSE(May({Op::kIn, 0, {Value(), int64_t{25}}, {}}, bounds));
  EXPECT_TRUE(May(Not({Op::kIn, 0, {int64_t{1}}, {}}), bounds));
  EXPECT_FALSE(May(Not({Op::kIn, 0, {int64_t{1}, Value()}, {}}), bounds));
  EXPECT_FALSE(May(Not({Op::kIn, 0, {int64_t{7}}, {}}), Ints(7, 7)));
}

TEST(PredicateTest, LogicFollowsKleene) {
  const ColumnBounds bounds = Ints(10, 20);
  const Predicate never = Leaf(Op::kEq, int64_t{1});
  const Predicate maybe = Leaf(Op::kEq, int64_t{15});
  const Predicate unknown{Op::kUnknown, -1, {}, {}};
  EXPECT_FALSE(May(Predicate::And({maybe, never}), bounds));
  EXPECT_FALSE(May(Predicate::And({unknown, never}), bounds));
  EXPECT_TRUE(May({Op::kOr, -1, {}, {never, unknown}}, bounds));
  EXPECT_FALSE(May({Op::kOr, -1, {}, {never, never}}, bounds));
  EXPECT_TRUE(May(Not(unknown), bounds));
  EXPECT_TRUE(May(Not(Predicate::And({maybe, never})), bounds));
  // not (x < 5 or x >= 10) is never true here.
  EXPECT_FALSE(May(Not({Op::kOr, -1, {}, {Leaf(Op::kLt, int64_t{5}), Leaf(Op::kGe, int64_t{10})}}), bounds));
}

TEST(PredicateTest, NaNBeyondTheMaximumIsNotPruned) {
  ColumnBounds bounds;
  bounds.min = 1.0;
  bounds.max = 1.0;
  bounds.null_count = 0;
  bounds.max_covers_nan = false;
  EXPECT_TRUE(May(Leaf(Op::kGt, 5.0), bounds));
  EXPECT_TRUE(May(Leaf(Op::kGe, 5.0), bounds));
  EXPECT_TRUE(May(Leaf(Op::kNe, 1.0), bounds));
  EXPECT_TRUE(May(Leaf(Op::kEq, kNaN), bounds));
  EXPECT_TRUE(May(Not(Leaf(Op::kLe, 5.0)), bounds));
  EXPECT_FALSE(May(Leaf(Op::kEq, 5.0), bounds));
  EXPECT_FALSE(May(Leaf(Op::kLt, 1.0), bounds));
}

/// The value of a predicate for one row: SQL's three values, NaN greatest and equal to itself.
std::optional<bool> Evaluate(const Predicate& p, std::optional<double> x) {
  const auto less = [](double a, double b) { return std::isnan(b) ? !std::isnan(a) : a < b; };
  const auto combine = [&](bool conjunction) -> std::optional<bool> {
    bool saw_null = false;
    for (const Predicate& child : p.children) {
      const auto value = Evaluate(child, x);
      if (!value.has_value()) {
        saw_null = true;
      } else if (*value != conjunction) {
        return !conjunction;
      }
    }
    if (saw_null) return std::nullopt;
    return conjunction;
  };
  if (p.op == Op::kAnd || p.op == Op::kOr) return combine(p.op == Op::kAnd);
  if (p.op == Op::kNot) {
    const auto value = Evaluate(p.children[0], x);
    if (!value.has_value()) return std::nullopt;
    return !*value;
  }
  if (p.op == Op::kIsNull) return !x.has_value();
  if (p.op == Op::kIsNotNull) return x.has_value();
  if (!x.has_value()) return std::nullopt;
  bool in = false;
  for (const Value& literal : p.values) {
    const double v = std::get<double>(literal);
    const bool equal = !less(*x, v) && !less(v, *x);
    switch (p.op) {
      case Op::kEq:
        return equal;
      case Op::kNe:
        return !equal;
      case Op::kLt:
        return less(*x, v);
      case Op::kLe:
        return !less(v, *x);
      case Op::kGt:
        return less(v, *x);
      case Op::kGe:
        return !less(*x, v);
      default:
        in = in || equal;
    }
  }
  return in;
}

Predicate RandomPredicate(Random& random, int depth) {
  static constexpr double kLiterals[] = {-1, 0, 1, 2, 3, kNaN};
  const auto literal = [&] { return Value(kLiterals[random.Below(6)]); };
  if (depth > 0 && random.Below(2) == 0) {
    const Op op = std::array{Op::kAnd, Op::kOr, Op::kNot}[random.Below(3)];
    Predicate predicate{op, -1, {}, {}};
    const size_t children = op == Op::kNot ? 1 : 1 + random.Below(3);
    for (size_t i = 0; i < children; ++i) predicate.children.push_back(RandomPredicate(random, depth - 1));
    return predicate;
  }
  const Op op = std::array{
      Op::kEq, Op::kNe, Op::kLt, Op::kLe, Op::kGt, Op::kGe, Op::kIn, Op::kIsNull, Op::kIsNotNull}[random.Below(9)];
  Predicate leaf{op, 0, {literal()}, {}};
  if (op == Op::kIn) leaf.values.push_back(literal());
  return leaf;
}

TEST(PredicateTest, NeverExcludesAFileWithAMatchingRow) {
  Random random(11);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::optional<double>> rows;
    ColumnBounds bounds;
    bounds.null_count = 0;
    bounds.max_covers_nan = false;
    for (size_t i = 0; i < 1 + random.Below(4); ++i) {
      const uint64_t kind = random.Below(8);
      if (kind == 0) {
        rows.push_back(std::nullopt);
        ++bounds.null_count;
        continue;
      }
      const double value = kind == 1 ? kNaN : static_cast<double>(random.Below(4));
      rows.push_back(value);
      if (std::isnan(value)) continue;
      if (columnar::IsNull(bounds.min) || value < std::get<double>(bounds.min)) bounds.min = value;
      if (columnar::IsNull(bounds.max) || value > std::get<double>(bounds.max)) bounds.max = value;
    }
    const Predicate predicate = RandomPredicate(random, 3);
    if (May(predicate, bounds, static_cast<int64_t>(rows.size()))) continue;
    for (const auto& row : rows) EXPECT_NE(Evaluate(predicate, row), std::optional(true));
  }
}

FileFacts Parse(const std::string& text, std::shared_ptr<arrow::DataType> type) {
  StatsParser parser;
  auto facts = parser.Parse(text, {{"c", std::move(type)}});
  return facts.ok() ? *facts : FileFacts{-2, {{}}};
}

std::string MinMax(const std::string& min, const std::string& max) {
  return R"({"numRecords":5,"minValues":{"b":{"c":9},"c":)" + min + R"(},"maxValues":{"c":)" + max +
         R"(},"nullCount":{"c":2}})";
}

TEST(StatisticsTest, IntegersAreExact) {
  const auto facts = Parse(MinMax("-9223372036854775808", "9223372036854775807"), arrow::int64());
  EXPECT_EQ(facts.num_records, 5);
  EXPECT_EQ(facts.columns[0].null_count, 2);
  EXPECT_EQ(std::get<int64_t>(facts.columns[0].min), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(std::get<int64_t>(facts.columns[0].max), std::numeric_limits<int64_t>::max());
  EXPECT_TRUE(columnar::IsNull(Parse(MinMax("1.5", "99999999999999999999"), arrow::int64()).columns[0].max));
  EXPECT_TRUE(columnar::IsNull(Parse(MinMax("1.5", "2"), arrow::int64()).columns[0].min));
}

TEST(StatisticsTest, LongDecimalsAreWidened) {
  const auto small = Parse(MinMax("-12.50", "99.99"), arrow::decimal128(10, 2)).columns[0];
  EXPECT_EQ(std::get<columnar::DecimalValue>(small.min), (columnar::DecimalValue{-1250, 2}));
  EXPECT_EQ(std::get<columnar::DecimalValue>(small.max), (columnar::DecimalValue{9999, 2}));
  // A writer that went through a double would have written 12345678901234568 for ...567.
  const auto large = Parse(MinMax("12345678901234568", "12345678901234568"), arrow::decimal128(20, 0)).columns[0];
  EXPECT_LE(std::get<columnar::DecimalValue>(large.min).unscaled, 12345678901234567);
  EXPECT_GE(std::get<columnar::DecimalValue>(large.max).unscaled, 12345678901234569);
  const auto exponent = Parse(MinMax("1e2", "1.5E+3"), arrow::decimal128(10, 0)).columns[0];
  EXPECT_EQ(std::get<columnar::DecimalValue>(exponent.min), (columnar::DecimalValue{100, 0}));
  EXPECT_EQ(std::get<columnar::DecimalValue>(exponent.max), (columnar::DecimalValue{1500, 0}));
}

TEST(StatisticsTest, FloatsAreReadInTheirOwnPrecision) {
  const auto facts = Parse(MinMax("0.1", "0.1"), arrow::float32()).columns[0];
  EXPECT_EQ(std::get<double>(facts.max), static_cast<double>(0.1f));
  EXPECT_FALSE(facts.max_covers_nan);
  EXPECT_FALSE(Parse("", arrow::float64()).columns[0].max_covers_nan);
  EXPECT_TRUE(columnar::IsNull(Parse(MinMax("\"NaN\"", "\"NaN\""), arrow::float64()).columns[0].max));
}

TEST(StatisticsTest, TimestampsAreWidenedByTheirTruncation) {
  const auto type = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  const auto facts = Parse(MinMax("\"1970-01-01T00:00:01.000Z\"", "\"1970-01-01T00:00:01.000Z\""), type).columns[0];
  EXPECT_EQ(std::get<int64_t>(facts.min), 1'000'000);
  EXPECT_EQ(std::get<int64_t>(facts.max), 1'001'000);
  const auto old = Parse(MinMax("\"1969-12-31T23:59:59.000Z\"", "\"1969-12-31T23:59:59.000Z\""), type).columns[0];
  EXPECT_EQ(std::get<int64_t>(old.min), -1'001'000);
}

TEST(StatisticsTest, TruncatedMaximaOfOldSparkAreUnknown) {
  const auto facts = Parse(MinMax("\"a\"", "\"b\xEF\xBF\xBD\""), arrow::utf8()).columns[0];
  EXPECT_EQ(std::get<std::string>(facts.min), "a");
  EXPECT_TRUE(columnar::IsNull(facts.max));
}

TEST(StatisticsTest, OddStatisticsAreAbsent) {
  // Double-encoded statistics, as ClickHouse writes them.
  const auto facts = Parse(R"({"stats_json":"{\"numRecords\":3}"})", arrow::int64());
  EXPECT_EQ(facts.num_records, -1);
  EXPECT_TRUE(columnar::IsNull(facts.columns[0].min));
  EXPECT_EQ(Parse("[1]", arrow::int64()).num_records, -2);
  EXPECT_EQ(Parse(R"({"numRecords":3,"nullCount":{"c":{"d":1}}})", arrow::int64()).columns[0].null_count, -1);
}

}  // namespace
}  // namespace tarn::delta
