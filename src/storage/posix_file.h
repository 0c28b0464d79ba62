#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/status.h"

/// The few system calls that the local stores are made of, with errno turned into a Status. Internal to this room.
namespace tarn::storage::internal {

/// Files whose last part begins so belong to the store itself and are never shown.
inline constexpr std::string_view kStagedPrefix = ".tarn-tmp-";

/// An open file descriptor, closed on destruction.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// NotFound, AlreadyExists, PermissionDenied, ResourceExhausted (full disk), InvalidArgument (names) or Unavailable.
Status ErrnoStatus(int error, std::string_view operation, std::string_view path);

/// open(2) with O_CLOEXEC. Errors name the path, or `shown` in its place.
Result<Fd> OpenFd(const std::string& path, int flags, std::string_view shown = {});
/// As OpenFd, of a name in an open folder.
Result<Fd> OpenFdAt(int folder_fd, const std::string& name, int flags, std::string_view shown);
Status WriteAll(int fd, ByteSpan bytes, std::string_view path);
/// Writes the pieces one after the other with as few system calls as possible.
Status WritePieces(int fd, std::span<const ByteSpan> pieces, std::string_view path);
/// Reads until `out` is full or the file ends.
Result<size_t> ReadAt(int fd, int64_t offset, MutableByteSpan out, std::string_view path);
/// fsync(2), of files and of folders.
Status SyncFd(int fd, std::string_view path);

/// Creates a folder and its missing parents; every name made here is durable on return.
Status CreateFolders(const std::string& path);

/// The folder part of a path, "/" for what lies in the root.
std::string ParentFolder(const std::string& path);

/// A path without trailing '/', "." and "..", made absolute against the working directory.
Result<std::string> AbsolutePath(const std::string& path);

/// A file that is written aside and then takes its name at once. Where the file system can (O_TMPFILE), it has no name
/// until then and vanishes with the process; elsewhere it has a name that begins with kStagedPrefix.
class StagedFile {
 public:
  /// `folder_path` must exist. NotFound when it does not.
  static Result<StagedFile> Create(const std::string& folder_path, bool allow_unnamed = true);
  /// In a folder that is open already; `folder_path` is for messages.
  static Result<StagedFile> CreateIn(Fd folder, std::string folder_path, bool allow_unnamed = true);
  StagedFile(StagedFile&& other) noexcept = default;
  StagedFile& operator=(StagedFile&& other) noexcept = default;
  ~StagedFile();

  int fd() const { return file_.get(); }
  int folder_fd() const { return folder_.get(); }
  const std::string& folder_path() const { return folder_path_; }

  /// Gives the file its name; AlreadyExists, and nothing changed, when the name is taken. The name is durable only
  /// after the folder was synced.
  Status Link(const std::string& name);
  /// As Link, but replaces what has the name.
  Status Replace(const std::string& name);

 private:
  struct Name {
    std::string text;
    Name() = default;
    Name(Name&& other) noexcept : text(std::exchange(other.text, {})) {}
    Name& operator=(Name&& other) noexcept {
      text.swap(other.text);
      return *this;
    }
  };

  StagedFile() = default;

  std::string folder_path_;
  Fd folder_;
  Fd file_;
  /// Empty while the file has no staged name.
  Name staged_name_;
};

}  // namespace tarn::storage::internal
