#include "columnar/arrow_status.h"

#include <parquet/exception.h>

#include <exception>
#include <memory>
#include <new>
#include <string>

namespace tarn::columnar {
namespace {

constexpr char kDetailType[] = "tarn::Status";

class TarnDetail final : public arrow::StatusDetail {
 public:
  explicit TarnDetail(Status status) : status_(std::move(status)) {}
  const char* type_id() const override { return kDetailType; }
  std::string ToString() const override { return status_.ToString(); }
  const Status& status() const { return status_; }

 private:
  Status status_;
};

StatusCode CodeOf(arrow::StatusCode code) {
  switch (code) {
    case arrow::StatusCode::OK:
      return StatusCode::kOk;
    case arrow::StatusCode::OutOfMemory:
    case arrow::StatusCode::CapacityError:
      return StatusCode::kResourceExhausted;
    case arrow::StatusCode::KeyError:
      return StatusCode::kNotFound;
    case arrow::StatusCode::TypeError:
    case arrow::StatusCode::Invalid:
    case arrow::StatusCode::IndexError:
      return StatusCode::kInvalidArgument;
    // All I/O below Arrow is ours and carries its own status, so this is about what the bytes say.
    case arrow::StatusCode::IOError:
    case arrow::StatusCode::SerializationError:
      return StatusCode::kCorruption;
    case arrow::StatusCode::Cancelled:
      return StatusCode::kCancelled;
    case arrow::StatusCode::NotImplemented:
      return StatusCode::kUnsupported;
    case arrow::StatusCode::AlreadyExists:
      return StatusCode::kAlreadyExists;
    default:
      return StatusCode::kInternal;
  }
}

}  // namespace

Status FromArrow(const arrow::Status& status) {
  if (status.ok()) return Status::Ok();
  const std::shared_ptr<arrow::StatusDetail>& detail = status.detail();
  if (detail != nullptr && std::string_view(detail->type_id()) == kDetailType) {
    return static_cast<const TarnDetail&>(*detail).status();
  }
  return {CodeOf(status.code()), status.message()};
}

arrow::Status ToArrow(const Status& status) {
  if (status.ok()) return arrow::Status::OK();
  return {arrow::StatusCode::IOError, status.message(), std::make_shared<TarnDetail>(status)};
}

namespace internal {

Status FromCurrentException() {
  try {
    throw;
  } catch (const parquet::ParquetStatusException& error) {
    return FromArrow(error.status());
  } catch (const parquet::ParquetException& error) {
    return Status::Corruption(error.what());
  } catch (const std::bad_alloc&) {
    return Status::ResourceExhausted("out of memory");
  } catch (const std::exception& error) {
    return Status::Internal(error.what());
  }
}

}  // namespace internal
}  // namespace tarn::columnar
