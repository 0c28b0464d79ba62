#include "engine/query_service.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "engine/testing/query_fixture.h"

namespace tarn::engine {
namespace {

class QueryServiceTest : public QueryFixture {
 protected:
  void SetUp() override { Open(Options()); }
};

TEST_F(QueryServiceTest, AnswersASelect) {
  auto answer = Query("select 42 as answer");
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->rows, 1);
  EXPECT_EQ(answer->schema->field(0)->name(), "answer");
  EXPECT_EQ(FirstValue(*answer), "42");
}

TEST_F(QueryServiceTest, AnEmptyAnswerHasASchemaAndNoBatch) {
  auto answer = Query("select range as a, 'x' as b from range(10) where range > 100");
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->schema->num_fields(), 2);
  EXPECT_TRUE(answer->batches.empty());
}

TEST_F(QueryServiceTest, GivesEveryRowOnceInOrderAndInUsefulSizes) {
  auto answer = Query("select range as a from range(1000000)");
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->rows, 1000000);
  EXPECT_LE(answer->batches[0]->num_rows(), 4096) << "the first rows must not wait for many others";
  EXPECT_LE(answer->batches.size(), 60u);
  int64_t next = 0;
  for (const auto& batch : answer->batches) {
    const auto& column = static_cast<const arrow::Int64Array&>(*batch->column(0));
    for (int64_t i = 0; i < column.length(); ++i) ASSERT_EQ(column.Value(i), next++);
  }
}

TEST_F(QueryServiceTest, WideRowsEndABatchBySize) {
  auto answer = Query("select repeat('x', 1000) || range::varchar as a from range(50000)");
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->rows, 50000);
  for (const auto& batch : answer->batches) EXPECT_LE(batch->num_rows(), 8192);
}

TEST_F(QueryServiceTest, BindsParametersByPositionAndByName) {
  QueryRequest request;
  request.sql = "select $1::bigint + $2::bigint, ?::varchar";
  request.sql = "select ?::bigint + ?::bigint || '/' || ?::varchar || '/' || (? is null)::varchar || '/' || ?::boolean";
  request.parameters = {int64_t{40}, int64_t{2}, std::string("it's"), std::monostate(), true};
  auto answer = Query(request);
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(FirstValue(*answer), "42/it's/true/true");

  request.parameters.clear();
  request.named_parameters = {{"low", 2.5}, {"High", int64_t{9}}};
  request.sql = "select count(*) from range(100) where range > $low and range < $high";
  answer = Query(request);
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(FirstValue(*answer), "6");
}

TEST_F(QueryServiceTest, RefusesParametersThatDoNotFit) {
  QueryRequest request;
  request.sql = "select $1";
  EXPECT_EQ(Query(request).status().code(), StatusCode::kInvalidArgument);
  request.parameters = {int64_t{1}, int64_t{2}};
  EXPECT_EQ(Query(request).status().code(), StatusCode::kInvalidArgument);
  request.sql = "select $1::integer";
  request.parameters = {std::string("x")};
  EXPECT_EQ(Query(request).status().code(), StatusCode::kInvalidArgument);
  request.named_parameters = {{"a", int64_t{1}}};
  EXPECT_EQ(Query(request).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(QueryServiceTest, ErrorsHaveCodesAndPositions) {
  auto status = Query("select nope from range(1)").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(SqlErrorPosition(status), 7u);
  status = Query("select 1 +").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(SqlErrorPosition(status), 10u);
  EXPECT_EQ(Query("select * from nowhere.nothing").status().code(), StatusCode::kNotFound);
  status = Query("select * from nothing").status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(SqlErrorPosition(status), 14u);
  EXPECT_EQ(Query("select no_such_function(1)").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Query("select 'x'::integer").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Query("select 1 / range, error('boom') from range(1)").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Query("select '" + std::string(5 << 20, 'x') + "'").status().code(), StatusCode::kInvalidArgument);
}

TEST_F(QueryServiceTest, AnErrorInTheMiddleEndsTheStreamForGood) {
  QueryRequest request;
  request.sql = "select case when range < 3000000 then 1 else error('late') end from range(4000000)";
  auto stream = service_->Execute(request);
  ASSERT_TRUE(stream.ok()) << stream.status().ToString();
  auto answer = Drain(**stream);
  EXPECT_EQ(answer.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ((*stream)->Next().status().ToString(), answer.status().ToString());
  EXPECT_EQ(service_->stats().failed_total, 1);
}

TEST_F(QueryServiceTest, KeepsTypes) {
  auto answer = Query(
      "select true::boolean as b, 1::tinyint as i8, 1::smallint as i16, 1::integer as i32, 1::bigint as i64, "
      "1::utinyint as u8, 1::usmallint as u16, 1::uinteger as u32, 1::ubigint as u64, 1::hugeint as i128, "
      "1.5::float as f32, 1.5::double as f64, 1.25::decimal(10, 2) as dec, 'x' as s, 'x'::blob as bin, "
      "date '2024-01-02' as d, time '01:02:03' as t, timestamp '2024-01-02 03:04:05.678901' as ts, "
      "timestamp_ns '2024-01-02 03:04:05.123456789' as ts_ns, timestamptz '2024-01-02 03:04:05+00' as tz, "
      "interval '1 day' as iv, uuid() as id, [1, null] as l, {'a': 1, 'b': [{'c': 'x'}]} as st, map {'k': 1} as m, "
      "'a'::enum('a', 'b') as e, null as n, [1, 2]::integer[2] as arr, '{}'::json as j, "
      "union_value(a := 1) as un");
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  ASSERT_EQ(answer->rows, 1);
  ASSERT_TRUE(answer->batches[0]->ValidateFull().ok());
  const auto type = [&](const char* name) { return answer->schema->GetFieldByName(name)->type()->ToString(); };
  EXPECT_EQ(type("b"), "bool");
  EXPECT_EQ(type("i8"), "int8");
  EXPECT_EQ(type("i64"), "int64");
  EXPECT_EQ(type("u64"), "uint64");
  EXPECT_EQ(type("i128"), "decimal128(38, 0)");
  EXPECT_EQ(type("f32"), "float");
  EXPECT_EQ(type("dec"), "decimal128(10, 2)");
  EXPECT_EQ(type("s"), "string");
  EXPECT_EQ(type("bin"), "binary");
  EXPECT_EQ(type("d"), "date32[day]");
  EXPECT_EQ(type("ts"), "timestamp[us]");
  EXPECT_EQ(type("ts_ns"), "timestamp[ns]");
  EXPECT_EQ(type("tz"), "timestamp[us, tz=UTC]");
  EXPECT_EQ(type("id"), "string");
  EXPECT_EQ(type("l"), "list<l: int32>");
  EXPECT_EQ(type("st"), "struct<a: int32, b: list<l: struct<c: string>>>");
  EXPECT_EQ(answer->schema->GetFieldByName("m")->type()->id(), arrow::Type::MAP);
  EXPECT_EQ(type("e"), "dictionary<values=string, indices=uint8, ordered=0>");
  EXPECT_EQ(type("n"), "int32");
}

TEST_F(QueryServiceTest, RefusesTypesWhoseValuesArrowWouldChange) {
  const std::pair<const char*, const char*> refused[] = {
      {"'340282366920938463463374607431768211455'::uhugeint", "UHUGEINT"},
      {"'101'::bit", "BIT"},
      {"'123'::bignum", "BIGNUM"},
      {"'10:00:00+02'::timetz", "TIME WITH TIME ZONE"},
      {"1::variant", "VARIANT"},
  };
  for (const auto& [value, type] : refused) {
    const std::string text = value;
    for (const std::string& sql : {text, "[" + text + "]", "{'k': [" + text + "]}", "map {'k': " + text + "}",
                                   "map {" + text + ": 1}", "union_value(a := " + text + ")"}) {
      const Status status = Query("select 1 as one, " + sql + " as bad").status();
      EXPECT_EQ(status.code(), StatusCode::kUnsupported) << sql << ": " << status.ToString();
      EXPECT_NE(status.message().find("column \"bad\""), std::string::npos) << status.ToString();
      EXPECT_NE(status.message().find(type), std::string::npos) << status.ToString();
      EXPECT_NE(status.message().find("cast it"), std::string::npos) << status.ToString();
    }
  }
  EXPECT_EQ(Value("select ('101'::bit)::varchar"), "101");
  EXPECT_EQ(Value("select count(*) from (select '101'::bit as a) where a = '101'::bit"), "1");
}

TEST_F(QueryServiceTest, HugeintsHaveAtMostTheDigitsThatArrowHas) {
  const std::string largest(38, '9');
  EXPECT_EQ(Value("select " + largest + "::hugeint"), largest);
  EXPECT_EQ(Value("select -" + largest + "::hugeint"), "-" + largest);
  EXPECT_EQ(Value("select sum(range) from range(1000000)"), "499999500000");
  const std::string huge = "1" + std::string(38, '0') + "::hugeint";
  for (const std::string& sql :
       {huge, "-" + huge, std::string("170141183460469231731687303715884105727::hugeint"), "[1::hugeint, " + huge + "]",
        "{'a': " + huge + "}", "map {'k': " + huge + "}", "[" + huge + ", 1]::hugeint[2]"}) {
    const Status status = Query("select 1, " + sql + " as sum").status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << sql << ": " << status.ToString();
    EXPECT_NE(status.message().find("column \"sum\""), std::string::npos) << status.ToString();
    EXPECT_NE(status.message().find("38 digits"), std::string::npos) << status.ToString();
  }
  EXPECT_EQ(Value("select sum(a) from (select null::hugeint as a)"), "null");
}

TEST_F(QueryServiceTest, AnIntervalIsRightOrRefused) {
  const auto encoded = [&](const std::string& interval) { return Value("select " + interval); };
  const auto months_days_nanos = [](int months, int days, const std::string& nanos) {
    return std::to_string(months) + "M" + std::to_string(days) + "d" + nanos + "ns";
  };
  EXPECT_EQ(encoded("interval '200000 years'"), months_days_nanos(2'400'000, 0, "0"));
  EXPECT_EQ(encoded("interval '-200000 years -3 days'"), months_days_nanos(-2'400'000, -3, "0"));
  EXPECT_EQ(encoded("to_months(-2147483648)"), months_days_nanos(-2147483648, 0, "0"));
  EXPECT_EQ(encoded("to_microseconds(9223372036854775)"), months_days_nanos(0, 0, "9223372036854775000"));
  EXPECT_EQ(encoded("to_microseconds(-9223372036854775)"), months_days_nanos(0, 0, "-9223372036854775000"));
  EXPECT_EQ(encoded("max(a) from (select null::interval as a)"), "null");
  const std::string too_long = "to_microseconds(9223372036854776)";
  for (const std::string& sql :
       {too_long, "-" + too_long, std::string("to_microseconds(9223372036854775807)"),
        std::string("to_microseconds(-9223372036854775808)"), std::string("to_hours(2562048)"),
        "[interval 1 day, " + too_long + "]", "{'a': " + too_long + "}", "map {'k': " + too_long + "}",
        "[interval 1 day, " + too_long + "]::interval[2]", "[[{'a': " + too_long + "}]]",
        "case when range = 3000 then " + too_long +
            " end from (select range from range(5000)) union all select null"}) {
    const Status status = Query("select " + sql + (sql.starts_with("case") ? "" : " as long")).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << sql << ": " << status.ToString();
    EXPECT_NE(status.message().find("longer than 292 years; cast it to VARCHAR"), std::string::npos)
        << status.ToString();
  }
  EXPECT_EQ(Value("select (" + too_long + ")::varchar"), "2562047:47:16.854776");
}

TEST_F(QueryServiceTest, AnErrorDoesNotRepeatAHugeValue) {
  const Status status = Query("select repeat('x', 5000000)::int").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_LT(status.message().size(), 5'000U);
}

TEST_F(QueryServiceTest, TimeIsUtcWhateverTheHostSays) {
  setenv("TZ", "America/Los_Angeles", 1);
  tzset();
  Open(Options());
  EXPECT_EQ(Value("select timestamptz '2024-06-01 12:00:00+00'::varchar"), "2024-06-01 12:00:00+00");
  EXPECT_EQ(Value("select timestamp '2024-06-01 12:00:00' = timestamptz '2024-06-01 12:00:00+00'"), "true");
  EXPECT_EQ(Value("select date_trunc('day', timestamptz '2024-06-01 01:00:00+00')::varchar"), "2024-06-01 00:00:00+00");
  auto answer = Query("select now() as n");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->schema->field(0)->type()->ToString(), "timestamp[us, tz=UTC]");
  unsetenv("TZ");
  tzset();
}

TEST_F(QueryServiceTest, RowsBeyondTheLimitEndTheQuery) {
  QueryRequest request;
  request.sql = "select * from range(100)";
  request.limits.max_rows = 100;
  EXPECT_TRUE(Query(request).ok());
  request.limits.max_rows = 99;
  EXPECT_EQ(Query(request).status().code(), StatusCode::kResourceExhausted);
  EngineOptions options = Options();
  options.default_limits.max_rows = 10;
  Open(options);
  EXPECT_EQ(Query(request).status().code(), StatusCode::kResourceExhausted) << "a request cannot loosen a limit";
  EXPECT_EQ(service_->stats().running, 0);
}

TEST_F(QueryServiceTest, AHugeRowIsRefused) {
  EngineOptions options = Options();
  options.memory_limit_bytes = 256 << 20;
  // The row is to be refused for its own size, not for what the tests before have left in the process.
  options.max_resident_bytes = int64_t{64} << 30;
  Open(options);
  const std::string shared = "with t as (select repeat('a', 60000000) as x) select ";
  for (const std::string columns :
       {"{'a': x, 'b': x, 'c': x}", "x, x, x", "[x, x]", "[{'a': x}, {'a': x}]", "map {x: x}"}) {
    const Status status = Query(shared + columns + " from t").status();
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << columns;
    EXPECT_NE(status.message().find("a row of the result takes 1"), std::string::npos) << status.message();
  }
  EXPECT_EQ(Query(shared + "length(x) as n, x from t").status().code(), StatusCode::kOk);
}

TEST_F(QueryServiceTest, RowsThatShareAValueComeInBatchesOfTheirRealSize) {
  Open(Options());
  for (const std::string value :
       {"repeat('a', 300000)", "range(40000)", "{'a': range(40000)}", "[repeat('a', 300000)]"}) {
    auto answer = Query("select range, x from range(100), (select " + value + " as x)");
    ASSERT_TRUE(answer.ok()) << answer.status().ToString();
    int64_t rows = 0;
    for (const auto& batch : answer->batches) {
      EXPECT_LE(batch->num_rows(), 4) << value;
      rows += batch->num_rows();
    }
    EXPECT_EQ(rows, 100) << value;
  }
}

TEST_F(QueryServiceTest, HugeValuesAreRefused) {
  EngineOptions options = Options();
  options.memory_limit_bytes = 64 << 20;
  options.max_resident_bytes = int64_t{64} << 30;
  Open(options);
  for (const char* sql :
       {"select length(repeat('x', 1000000000))",
        "select length(repeat('x', range + 60000000)) from range(100)",
        "select length(lpad('x', 1000000000, 'y'))",
        "select length(rpad('x', 2000000000, 'yz'))",
        "select len(range(300000000))",
        "select len(range(0, 300000000))",
        "select len(range(0, -600000000, -2))",
        "select len(generate_series(1, 300000000))",
        "select len(list_resize([1], 1000000000))",
        "select len(array_resize([1], 1000000000, 7))",
        "select len(repeat([1, 2, 3], 100000000))",
        "select octet_length(repeat('x'::blob, 1000000000))",
        "select length(format('{:1000000000}', 1))",
        "select levenshtein(repeat('a', 1000000), repeat('b', 1000000))",
        "select damerau_levenshtein(repeat('a', 20000), repeat('b', 20000))",
        "select jaro_similarity(repeat('a', 1000000), repeat('b', 1000000))",
        "select len(string_split(repeat('a,', 20000000), ','))",
        "select length(format('{:>{}}', 'x', 1000000000))",
        "select length(format(repeat('{0}', 1000), repeat('a', 60000000)))",
        "select length(format(repeat('{}', 2), repeat('a', 40000000), repeat('a', 40000000)))",
        "select length(format(repeat('{0:{1}}', 1000), 'x', 1000000))",
        "select length(printf(repeat('%1$s', 1000), repeat('a', 1000000)))",
        "select length(strftime(now(), repeat('%c', 10000000)))",
        "select length(hex(repeat('a', 60000000)))",
        "select length(url_encode(repeat('a', 60000000)))",
        "select length(translate(repeat('a', 60000000), 'a', 'b'))",
        "select instr(repeat('a', 60000000), repeat('a', 30000000) || 'b')",
        "select contains(repeat('a', 60000000), repeat('a', 30000000) || 'b')",
        "select length(replace(repeat('a', 16000000), repeat('a', 8000000) || 'b', 'x'))",
        "select len(string_split(repeat('a', 10000000), repeat('a', 5000000) || 'b'))",
        "select length(printf('%1000000000d', 1))",
        "select length(printf('%*d', 1000000000, 1))",
        "select length(printf('%.1000000000f', 1.5))",
        "select bit_length(bitstring('1', 2000000000))",
        "select length(a||a||a||range::varchar) from (select repeat('x',30000000) as a), range(200)",
        "select length(concat(a, null, a, a)) from (select repeat('x',30000000) as a)",
        "select length(concat_ws(a, '1', null, '2', '3', '4')) from (select repeat('x',30000000) as a)",
        "select length(a || range::varchar) from (select repeat('x',1000000) as a), range(1000)",
        "select len(list_concat(a, a, a)) from (select range(4000000) as a)",
        "select len(a || a || a) from (select range(4000000) as a)",
        "select length(replace(repeat('xy', 1000000), 'x', repeat('z', 1000)))",
        "select length(regexp_replace(repeat('x', 1000000), 'x', repeat('z', 1000), 'g'))",
        "select len(regexp_extract_all(repeat('a', 60000000), 'a'))",
        "select len(regexp_split_to_array(repeat('a', 60000000), 'a'))",
        "select len(list_intersect(range(8000000), range(8000000)))",
        "select regexp_matches(repeat('a', 60000000), repeat('(a?)', 1000) || 'b')",
        "select regexp_extract(repeat('a', 10000000), '(a?){1000}b')",
        "select list_aggregate(range(8000000), 'histogram')",
        "select list_unique(range(8000000))",
        "select range(8000000) && range(-8000000, 0)",
        "select generate_series(timestamp '0001-01-01', timestamp '9999-01-01', interval 1 microsecond)",
        "select unnest([range(1000000) for x in range(1000)], recursive := true)",
        "select sum(len(list_transform(range(50000), x -> repeat('a', 1000)))) from range(100)",
        "select length(string_agg(repeat('x', 1000000) || range::varchar, '')) from range(10000)",
        "select len(list(repeat('x', 1000000) || range::varchar)) from range(10000)"}) {
    EXPECT_EQ(Query(sql).status().code(), StatusCode::kResourceExhausted) << sql;
  }
  EXPECT_EQ(Value("select length(repeat('x', 1000000))"), "1000000");
  EXPECT_EQ(Value("select len(range(1000000))"), "1000000");
  EXPECT_EQ(Value("select len(range(10, 0))"), "0");
  EXPECT_EQ(Value("select sum(length(repeat('x', range))) from range(2000)"), "1999000");
  EXPECT_EQ(Value("select sum(length('a' || range::varchar || 'b')) from range(1000)"), "4890");
  EXPECT_EQ(Value("select length(a || a) from (select repeat('x', 30000000) as a)"), "60000000");
  EXPECT_EQ(Value("select a || null || a is null from (select repeat('x', 30000000) as a)"), "true");
  EXPECT_EQ(Value("select concat('a', null, 1, 'b')"), "a1b");
  EXPECT_EQ(Value("select concat_ws('-', 'a', null, 'b')"), "a-b");
  EXPECT_EQ(Value("select format('{1} {0} {{}} {1:>4}', 'a', 'b')"), "b a {}    b");
  EXPECT_EQ(Value("select printf('%2$s %1$s %% %2$4s', 'a', 'b')"), "b a %    b");
  EXPECT_EQ(Value("select length(format('{0}{0}', repeat('a', 20000000)))"), "40000000");
  EXPECT_EQ(Value("select instr(repeat('a', 1000000), 'b')"), "0");
  EXPECT_EQ(Value("select instr(repeat('a', 60000000) || 'b', 'aaaaaaaaaaaaaaaaaaab')"), "59999982");
  EXPECT_EQ(Value("select len([1, 2] || [3])"), "3");
  EXPECT_EQ(Value("select list_intersect([1, 2, 3], [3, 2, 5]).list_sort()::varchar"), "[2, 3]");
  EXPECT_EQ(Value("select regexp_extract_all('a1b22', '[0-9]+')::varchar"), "[1, 22]");
  EXPECT_EQ(Value("select length(replace(repeat('xy', 1000000), 'xyxyxyxyxy', repeat('z', 100)))"), "20000000");
  EXPECT_EQ(Value("select regexp_replace('abc', '(b)', '[\\1]', 'g')"), "a[b]c");
  EXPECT_EQ(service_->stats().instances_replaced, 0);
}

TEST_F(QueryServiceTest, StatementsThatTakeLongToPlanAreRefused) {
  const auto chain = [](const std::string& first, const std::string& more, int times) {
    std::string sql = "select " + first;
    for (int i = 0; i < times; ++i) sql += more;
    return sql;
  };
  for (const std::string& sql : {
           chain("1 ", "/*", 5000),
           chain("'a'", "||'a'", 500),
           chain("1", "+1", 990),
           chain("true", " and true", 20'000),
           chain("range = 1", " or range = 2", 20'000) + " from range(3)",
           chain("1 a", ", 1 A", 500),
           chain("range", ", *", 501) + " from range(3)",
           chain("1", ", (select 1" + chain("", ", 1", 501).substr(7) + ")", 1),
       }) {
    EXPECT_EQ(Query(sql).status().code(), StatusCode::kInvalidArgument) << sql.substr(0, 40);
  }
  EXPECT_EQ(Value(chain("1", "+1", 200)), "201");
  EXPECT_EQ(Value(chain("true", " and true", 500)), "true");
  EXPECT_EQ(Value("select count(*) from (" + chain("1", ", 1", 499) + ")"), "1");
  EXPECT_EQ(Value("select /* a /* b */ c */ 1 -- /*"), "1");
}

TEST_F(QueryServiceTest, AJoinThatSpillsHasNoMoreThreadsThanItsMemoryBears) {
  EngineOptions options = Options();
  options.threads = 16;
  options.memory_limit_bytes = 128 << 20;
  options.max_resident_bytes = int64_t{64} << 30;
  options.max_temp_bytes = int64_t{1} << 30;
  Open(options);
  EXPECT_EQ(Value("select count(*) from (select range as i, md5(range::varchar) as a from range(1500000)) l "
                  "join (select range as j, md5((range + 1)::varchar) as b from range(1500000)) r on i = j "
                  "where a < b or b <= a"),
            "1500000");
}

TEST_F(QueryServiceTest, SortsMoreThanItsMemoryAndLeavesNoFileBehind) {
  EngineOptions options = Options();
  options.memory_limit_bytes = 64 << 20;
  options.max_resident_bytes = int64_t{64} << 30;
  options.max_temp_bytes = int64_t{1} << 30;
  Open(options);
  QueryRequest request;
  request.sql = "select range, md5(range::varchar) as m from range(1000000) order by m";
  auto stream = service_->Execute(request);
  ASSERT_TRUE(stream.ok()) << stream.status().ToString();
  auto first = (*stream)->Next();
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  EXPECT_GT(service_->stats().temp_bytes, 1 << 20) << "nothing was spilled, so the test shows nothing";
  auto rest = Drain(**stream);
  ASSERT_TRUE(rest.ok()) << rest.status().ToString();
  EXPECT_EQ(rest->rows + (*first)->num_rows(), 1000000);
  EXPECT_EQ(service_->stats().temp_bytes, 0);
  service_.reset();
  EXPECT_EQ(service_, nullptr);
}

TEST_F(QueryServiceTest, SpillsAgainAfterItsFolderWasRemoved) {
  EngineOptions options = Options();
  options.memory_limit_bytes = 64 << 20;
  options.max_resident_bytes = int64_t{64} << 30;
  options.max_temp_bytes = int64_t{1} << 30;
  Open(options);
  for (int i = 0; i < 3; ++i) {
    std::filesystem::remove_all(options.temp_directory);
    auto answer = Query("select range, md5(range::varchar) as m from range(1000000) order by m");
    ASSERT_TRUE(answer.ok()) << i << ": " << answer.status().ToString();
    EXPECT_EQ(answer->rows, 1000000);
  }
}

TEST_F(QueryServiceTest, SpillIsBounded) {
  EngineOptions options = Options();
  options.memory_limit_bytes = 64 << 20;
  options.max_resident_bytes = int64_t{64} << 30;
  options.max_temp_bytes = 8 << 20;
  Open(options);
  auto status = Query("select range, repeat(md5(range::varchar), 8) as m from range(1000000) order by m").status();
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.ToString();
  EXPECT_NE(status.message().find("offload"), std::string::npos) << status.message();
  EXPECT_EQ(Value("select 1"), "1");
}

TEST_F(QueryServiceTest, EmptiesItsTemporaryFolderAtStart) {
  service_.reset();
  const std::string stale = folder_.path() + "/spill/0";
  std::filesystem::create_directories(stale);
  std::ofstream(stale + "/duckdb_temp_storage-0.tmp") << "left by a crash";
  Open(Options());
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() + "/spill"));
}

TEST_F(QueryServiceTest, WritesNothingToTheHomeFolder) {
  const std::string home = folder_.path() + "/home";
  std::filesystem::create_directory(home);
  const std::string before = std::getenv("HOME") != nullptr ? std::getenv("HOME") : "";
  setenv("HOME", home.c_str(), 1);
  Open(Options());
  EXPECT_EQ(Value("select 1"), "1");
  (void)Query("install httpfs");
  (void)Query("select st_point(1, 2)");
  setenv("HOME", before.c_str(), 1);
  EXPECT_TRUE(std::filesystem::is_empty(home));
}

}  // namespace
}  // namespace tarn::engine
