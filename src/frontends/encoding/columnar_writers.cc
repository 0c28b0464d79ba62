// Arrow IPC stream and Parquet, by Arrow's writers into a ByteBuffer.
#include <arrow/array.h>
#include <arrow/io/interfaces.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <parquet/arrow/schema.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>

#include <string>
#include <utility>

#include "columnar/arrow_status.h"
#include "frontends/encoding/result_writers.h"

namespace tarn::frontends {

namespace {

using columnar::FromArrow;

/// An Arrow stream that ends in whatever ByteBuffer the current call was given.
class BufferStream final : public arrow::io::OutputStream {
 public:
  void set_target(ByteBuffer* target) { target_ = target; }
  arrow::Status Write(const void* data, int64_t bytes) override {
    if (target_ == nullptr) return arrow::Status::Invalid("written outside of a call");
    target_->Append({static_cast<const char*>(data), static_cast<size_t>(bytes)});
    position_ += bytes;
    return arrow::Status::OK();
  }
  arrow::Result<int64_t> Tell() const override { return position_; }
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }

 private:
  ByteBuffer* target_ = nullptr;
  int64_t position_ = 0;
  bool closed_ = false;
};

class ArrowWriter final : public ResultWriter {
 public:
  explicit ArrowWriter(std::shared_ptr<arrow::Schema> schema) : schema_(std::move(schema)) {}

  Status Begin(ByteBuffer& out) override {
    stream_->set_target(&out);
    auto writer = arrow::ipc::MakeStreamWriter(stream_, schema_);
    if (!writer.ok()) return FromArrow(writer.status());
    writer_ = std::move(writer).ValueUnsafe();
    return Status::Ok();
  }
  Status Write(const std::shared_ptr<arrow::RecordBatch>& batch, ByteBuffer& out) override {
    stream_->set_target(&out);
    return FromArrow(writer_->WriteRecordBatch(*batch));
  }
  Status Finish(ByteBuffer& out) override {
    stream_->set_target(&out);
    return FromArrow(writer_->Close());
  }
  int64_t preferred_rows() const override { return int64_t{1} << 17; }

 private:
  const std::shared_ptr<arrow::Schema> schema_;
  const std::shared_ptr<BufferStream> stream_ = std::make_shared<BufferStream>();
  std::shared_ptr<arrow::ipc::RecordBatchWriter> writer_;
};

/// What SQL calls a type that Parquet, as we write it, has no like of; of the first one in a nested type. Empty when
/// there is none.
std::string_view TypeThatParquetLacks(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::INTERVAL_MONTH_DAY_NANO:
      return "INTERVAL";
    case arrow::Type::SPARSE_UNION:
    case arrow::Type::DENSE_UNION:
      return "UNION";
    default:
      for (const auto& field : type.fields()) {
        if (const auto lacked = TypeThatParquetLacks(*field->type()); !lacked.empty()) return lacked;
      }
      return {};
  }
}

/// Row groups are closed at whichever bound comes first, so that one row group is all that waits in memory.
class ResultParquetWriter final : public ResultWriter {
 public:
  explicit ResultParquetWriter(std::shared_ptr<arrow::Schema> schema) : schema_(std::move(schema)) {}

  // Nothing is encoded here, so that a type that Parquet lacks is found before an answer has begun.
  Status Check() {
    for (const auto& field : schema_->fields()) {
      if (const auto lacked = TypeThatParquetLacks(*field->type()); !lacked.empty()) {
        const bool within = arrow::is_nested(field->type()->id()) && !arrow::is_union(field->type()->id());
        return Status::Unsupported(
            "column \"" + field->name() + "\" " + (within ? "holds" : "is of") + " the type " + std::string(lacked) +
            ", which Parquet lacks; cast it, to VARCHAR for instance, or ask for another format");
      }
      const Status status = Guarded([&] {
        std::shared_ptr<parquet::SchemaDescriptor> descriptor;
        const arrow::Schema column({field});
        return parquet::arrow::ToParquetSchema(&column, *Properties(), *ArrowProperties(), &descriptor);
      });
      if (status.ok()) continue;
      return Status::Unsupported("column \"" + field->name() +
                                 "\" cannot be written as Parquet; cast it, or ask for another format (" +
                                 status.message() + ")");
    }
    return Status::Ok();
  }

  Status Begin(ByteBuffer& out) override {
    stream_->set_target(&out);
    return Guarded([this]() -> arrow::Status {
      ARROW_ASSIGN_OR_RAISE(writer_, parquet::arrow::FileWriter::Open(*schema_, arrow::default_memory_pool(), stream_,
                                                                      Properties(), ArrowProperties()));
      return arrow::Status::OK();
    });
  }
  Status Write(const std::shared_ptr<arrow::RecordBatch>& batch, ByteBuffer& out) override {
    stream_->set_target(&out);
    return Guarded([&]() -> arrow::Status {
      if (writer_ != nullptr && group_bytes_ >= kRowGroupBytes) {
        ARROW_RETURN_NOT_OK(writer_->NewBufferedRowGroup());
        group_bytes_ = 0;
      }
      group_bytes_ += BatchBytes(*batch);
      return writer_->WriteRecordBatch(*batch);
    });
  }
  Status Finish(ByteBuffer& out) override {
    stream_->set_target(&out);
    return Guarded([this] { return writer_->Close(); });
  }
  ~ResultParquetWriter() override {
    // An abandoned file: the writer's destructor would write its footer into a buffer that is gone.
    sink_of_the_abandoned_.Clear();
    stream_->set_target(&sink_of_the_abandoned_);
    writer_.reset();
  }
  int64_t preferred_rows() const override { return int64_t{1} << 15; }

 private:
  static constexpr int64_t kRowGroupRows = 1 << 20;
  static constexpr int64_t kRowGroupBytes = 32 << 20;

  static std::shared_ptr<parquet::WriterProperties> Properties() {
    return parquet::WriterProperties::Builder()
        .compression(arrow::Compression::ZSTD)
        ->compression_level(1)
        ->max_row_group_length(kRowGroupRows)
        ->created_by("tarn")
        ->build();
  }
  static std::shared_ptr<parquet::ArrowWriterProperties> ArrowProperties() {
    return parquet::ArrowWriterProperties::Builder().store_schema()->build();
  }
  static int64_t BatchBytes(const arrow::RecordBatch& batch) {
    int64_t bytes = 0;
    for (const auto& column : batch.columns()) {
      for (const auto& buffer : column->data()->buffers) {
        // A slice refers to the buffers of its parent; counting them whole only closes a row group early.
        if (buffer != nullptr) bytes += buffer->size();
      }
    }
    return bytes;
  }
  /// The barrier between Parquet's exceptions and us.
  template <typename Call>
  static Status Guarded(Call&& call) {
    try {
      return FromArrow(call());
    } catch (const std::exception& error) {
      return Status::Unsupported(std::string("cannot be written as Parquet: ") + error.what());
    }
  }

  const std::shared_ptr<arrow::Schema> schema_;
  const std::shared_ptr<BufferStream> stream_ = std::make_shared<BufferStream>();
  ByteBuffer sink_of_the_abandoned_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  int64_t group_bytes_ = 0;
};

}  // namespace

Result<std::unique_ptr<ResultWriter>> MakeArrowWriter(std::shared_ptr<arrow::Schema> schema) {
  return std::unique_ptr<ResultWriter>(std::make_unique<ArrowWriter>(std::move(schema)));
}

Result<std::unique_ptr<ResultWriter>> MakeParquetWriter(std::shared_ptr<arrow::Schema> schema) {
  auto writer = std::make_unique<ResultParquetWriter>(std::move(schema));
  TARN_RETURN_NOT_OK(writer->Check());
  return std::unique_ptr<ResultWriter>(std::move(writer));
}

}  // namespace tarn::frontends
