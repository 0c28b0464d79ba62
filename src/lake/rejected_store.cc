#include "lake/rejected_store.h"

#include <arrow/array/util.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <simdjson.h>

#include "columnar/arrow_status.h"
#include "columnar/parquet_writer.h"
#include "lake/digits.h"

namespace tarn::lake {

namespace {

constexpr int64_t kFormatVersion = 1;

/// Rows with the reason and nothing else changed.
Result<std::shared_ptr<arrow::RecordBatch>> WithReason(const RefittedRows::Rejected& rejected) {
  TARN_ASSIGN_OR_RETURN(auto reason, columnar::FromArrow(arrow::MakeArrayFromScalar(
                                         arrow::StringScalar(rejected.reason), rejected.rows->num_rows())));
  return columnar::FromArrow(rejected.rows->AddColumn(
      rejected.rows->num_columns(), arrow::field("_rejected_reason", arrow::utf8()), std::move(reason)));
}

}  // namespace

RejectedStore::RejectedStore(storage::ObjectStore& store, const std::string& table_folder, const std::string& log_uuid)
    : store_(store), prefix_("_tarn/rejected/" + table_folder + "/" + log_uuid) {}

Status RejectedStore::Write(wal::Position position, size_t part, const RefittedRows::Rejected& rejected) {
  TARN_ASSIGN_OR_RETURN(const auto rows, WithReason(rejected));
  const std::string key = prefix_ + "-" + Digits(position, 20) + "-" + Digits(part, 5) + ".parquet";
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
