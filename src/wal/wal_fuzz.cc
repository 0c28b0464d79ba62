#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "storage/testing/simulated_segments.h"
#include "wal/format.h"
#include "wal/identity.h"
#include "wal/testing/golden_log.h"
#include "wal/testing/replayed.h"
#include "wal/wal.h"

namespace tarn::wal {
namespace {

using storage::testing::SimulatedSegments;

/// Applies the input to the golden log as a list of edits: file, offset, byte. An edit whose file is the last value
/// cuts the file at the offset.
void Damage(SimulatedSegments& disk, const uint8_t* data, size_t size) {
  constexpr size_t kEditBytes = 4;
  const std::vector<storage::SegmentInfo> files = disk.List().value();
  for (; size >= kEditBytes; data += kEditBytes, size -= kEditBytes) {
    const std::string& name = files[data[0] % files.size()].name;
    std::string bytes = disk.Read(name).value();
    const size_t offset = (data[1] | data[2] << 8) % (bytes.size() + 1);
    if ((data[0] & 0x80) != 0) {
      bytes.resize(offset);
    } else if (offset < bytes.size()) {
      bytes[offset] = static_cast<char>(bytes[offset] ^ data[3]);
    }
    disk.Overwrite(name, std::move(bytes));
  }
}

/// Writes records of the input's choosing with checksums that hold, so that what lies behind the checksums is reached.
void Forge(SimulatedSegments& disk, std::string_view input) {
  const std::optional<internal::Identity> identity = internal::LoadIdentity(disk).value();
  internal::SegmentHeader header;
  header.first_position = identity->released + 1;
  header.uuid = identity->uuid;
  std::string segment = internal::EncodeSegmentHeader(header);
  constexpr size_t kFields = 12;
  while (input.size() >= kFields) {
    const size_t payload_bytes = std::min<size_t>(static_cast<uint8_t>(input[0]), input.size() - kFields);
    internal::RecordHeader record;
    record.position = header.first_position + static_cast<uint8_t>(input[1]) % 8;
    record.payload_bytes = static_cast<uint32_t>(payload_bytes);
    record.schema_id = static_cast<uint8_t>(input[2]);
    record.key_bytes = static_cast<uint8_t>(input[3]) % 4;
    record.kind = static_cast<uint8_t>(input[4]);
    record.flags = static_cast<uint8_t>(input[5]);
    record.group_index = GetFixed<uint32_t>(input.data() + 6);
    std::string body(input.substr(kFields, payload_bytes));
    body.resize(static_cast<size_t>(record.body_bytes()), 'k');
    record.body_crc = Crc32c(AsBytes(body), header.salt) ^ (static_cast<uint8_t>(input[10]) == 0xff ? 1 : 0);
    const internal::EncodedRecordHeader encoded = internal::EncodeRecordHeader(record, header.salt);
    segment += AsText(encoded);
    segment += body;
    input.remove_prefix(kFields + payload_bytes);
  }
  const std::vector<storage::SegmentInfo> files = disk.List().value();
  for (const storage::SegmentInfo& file : files) {
    if (internal::ParseSegmentName(file.name).has_value()) (void)disk.Remove(file.name);
  }
  disk.Overwrite(internal::SegmentName(header.first_position), segment);
}

}  // namespace
}  // namespace tarn::wal

/// Whatever the bytes are, opening ends with a status, and a log that opens takes records and replays the same again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tarn;
  using namespace tarn::wal;
  if (size == 0) return 0;
  const auto disk = std::make_shared<SimulatedSegments>(1);
  TARN_CHECK(wal::testing::WriteGoldenLog(disk).ok());
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    Damage(*disk, data + 1, size - 1);
  } else {
    Forge(*disk, input);
  }
  FakeClock clock;
  Random random(1);
  WalOptions options;
  options.segment_bytes = 4096;
  wal::testing::Replayed first;
  std::string uuid;
  wal::testing::Replayed shared;
  const bool readable = Wal::ReadOnly(*disk, &uuid, shared.visitor()).ok();
  {
    const auto wal = Wal::Open(disk, options, clock, random, first.visitor());
    if (!wal.ok()) return 0;
    TARN_CHECK(readable && shared.records == first.records);
    TARN_CHECK((*wal)->Append({wal::testing::Record((*wal)->DefineSchema("S"), "appended")}).ok());
  }
  wal::testing::Replayed second;
  TARN_CHECK(Wal::Open(disk, options, clock, random, second.visitor()).ok());
  TARN_CHECK(second.records.size() == first.records.size() + 1);
  second.records.pop_back();
  TARN_CHECK(second.records == first.records);
  return 0;
}
