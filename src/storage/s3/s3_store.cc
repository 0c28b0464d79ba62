#include "storage/s3/s3_store.h"

#include <utility>

#include "storage/http/ranged_reader.h"
#include "storage/http/time_text.h"
#include "storage/s3/s3_listing.h"
#include "storage/s3/s3_writer.h"

namespace tarn::storage::internal {

namespace {

class S3Store final : public ObjectStore {
 public:
  S3Store(std::shared_ptr<S3Client> client, size_t part_bytes) : client_(std::move(client)), part_bytes_(part_bytes) {}

  Result<ObjectInfo> Head(std::string_view key) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    TARN_ASSIGN_OR_RETURN(
        const HttpResponse answer,
        client_->Send({.method = "HEAD", .key = std::string(key), .query = {}, .headers = {}, .body = {}, .into = {}}));
    return InfoOfAnswer(std::string(key), answer);
  }

  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    return OpenByRanges(std::string(key), client_->Shown(key), FetchOf(key), [&] { return Head(key); });
  }
  Result<std::unique_ptr<ObjectReader>> OpenKnown(std::string_view key, int64_t size_bytes) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    return OpenKnownByRanges(std::string(key), size_bytes, client_->Shown(key), FetchOf(key));
  }

  Result<ObjectInfo> Put(std::string_view key, ByteSpan bytes, const Precondition& precondition) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    return PutObject(*client_, key, bytes, precondition);
  }

  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key, const Precondition& precondition) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    return MakeS3Writer(client_, std::string(key), precondition, part_bytes_);
  }

  Status List(const ListOptions& options, const std::function<bool(const ListEntry&)>& visit) override {
    return ListBucket(*client_, options, visit);
  }

  Status Delete(std::string_view key) override {
    TARN_RETURN_NOT_OK(CheckKey(key));
    const Status status =
        client_->Send({.method = "DELETE", .key = std::string(key), .query = {}, .headers = {}, .body = {}, .into = {}})
            .status();
    return status.Is(StatusCode::kNotFound) ? Status::Ok() : status;
  }

  std::string uri() const override { return client_->Shown(""); }
  std::optional<std::string> LocalPath(std::string_view) const override { return std::nullopt; }

 private:
  RangeFetch FetchOf(std::string_view key) const {
    return [client = client_, key = std::string(key)](std::vector<HttpHeader> headers, MutableByteSpan into) {
      return client->Send(
          {.method = "GET", .key = key, .query = {}, .headers = std::move(headers), .body = {}, .into = into});
    };
  }

  const std::shared_ptr<S3Client> client_;
  const size_t part_bytes_;
};

}  // namespace

std::shared_ptr<ObjectStore> MakeS3Store(std::shared_ptr<S3Client> client, size_t part_bytes) {
  return std::make_shared<S3Store>(std::move(client), part_bytes);
}

}  // namespace tarn::storage::internal
