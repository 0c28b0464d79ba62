#include "lake/rejected_store.h"

#include <arrow/array/util.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <simdjson.h>

#include <charconv>
#include <utility>

#include "base/log.h"
#include "columnar/arrow_status.h"
#include "columnar/parquet_reader.h"
#include "columnar/parquet_writer.h"
#include "lake/digits.h"

namespace tarn::lake {

namespace {

constexpr int64_t kFormatVersion = 1;
constexpr std::string_view kRoot = "_tarn/rejected/";
constexpr std::string_view kSuffix = ".parquet";
constexpr size_t kPositionDigits = 20;
constexpr size_t kPartDigits = 5;
/// Footers beyond them are read for every listing.
constexpr size_t kMaxKnownFiles = 50'000;

/// What a key says of its file; nullopt when it is no name that Write gives.
std::optional<RejectedFile> ParseKey(std::string_view key) {
  if (!key.starts_with(kRoot) || !key.ends_with(kSuffix)) return std::nullopt;
  key.remove_prefix(kRoot.size());
  key.remove_suffix(kSuffix.size());
  const size_t slash = key.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  RejectedFile file;
  file.table_folder = key.substr(0, slash);
  key.remove_prefix(slash + 1);
  constexpr size_t kTail = 1 + kPositionDigits + 1 + kPartDigits;
  if (key.size() <= kTail) return std::nullopt;
  file.log_uuid = key.substr(0, key.size() - kTail);
  key.remove_prefix(key.size() - kTail + 1);
  const char* const end = key.data() + kPositionDigits;
  const auto [read_to, error] = std::from_chars(key.data(), end, file.position);
  if (error != std::errc() || read_to != end) return std::nullopt;
  return file;
}

/// What a file that was listed says of itself.
std::optional<RejectedFile> ReadFooter(storage::ObjectStore& store, const std::string& key) {
  auto file = ParseKey(key);
  if (!file.has_value()) return std::nullopt;
  const auto opened = columnar::ParquetFile::Open(store, key);
  if (!opened.ok()) {
    Log(LogLevel::kWarning, "a file of rows set aside cannot be read", {{"why", opened.status().ToString()}});
    return std::nullopt;
  }
  file->rows = (*opened)->num_rows();
  return file;
}

/// Rows with the reason and nothing else changed.
Result<std::shared_ptr<arrow::RecordBatch>> WithReason(const RefittedRows::Rejected& rejected) {
  TARN_ASSIGN_OR_RETURN(auto reason, columnar::FromArrow(arrow::MakeArrayFromScalar(
                                         arrow::StringScalar(rejected.reason), rejected.rows->num_rows())));
  return columnar::FromArrow(rejected.rows->AddColumn(
      rejected.rows->num_columns(), arrow::field("_rejected_reason", arrow::utf8()), std::move(reason)));
}

}  // namespace

Result<std::vector<RejectedFile>> RejectedFiles::List() {
  std::vector<std::string> keys;
  TARN_RETURN_NOT_OK(store_.List({.prefix = std::string(kRoot)}, [&](const storage::ListEntry& entry) {
    keys.push_back(entry.object.key);
    return true;
  }));
  std::shared_ptr<const Known> before;
  {
    MutexLock guard(mutex_);
    before = known_;
  }
  auto now = std::make_shared<Known>();
  std::vector<RejectedFile> files;
  for (const std::string& key : keys) {
    const auto known = before->find(key);
    const std::optional<RejectedFile> file = known != before->end() ? known->second : ReadFooter(store_, key);
    if (file.has_value()) files.push_back(*file);
    if (now->size() < kMaxKnownFiles) now->emplace(key, file);
  }
  MutexLock guard(mutex_);
  known_ = std::move(now);
  return files;
}

RejectedStore::RejectedStore(storage::ObjectStore& store, const std::string& table_folder, const std::string& log_uuid)
    : store_(store), prefix_(std::string(kRoot) + table_folder + "/" + log_uuid) {}

Status RejectedStore::Write(wal::Position position, size_t part, const RefittedRows::Rejected& rejected) {
  TARN_ASSIGN_OR_RETURN(const auto rows, WithReason(rejected));
  const std::string key =
      prefix_ + "-" + Digits(position, kPositionDigits) + "-" + Digits(part, kPartDigits) + std::string(kSuffix);
  TARN_ASSIGN_OR_RETURN(auto writer, columnar::ParquetWriter::Open(store_, key, rows->schema(), {}));
  TARN_RETURN_NOT_OK(writer->Append(*rows));
  return writer->Finish().status();
}

Status RejectedStore::Settle(wal::Position position) {
  const std::string text =
      "{\"format_version\": " + std::to_string(kFormatVersion) + ", \"position\": " + std::to_string(position) + "}\n";
  return store_.Put(SettledKey(), AsBytes(text), storage::Precondition::None()).status();
}

Result<wal::Position> RejectedStore::Settled() {
  auto text = store_.Get(SettledKey());
  if (text.status().Is(StatusCode::kNotFound)) return wal::Position{0};
  if (!text.ok()) return std::move(text).status();
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  int64_t version = 0;
  uint64_t position = 0;
  if (parser.parse(*text).get(document) != simdjson::SUCCESS ||
      document["format_version"].get(version) != simdjson::SUCCESS ||
      document["position"].get(position) != simdjson::SUCCESS) {
    return Status::Corruption(SettledKey() + ": not what this program writes");
  }
  if (version != kFormatVersion) {
    return Status::Unsupported(SettledKey() + " has format version " + std::to_string(version) +
                               "; this program knows " + std::to_string(kFormatVersion));
  }
  return wal::Position{position};
}

}  // namespace tarn::lake
