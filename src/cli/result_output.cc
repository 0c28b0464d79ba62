#include "cli/result_output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "cli/command_line.h"
#include "frontends/encoding/result_encoder.h"

namespace tarn::cli {

namespace {

constexpr size_t kPieceBytes = 256 << 10;

class StandardOutput final : public ResultOutput {
 public:
  Status Write(std::string_view bytes) override { return WriteStdout(bytes); }
  Status Finish() override { return Status::Ok(); }
};

class FileOutput final : public ResultOutput {
 public:
  /// `temporary` becomes `path` in the end; both are the same where there is nothing to rename.
  FileOutput(std::string path, std::string temporary, std::FILE* file)
      : path_(std::move(path)), temporary_(std::move(temporary)), file_(file) {}
  ~FileOutput() override {
    if (file_ == nullptr) return;
    std::fclose(file_);
    Discard();
  }
  Status Write(std::string_view bytes) override {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) return Fault();
    return Status::Ok();
  }
  Status Finish() override {
    const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
    if (closed && (temporary_ == path_ || std::rename(temporary_.c_str(), path_.c_str()) == 0)) return Status::Ok();
    const Status fault = Fault();
    Discard();
    return fault;
  }

 private:
  Status Fault() const { return Status::Unavailable("cannot write '" + path_ + "': " + std::strerror(errno)); }
  void Discard() {
    if (temporary_ != path_) std::remove(temporary_.c_str());
  }

  const std::string path_;
  const std::string temporary_;
  std::FILE* file_;
};

}  // namespace

Result<std::unique_ptr<ResultOutput>> ResultOutput::Open(const std::string& path) {
  if (path.empty()) return std::unique_ptr<ResultOutput>(std::make_unique<StandardOutput>());
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (std::filesystem::is_directory(status)) return Status::InvalidArgument("'" + path + "' is a folder");
  // A device or a pipe, /dev/null for one, is written to and never replaced.
  const bool in_place = std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
  const std::string temporary = in_place ? path : path + ".part";
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  if (file == nullptr) return Status::InvalidArgument("cannot write '" + path + "': " + std::strerror(errno));
  return std::unique_ptr<ResultOutput>(std::make_unique<FileOutput>(path, temporary, file));
}

Status WriteResult(std::unique_ptr<engine::QueryStream> stream, frontends::ResultFormat format, ResultOutput& output) {
  TARN_ASSIGN_OR_RETURN(const auto encoder, frontends::ResultEncoder::Make(std::move(stream), format));
  frontends::ByteBuffer buffer;
  bool more = true;
  while (more) {
    buffer.Clear();
    TARN_ASSIGN_OR_RETURN(more, encoder->Fill(kPieceBytes, buffer));
    TARN_RETURN_NOT_OK(output.Write(buffer.view()));
  }
  return output.Finish();
}

}  // namespace tarn::cli
