#include "storage/s3/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tarn::storage::internal {
namespace {

using ::testing::EndsWith;

// The worked examples of AWS's documentation ("Signature Calculations for the Authorization Header: Transferring
// Payload in a Single Chunk").
class SigV4OfS3 : public ::testing::Test {
 protected:
  static std::string Sign(std::string_view method, std::string_view path, const QueryParameters& query,
                          std::vector<HttpHeader> headers, std::string_view payload) {
    const std::string hash = Sha256Hex(AsBytes(payload));
    headers.push_back({"host", "examplebucket.s3.amazonaws.com"});
    headers.push_back({"x-amz-date", "20130524T000000Z"});
    headers.push_back({"x-amz-content-sha256", hash});
    const std::string encoded_path = EncodeS3Path(path);
    const std::string encoded_query = EncodeQuery(query);
    return Authorization({.method = method,
                          .path = encoded_path,
                          .query = encoded_query,
                          .headers = std::move(headers),
                          .payload_hash = hash},
                         {.region = "us-east-1", .service = "s3"},
                         {.access_key_id = "AKIAIOSFODNN7EXAMPLE",
                          .secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                          .session_token = {}});
  }
};

TEST_F(SigV4OfS3, GetsAPartOfAnObject) {
  EXPECT_EQ(Sign("GET", "/test.txt", {}, {{"range", "bytes=0-9"}}, ""),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST_F(SigV4OfS3, PutsAnObject) {
  EXPECT_THAT(Sign("PUT", "/test$file.text", {},
                   {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                   "Welcome to Amazon S3."),
              EndsWith("SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, "
                       "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

TEST_F(SigV4OfS3, AsksWithAParameterWithoutValue) {
  EXPECT_THAT(Sign("GET", "/", {{"lifecycle", ""}}, {}, ""),
              EndsWith("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST_F(SigV4OfS3, Lists) {
  EXPECT_THAT(Sign("GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {}, ""),
              EndsWith("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

// "get-vanilla" of AWS's test suite for Signature Version 4.
TEST(SigV4, SignsForAnyService) {
  EXPECT_THAT(Authorization({.method = "GET",
                             .path = "/",
                             .query = "",
                             .headers = {{"x-amz-date", "20150830T123600Z"}, {"host", "example.amazonaws.com"}},
                             .payload_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                            {.region = "us-east-1", .service = "service"},
                            {.access_key_id = "AKIDEXAMPLE",
                             .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                             .session_token = {}}),
              EndsWith("Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"));
}

TEST(SigV4, EncodesEveryByteThatIsNotPlain) {
  EXPECT_EQ(EncodeS3Path("/a b+c%/=é~-_.\x01"), "/a%20b%2Bc%25/%3D%C3%A9~-_.%01");
  EXPECT_EQ(EncodeQuery({{"prefix", "a/b c+%"}, {"delimiter", "/"}, {"a-b", ""}}),
            "a-b=&delimiter=%2F&prefix=a%2Fb%20c%2B%25");
  EXPECT_EQ(EncodeQuery({}), "");
  EXPECT_EQ(Sha256Hex({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace tarn::storage::internal
