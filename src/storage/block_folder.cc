#include "storage/block_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/uri.h"

namespace tarn::storage::internal {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "TARNBLK1";
constexpr size_t kHeaderBytes = 8 + 4 + 4 + 8;
constexpr std::string_view kHex = "0123456789abcdef";
/// A file's time says when its block was used; it is not moved on for less than this.
constexpr int64_t kUseGranularityMicros = 60 * kMicrosPerSecond;
/// How much room a sweep makes beyond what is needed, so that the next one is some time away.
constexpr int64_t kSweepPart = 16;

/// What a file takes of a disk at least.
constexpr int64_t kDiskBlockBytes = 4096;

int64_t BytesOnDisk(int64_t size) { return std::max(size, kDiskBlockBytes); }

/// FNV-1a. Names that share a file only take it from each other.
uint64_t HashOf(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

struct BlockPlace {
  std::string part;
  std::string file;
};

BlockPlace PlaceOf(std::string_view name) {
  std::string hex;
  uint64_t hash = HashOf(name);
  for (int digit = 0; digit < 16; ++digit, hash >>= 4) hex += kHex[hash & 15];
  return {hex.substr(0, 2), hex.substr(2)};
}

/// A folder in a block's place goes too, unless others put something into it.
void Remove(int part_fd, const std::string& file) {
  if (unlinkat(part_fd, file.c_str(), 0) != 0 && errno == EISDIR) (void)unlinkat(part_fd, file.c_str(), AT_REMOVEDIR);
}

/// Whatever else lies in the folder is not ours to count or to remove.
bool IsBlock(const fs::path& path) {
  const auto is_hex = [](const std::string& text, size_t digits) {
    return text.size() == digits && text.find_first_not_of(kHex) == std::string::npos;
  };
  const std::string name = path.filename();
  return is_hex(path.parent_path().filename(), 2) && (is_hex(name, 14) || name.starts_with(kStagedPrefix));
}

uint32_t Checksum(std::string_view lengths, std::string_view name, std::string_view content) {
  return Crc32c(AsBytes(content), Crc32c(AsBytes(name), Crc32c(AsBytes(lengths))));
}

std::string LengthsOf(std::string_view name, std::string_view content) {
  std::string lengths;
  PutFixed(lengths, static_cast<uint32_t>(name.size()));
  PutFixed(lengths, static_cast<uint64_t>(content.size()));
  return lengths;
}

int64_t MicrosOf(const timespec& time) { return time.tv_sec * kMicrosPerSecond + time.tv_nsec / 1000; }

void SetUsed(int fd, int64_t wall_micros) {
  const timespec time{.tv_sec = wall_micros / kMicrosPerSecond, .tv_nsec = wall_micros % kMicrosPerSecond * 1000};
  const std::array<timespec, 2> times = {time, time};
  (void)futimens(fd, times.data());
}

/// nullopt unless the file is whole and of this name and size.
std::optional<std::string> ReadBlock(int fd, const std::string& path, std::string_view name, size_t size) {
  std::string head(kHeaderBytes + name.size(), '\0');
  std::string content(size, '\0');
  const auto whole = [&](std::string& part, size_t offset) {
    const auto read = ReadAt(fd, static_cast<int64_t>(offset), std::as_writable_bytes(std::span(part)), path);
    return read.ok() && *read == part.size();
  };
  if (!whole(head, 0) || !whole(content, head.size())) return std::nullopt;
  const std::string lengths = LengthsOf(name, content);
  const std::string_view found = head;
  if (!found.starts_with(kMagic) || found.substr(12, lengths.size()) != lengths) return std::nullopt;
  if (found.substr(kHeaderBytes) != name) return std::nullopt;
  if (GetFixed<uint32_t>(head.data() + kMagic.size()) != Checksum(lengths, name, content)) return std::nullopt;
  return content;
}

}  // namespace

Result<std::unique_ptr<BlockFolder>> BlockFolder::Open(const std::string& path, int64_t max_bytes, Clock& clock) {
  TARN_ASSIGN_OR_RETURN(std::string absolute, AbsolutePath(path));
  TARN_RETURN_NOT_OK(CreateFolders(ParentFolder(absolute)));
  if (mkdir(absolute.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus(errno, "create", absolute);
  TARN_ASSIGN_OR_RETURN(Fd root, OpenFd(absolute, O_RDONLY | O_NONBLOCK));
  struct stat info;
  if (fstat(root.get(), &info) != 0) return ErrnoStatus(errno, "look at", absolute);
  if (!S_ISDIR(info.st_mode)) return Status::InvalidArgument("'" + absolute + "' is not a folder");
  if (info.st_uid != geteuid() || (info.st_mode & 077) != 0) {
    return Status::PermissionDenied("'" + absolute +
                                    "' can be entered by others, who could read and change what is cached: it has to "
                                    "be this user's own, with mode 0700");
  }
  std::unique_ptr<BlockFolder> folder(new BlockFolder(std::move(absolute), std::move(root), max_bytes, clock));
  MutexLock lock(folder->mutex_);
  folder->Sweep();
  return folder;
}

Result<Fd> BlockFolder::OpenPart(const std::string& part) const {
  return OpenFdAt(folder_.get(), part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, JoinPath(path_, part));
}

std::optional<std::string> BlockFolder::Load(std::string_view name, size_t size) {
  const BlockPlace place = PlaceOf(name);
  const auto part = OpenPart(place.part);
  if (!part.ok()) return std::nullopt;
  // A pipe in the block's place is not waited for.
  const auto fd = OpenFdAt(part->get(), place.file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, place.file);
  struct stat info;
  if (!fd.ok() || fstat(fd->get(), &info) != 0) return std::nullopt;
  auto content = S_ISREG(info.st_mode) ? ReadBlock(fd->get(), place.file, name, size) : std::nullopt;
  if (!content.has_value()) {
    // Perhaps another process has put a good one in its place by now; then that is fetched again.
    ++damaged_;
    Remove(part->get(), place.file);
    return std::nullopt;
  }
  const int64_t now = clock_.WallMicros();
  if (MicrosOf(info.st_mtim) + kUseGranularityMicros < now) SetUsed(fd->get(), now);
  return content;
}

Status BlockFolder::StoreFile(std::string_view name, std::string_view content) {
  const BlockPlace place = PlaceOf(name);
  const std::string shown = JoinPath(path_, place.part);
  if (mkdirat(folder_.get(), place.part.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, "create", shown);
  }
  TARN_ASSIGN_OR_RETURN(Fd part, OpenPart(place.part));
  TARN_ASSIGN_OR_RETURN(StagedFile staged, StagedFile::CreateIn(std::move(part), shown));
  const std::string lengths = LengthsOf(name, content);
  std::string head(kMagic);
  PutFixed(head, Checksum(lengths, name, content));
  head.append(lengths).append(name);
  const std::array<ByteSpan, 2> pieces = {AsBytes(head), AsBytes(content)};
  TARN_RETURN_NOT_OK(WritePieces(staged.fd(), pieces, shown));
  SetUsed(staged.fd(), clock_.WallMicros());
  return staged.Replace(place.file);
}

void BlockFolder::Store(std::string_view name, std::string_view content) {
  const int64_t bytes = BytesOnDisk(static_cast<int64_t>(kHeaderBytes + name.size() + content.size()));
  if (bytes > max_bytes_) return;
  if (held_bytes_ + bytes > max_bytes_ || stored_since_sweep_ > max_bytes_ / kSweepPart) {
    MutexLock lock(mutex_);
    // Another thread may have swept while this one waited.
    if (held_bytes_ + bytes > max_bytes_ || stored_since_sweep_ > max_bytes_ / kSweepPart) Sweep();
  }
  if (!StoreFile(name, content).ok()) {
    ++store_failures_;
    return;
  }
  held_bytes_ += bytes;
  stored_since_sweep_ += bytes;
  ++stored_;
  stored_bytes_ += bytes;
}

void BlockFolder::Sweep() {
  struct Found {
    int64_t used_micros;
    int64_t size_bytes;
    std::string part;
    std::string file;
  };
  std::vector<Found> files;
  int64_t total = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(path_, error); !error && entry != fs::recursive_directory_iterator();
       entry.increment(error)) {
    if (entry.depth() == 0) continue;
    entry.disable_recursion_pending();
    const fs::path& path = entry->path();
    struct stat info;
    if (!IsBlock(path) || lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    const int64_t bytes = BytesOnDisk(info.st_size);
    total += bytes;
    files.push_back({MicrosOf(info.st_mtim), bytes, path.parent_path().filename(), path.filename()});
  }
  stored_since_sweep_ = 0;
  const int64_t goal = max_bytes_ - max_bytes_ / kSweepPart;
  if (total > goal) {
    std::sort(files.begin(), files.end(), [](const Found& a, const Found& b) { return a.used_micros < b.used_micros; });
    for (const Found& file : files) {
      if (total <= goal) break;
      const auto part = OpenPart(file.part);
      if (!part.ok() || (unlinkat(part->get(), file.file.c_str(), 0) != 0 && errno != ENOENT)) continue;
      total -= file.size_bytes;
      evicted_bytes_ += file.size_bytes;
    }
  }
  held_bytes_ = total;
}

BlockFolderStats BlockFolder::stats() const {
  return {.stored = stored_,
          .stored_bytes = stored_bytes_,
          .store_failures = store_failures_,
          .evicted_bytes = evicted_bytes_,
          .damaged = damaged_,
          .held_bytes = held_bytes_};
}

}  // namespace tarn::storage::internal
