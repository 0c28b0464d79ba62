#include "delta/log/commit_reader.h"

#include <algorithm>

namespace tarn::delta {

namespace {

/// How far a line may reach beyond its part, read in steps.
constexpr int64_t kLineTailBytes = 64 << 10;
constexpr int64_t kMaxLineBytes = int64_t{1} << 30;

Status ReadExactly(storage::ObjectReader& reader, int64_t offset, size_t length, char* out) {
  TARN_ASSIGN_OR_RETURN(const size_t read,
                        reader.ReadAt(offset, MutableByteSpan(reinterpret_cast<std::byte*>(out), length)));
  if (read != length) return Status::Corruption("the file is shorter than it was listed");
  return Status::Ok();
}

}  // namespace

Status CommitReader::Read(const CommitPart& part, ActionVisitor& visitor, const LineObserver& observer) {
  return ReadPart(part, visitor, observer).WithContext(part.commit->key);
}

Status CommitReader::ReadAll(const LogFile& commit, int64_t window_bytes, ActionVisitor& visitor,
                             const LineObserver& observer) {
  int64_t begin = 0;
  do {
    const int64_t end = std::min(begin + window_bytes, commit.size_bytes);
    TARN_RETURN_NOT_OK(Read({&commit, begin, end}, visitor, observer));
    begin = end;
  } while (begin < commit.size_bytes);
  return Status::Ok();
}

/// Reads the part's bytes into the buffer, the last line to its end; `from` is the file's offset of the first one.
Status CommitReader::Fill(const CommitPart& part, int64_t& from, size_t& length, int64_t& end) {
  TARN_ASSIGN_OR_RETURN(const auto reader, store_.Open(part.commit->key));
  const int64_t size = reader->info().size_bytes;
  if (size == 0) return Status::Corruption("the commit is empty");
  if (size < part.end) return Status::Corruption("the file is shorter than it was listed");
  // A commit read whole is taken as it is now, whatever the listing said of its size.
  end = part.begin == 0 && part.end == part.commit->size_bytes ? size : part.end;
  // The byte before tells whether a line begins right at the part's begin.
  from = part.begin == 0 ? 0 : part.begin - 1;
  length = static_cast<size_t>(end - from);
  buffer_.resize(length + kLinePadding);
  TARN_RETURN_NOT_OK(ReadExactly(*reader, from, length, buffer_.data()));
  while (from + static_cast<int64_t>(length) < size && buffer_[length - 1] != '\n') {
    const int64_t more = std::min(kLineTailBytes, size - from - static_cast<int64_t>(length));
    buffer_.resize(length + more + kLinePadding);
    TARN_RETURN_NOT_OK(ReadExactly(*reader, from + length, more, buffer_.data() + length));
    const size_t newline = std::string_view(buffer_).substr(length, more).find('\n');
    length += newline == std::string_view::npos ? more : newline + 1;
    if (static_cast<int64_t>(length) > kMaxLineBytes) return Status::ResourceExhausted("a line is too long");
  }
  return Status::Ok();
}

Status CommitReader::ReadPart(const CommitPart& part, ActionVisitor& visitor, const LineObserver& observer) {
  int64_t from = 0;
  size_t length = 0;
  int64_t end = 0;
  TARN_RETURN_NOT_OK(Fill(part, from, length, end));
  const std::string_view text = std::string_view(buffer_).substr(0, length);
  size_t begin = 0;
  if (part.begin > 0) {
    const size_t newline = text.find('\n');
    if (newline == std::string_view::npos) return Status::Ok();
    begin = newline + 1;
  }
  while (begin < length && from + static_cast<int64_t>(begin) < end) {
    const size_t newline = std::min(text.find('\n', begin), length);
    const std::string_view line = text.substr(begin, newline - begin);
    if (observer) observer(line, from + static_cast<int64_t>(begin));
    const Status status = parser_.ParseLine(line, visitor);
    if (!status.ok()) return status.WithContext("line at byte " + std::to_string(from + begin));
    begin = newline + 1;
  }
  return Status::Ok();
}

}  // namespace tarn::delta
