#include "storage/posix_file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <vector>

namespace tarn::storage::internal {

namespace {

/// Repeats a system call that a signal interrupted.
template <typename Call>
auto Uninterrupted(Call call) {
  while (true) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

/// Unique among processes and hosts that share a file system.
std::string NewStagedName() {
  static const uint64_t process_tag = [] {
    uint64_t tag = 0;
    if (getrandom(&tag, sizeof(tag), 0) != sizeof(tag)) tag = static_cast<uint64_t>(getpid());
    return tag;
  }();
  static std::atomic<uint64_t> counter = 0;
  std::array<char, 48> text;
  std::snprintf(text.data(), text.size(), "%016llx-%llu", static_cast<unsigned long long>(process_tag),
                static_cast<unsigned long long>(++counter));
  return std::string(kStagedPrefix) + text.data();
}

/// An unnamed file can be given a name only through /proc, short of a capability.
bool ProcIsMounted() {
  static const bool mounted = access("/proc/self/fd", X_OK) == 0;
  return mounted;
}

std::string ProcPath(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

Status ErrnoStatus(int error, std::string_view operation, std::string_view path) {
  std::string message(operation);
  message += ' ';
  message += path;
  message += ": ";
  message += std::generic_category().message(error);
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return Status::NotFound(std::move(message));
    case EEXIST:
      return Status::AlreadyExists(std::move(message));
    case EACCES:
    case EPERM:
    case EROFS:
      return Status::PermissionDenied(std::move(message));
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return Status::ResourceExhausted(std::move(message));
    case ENAMETOOLONG:
    case EISDIR:
    case ELOOP:
      return Status::InvalidArgument(std::move(message));
    default:
      return Status::Unavailable(std::move(message));
  }
}

Result<Fd> OpenFd(const std::string& path, int flags, std::string_view shown) {
  return OpenFdAt(AT_FDCWD, path, flags, shown.empty() ? path : shown);
}

Result<Fd> OpenFdAt(int folder_fd, const std::string& name, int flags, std::string_view shown) {
  Fd fd(Uninterrupted([&] { return openat(folder_fd, name.c_str(), flags | O_CLOEXEC, 0644); }));
  if (!fd.valid()) return ErrnoStatus(errno, "open", shown);
  return fd;
}

Status WriteAll(int fd, ByteSpan bytes, std::string_view path) {
  while (!bytes.empty()) {
    const ssize_t written = Uninterrupted([&] { return write(fd, bytes.data(), bytes.size()); });
    if (written < 0) return ErrnoStatus(errno, "write", path);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return Status::Ok();
}

Status WritePieces(int fd, std::span<const ByteSpan> pieces, std::string_view path) {
  std::vector<iovec> vectors;
  vectors.reserve(pieces.size());
  for (const ByteSpan piece : pieces) {
    if (piece.empty()) continue;
    vectors.push_back({const_cast<std::byte*>(piece.data()), piece.size()});
  }
  std::span<iovec> left = vectors;
  while (!left.empty()) {
    const int count = static_cast<int>(std::min<size_t>(left.size(), IOV_MAX));
    const ssize_t result = Uninterrupted([&] { return writev(fd, left.data(), count); });
    if (result < 0) return ErrnoStatus(errno, "write", path);
    size_t written = static_cast<size_t>(result);
    while (!left.empty() && written >= left.front().iov_len) {
      written -= left.front().iov_len;
      left = left.subspan(1);
    }
    if (written > 0) {
      left.front().iov_base = static_cast<char*>(left.front().iov_base) + written;
      left.front().iov_len -= written;
    }
  }
  return Status::Ok();
}

Result<size_t> ReadAt(int fd, int64_t offset, MutableByteSpan out, std::string_view path) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = Uninterrupted(
        [&] { return pread(fd, out.data() + done, out.size() - done, offset + static_cast<int64_t>(done)); });
    if (got < 0) return ErrnoStatus(errno, "read", path);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

Status SyncFd(int fd, std::string_view path) {
  if (Uninterrupted([&] { return fsync(fd); }) != 0) return ErrnoStatus(errno, "fsync", path);
  return Status::Ok();
}

std::string ParentFolder(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

Result<std::string> AbsolutePath(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) return Status::InvalidArgument("'' is no path");
  std::error_code error;
  std::string absolute = std::filesystem::absolute(path, error).lexically_normal().string();
  if (error) return ErrnoStatus(error.value(), "resolve", path);
  while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  return absolute;
}

Status CreateFolders(const std::string& path) {
  bool created = mkdir(path.c_str(), 0755) == 0;
  if (!created) {
    if (errno == ENOENT) {
      TARN_RETURN_NOT_OK(CreateFolders(ParentFolder(path)));
      created = mkdir(path.c_str(), 0755) == 0;
      if (!created && errno != EEXIST) return ErrnoStatus(errno, "create folder", path);
    } else if (errno == ENOTDIR) {
      return Status::InvalidArgument("create folder " + path + ": a parent is a file");
    } else if (errno != EEXIST) {
      return ErrnoStatus(errno, "create folder", path);
    }
  }
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return ErrnoStatus(errno, "stat", path);
  if (!S_ISDIR(info.st_mode)) return Status::InvalidArgument("create folder " + path + ": it is a file");
  // Also when it existed: whoever created it may not have come this far yet.
  const Result<Fd> parent = OpenFd(ParentFolder(path), O_RDONLY | O_DIRECTORY);
  if (!created && parent.status().Is(StatusCode::kPermissionDenied)) return Status::Ok();
  TARN_RETURN_NOT_OK(parent.status());
  return SyncFd(parent->get(), ParentFolder(path));
}

Result<StagedFile> StagedFile::Create(const std::string& folder_path, bool allow_unnamed) {
  TARN_ASSIGN_OR_RETURN(Fd folder, OpenFd(folder_path, O_RDONLY | O_DIRECTORY));
  return CreateIn(std::move(folder), folder_path, allow_unnamed);
}

Result<StagedFile> StagedFile::CreateIn(Fd folder, std::string folder_path, bool allow_unnamed) {
  StagedFile staged;
  staged.folder_path_ = std::move(folder_path);
  staged.folder_ = std::move(folder);
  if (allow_unnamed && ProcIsMounted()) {
    staged.file_ =
        Fd(Uninterrupted([&] { return openat(staged.folder_.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644); }));
    if (staged.file_.valid()) return staged;
    // These say that the file system has no unnamed files; anything else is the answer.
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) {
      return ErrnoStatus(errno, "create a file in", staged.folder_path_);
    }
  }
  std::string name = NewStagedName();
  staged.file_ = Fd(Uninterrupted(
      [&] { return openat(staged.folder_.get(), name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644); }));
  if (!staged.file_.valid()) return ErrnoStatus(errno, "create a file in", staged.folder_path_);
  staged.staged_name_.text = std::move(name);
  return staged;
}

StagedFile::~StagedFile() {
  if (!staged_name_.text.empty()) unlinkat(folder_.get(), staged_name_.text.c_str(), 0);
}

Status StagedFile::Link(const std::string& name) {
  const bool unnamed = staged_name_.text.empty();
  const std::string from = unnamed ? ProcPath(file_.get()) : staged_name_.text;
  const int result = linkat(unnamed ? AT_FDCWD : folder_.get(), from.c_str(), folder_.get(), name.c_str(),
                            unnamed ? AT_SYMLINK_FOLLOW : 0);
  if (result == 0) return Status::Ok();
  if (errno == EPERM || errno == EOPNOTSUPP) {
    return Status::Unsupported(folder_path_ + ": the file system has no hard links");
  }
  return ErrnoStatus(errno, "link", folder_path_ + "/" + name);
}

Status StagedFile::Replace(const std::string& name) {
  if (staged_name_.text.empty()) {
    // rename(2) needs a name to begin with.
    std::string staged_name = NewStagedName();
    TARN_RETURN_NOT_OK(Link(staged_name));
    staged_name_.text = std::move(staged_name);
  }
  if (renameat(folder_.get(), staged_name_.text.c_str(), folder_.get(), name.c_str()) != 0) {
    return ErrnoStatus(errno, "rename to", folder_path_ + "/" + name);
  }
  staged_name_.text.clear();
  return Status::Ok();
}

}  // namespace tarn::storage::internal
