#include "storage/s3/s3_writer.h"

#include <utility>

#include "storage/http/time_text.h"
#include "storage/s3/xml.h"

namespace tarn::storage::internal {

namespace {

constexpr size_t kMaxParts = 10'000;

void AddPrecondition(const Precondition& precondition, S3Request& request) {
  request.precondition = precondition.kind;
  if (precondition.kind == Precondition::Kind::kNone) return;
  // Sent twice, the second would find the first in its way.
  request.repeatable = false;
  request.headers.push_back(precondition.kind == Precondition::Kind::kIfAbsent
                                ? HttpHeader{"if-none-match", "*"}
                                : HttpHeader{"if-match", precondition.etag});
}

/// The answer to a write says the time in its date only.
ObjectInfo InfoOfWrite(std::string_view key, size_t size_bytes, std::string_view etag, const HttpResponse& answer) {
  return {.key = std::string(key),
          .size_bytes = static_cast<int64_t>(size_bytes),
          .modified_micros = ParseHttpDate(answer.Header("date")).value_or(0) * kMicrosPerSecond,
          .etag = std::string(etag)};
}

S3Request Post(std::string key, QueryParameters query, ByteSpan body) {
  return {.method = "POST", .key = std::move(key), .query = std::move(query), .headers = {}, .body = body, .into = {}};
}

class S3Writer final : public ObjectWriter {
 public:
  S3Writer(std::shared_ptr<S3Client> client, std::string key, Precondition precondition, size_t part_bytes)
      : client_(std::move(client)),
        key_(std::move(key)),
        precondition_(std::move(precondition)),
        part_bytes_(part_bytes) {}

  ~S3Writer() override { Abort(); }

  Status Append(ByteSpan bytes) override {
    if (finished_) return Status::InvalidArgument(client_->Shown(key_) + " is finished already");
    TARN_RETURN_NOT_OK(failed_);
    while (!bytes.empty()) {
      // The last piece is sent by Finish, which must have one.
      if (buffer_.size() == part_bytes_) {
        failed_ = SendPart();
        TARN_RETURN_NOT_OK(failed_);
      }
      const size_t taken = std::min(bytes.size(), part_bytes_ - buffer_.size());
      buffer_ += AsText(bytes.first(taken));
      bytes = bytes.subspan(taken);
      size_bytes_ += taken;
    }
    return Status::Ok();
  }

  Result<ObjectInfo> Finish() override {
    if (finished_) return Status::InvalidArgument(client_->Shown(key_) + " is finished already");
    TARN_RETURN_NOT_OK(failed_);
    finished_ = true;
    if (upload_id_.empty()) return PutObject(*client_, key_, AsBytes(buffer_), precondition_);
    TARN_RETURN_NOT_OK(SendPart());
    auto completed = Complete();
    // What may have been completed is no longer ours to abort.
    if (completed.ok() || completed.status().Is(StatusCode::kIndeterminate)) upload_id_.clear();
    return completed;
  }

 private:
  Status Begin() {
    const S3Request request = Post(key_, {{"uploads", ""}}, {});
    TARN_ASSIGN_OR_RETURN(const HttpResponse answer, client_->Send(request));
    const auto root = ParseXml(answer.body);
    if (root.ok()) upload_id_ = root->ChildText("UploadId");
    if (upload_id_.empty()) return Status::Corruption(client_->Shown(key_) + ": the server began no upload");
    return Status::Ok();
  }

  Status SendPart() {
    if (upload_id_.empty()) TARN_RETURN_NOT_OK(Begin());
    if (etags_.size() == kMaxParts) {
      return Status::ResourceExhausted(client_->Shown(key_) + " is longer than " + std::to_string(kMaxParts) +
                                       " parts");
    }
    TARN_ASSIGN_OR_RETURN(
        const HttpResponse answer,
        client_->Send({.method = "PUT",
                       .key = key_,
                       .query = {{"partNumber", std::to_string(etags_.size() + 1)}, {"uploadId", upload_id_}},
                       .headers = {},
                       .body = AsBytes(buffer_),
                       .into = {}}));
    etags_.emplace_back(answer.Header("etag"));
    buffer_.clear();
    return Status::Ok();
  }

  Result<ObjectInfo> Complete() {
    std::string body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    for (size_t i = 0; i < etags_.size(); ++i) {
      body += "<Part><PartNumber>" + std::to_string(i + 1) + "</PartNumber><ETag>" + etags_[i] + "</ETag></Part>";
    }
    body += "</CompleteMultipartUpload>";
    S3Request request = Post(key_, {{"uploadId", upload_id_}}, AsBytes(body));
    AddPrecondition(precondition_, request);
    // The upload is gone once it is completed, or refused by a conflict.
    request.repeatable = false;
    request.repeat_conflicts = false;
    TARN_ASSIGN_OR_RETURN(const HttpResponse answer, client_->Send(request));
    // S3 answers 200 before it knows how it ends.
    const auto root = ParseXml(answer.body);
    if (!root.ok() || root->name != "CompleteMultipartUploadResult") return client_->ErrorInside(request, answer);
    return InfoOfWrite(key_, size_bytes_, root->ChildText("ETag"), answer);
  }

  void Abort() {
    if (upload_id_.empty()) return;
    (void)client_->Send(
        {.method = "DELETE", .key = key_, .query = {{"uploadId", upload_id_}}, .headers = {}, .body = {}, .into = {}});
  }

  const std::shared_ptr<S3Client> client_;
  const std::string key_;
  const Precondition precondition_;
  const size_t part_bytes_;
  std::string buffer_;
  size_t size_bytes_ = 0;
  /// Empty while there is no upload to abort.
  std::string upload_id_;
  std::vector<std::string> etags_;
  Status failed_;
  bool finished_ = false;
};

}  // namespace

Result<ObjectInfo> PutObject(S3Client& client, std::string_view key, ByteSpan bytes, const Precondition& precondition) {
  S3Request request{.method = "PUT", .key = std::string(key), .query = {}, .headers = {}, .body = bytes, .into = {}};
  AddPrecondition(precondition, request);
  TARN_ASSIGN_OR_RETURN(const HttpResponse answer, client.Send(request));
  return InfoOfWrite(key, bytes.size(), answer.Header("etag"), answer);
}

std::unique_ptr<ObjectWriter> MakeS3Writer(std::shared_ptr<S3Client> client, std::string key,
                                           const Precondition& precondition, size_t part_bytes) {
  return std::make_unique<S3Writer>(std::move(client), std::move(key), precondition, part_bytes);
}

}  // namespace tarn::storage::internal
