#include "ingest/body.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "ingest/testing/gzip.h"
#include "ingest/testing/random_body.h"

namespace tarn::ingest {
namespace {

using testing::Gzip;

BodyOptions GzipOptions() {
  BodyOptions options;
  options.encoding = ContentEncoding::kGzip;
  return options;
}

Result<Body> DecodeInPieces(const std::string& bytes, const BodyOptions& options, size_t piece) {
  BodyDecoder decoder(options);
  TARN_RETURN_NOT_OK(decoder.Begin());
  for (size_t at = 0; at < bytes.size(); at += piece) {
    TARN_RETURN_NOT_OK(decoder.Append(std::string_view(bytes).substr(at, piece)));
  }
  return decoder.Finish();
}

StatusCode CodeOf(const Result<Body>& body) { return body.status().code(); }

TEST(ContentEncoding, KnowsIdentityAndGzip) {
  for (const char* header : {"", "  ", "identity", "Identity "}) {
    EXPECT_EQ(*ParseContentEncoding(header), ContentEncoding::kIdentity) << header;
  }
  for (const char* header : {"gzip", "GZIP", " x-gzip\t"}) {
    EXPECT_EQ(*ParseContentEncoding(header), ContentEncoding::kGzip) << header;
  }
  for (const char* header : {"deflate", "zstd", "gzip, gzip", "br", "gzip\xff"}) {
    EXPECT_EQ(ParseContentEncoding(header).status().code(), StatusCode::kUnsupported) << header;
  }
}

TEST(Body, IdentityIsTakenAsItIs) {
  const std::string text = testing::TsbsCpuBody(100, 10, true);
  for (const size_t piece : {size_t{1}, size_t{1000}, text.size()}) {
    EXPECT_EQ(DecodeInPieces(text, {}, piece)->text, text);
  }
  EXPECT_EQ(DecodeBody("", {})->text, "");
}

TEST(Body, GzipInflatesWhateverThePieces) {
  const std::string text = testing::TsbsCpuBody(100, 10, false);  // longer than the 32 KiB window
  for (const int level : {0, 1, 6, 9}) {
    const std::string bytes = Gzip(text, level);
    for (const size_t piece : {size_t{1}, size_t{7}, size_t{4096}, bytes.size()}) {
      const Result<Body> body = DecodeInPieces(bytes, GzipOptions(), piece);
      ASSERT_TRUE(body.ok()) << body.status().ToString() << " level " << level << " piece " << piece;
      EXPECT_EQ(body->text, text);
    }
  }
}

TEST(Body, GzipMembersFollowEachOther) {
  const std::string bytes = Gzip("m v=1\n") + Gzip("") + Gzip("m v=2\n") + Gzip(std::string(70'000, 'x'));
  for (const size_t piece : {size_t{1}, size_t{5}, size_t{20}, bytes.size()}) {
    const Result<Body> body = DecodeInPieces(bytes, GzipOptions(), piece);
    ASSERT_TRUE(body.ok()) << body.status().ToString();
    EXPECT_EQ(body->text, "m v=1\nm v=2\n" + std::string(70'000, 'x'));
  }
}

TEST(Body, GzipHeaderFieldsAreSkipped) {
  // RFC 1952, section 2.3: FEXTRA, FNAME, FCOMMENT and FHCRC, in this order.
  const std::string plain = Gzip("m v=1\n");
  std::string header = plain.substr(0, 10);
  header[3] = 4 | 8 | 16;
  const std::string bytes =
      header + std::string("\x03\0abc", 5) + std::string("name\0", 5) + std::string("text\0", 5) + plain.substr(10);
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    const Result<Body> body = DecodeInPieces(bytes, GzipOptions(), piece);
    ASSERT_TRUE(body.ok()) << body.status().ToString() << " in pieces of " << piece;
    EXPECT_EQ(body->text, "m v=1\n");
  }
}

TEST(Body, ReservedFlagsAreRefused) {
  for (const int flag : {0x20, 0x40, 0x80}) {
    std::string bytes = Gzip("m v=0\n") + Gzip("m v=1\n");
    bytes[Gzip("m v=0\n").size() + 3] = static_cast<char>(flag);
    for (const size_t piece : {size_t{1}, bytes.size()}) {
      EXPECT_EQ(CodeOf(DecodeInPieces(bytes, GzipOptions(), piece)), StatusCode::kInvalidArgument) << flag;
    }
  }
}

TEST(Body, EveryCutGzipIsRefused) {
  const std::string bytes = Gzip("cpu,host=a value=1 1\ncpu,host=b value=2 2\n") + Gzip("m v=1\n");
  const size_t first = Gzip("cpu,host=a value=1 1\ncpu,host=b value=2 2\n").size();
  for (size_t length = 0; length < bytes.size(); ++length) {
    const Result<Body> body = DecodeBody(bytes.substr(0, length), GzipOptions());
    EXPECT_EQ(body.ok(), length == first) << length;
    if (length != first) {
      EXPECT_EQ(CodeOf(body), StatusCode::kInvalidArgument) << length;
    }
  }
}

TEST(Body, GarbageAfterGzipIsRefused) {
  const std::string bytes = Gzip("m v=1\n");
  for (const std::string& garbage :
       {std::string(1, '\0'), std::string("x"), std::string("\x1f"), std::string("\x1fx"), std::string(64, '\0')}) {
    for (const size_t piece : {size_t{1}, bytes.size() + garbage.size()}) {
      const Status status = DecodeInPieces(bytes + garbage, GzipOptions(), piece).status();
      EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
      EXPECT_EQ(status.message(),
                garbage == "\x1f" ? "the gzip body is cut short" : "something that is not gzip follows the gzip body");
    }
  }
  for (const char* text : {"m v=1\n", "m", "\x1f\x8c"}) {
    const Status status = DecodeBody(text, GzipOptions()).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(), "the body is not gzip, though it is declared to be");
  }
  std::string damaged = bytes;
  damaged[bytes.size() - 8] = static_cast<char>(damaged[bytes.size() - 8] ^ 1);
  EXPECT_EQ(DecodeBody(damaged, GzipOptions()).status().message(), "the body is damaged gzip");
}

TEST(Body, EveryFlippedByteOfTheTrailerIsFound) {
  const std::string bytes = Gzip("m v=1\n");
  for (size_t i = bytes.size() - 8; i < bytes.size(); ++i) {
    std::string wrong = bytes;
    wrong[i] = static_cast<char>(wrong[i] ^ 1);
    EXPECT_EQ(CodeOf(DecodeBody(wrong, GzipOptions())), StatusCode::kInvalidArgument) << i;
  }
}

TEST(Body, LimitsHoldToTheByte) {
  BodyOptions options;
  options.max_bytes = 100'000;
  EXPECT_TRUE(DecodeBody(std::string(100'000, 'x'), options).ok());
  EXPECT_EQ(CodeOf(DecodeBody(std::string(100'001, 'x'), options)), StatusCode::kResourceExhausted);
  options.encoding = ContentEncoding::kGzip;
  EXPECT_TRUE(DecodeBody(Gzip(std::string(100'000, 'x')), options).ok());
  EXPECT_EQ(CodeOf(DecodeBody(Gzip(std::string(100'001, 'x')), options)), StatusCode::kResourceExhausted);
  options.max_wire_bytes = Gzip("m v=1\n").size();
  EXPECT_TRUE(DecodeBody(Gzip("m v=1\n"), options).ok());
  options.max_wire_bytes -= 1;
  EXPECT_EQ(CodeOf(DecodeBody(Gzip("m v=1\n"), options)), StatusCode::kResourceExhausted);
}

TEST(Body, ABombStopsAtTheLimit) {
  const std::string bomb = Gzip(std::string(200 << 20, '\0'), 9);
  MemoryBudget budget("bodies", 1 << 20);
  BodyOptions options = GzipOptions();
  options.max_bytes = 1 << 20;
  options.budget = &budget;
  BodyDecoder decoder(options);
  EXPECT_EQ(decoder.Append(bomb).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(budget.used_bytes(), 0u) << "a failed body must give its memory back";
  EXPECT_EQ(decoder.Append("x").code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(decoder.Finish().status().code(), StatusCode::kResourceExhausted);
}

TEST(Body, ContentLengthIsCheckedBeforeReading) {
  BodyOptions options;
  options.max_wire_bytes = 1000;
  options.max_bytes = 500;
  options.content_length = 1001;
  EXPECT_EQ(BodyDecoder(options).Begin().code(), StatusCode::kResourceExhausted);
  options.content_length = 501;
  EXPECT_EQ(BodyDecoder(options).Begin().code(), StatusCode::kResourceExhausted);
  options.encoding = ContentEncoding::kGzip;
  EXPECT_TRUE(BodyDecoder(options).Begin().ok());
}

TEST(Body, MemoryIsAccountedAsLongAsTheBodyLives) {
  MemoryBudget budget("bodies", 100'000);
  BodyOptions options;
  options.budget = &budget;
  {
    const Result<Body> body = DecodeBody(std::string(60'000, 'x'), options);
    ASSERT_TRUE(body.ok());
    EXPECT_GE(budget.used_bytes(), body->text.capacity() - 1);
    EXPECT_EQ(CodeOf(DecodeBody(std::string(60'000, 'x'), options)), StatusCode::kUnavailable);
  }
  EXPECT_EQ(budget.used_bytes(), 0u);
}

}  // namespace
}  // namespace tarn::ingest
