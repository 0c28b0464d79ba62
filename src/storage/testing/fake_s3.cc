#include "storage/testing/fake_s3.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/random.h"
#include "base/uri.h"
#include "storage/s3/s3_client.h"
#include "storage/s3/s3_store.h"

namespace tarn::storage::testing {

namespace {

constexpr char kHttpDate[] = "Sat, 21 Nov 2026 21:10:37 GMT";
constexpr char kIsoDate[] = "2026-11-21T21:10:37.000Z";

std::map<std::string, std::string> ParseQuery(const std::string& text) {
  std::map<std::string, std::string> query;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find('&', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const size_t equals = part.find('=');
    query[PercentDecode(part.substr(0, equals)).value()] = PercentDecode(part.substr(equals + 1)).value();
    begin = end + 1;
  }
  return query;
}

/// As a form has it, which is how S3 answers to encoding-type=url.
std::string EncodeKey(const std::string& key) {
  std::string out = internal::EncodeQuery({{"", key}}).substr(1);
  for (size_t at = 0; (at = out.find("%20", at)) != std::string::npos;) out.replace(at, 3, "+");
  return out;
}

std::string EtagOf(const std::string& bytes) { return "\"" + internal::Sha256Hex(AsBytes(bytes)).substr(0, 32) + "\""; }

/// Waits take no time, so that a test of many attempts ends at once.
class HastyClock final : public Clock {
 public:
  int64_t WallNanos() override { return SystemClock().WallNanos(); }
  int64_t MonotonicMicros() override { return SystemClock().MonotonicMicros(); }
  bool WaitUntil(CondVar&, Mutex&, int64_t) override { return false; }
};

}  // namespace

FakeS3::FakeS3(Habits habits)
    : habits_(habits), server_([this](const FakeRequest& request) { return Answer(request); }) {}

size_t FakeS3::open_uploads() const {
  MutexLock lock(mutex_);
  return uploads_.size();
}

void FakeS3::AnswerInstead(Instead instead) {
  MutexLock lock(mutex_);
  instead_ = std::move(instead);
}

void FakeS3::AnswerAfter(Instead after) {
  MutexLock lock(mutex_);
  after_ = std::move(after);
}

FakeReply FakeS3::Error(int status, const std::string& code) {
  return {.status = status,
          .headers = {{"Content-Type", "application/xml"}},
          .body = "<Error><Code>" + code + "</Code><Message>said so</Message><RequestId>R1</RequestId>" +
                  "<AWSAccessKeyId>AKID</AWSAccessKeyId><StringToSign>hidden</StringToSign></Error>"};
}

std::shared_ptr<ObjectStore> FakeS3::MakeStore(const std::string& bucket, size_t part_bytes) const {
  static HastyClock clock;
  static Random random(1);
  const Environment environment = {{"AWS_ENDPOINT_URL", url()},
                                   {"AWS_ACCESS_KEY_ID", "AKID"},
                                   {"AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI"},
                                   {"AWS_EC2_METADATA_DISABLED", "true"}};
  const auto http = MakeHttpClient({}, SystemClock()).value();
  const auto location = internal::LocateBucket(bucket, environment).value();
  return internal::MakeS3Store(
      std::make_shared<internal::S3Client>(
          location, internal::S3Client::Seams{.http = http,
                                              .credentials = internal::DefaultCredentials(environment, location.region,
                                                                                          http, SystemClock()),
                                              .retry = {},
                                              .clock = &clock,
                                              .random = &random}),
      part_bytes);
}

FakeReply FakeS3::Answer(const FakeRequest& request) {
  Instead instead;
  Instead after;
  {
    MutexLock lock(mutex_);
    instead = instead_;
    after = after_;
  }
  if (instead != nullptr) {
    if (auto reply = instead(request)) return *std::move(reply);
  }
  FakeReply done = Do(request);
  if (after != nullptr) {
    if (auto reply = after(request)) return *std::move(reply);
  }
  done.headers.emplace_back("Date", kHttpDate);
  return done;
}

FakeReply FakeS3::Do(const FakeRequest& request) {
  std::string path = PercentDecode(request.path).value();
  if (habits_.decodes_keys) path = PercentDecode(path).value();
  const size_t slash = path.find('/', 1);
  const std::string key = slash == std::string::npos ? "" : path.substr(slash + 1);
  const auto query = ParseQuery(request.query);
  if (query.contains("list-type")) return List(query);
  if (query.contains("uploads")) {
    MutexLock lock(mutex_);
    const std::string id = "upload+" + std::to_string(++uploads_begun_);
    uploads_[id].key = key;
    return {.body = "<InitiateMultipartUploadResult><UploadId>" + id + "</UploadId></InitiateMultipartUploadResult>"};
  }
  if (const auto upload = query.find("uploadId"); upload != query.end()) {
    if (request.method == "POST") return Complete(request, upload->second);
    MutexLock lock(mutex_);
    if (!uploads_.contains(upload->second)) return Error(404, "NoSuchUpload");
    if (request.method == "DELETE") {
      uploads_.erase(upload->second);
      return {.status = 204};
    }
    uploads_[upload->second].parts[std::stoi(query.at("partNumber"))] = request.body;
    return {.headers = {{"ETag", EtagOf(request.body)}}};
  }
  if (request.method == "PUT") return Write(request, key, request.body);
  if (request.method == "DELETE") {
    MutexLock lock(mutex_);
    objects_.erase(key);
    return {.status = 204};
  }
  return Get(request, key);
}

FakeReply FakeS3::Get(const FakeRequest& request, const std::string& key) {
  MutexLock lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return Error(404, "NoSuchKey");
  const Object& object = found->second;
  const std::string match = request.Header("if-match");
  if (!match.empty() && match != object.etag) return Error(412, "PreconditionFailed");
  FakeReply reply{.headers = {{"ETag", object.etag}, {"Last-Modified", kHttpDate}}, .body = object.bytes};
  const std::string range = request.Header("range");
  if (range.empty()) return reply;
  const size_t begin = std::stoul(range.substr(6));
  if (begin >= object.bytes.size()) return Error(416, "InvalidRange");
  const size_t end = std::min(std::stoul(range.substr(range.find('-') + 1)) + 1, object.bytes.size());
  reply.status = 206;
  reply.body = object.bytes.substr(begin, end - begin);
  reply.headers.emplace_back("Content-Range", "bytes " + std::to_string(begin) + "-" + std::to_string(end - 1) + "/" +
                                                  std::to_string(object.bytes.size()));
  return reply;
}

std::optional<FakeReply> FakeS3::Refuses(const FakeRequest& request, const std::string& key) {
  if (habits_.ignores_preconditions) return std::nullopt;
  const auto found = objects_.find(key);
  if (request.Header("if-none-match") == "*" && found != objects_.end()) return Error(412, "PreconditionFailed");
  const std::string match = request.Header("if-match");
  if (match.empty()) return std::nullopt;
  if (found == objects_.end()) return Error(404, "NoSuchKey");
  if (found->second.etag != match) return Error(412, "PreconditionFailed");
  return std::nullopt;
}

FakeReply FakeS3::Write(const FakeRequest& request, const std::string& key, const std::string& bytes) {
  MutexLock lock(mutex_);
  if (auto refusal = Refuses(request, key)) return *refusal;
  if (habits_.races) {
    // Two that looked before either wrote.
    ++racing_;
    raced_.notify_all();
    while (racing_ < 2) raced_.wait(mutex_);
  }
  const std::string etag = EtagOf(bytes);
  objects_[key] = {bytes, etag};
  return {.headers = {{"ETag", etag}}};
}

FakeReply FakeS3::Complete(const FakeRequest& request, const std::string& upload) {
  Upload parts;
  {
    MutexLock lock(mutex_);
    const auto found = uploads_.find(upload);
    if (found == uploads_.end()) return Error(404, "NoSuchUpload");
    parts = found->second;
  }
  std::string bytes;
  for (const auto& [number, part] : parts.parts) bytes += part;
  FakeReply written = Write(request, parts.key, bytes);
  if (written.status != 200) return written;
  MutexLock lock(mutex_);
  uploads_.erase(upload);
  return {.body = "<CompleteMultipartUploadResult><ETag>" + EtagOf(bytes) + "</ETag></CompleteMultipartUploadResult>"};
}

FakeReply FakeS3::List(const std::map<std::string, std::string>& query) {
  const auto value = [&](const char* name) {
    const auto found = query.find(name);
    return found == query.end() ? std::string() : found->second;
  };
  const std::string prefix = value("prefix");
  const std::string after = std::max(value("start-after"), value("continuation-token"));
  std::map<std::string, std::string> entries;
  {
    MutexLock lock(mutex_);
    for (const auto& [key, object] : objects_) {
      if (!key.starts_with(prefix)) continue;
      const size_t slash = value("delimiter").empty() ? std::string::npos : key.find('/', prefix.size());
      const std::string folder = slash == std::string::npos ? "" : key.substr(0, slash + 1);
      // A page that ended with a folder goes on behind all of it.
      if (key <= after || (!folder.empty() && value("continuation-token") == folder)) continue;
      if (!folder.empty()) {
        entries[folder] = "<CommonPrefixes><Prefix>" + EncodeKey(folder) + "</Prefix></CommonPrefixes>";
        continue;
      }
      entries[key] = "<Contents><Key>" + EncodeKey(key) + "</Key><LastModified>" + kIsoDate + "</LastModified><ETag>" +
                     "&quot;" + object.etag.substr(1, object.etag.size() - 2) + "&quot;</ETag><Size>" +
                     std::to_string(object.bytes.size()) + "</Size></Contents>";
    }
  }
  std::string listed;
  std::string last;
  size_t count = 0;
  for (const auto& [key, text] : entries) {
    if (count++ == habits_.page_size) {
      listed += "<NextContinuationToken>" + last + "</NextContinuationToken>";
      break;
    }
    listed += text;
    last = key;
  }
  return {.body = "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>" +
                  std::string(count > habits_.page_size ? "true" : "false") + "</IsTruncated>" + listed +
                  "</ListBucketResult>"};
}

}  // namespace tarn::storage::testing
