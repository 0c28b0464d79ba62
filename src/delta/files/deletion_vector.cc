#include "delta/files/deletion_vector.h"

#include <zlib.h>

#include <array>

#include "base/check.h"
#include "delta/table_path.h"

namespace tarn::delta {
namespace {

constexpr std::string_view kAlphabet =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
constexpr size_t kEncodedUuidLength = 20;
constexpr char kFileVersion = 1;
/// Behind the version; the position of a file's only vector when the log gives none.
constexpr int64_t kFirstOffset = 1;
/// Base85 pads to four bytes.
constexpr size_t kMaxPadding = 3;
/// A vector for 2^31 rows as bits is a quarter of this.
constexpr int32_t kMaxVectorBytes = 1 << 30;

uint32_t BigEndian(std::string_view bytes) {
  uint32_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<uint8_t>(byte);
  return number;
}

Status Located(const Status& status, const DeletionVector& vector) {
  return status.WithContext("deletion vector " + vector.UniqueId());
}

std::string UuidText(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    text.push_back(kHex[static_cast<uint8_t>(bytes[i]) >> 4]);
    text.push_back(kHex[static_cast<uint8_t>(bytes[i]) & 15]);
  }
  return text;
}

Result<std::string> ReadExactly(storage::ObjectReader& reader, int64_t offset, size_t size) {
  std::string bytes(size, '\0');
  TARN_ASSIGN_OR_RETURN(const size_t read, reader.ReadAt(offset, std::as_writable_bytes(std::span(bytes))));
  if (read != size) return Status::Corruption("the file ends within the vector");
  return bytes;
}

/// The bitmap of a vector that lies in a file.
Result<std::string> ReadFromFile(storage::ObjectStore& store, const std::string& key, const DeletionVector& vector) {
  TARN_ASSIGN_OR_RETURN(const auto reader, store.Open(key));
  TARN_ASSIGN_OR_RETURN(const std::string version, ReadExactly(*reader, 0, 1));
  if (version[0] != kFileVersion) {
    return Status::Unsupported("the file has version " + std::to_string(version[0]) + "; the known one is 1");
  }
  const size_t size = static_cast<size_t>(vector.size_in_bytes);
  const int64_t offset = vector.offset.value_or(kFirstOffset);
  // Before there is room for as many bytes as the log says.
  if (offset + vector.size_in_bytes > reader->info().size_bytes) {
    return Status::Corruption("the file ends within the vector");
  }
  TARN_ASSIGN_OR_RETURN(const std::string stored, ReadExactly(*reader, offset, size + 2 * sizeof(uint32_t)));
  const std::string_view bytes = stored;
  const std::string_view bitmap = bytes.substr(sizeof(uint32_t), size);
  if (BigEndian(bytes.substr(0, sizeof(uint32_t))) != size) {
    return Status::Corruption("the file and the log give different sizes");
  }
  const auto checksum =
      static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bitmap.data()), static_cast<uInt>(bitmap.size())));
  if (BigEndian(bytes.substr(sizeof(uint32_t) + size)) != checksum) {
    return Status::Corruption("the checksum is wrong");
  }
  return std::string(bitmap);
}

Result<RowBitmap> ReadBitmap(storage::ObjectStore& store, const DeletionVector& vector) {
  if (vector.size_in_bytes < 0 || vector.size_in_bytes > kMaxVectorBytes || vector.offset.value_or(0) < 0) {
    return Status::Corruption("a size or offset is out of range");
  }
  TARN_ASSIGN_OR_RETURN(const auto key, DeletionVectorKey(vector, store));
  if (key.has_value()) {
    auto bytes = ReadFromFile(store, *key, vector);
    if (!bytes.ok()) return bytes.status().WithContext(ShownKey(*key, store.uri()));
    return RowBitmap::Parse(*bytes);
  }
  const std::optional<std::string> bytes = DecodeBase85(vector.path_or_inline);
  const auto size = static_cast<size_t>(vector.size_in_bytes);
  if (!bytes.has_value() || bytes->size() < size || bytes->size() > size + kMaxPadding) {
    return Status::Corruption("the inline text does not hold as many bytes as the log says");
  }
  return RowBitmap::Parse(std::string_view(*bytes).substr(0, size));
}

}  // namespace

Result<std::shared_ptr<const RowBitmap>> ReadDeletionVector(storage::ObjectStore& table_store,
                                                            const DeletionVector& vector) {
  Result<RowBitmap> bitmap = ReadBitmap(table_store, vector);
  if (!bitmap.ok()) return Located(bitmap.status(), vector);
  if (bitmap->count() != vector.cardinality) {
    return Located(Status::Corruption("it deletes " + std::to_string(bitmap->count()) + " rows, the log says " +
                                      std::to_string(vector.cardinality)),
                   vector);
  }
  return std::make_shared<const RowBitmap>(*std::move(bitmap));
}

Result<LiveRows> LiveRows::Read(storage::ObjectStore& table_store, const DataFile& file) {
  const auto read = [&](const std::optional<DeletionVector>& vector, std::shared_ptr<const RowBitmap>& rows) -> Status {
    if (!vector.has_value()) return Status::Ok();
    TARN_ASSIGN_OR_RETURN(rows, ReadDeletionVector(table_store, *vector));
    return Status::Ok();
  };
  LiveRows rows;
  TARN_RETURN_NOT_OK(read(file.deletion_vector, rows.deleted_));
  TARN_RETURN_NOT_OK(read(file.only_deleted_by, rows.only_));
  return rows;
}

Result<std::optional<std::string>> DeletionVectorPath(const DeletionVector& vector, std::string_view table_uri) {
  const std::string& text = vector.path_or_inline;
  switch (vector.storage_type) {
    case 'i':
      return std::optional<std::string>();
    case 'p':
      return std::optional<std::string>(CanonicalPath(text, table_uri));
    case 'u': {
      const size_t prefix = text.size() - std::min(text.size(), kEncodedUuidLength);
      const std::optional<std::string> uuid = DecodeBase85(std::string_view(text).substr(prefix));
      if (!uuid.has_value() || uuid->size() != kEncodedUuidLength / 5 * 4) {
        return Status::Corruption("its path is no encoded UUID");
      }
      std::string path = prefix == 0 ? std::string() : text.substr(0, prefix) + "/";
      path += "deletion_vector_" + UuidText(*uuid) + ".bin";
      // Its prefix is not encoded, and may climb.
      return std::optional<std::string>(CanonicalPath(EncodeLogPath(path), table_uri));
    }
    default:
      return Status::Corruption(std::string("unknown storage type ") + vector.storage_type);
  }
}

Result<std::optional<std::string>> DeletionVectorKey(const DeletionVector& vector,
                                                     const storage::ObjectStore& table_store) {
  TARN_ASSIGN_OR_RETURN(std::optional<std::string> path, DeletionVectorPath(vector, table_store.uri()));
  if (!path.has_value()) return path;
  TARN_ASSIGN_OR_RETURN(std::string key, KeyOfCanonical(*path, table_store));
  return std::optional<std::string>(std::move(key));
}

std::optional<std::string> DecodeBase85(std::string_view text) {
  static const std::array<int, 256> kValues = [] {
    std::array<int, 256> values{};
    values.fill(-1);
    for (size_t i = 0; i < kAlphabet.size(); ++i) values[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int>(i);
    return values;
  }();
  if (text.size() % 5 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 5 * 4);
  for (size_t i = 0; i < text.size(); i += 5) {
    uint64_t word = 0;
    for (size_t k = i; k < i + 5; ++k) {
      const int value = kValues[static_cast<uint8_t>(text[k])];
      if (value < 0) return std::nullopt;
      word = word * 85 + static_cast<uint64_t>(value);
    }
    if (word > UINT32_MAX) return std::nullopt;
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(word >> shift & 0xFF));
  }
  return bytes;
}

std::string EncodeBase85(std::string_view bytes) {
  TARN_CHECK(bytes.size() % sizeof(uint32_t) == 0);
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += sizeof(uint32_t)) {
    uint32_t word = BigEndian(bytes.substr(i, sizeof(uint32_t)));
    std::array<char, 5> digits{};
    for (size_t k = digits.size(); k-- > 0; word /= 85) digits[k] = kAlphabet[word % 85];
    text.append(digits.data(), digits.size());
  }
  return text;
}

}  // namespace tarn::delta
