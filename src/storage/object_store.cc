#include "storage/object_store.h"

namespace tarn::storage {

Status ObjectStore::CheckOutside(std::string_view place) const {
  return Status::PermissionDenied(std::string(place) + " lies outside of " + uri());
}

Status CheckKey(std::string_view key) {
  const auto refuse = [&](std::string_view why) {
    return Status::InvalidArgument("object key '" + std::string(key) + "' " + std::string(why));
  };
  if (key.empty()) return refuse("is empty");
  if (key.find('\0') != std::string_view::npos) return refuse("holds a zero byte");
  size_t begin = 0;
  while (begin <= key.size()) {
    const size_t end = std::min(key.find('/', begin), key.size());
    const std::string_view part = key.substr(begin, end - begin);
    if (part.empty()) return refuse("has an empty part");
    if (part == "." || part == "..") return refuse("has the part '" + std::string(part) + "'");
    begin = end + 1;
  }
  return Status::Ok();
}

Result<size_t> ObjectReader::ReadCounted(int64_t offset, MutableByteSpan out, ReadCost& cost) {
  Result<size_t> read = ReadAt(offset, out);
  cost.Count(read.ok() ? static_cast<int64_t>(*read) : 0);
  return read;
}

Result<std::unique_ptr<ObjectReader>> ObjectStore::OpenKnown(std::string_view key, int64_t size_bytes) {
  TARN_ASSIGN_OR_RETURN(std::unique_ptr<ObjectReader> reader, Open(key));
  if (reader->info().size_bytes == size_bytes) return reader;
  return Status::Conflict(std::string(key) + " has " + std::to_string(reader->info().size_bytes) +
                          " bytes instead of " + std::to_string(size_bytes));
}

Result<std::string> ObjectStore::Get(std::string_view key) {
  TARN_ASSIGN_OR_RETURN(const std::unique_ptr<ObjectReader> reader, Open(key));
  std::string bytes(static_cast<size_t>(reader->info().size_bytes), '\0');
  TARN_ASSIGN_OR_RETURN(const size_t got, reader->ReadAt(0, std::as_writable_bytes(std::span(bytes))));
  bytes.resize(got);
  return bytes;
}

Result<std::vector<ListEntry>> ObjectStore::ListAll(const ListOptions& options) {
  std::vector<ListEntry> entries;
  TARN_RETURN_NOT_OK(List(options, [&](const ListEntry& entry) {
    entries.push_back(entry);
    return true;
  }));
  return entries;
}

}  // namespace tarn::storage
