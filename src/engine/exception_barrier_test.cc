#include "engine/exception_barrier.h"

#include <gtest/gtest.h>

#include <new>

#include "duckdb/common/error_data.hpp"
#include "duckdb/common/exception.hpp"
#include "engine/query_service.h"
#include "engine/testing/scan_database.h"

namespace tarn::engine {
namespace {

TEST(ExceptionBarrierTest, AStatusComesBackAsItWas) {
  for (int code = 1; code < kStatusCodeCount; code++) {
    Status sent(static_cast<StatusCode>(code), "quote \" brace } newline \n and Ünïcode");
    Status received = Guarded([&] { ThrowStatus(sent); });
    EXPECT_EQ(received.code(), sent.code());
    EXPECT_EQ(received.message(), sent.message());
  }
}

TEST(ExceptionBarrierTest, NoStatusOfOursInvalidatesTheInstance) {
  for (int code = 1; code < kStatusCodeCount; code++) {
    try {
      ThrowStatus(Status(static_cast<StatusCode>(code), "x"));
    } catch (const std::exception& exception) {
      EXPECT_FALSE(InvalidatesInstance(duckdb::ErrorData(exception))) << code;
    }
  }
}

TEST(ExceptionBarrierTest, DuckDbErrorsMapByType) {
  auto code = [](duckdb::ExceptionType type) { return StatusFromError(duckdb::ErrorData(type, "x")).code(); };
  EXPECT_EQ(code(duckdb::ExceptionType::PARSER), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(duckdb::ExceptionType::CONVERSION), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(duckdb::ExceptionType::OUT_OF_RANGE), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(duckdb::ExceptionType::PERMISSION), StatusCode::kPermissionDenied);
  EXPECT_EQ(code(duckdb::ExceptionType::OUT_OF_MEMORY), StatusCode::kResourceExhausted);
  EXPECT_EQ(code(duckdb::ExceptionType::INTERRUPT), StatusCode::kCancelled);
  EXPECT_EQ(code(duckdb::ExceptionType::IO), StatusCode::kUnavailable);
  EXPECT_EQ(code(duckdb::ExceptionType::INTERNAL), StatusCode::kInternal);
  EXPECT_EQ(Guarded([] { throw std::bad_alloc(); }).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(Guarded([] { throw 42; }).code(), StatusCode::kInternal);
}

TEST(ExceptionBarrierTest, AMissingFileIsNotFoundUnlessTheEngineWantedItForItself) {
  const auto code = [](const std::string& message) {
    const duckdb::unordered_map<std::string, std::string> info = {{"errno", "2"}};
    return StatusFromError(duckdb::ErrorData(duckdb::IOException(info, message))).code();
  };
  EXPECT_EQ(code("Cannot open file \"/data/a.parquet\": No such file or directory"), StatusCode::kNotFound);
  for (const char* const own : {"Failed to create directory \"/tmp/spill/0\": No such file or directory",
                                "Cannot open file \"/tmp/spill/0/duckdb_temp_storage-0.tmp\": No such file"}) {
    EXPECT_EQ(code(own), StatusCode::kUnavailable) << own;
  }
}

TEST(ExceptionBarrierTest, InternalErrorsKeepTheirStackToThemselves) {
  Status status = Guarded([] { throw duckdb::InternalException("broken"); });
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_NE(status.message().find("broken"), std::string::npos);
  EXPECT_EQ(status.message().find("Stack Trace"), std::string::npos);
}

TEST(ExceptionBarrierTest, SqlErrorsOfARealInstance) {
  testing::ScanDatabase database;
  EXPECT_EQ(database.Run("selec 1").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(database.Run("select no_such_column").code(), StatusCode::kInvalidArgument);
  Status missing = database.Run("select * from db.missing");
  EXPECT_EQ(missing.code(), StatusCode::kNotFound) << missing.ToString();
  EXPECT_EQ(database.Run("select no_such_function(1)").code(), StatusCode::kNotFound);
  EXPECT_EQ(database.Run("select cast('x' as int)").code(), StatusCode::kInvalidArgument);
}

TEST(ExceptionBarrierTest, APositionIsReadBack) {
  duckdb::ErrorData error(duckdb::ExceptionType::BINDER, "no such column");
  error.AddQueryLocation(duckdb::optional_idx(17));
  Status status = StatusFromError(error);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(SqlErrorPosition(status), 17u) << status.ToString();
  EXPECT_EQ(SqlErrorPosition(Status::InvalidArgument("plain")), std::nullopt);
}

}  // namespace
}  // namespace tarn::engine
