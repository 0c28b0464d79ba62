#include "cli/line_source.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "ingest/body.h"
#include "ingest/line_protocol.h"
#include "ingest/text_scan.h"

namespace tarn::cli {

namespace {

/// What is written, and made durable, at once.
constexpr size_t kPieceBytes = 8 << 20;
constexpr unsigned kReadBytes = 1 << 20;

Status OpenFault(const std::string& path, int error) {
  if (error == ENOENT) return Status::NotFound("'" + path + "' does not exist");
  if (error == EISDIR) return Status::InvalidArgument("'" + path + "' is a folder; name the files in it");
  const std::string text = "'" + path + "' cannot be read: " + std::strerror(error);
  return error == EACCES ? Status::PermissionDenied(text) : Status::InvalidArgument(text);
}

class GzipLineSource final : public LineSource {
 public:
  GzipLineSource(std::string path, gzFile file) : path_(std::move(path)), file_(file) {}
  ~GzipLineSource() override { gzclose(file_); }

  Result<std::optional<Piece>> Next() override {
    buffer_.erase(0, taken_);
    taken_ = 0;
    first_line_ = next_line_;
    // Whether a line feed within quotes ends a line is only known once the longest line that is allowed is there.
    const size_t ahead = ingest::LineProtocolOptions().max_line_bytes + 1;
    while (true) {
      while (!ended_ && buffer_.size() < taken_ + ahead) TARN_RETURN_NOT_OK(Read());
      if (taken_ >= kPieceBytes || (ended_ && taken_ == buffer_.size())) break;
      TARN_RETURN_NOT_OK(TakeLine());
    }
    if (taken_ == 0) return std::optional<Piece>();
    return std::optional<Piece>(Piece{std::string_view(buffer_).substr(0, taken_), first_line_});
  }

 private:
  Status TakeLine() {
    while (true) {
      const char* const begin = buffer_.data() + taken_;
      const char* const end = buffer_.data() + buffer_.size();
      const char* const line_end = ingest::FindLineEnd(begin, end);
      if (line_end < end || ended_) {
        next_line_ += 1 + std::count(begin, line_end, '\n');
        taken_ = static_cast<size_t>(line_end - buffer_.data()) + (line_end < end ? 1 : 0);
        return Status::Ok();
      }
      if (buffer_.size() - taken_ > ingest::kMaxBodyBytes) {
        return Status::InvalidArgument("'" + path_ + "': line " + std::to_string(next_line_) + " is longer than " +
                                       std::to_string(ingest::kMaxBodyBytes) + " bytes; is this line protocol?");
      }
      TARN_RETURN_NOT_OK(Read());
    }
  }

  Status Read() {
    const size_t before = buffer_.size();
    buffer_.resize(before + kReadBytes);
    const int got = gzread(file_, buffer_.data() + before, kReadBytes);
    buffer_.resize(before + static_cast<size_t>(std::max(got, 0)));
    ended_ = got <= 0;
    int error = Z_OK;
    const char* const text = gzerror(file_, &error);
    if (error == Z_ERRNO) return OpenFault(path_, errno);
    // A file that ends within a member is told beside its last bytes.
    if (error != Z_OK && error != Z_STREAM_END) {
      std::string_view why = text;
      // zlib begins with the name.
      if (why.starts_with(path_ + ": ")) why.remove_prefix(path_.size() + 2);
      return Status::InvalidArgument("'" + path_ + "' is broken gzip: " + std::string(why));
    }
    if (path_.ends_with(".gz") && gzdirect(file_) != 0) {
      return Status::InvalidArgument("'" + path_ +
                                     "' is not gzip, although its name says so; rename it if it is plain");
    }
    return Status::Ok();
  }

  const std::string path_;
  const gzFile file_;
  std::string buffer_;
  /// Bytes of the buffer that the piece holds.
  size_t taken_ = 0;
  int64_t first_line_ = 1;
  int64_t next_line_ = 1;
  bool ended_ = false;
};

}  // namespace

Status LineSource::Check(const std::string& path) {
  if (path == "-") return Status::Ok();
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return OpenFault(path, errno);
  if (S_ISDIR(info.st_mode)) return OpenFault(path, EISDIR);
  return access(path.c_str(), R_OK) == 0 ? Status::Ok() : OpenFault(path, errno);
}

Result<std::unique_ptr<LineSource>> LineSource::Open(const std::string& path) {
  errno = 0;
  const gzFile file = path == "-" ? gzdopen(dup(STDIN_FILENO), "rb") : gzopen(path.c_str(), "rb");
  if (file == nullptr) return OpenFault(path, errno);
  return std::unique_ptr<LineSource>(std::make_unique<GzipLineSource>(path, file));
}

}  // namespace tarn::cli
