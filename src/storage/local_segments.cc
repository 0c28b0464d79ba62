#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "storage/posix_file.h"
#include "storage/stores.h"

namespace tarn::storage {

namespace {

using internal::ErrnoStatus;
using internal::Fd;

constexpr std::string_view kLockName = "LOCK";

class LocalSegmentWriter final : public SegmentWriter {
 public:
  LocalSegmentWriter(Fd fd, std::string path, int64_t preallocated_bytes)
      : fd_(std::move(fd)), path_(std::move(path)), preallocated_bytes_(preallocated_bytes) {}

  ~LocalSegmentWriter() override {
    // A segment that failed is left as it is: nobody knows what is in it.
    if (status_.ok() && size_bytes_ < preallocated_bytes_) {
      (void)!ftruncate(fd_.get(), size_bytes_);
    }
  }

  Status Append(ByteSpan bytes) override { return AppendPieces({&bytes, 1}); }

  Status AppendPieces(std::span<const ByteSpan> pieces) override {
    TARN_RETURN_NOT_OK(status_);
    status_ = internal::WritePieces(fd_.get(), pieces, path_);
    for (const ByteSpan piece : pieces) size_bytes_ += static_cast<int64_t>(piece.size());
    return status_;
  }

  Status Sync() override {
    TARN_RETURN_NOT_OK(status_);
    while (fdatasync(fd_.get()) != 0) {
      if (errno == EINTR) continue;
      status_ = ErrnoStatus(errno, "fdatasync", path_);
      // The kernel may hold pages for clean that never reached the disk; later readers must see the disk's truth.
      posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED);
      return status_;
    }
    if (!name_is_durable_) {
      status_ = SyncName();
      name_is_durable_ = status_.ok();
    }
    if (status_.ok()) status_ = CheckStillNamed();
    return status_;
  }

  int64_t size_bytes() const override { return size_bytes_; }

 private:
  Status SyncName() {
    const std::string folder_path = internal::ParentFolder(path_);
    TARN_ASSIGN_OR_RETURN(const Fd folder, internal::OpenFd(folder_path, O_RDONLY | O_DIRECTORY));
    return internal::SyncFd(folder.get(), folder_path);
  }

  /// What was removed by other hands no restart will find, however durable its bytes are.
  Status CheckStillNamed() const {
    struct stat info;
    if (fstat(fd_.get(), &info) != 0) return ErrnoStatus(errno, "stat", path_);
    if (info.st_nlink > 0) return Status::Ok();
    return Status::Unavailable("segment " + path_ + " was removed while it was written");
  }

  const Fd fd_;
  const std::string path_;
  const int64_t preallocated_bytes_;
  int64_t size_bytes_ = 0;
  bool name_is_durable_ = false;
  /// The first failure; it stays.
  Status status_;
};

Status CheckName(std::string_view name) {
  if (CheckKey(name).ok() && name.find('/') == std::string_view::npos && name != kLockName &&
      !name.starts_with(internal::kStagedPrefix)) {
    return Status::Ok();
  }
  return Status::InvalidArgument("'" + std::string(name) + "' cannot name a segment");
}

/// The free space of the volume, for messages; nothing when the system does not tell.
std::string FreeSpace(const std::string& folder) {
  struct statvfs info;
  if (statvfs(folder.c_str(), &info) != 0) return "";
  return ", of which " + std::to_string(info.f_bavail * info.f_frsize >> 20) + " MiB are free";
}

class LocalSegments final : public SegmentStore {
 public:
  explicit LocalSegments(std::string folder) : folder_(std::move(folder)) {}

  Result<std::unique_ptr<SegmentWriter>> Create(std::string_view name, int64_t preallocate_bytes) override {
    TARN_RETURN_NOT_OK(CheckName(name));
    std::string path = PathOf(name);
    TARN_ASSIGN_OR_RETURN(Fd fd, internal::OpenFd(path, O_CREAT | O_EXCL | O_WRONLY));
    if (preallocate_bytes > 0) {
      int error = EINTR;
      while (error == EINTR) error = posix_fallocate(fd.get(), 0, preallocate_bytes);
      if (error != 0) {
        unlink(path.c_str());
        const Status failed = ErrnoStatus(error, "preallocate", path);
        if (!failed.Is(StatusCode::kResourceExhausted)) return failed;
        return Status::ResourceExhausted("a segment of " + std::to_string(preallocate_bytes >> 20) +
                                         " MiB does not fit on the volume" + FreeSpace(folder_));
      }
    }
    return std::make_unique<LocalSegmentWriter>(std::move(fd), std::move(path), preallocate_bytes);
  }

  Result<std::string> Read(std::string_view name) override {
    TARN_RETURN_NOT_OK(CheckName(name));
    TARN_ASSIGN_OR_RETURN(const Fd fd, internal::OpenFd(PathOf(name), O_RDONLY));
    struct stat info;
    if (fstat(fd.get(), &info) != 0) return ErrnoStatus(errno, "stat", PathOf(name));
    return ReadPart(fd, name, 0, info.st_size);
  }

  Result<std::string> ReadRange(std::string_view name, int64_t offset, int64_t length) override {
    TARN_RETURN_NOT_OK(CheckName(name));
    if (offset < 0 || length < 0) return Status::InvalidArgument("negative range in segment " + std::string(name));
    TARN_ASSIGN_OR_RETURN(const Fd fd, internal::OpenFd(PathOf(name), O_RDONLY));
    struct stat info;
    if (fstat(fd.get(), &info) != 0) return ErrnoStatus(errno, "stat", PathOf(name));
    if (offset >= info.st_size) return std::string();
    return ReadPart(fd, name, offset, std::min<int64_t>(length, info.st_size - offset));
  }

  Status Sync(std::string_view name) override {
    TARN_RETURN_NOT_OK(CheckName(name));
    TARN_ASSIGN_OR_RETURN(const Fd fd, internal::OpenFd(PathOf(name), O_RDONLY));
    TARN_RETURN_NOT_OK(internal::SyncFd(fd.get(), PathOf(name)));
    return SyncFolder();
  }

  Result<std::vector<SegmentInfo>> List() override {
    std::vector<SegmentInfo> segments;
    const std::unique_ptr<DIR, int (*)(DIR*)> opened(opendir(folder_.c_str()), closedir);
    if (opened == nullptr) return ErrnoStatus(errno, "list", folder_);
    while (true) {
      errno = 0;
      const dirent* entry = readdir(opened.get());
      if (entry == nullptr) {
        if (errno != 0) return ErrnoStatus(errno, "list", folder_);
        break;
      }
      if (!CheckName(entry->d_name).ok()) continue;
      struct stat info;
      if (fstatat(dirfd(opened.get()), entry->d_name, &info, 0) != 0) {
        // Removed meanwhile.
        if (errno == ENOENT) continue;
        return ErrnoStatus(errno, "stat", PathOf(entry->d_name));
      }
      if (S_ISREG(info.st_mode)) segments.push_back({entry->d_name, info.st_size});
    }
    std::sort(segments.begin(), segments.end(),
              [](const SegmentInfo& a, const SegmentInfo& b) { return a.name < b.name; });
    return segments;
  }

  Status Remove(std::string_view name) override {
    TARN_RETURN_NOT_OK(CheckName(name));
    const std::string path = PathOf(name);
    if (unlink(path.c_str()) != 0) {
      if (errno == ENOENT) return Status::Ok();
      return ErrnoStatus(errno, "remove", path);
    }
    return SyncFolder();
  }

  Status WriteFile(std::string_view name, ByteSpan bytes) override {
    TARN_RETURN_NOT_OK(CheckName(name));
    TARN_ASSIGN_OR_RETURN(internal::StagedFile staged, internal::StagedFile::Create(folder_));
    TARN_RETURN_NOT_OK(internal::WriteAll(staged.fd(), bytes, name));
    TARN_RETURN_NOT_OK(internal::SyncFd(staged.fd(), PathOf(name)));
    TARN_RETURN_NOT_OK(staged.Replace(std::string(name)));
    return internal::SyncFd(staged.folder_fd(), folder_);
  }

 private:
  std::string PathOf(std::string_view name) const { return folder_ + "/" + std::string(name); }

  static Result<std::string> ReadPart(const Fd& fd, std::string_view name, int64_t offset, int64_t length) {
    std::string bytes(static_cast<size_t>(length), '\0');
    TARN_ASSIGN_OR_RETURN(const size_t got,
                          internal::ReadAt(fd.get(), offset, std::as_writable_bytes(std::span(bytes)), name));
    bytes.resize(got);
    return bytes;
  }

  Status SyncFolder() {
    TARN_ASSIGN_OR_RETURN(const Fd folder, internal::OpenFd(folder_, O_RDONLY | O_DIRECTORY));
    return internal::SyncFd(folder.get(), folder_);
  }

  const std::string folder_;
};

class LocalFolderLock final : public FolderLock {
 public:
  explicit LocalFolderLock(Fd fd) : fd_(std::move(fd)) {}

 private:
  const Fd fd_;
};

Result<std::unique_ptr<FolderLock>> TakeLock(const std::string& folder, int open_flags, int lock_kind) {
  const std::string path = folder + "/" + std::string(kLockName);
  TARN_ASSIGN_OR_RETURN(Fd fd, internal::OpenFd(path, open_flags));
  while (flock(fd.get(), lock_kind | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Status::Conflict(folder + " is locked by another process");
    if (errno != EINTR) return ErrnoStatus(errno, "lock", path);
  }
  return std::make_unique<LocalFolderLock>(std::move(fd));
}

}  // namespace

Status SegmentWriter::AppendPieces(std::span<const ByteSpan> pieces) {
  for (const ByteSpan piece : pieces) TARN_RETURN_NOT_OK(Append(piece));
  return Status::Ok();
}

Result<std::shared_ptr<SegmentStore>> OpenLocalSegments(const std::string& folder) {
  TARN_ASSIGN_OR_RETURN(std::string absolute, internal::AbsolutePath(folder));
  TARN_RETURN_NOT_OK(internal::CreateFolders(absolute));
  return std::make_shared<LocalSegments>(std::move(absolute));
}

Result<std::shared_ptr<SegmentStore>> OpenLocalSegmentsForReading(const std::string& folder) {
  TARN_ASSIGN_OR_RETURN(std::string absolute, internal::AbsolutePath(folder));
  struct stat info;
  if (stat(absolute.c_str(), &info) != 0) return ErrnoStatus(errno, "stat", absolute);
  return std::make_shared<LocalSegments>(std::move(absolute));
}

Result<std::unique_ptr<FolderLock>> LockFolder(const std::string& folder) {
  TARN_ASSIGN_OR_RETURN(const std::string absolute, internal::AbsolutePath(folder));
  TARN_RETURN_NOT_OK(internal::CreateFolders(absolute));
  return TakeLock(absolute, O_RDWR | O_CREAT, LOCK_EX);
}

Result<std::unique_ptr<FolderLock>> LockFolderForReading(const std::string& folder) {
  TARN_ASSIGN_OR_RETURN(const std::string absolute, internal::AbsolutePath(folder));
  return TakeLock(absolute, O_RDONLY, LOCK_SH);
}

}  // namespace tarn::storage
