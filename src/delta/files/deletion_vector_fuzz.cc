// Deletion vectors as a log and a file may have them: the rows that they delete, or a typed error. The input says how
// much of it is as it should be, so that zeros are a good vector.

#include <fuzzer/FuzzedDataProvider.h>
#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "delta/files/deletion_vector.h"
#include "storage/stores.h"

namespace tarn::delta {
namespace {

void AppendBigEndian(std::string& out, uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(number >> shift));
}

/// A bitmap of some rows, or any bytes.
std::string Bitmap(FuzzedDataProvider& input, int64_t& count) {
  if (input.ConsumeIntegralInRange(0, 3) == 3) return input.ConsumeRandomLengthString(4096);
  std::vector<int64_t> rows;
  int64_t row = 0;
  for (int left = input.ConsumeIntegralInRange(0, 300); left > 0; --left) {
    row += 1 + input.ConsumeIntegralInRange<int64_t>(0, input.ConsumeBool() ? int64_t{1} << 33 : 3);
    rows.push_back(row);
  }
  const RowBitmap bitmap = RowBitmap::Of(rows);
  count = bitmap.count();
  return bitmap.Serialize();
}

bool IsTyped(const Status& status) {
  return status.Is(StatusCode::kCorruption) || status.Is(StatusCode::kUnsupported) ||
         status.Is(StatusCode::kNotFound) || status.Is(StatusCode::kPermissionDenied) ||
         status.Is(StatusCode::kInvalidArgument);
}

void TryOne(FuzzedDataProvider& input) {
  FakeClock clock;
  const auto store = storage::MakeMemoryStore(clock);
  DeletionVector vector;
  const std::string bitmap = Bitmap(input, vector.cardinality);
  vector.size_in_bytes = static_cast<int32_t>(bitmap.size());
  std::string file = "\x01";
  file += input.ConsumeRandomLengthString(16);
  vector.offset = static_cast<int32_t>(file.size());
  AppendBigEndian(file, static_cast<uint32_t>(bitmap.size()));
  file += bitmap;
  AppendBigEndian(file, static_cast<uint32_t>(
                            crc32(0, reinterpret_cast<const Bytef*>(bitmap.data()), static_cast<uInt>(bitmap.size()))));
  switch (input.ConsumeIntegralInRange(0, 3)) {
    case 0:
      vector.storage_type = 'p';
      vector.path_or_inline = "vector.bin";
      break;
    case 1:
      vector.storage_type = 'i';
      vector.path_or_inline = EncodeBase85(bitmap + std::string((4 - bitmap.size() % 4) % 4, '\0'));
      break;
    case 2:
      vector.storage_type = 'u';
      vector.path_or_inline = input.ConsumeRandomLengthString(16) + EncodeBase85("0123456789abcdef");
      break;
    default:
      vector.storage_type = input.ConsumeIntegral<char>();
      vector.path_or_inline = input.ConsumeRandomLengthString(64);
  }
  for (int flips = input.ConsumeIntegralInRange(0, 4); flips > 0; --flips) {
    file[input.ConsumeIntegralInRange<size_t>(0, file.size() - 1)] = input.ConsumeIntegral<char>();
  }
  file.resize(file.size() - input.ConsumeIntegralInRange<size_t>(0, file.size()));
  if (input.ConsumeBool()) vector.size_in_bytes = input.ConsumeIntegral<int32_t>();
  if (input.ConsumeBool()) vector.offset = input.ConsumeIntegral<int32_t>();
  if (input.ConsumeBool()) vector.offset.reset();
  if (input.ConsumeBool()) vector.cardinality = input.ConsumeIntegral<int64_t>();
  TARN_CHECK(store->Put("vector.bin", std::as_bytes(std::span(file)), storage::Precondition::None()).ok());
  const auto key = DeletionVectorKey(vector, *store);
  if (key.ok() && key->has_value() && **key != "vector.bin") {
    // No store has objects of some names.
    (void)store->Put(**key, std::as_bytes(std::span(file)), storage::Precondition::None()).ok();
  }
  const auto rows = ReadDeletionVector(*store, vector);
  TARN_CHECK(rows.ok() ? (*rows)->count() == vector.cardinality : IsTyped(rows.status()));
}

}  // namespace
}  // namespace tarn::delta

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider input(data, size);
  tarn::delta::TryOne(input);
  return 0;
}
