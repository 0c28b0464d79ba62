#include "engine/error_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "duckdb/common/error_data.hpp"
#include "duckdb/common/exception.hpp"
#include "engine/exception_barrier.h"

namespace tarn::engine {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string Text(const std::string& message, duckdb::ExceptionType type = duckdb::ExceptionType::CATALOG) {
  return ErrorText(duckdb::ErrorData(type, message));
}

TEST(ErrorText, WhatToDoAboutMemory) {
  const Status memory = Guarded(
      [] { throw duckdb::OutOfMemoryException("failed to allocate data of size 16.0 MiB (66.2 MiB/70.3 MiB used)"); });
  EXPECT_EQ(memory.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(memory.message(), HasSubstr("(66.2 MiB/70.3 MiB used)"));
  EXPECT_THAT(memory.message(), HasSubstr("memory_limit in a server's configuration"));
  EXPECT_THAT(memory.message(), Not(HasSubstr("SET ")));
}

TEST(ErrorText, SuggestsOnlyNamesThatCanBeUsed) {
  EXPECT_EQ(Text("Table with name x does not exist!\nDid you mean \"pg_am\"?"), "Table with name x does not exist!");
  EXPECT_EQ(Text("Scalar Function with name versio does not exist!\nDid you mean \"version\"?"),
            "Scalar Function with name versio does not exist!");
  EXPECT_EQ(Text("Table with name x does not exist!\nDid you mean \"y\" or \"information_schema.pg_am\"?"),
            "Table with name x does not exist!");
  EXPECT_EQ(Text("Table with name rooom does not exist!\nDid you mean \"room\"?"),
            "Table with name rooom does not exist!\nDid you mean \"room\"?");
  EXPECT_EQ(Text("x\nDid you mean \""), "x\nDid you mean \"");
}

TEST(ErrorText, AdvisesNeitherSettingsNorExtensions) {
  EXPECT_EQ(Text("Max expression depth limit of 1000 exceeded. Use \"SET max_expression_depth TO x\" to increase the "
                 "maximum expression depth."),
            "Max expression depth limit of 1000 exceeded.");
  EXPECT_EQ(Text("Pivot column limit of 7 exceeded. Use SET pivot_limit=X to increase the limit."),
            "Pivot column limit of 7 exceeded.");
  EXPECT_EQ(
      Text("More than one row returned by a subquery.\n\nUse \"SET scalar_subquery_error_on_multiple_rows=false\" "
           "to revert to previous behavior of returning a random row."),
      "More than one row returned by a subquery.");
  EXPECT_EQ(Text("ORDER BY non-integer literal has no effect.\n* SET order_by_non_integer_literal=true to allow this "
                 "behavior.\n\nPerhaps you misplaced ORDER BY"),
            "ORDER BY non-integer literal has no effect.\n\nPerhaps you misplaced ORDER BY");
  EXPECT_EQ(Text("Scalar Function with name \"st_point\" is not in the catalog, but it exists in the spatial extension."
                 "\n\nPlease try installing and loading the spatial extension:\nINSTALL spatial;\nLOAD spatial;\n\n"),
            "Scalar Function with name \"st_point\" is not in the catalog, but it exists in the spatial extension.\n"
            "Extensions cannot be loaded here.");
  EXPECT_EQ(Text("File s3://x requires the extension httpfs to be loaded\n\nPlease try installing and loading the "
                 "httpfs extension by running:\nINSTALL httpfs;\nLOAD httpfs;\n\nAlternatively, consider enabling "
                 "auto-install and auto-load by running:\nSET autoinstall_known_extensions=1;\n"
                 "SET autoload_known_extensions=1;"),
            "File s3://x requires the extension httpfs to be loaded\nExtensions cannot be loaded here.");
  EXPECT_EQ(Text("syntax error at or near \"SET\""), "syntax error at or near \"SET\"");
}

TEST(ErrorText, AValueThatIsQuotedDoesNotMakeItHuge) {
  const std::string text = Text("Could not convert string '" + std::string(50'000'000, 'x') + "' to INT32");
  EXPECT_LT(text.size(), 5'000U);
  EXPECT_THAT(text, StartsWith("Could not convert string 'xxx"));
  EXPECT_THAT(text, HasSubstr(" … (49995"));
  EXPECT_THAT(text, EndsWith("xxx' to INT32"));
  for (size_t before = 0; before < 3; ++before) {
    std::string wide(before, 'x');
    while (wide.size() < 10'000) wide += "湖";
    const std::string bounded = Text(wide);
    EXPECT_THAT(bounded, HasSubstr("湖 … (")) << before;
    EXPECT_THAT(bounded, HasSubstr(") … 湖")) << before;
  }
}

TEST(ErrorText, PlacesInLocalFilesComeFirst) {
  EXPECT_EQ(
      Text("CSV Error on Line: 7\nOriginal Line: x,y\nError when converting column \"a\". Could not convert string "
           "\"x\" to 'BIGINT'\n\nColumn a is being converted as type BIGINT\nPossible solutions:\n* Use a COPY "
           "statement\n\n  file = late.csv\n  delimiter = ,\n",
           duckdb::ExceptionType::CONVERSION),
      "late.csv:7: Error when converting column \"a\". Could not convert string \"x\" to 'BIGINT'\n"
      "The line is: x,y\n"
      "read_csv takes options for such a file, as in read_csv('…', types = {…}, ignore_errors = true).");
  EXPECT_EQ(Text("Malformed JSON in file \"a.ndjson\", at byte 2 in line 4: unexpected character. "),
            "file \"a.ndjson\", line 3, byte 2: malformed JSON: unexpected character.");
  EXPECT_EQ(Text("Malformed JSON in file \"a.json\", at byte 7 in record/value 3: unexpected end of data. Try it"),
            "file \"a.json\", record/value 2, byte 7: malformed JSON: unexpected end of data. Try it");
  EXPECT_EQ(Text("Error when sniffing file \"a.csv\".\nNo dialect fits.\nThe search space used was:\nDelimiter"),
            "Error when sniffing file \"a.csv\".\nNo dialect fits.");
  for (const char* odd :
       {"CSV Error on Line: ", "CSV Error on Line: 7\n", "Malformed JSON in file \"",
        "Malformed JSON in file \"x\", at byte 1 in ", "Malformed JSON in file \"x\", at byte 1 in l x: "}) {
    EXPECT_FALSE(Text(odd).empty()) << odd;
  }
}

}  // namespace
}  // namespace tarn::engine
