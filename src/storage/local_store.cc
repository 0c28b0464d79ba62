#include "storage/local_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <utility>

#include "base/mutex.h"
#include "storage/local_listing.h"
#include "storage/posix_file.h"
#include "storage/stores.h"
#include "storage/uri_path.h"

namespace tarn::storage {

namespace internal {

namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;
/// Forgetting folders only costs a repeated fsync.
constexpr size_t kMaxDurableFolders = 4096;
constexpr size_t kWriterBufferBytes = 256 << 10;

std::string LastPart(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class LocalReader final : public ObjectReader {
 public:
  LocalReader(Fd fd, ObjectInfo info) : fd_(std::move(fd)), info_(std::move(info)) {}
  const ObjectInfo& info() const override { return info_; }
  Result<size_t> ReadAt(int64_t offset, MutableByteSpan out) override {
    if (offset < 0) return Status::InvalidArgument("negative offset in " + info_.key);
    return internal::ReadAt(fd_.get(), offset, out, info_.key);
  }

 private:
  const Fd fd_;
  const ObjectInfo info_;
};

/// The folder's lock, among all processes: whoever replaces or removes one of several versions of a name holds it, so
/// that a tag compared under it stays true until the rename.
Status LockFd(int folder_fd, const std::string& folder_path) {
  while (flock(folder_fd, LOCK_EX) != 0) {
    if (errno != EINTR) return ErrnoStatus(errno, "lock", folder_path);
  }
  return Status::Ok();
}

/// Keeps time going forward from one version of a file to the next, so that a tag never comes back although inodes are
/// used again and the file system's clock is coarse.
void MakeNewerThan(int fd, const struct stat& old_version) {
  struct stat info;
  if (fstat(fd, &info) != 0) return;
  const auto nanos = [](const timespec& time) { return time.tv_sec * kNanosPerSecond + time.tv_nsec; };
  if (nanos(info.st_mtim) > nanos(old_version.st_mtim)) return;
  const int64_t next = nanos(old_version.st_mtim) + 1;
  const timespec times[2] = {{0, UTIME_OMIT}, {next / kNanosPerSecond, next % kNanosPerSecond}};
  futimens(fd, times);
}

/// What a failure leaves open once the name may have changed hands.
Status AfterPublishing(Status status) {
  if (status.ok()) return status;
  return Status::Indeterminate(status.message());
}

/// Gives a staged file its name under the precondition. Errors other than Indeterminate mean that nothing changed.
Result<ObjectInfo> Publish(StagedFile& staged, const std::string& key, const std::string& name,
                           const Precondition& precondition) {
  TARN_RETURN_NOT_OK(SyncFd(staged.fd(), staged.folder_path()));
  Status published;
  if (precondition.kind == Precondition::Kind::kIfAbsent) {
    published = staged.Link(name);
  } else {
    const Status locked = LockFd(staged.folder_fd(), staged.folder_path());
    struct stat old_version;
    const bool exists = fstatat(staged.folder_fd(), name.c_str(), &old_version, 0) == 0;
    if (precondition.kind == Precondition::Kind::kIfMatch) {
      TARN_RETURN_NOT_OK(locked);
      if (!exists || InfoOfFile({}, old_version).etag != precondition.etag) {
        return Status::Conflict(key + " is not the version that was read");
      }
    }
    if (exists) MakeNewerThan(staged.fd(), old_version);
    published = staged.Replace(name);
  }
  // Only a failing disk leaves it open whether the name was written.
  if (published.Is(StatusCode::kUnavailable)) return AfterPublishing(published);
  TARN_RETURN_NOT_OK(published);
  TARN_RETURN_NOT_OK(AfterPublishing(SyncFd(staged.folder_fd(), staged.folder_path())));
  struct stat info;
  if (fstat(staged.fd(), &info) != 0) return AfterPublishing(ErrnoStatus(errno, "stat", key));
  return InfoOfFile(key, info);
}

class LocalWriter final : public ObjectWriter {
 public:
  LocalWriter(StagedFile staged, std::string key, std::string name, Precondition precondition)
      : staged_(std::move(staged)),
        key_(std::move(key)),
        name_(std::move(name)),
        precondition_(std::move(precondition)) {}

  Status Append(ByteSpan bytes) override {
    TARN_RETURN_NOT_OK(status_);
    if (buffer_.size() + bytes.size() >= kWriterBufferBytes) {
      const ByteSpan pieces[] = {AsBytes(buffer_), bytes};
      status_ = WritePieces(staged_.fd(), pieces, key_);
      buffer_.clear();
    } else {
      buffer_ += AsText(bytes);
    }
    return status_;
  }

  Result<ObjectInfo> Finish() override {
    TARN_RETURN_NOT_OK(status_);
    status_ = WriteAll(staged_.fd(), AsBytes(buffer_), key_);
    TARN_RETURN_NOT_OK(status_);
    status_ = Status::InvalidArgument(key_ + " is finished already");
    return Publish(staged_, key_, name_, precondition_);
  }

 private:
  StagedFile staged_;
  const std::string key_;
  const std::string name_;
  const Precondition precondition_;
  std::string buffer_;
  Status status_;
};

/// What reading fails with names keys, not paths: it reaches whoever sent the query.
class LocalStore final : public ObjectStore {
 public:
  LocalStore(std::string root, bool allow_unnamed_files)
      : root_(std::move(root)), allow_unnamed_files_(allow_unnamed_files) {}

  Result<ObjectInfo> Head(std::string_view key) override {
    TARN_RETURN_NOT_OK(CheckLocalKey(key));
    struct stat info;
    const std::string path = PathOf(key);
    if (stat(path.c_str(), &info) != 0) return ErrnoStatus(errno, "stat", key);
    if (!S_ISREG(info.st_mode)) return Status::NotFound(std::string(key) + " is no file");
    return InfoOfFile(std::string(key), info);
  }

  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key) override {
    TARN_RETURN_NOT_OK(CheckLocalKey(key));
    const std::string path = PathOf(key);
    // O_NONBLOCK: a pipe that lies around must not hold the caller up.
    TARN_ASSIGN_OR_RETURN(Fd fd, OpenFd(path, O_RDONLY | O_NONBLOCK, key));
    struct stat info;
    if (fstat(fd.get(), &info) != 0) return ErrnoStatus(errno, "stat", key);
    if (!S_ISREG(info.st_mode)) return Status::NotFound(std::string(key) + " is no file");
    return std::make_unique<LocalReader>(std::move(fd), InfoOfFile(std::string(key), info));
  }

  Result<ObjectInfo> Put(std::string_view key, ByteSpan bytes, const Precondition& precondition) override {
    TARN_ASSIGN_OR_RETURN(StagedFile staged, Stage(key));
    TARN_RETURN_NOT_OK(WriteAll(staged.fd(), bytes, key));
    return Publish(staged, std::string(key), LastPart(std::string(key)), precondition);
  }

  Result<std::unique_ptr<ObjectWriter>> OpenWriter(std::string_view key, const Precondition& precondition) override {
    TARN_ASSIGN_OR_RETURN(StagedFile staged, Stage(key));
    return std::make_unique<LocalWriter>(std::move(staged), std::string(key), LastPart(std::string(key)), precondition);
  }

  Status List(const ListOptions& options, const std::function<bool(const ListEntry&)>& visit) override {
    return ListFolder(root_, options, visit);
  }

  Status Delete(std::string_view key) override {
    TARN_RETURN_NOT_OK(CheckLocalKey(key));
    const std::string path = PathOf(key);
    const std::string folder_path = ParentFolder(path);
    Result<Fd> folder = OpenFd(folder_path, O_RDONLY | O_DIRECTORY);
    if (folder.status().Is(StatusCode::kNotFound)) return Status::Ok();
    TARN_RETURN_NOT_OK(folder.status());
    // Without the lock (some network file systems) removal still is removal.
    (void)LockFd(folder->get(), folder_path);
    if (unlinkat(folder->get(), LastPart(path).c_str(), 0) != 0) {
      // A folder is no object.
      if (errno == ENOENT || errno == EISDIR) return Status::Ok();
      return ErrnoStatus(errno, "remove", path);
    }
    return AfterPublishing(SyncFd(folder->get(), folder_path));
  }

  std::string uri() const override { return FileUri(root_); }
  std::optional<std::string> LocalPath(std::string_view key) const override { return PathOf(key); }

 private:
  std::string PathOf(std::string_view key) const {
    std::string path = root_ == "/" ? "" : root_;
    path += '/';
    path += key;
    return path;
  }

  static Status CheckLocalKey(std::string_view key) {
    TARN_RETURN_NOT_OK(CheckKey(key));
    if (key.substr(key.rfind('/') + 1).starts_with(kStagedPrefix)) {
      return Status::InvalidArgument("object key '" + std::string(key) + "' is a name of the store itself");
    }
    return Status::Ok();
  }

  /// A file beside where `key` will be, in a folder whose own name is durable.
  Result<StagedFile> Stage(std::string_view key) {
    TARN_RETURN_NOT_OK(CheckLocalKey(key));
    const std::string folder = ParentFolder(PathOf(key));
    if (IsDurable(folder)) {
      Result<StagedFile> staged = StagedFile::Create(folder, allow_unnamed_files_);
      // Someone may have removed the folder since.
      if (!staged.status().Is(StatusCode::kNotFound)) return staged;
    }
    TARN_RETURN_NOT_OK(MakeDurable(folder));
    return StagedFile::Create(folder, allow_unnamed_files_);
  }

  bool IsDurable(const std::string& folder) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return durable_folders_.contains(folder);
  }

  /// Creates what is missing and syncs every parent up to and including the root's: another process may have created a
  /// folder and died before its name was durable.
  Status MakeDurable(const std::string& folder) EXCLUDES(mutex_) {
    TARN_RETURN_NOT_OK(CreateFolders(folder));
    if (folder.size() > root_.size() && !IsDurable(ParentFolder(folder))) {
      TARN_RETURN_NOT_OK(MakeDurable(ParentFolder(folder)));
    }
    MutexLock lock(mutex_);
    if (durable_folders_.size() >= kMaxDurableFolders) durable_folders_.clear();
    durable_folders_.insert(folder);
    return Status::Ok();
  }

  const std::string root_;
  const bool allow_unnamed_files_;
  Mutex mutex_;
  /// Folders whose names this store has made durable.
  std::set<std::string> durable_folders_ GUARDED_BY(mutex_);
};

}  // namespace

Result<std::shared_ptr<ObjectStore>> MakeLocalStore(const std::string& root, bool allow_unnamed_files) {
  TARN_ASSIGN_OR_RETURN(std::string absolute, AbsolutePath(root));
  struct stat info;
  if (stat(absolute.c_str(), &info) == 0 && !S_ISDIR(info.st_mode)) {
    return Status::InvalidArgument(absolute + " is no folder");
  }
  return std::make_shared<LocalStore>(std::move(absolute), allow_unnamed_files);
}

}  // namespace internal

Result<std::shared_ptr<ObjectStore>> OpenLocalStore(const std::string& root) {
  return internal::MakeLocalStore(root, true);
}

}  // namespace tarn::storage
