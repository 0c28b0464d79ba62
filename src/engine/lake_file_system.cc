#include "engine/lake_file_system.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "delta/table_path.h"
#include "duckdb/common/file_opener.hpp"
#include "duckdb/common/file_system.hpp"
#include "duckdb/main/database.hpp"
#include "engine/data_file_errors.h"
#include "engine/distant_files.h"
#include "engine/exception_barrier.h"
#include "engine/lake_catalog.h"

namespace tarn::engine {
namespace {

constexpr char kStoreOption[] = "tarn_store";
constexpr char kKeyOption[] = "tarn_key";
constexpr char kGroupOption[] = "tarn_buffer_group";
constexpr char kDeletionsOption[] = "tarn_deletions";

[[noreturn]] void Refuse(const std::string& what) {
  ThrowStatus(Status::PermissionDenied(std::string(kLakeScheme) + " paths are read by table scans only: " + what));
}

class LakeFileHandle final : public duckdb::FileHandle {
 public:
  LakeFileHandle(duckdb::FileSystem& file_system, const duckdb::OpenFileInfo& info, duckdb::FileOpenFlags flags,
                 std::shared_ptr<storage::ObjectStore> store, std::unique_ptr<storage::ObjectReader> reader,
                 bool on_disk)
      : FileHandle(file_system, info.path, flags),
        shown_key_(delta::ShownKey(DataFileOf(info).key, store->uri())),
        store_(std::move(store)),
        reader_(std::move(reader)),
        on_disk_(on_disk) {}

  void Close() override {}

  size_t ReadAt(void* buffer, int64_t size, int64_t offset) {
    MutableByteSpan out(static_cast<std::byte*>(buffer), static_cast<size_t>(size));
    const auto read = reader_->ReadAt(offset, out);
    if (!read.ok()) ThrowStatus(read.status().WithContext(kDataFilePrefix + shown_key_));
    return *read;
  }

  const std::string& shown_key() const { return shown_key_; }
  const storage::ObjectInfo& info() const { return reader_->info(); }
  bool on_disk() const { return on_disk_; }

  duckdb::idx_t position = 0;

 private:
  const std::string shown_key_;
  std::shared_ptr<storage::ObjectStore> store_;
  std::unique_ptr<storage::ObjectReader> reader_;
  bool on_disk_;
};

/// Reads what lake scans hand over; everything else is refused. Thread-safe.
class LakeFileSystem final : public duckdb::FileSystem {
 public:
  std::string GetName() const override { return "TarnLake"; }
  bool CanHandleFile(const std::string& path) override { return path.rfind(kLakeScheme, 0) == 0; }
  bool CanSeek() override { return true; }
  std::string PathSeparator(const std::string&) override { return "/"; }
  bool OnDiskFile(duckdb::FileHandle& handle) override { return Of(handle).on_disk(); }

  duckdb::unique_ptr<duckdb::FileHandle> OpenFile(const std::string& path, duckdb::FileOpenFlags,
                                                  duckdb::optional_ptr<duckdb::FileOpener>) override {
    Refuse(path);
  }

  void Read(duckdb::FileHandle& handle, void* buffer, int64_t size, duckdb::idx_t offset) override {
    size_t read = Of(handle).ReadAt(buffer, size, static_cast<int64_t>(offset));
    if (static_cast<int64_t>(read) != size) {
      ThrowStatus(Status::Corruption(kDataFilePrefix + Of(handle).shown_key() + " ends before byte " +
                                     std::to_string(offset + static_cast<duckdb::idx_t>(size))));
    }
  }

  int64_t Read(duckdb::FileHandle& handle, void* buffer, int64_t size) override {
    auto& file = Of(handle);
    size_t read = file.ReadAt(buffer, size, static_cast<int64_t>(file.position));
    file.position += read;
    return static_cast<int64_t>(read);
  }

  int64_t GetFileSize(duckdb::FileHandle& handle) override { return Of(handle).info().size_bytes; }
  duckdb::timestamp_t GetLastModifiedTime(duckdb::FileHandle& handle) override {
    return duckdb::timestamp_t(Of(handle).info().modified_micros);
  }
  std::string GetVersionTag(duckdb::FileHandle& handle) override { return Of(handle).info().etag; }
  duckdb::FileType GetFileType(duckdb::FileHandle&) override { return duckdb::FileType::FILE_TYPE_REGULAR; }
  void Seek(duckdb::FileHandle& handle, duckdb::idx_t position) override { Of(handle).position = position; }
  duckdb::idx_t SeekPosition(duckdb::FileHandle& handle) override { return Of(handle).position; }
  void Reset(duckdb::FileHandle& handle) override { Of(handle).position = 0; }

  void Write(duckdb::FileHandle& handle, void*, int64_t, duckdb::idx_t) override { Refuse(handle.path); }
  int64_t Write(duckdb::FileHandle& handle, void*, int64_t) override { Refuse(handle.path); }
  void Truncate(duckdb::FileHandle& handle, int64_t) override { Refuse(handle.path); }
  void FileSync(duckdb::FileHandle& handle) override { Refuse(handle.path); }
  bool FileExists(const std::string&, duckdb::optional_ptr<duckdb::FileOpener>) override { return false; }
  bool DirectoryExists(const std::string&, duckdb::optional_ptr<duckdb::FileOpener>) override { return false; }
  bool IsPipe(const std::string&, duckdb::optional_ptr<duckdb::FileOpener>) override { return false; }
  void CreateDirectory(const std::string& path, duckdb::optional_ptr<duckdb::FileOpener>) override { Refuse(path); }
  void RemoveDirectory(const std::string& path, duckdb::optional_ptr<duckdb::FileOpener>) override { Refuse(path); }
  void MoveFile(const std::string& path, const std::string&, duckdb::optional_ptr<duckdb::FileOpener>) override {
    Refuse(path);
  }
  void RemoveFile(const std::string& path, duckdb::optional_ptr<duckdb::FileOpener>) override { Refuse(path); }
  bool TryRemoveFile(const std::string& path, duckdb::optional_ptr<duckdb::FileOpener>) override { Refuse(path); }
  duckdb::vector<duckdb::OpenFileInfo> Glob(const std::string& path, duckdb::FileOpener*) override { Refuse(path); }

 protected:
  bool SupportsOpenFileExtended() const override { return true; }

  duckdb::unique_ptr<duckdb::FileHandle> OpenFileExtended(const duckdb::OpenFileInfo& info, duckdb::FileOpenFlags flags,
                                                          duckdb::optional_ptr<duckdb::FileOpener> opener) override {
    if (flags.OpenForWriting() || !info.extended_info) Refuse(info.path);
    const auto& options = info.extended_info->options;
    auto store_option = options.find(kStoreOption);
    auto key_option = options.find(kKeyOption);
    if (store_option == options.end() || key_option == options.end()) Refuse(info.path);
    // Kept alive by the view, which the plan that made this path holds.
    auto store = *reinterpret_cast<const std::shared_ptr<storage::ObjectStore>*>(store_option->second.GetPointer());
    const std::string& key = duckdb::StringValue::Get(key_option->second);
    bool on_disk = store->LocalPath(key).has_value();
    auto context = duckdb::FileOpener::TryGetClientContext(opener);
    auto reader =
        on_disk || !context ? store->Open(key) : DistantFiles::Of(*context)->Open(*context, store, DataFileOf(info));
    if (!reader.ok()) ThrowStatus(reader.status().WithContext(kDataFilePrefix + delta::ShownKey(key, store->uri())));
    return duckdb::make_uniq<LakeFileHandle>(*this, info, flags, std::move(store), std::move(*reader), on_disk);
  }

 private:
  static LakeFileHandle& Of(duckdb::FileHandle& handle) { return handle.Cast<LakeFileHandle>(); }
};

}  // namespace

duckdb::OpenFileInfo MakeDataFileInfo(const std::string& path_prefix, const delta::DataFile& file,
                                      const std::shared_ptr<storage::ObjectStore>& store) {
  duckdb::OpenFileInfo info(path_prefix + file.key);
  info.extended_info = duckdb::make_shared_ptr<duckdb::ExtendedOpenFileInfo>();
  auto& options = info.extended_info->options;
  // Data files never change, so what the log says of them is enough to trust a cached range.
  options["validate_external_file_cache"] = duckdb::Value::BOOLEAN(false);
  options["file_size"] = duckdb::Value::UBIGINT(static_cast<uint64_t>(file.size_bytes));
  options["last_modified"] = duckdb::Value::TIMESTAMP(duckdb::timestamp_t(file.modification_time_millis * 1000));
  options["etag"] =
      duckdb::Value(std::to_string(file.size_bytes) + "-" + std::to_string(file.modification_time_millis));
  options[kKeyOption] = duckdb::Value(file.key);
  options[kStoreOption] = duckdb::Value::POINTER(reinterpret_cast<uintptr_t>(&store));
  if (HasDeletions(file)) options[kDeletionsOption] = duckdb::Value::BOOLEAN(true);
  return info;
}

delta::DataFile DataFileOf(const duckdb::OpenFileInfo& info) {
  const auto& options = info.extended_info->options;
  delta::DataFile file;
  file.key = duckdb::StringValue::Get(options.at(kKeyOption));
  file.size_bytes = static_cast<int64_t>(options.at("file_size").GetValue<uint64_t>());
  file.modification_time_millis = options.at("last_modified").GetValue<duckdb::timestamp_t>().value / 1000;
  return file;
}

bool HasDeletions(const delta::DataFile& file) { return file.deletion_vector || file.only_deleted_by; }

bool HasDeletions(const duckdb::OpenFileInfo& info) {
  return info.extended_info && info.extended_info->options.contains(kDeletionsOption);
}

duckdb::OpenFileInfo MakeBufferInfo(const std::string& path_prefix, size_t group) {
  duckdb::OpenFileInfo info(path_prefix + "buffer-" + std::to_string(group));
  info.extended_info = duckdb::make_shared_ptr<duckdb::ExtendedOpenFileInfo>();
  info.extended_info->options[kGroupOption] = duckdb::Value::UBIGINT(group);
  return info;
}

std::optional<size_t> BufferGroupOf(const duckdb::OpenFileInfo& info) {
  if (!info.extended_info) return std::nullopt;
  auto option = info.extended_info->options.find(kGroupOption);
  if (option == info.extended_info->options.end()) return std::nullopt;
  return option->second.GetValue<uint64_t>();
}

void RegisterLakeFileSystem(duckdb::DatabaseInstance& instance) {
  instance.GetFileSystem().RegisterSubSystem(duckdb::make_uniq<LakeFileSystem>());
}

}  // namespace tarn::engine
