#include "storage/testing/simulated_segments.h"

#include <algorithm>
#include <utility>

namespace tarn::storage::testing {

namespace {

constexpr size_t kSectorBytes = 512;

Status Dead() { return Status::Unavailable("simulated: the process is dead"); }
Status FullDisk() { return Status::ResourceExhausted("simulated: the disk is full"); }

}  // namespace

class SimulatedSegments::Writer final : public SegmentWriter {
 public:
  Writer(SimulatedSegments& store, std::shared_ptr<File> file, int64_t life)
      : store_(store), file_(std::move(file)), life_(life) {}
  ~Writer() override {
    if (status_.ok()) store_.ShrinkToFit(file_, life_);
  }
  Status Append(ByteSpan bytes) override {
    TARN_RETURN_NOT_OK(status_);
    status_ = store_.AppendTo(file_, life_, bytes);
    if (status_.ok()) size_bytes_ += static_cast<int64_t>(bytes.size());
    return status_;
  }
  Status Sync() override {
    TARN_RETURN_NOT_OK(status_);
    status_ = store_.SyncOf(file_, life_);
    return status_;
  }
  int64_t size_bytes() const override { return size_bytes_; }

 private:
  SimulatedSegments& store_;
  const std::shared_ptr<File> file_;
  const int64_t life_;
  int64_t size_bytes_ = 0;
  Status status_;
};

void SimulatedSegments::LosePower() {
  MutexLock lock(mutex_);
  ++life_;
  for (auto at = files_.begin(); at != files_.end();) {
    File& file = *at->second;
    const bool lost = !file.name_is_durable && random_.Below(2) == 0;
    if (!lost) Tear(file);
    at = lost ? files_.erase(at) : std::next(at);
  }
}

void SimulatedSegments::Tear(File& file) {
  const size_t pending = file.appended - file.synced;
  if (pending > 0) {
    const auto clear = [&](size_t begin, size_t end) { std::fill(&file.bytes[begin], &file.bytes[0] + end, '\0'); };
    switch (random_.Below(4)) {
      case 0:
        clear(file.synced, file.appended);
        break;
      case 1:
        break;
      case 2:
        clear(file.synced + random_.Below(pending), file.appended);
        break;
      default:
        for (size_t sector = file.synced / kSectorBytes * kSectorBytes; sector < file.appended;
             sector += kSectorBytes) {
          if (random_.Below(2) == 0) continue;
          clear(std::max(sector, file.synced), std::min(sector + kSectorBytes, file.appended));
        }
    }
    // The size may not have reached the disk either.
    if (random_.Below(4) == 0) file.bytes.resize(file.synced + random_.Below(file.bytes.size() - file.synced + 1));
  }
  file.appended = file.synced = file.bytes.size();
  file.name_is_durable = true;
}

void SimulatedSegments::KillProcess() {
  MutexLock lock(mutex_);
  ++life_;
}

void SimulatedSegments::FailSync(int64_t nth) {
  MutexLock lock(mutex_);
  syncs_until_failure_ = nth;
}

void SimulatedSegments::SetCapacity(int64_t bytes) {
  MutexLock lock(mutex_);
  capacity_bytes_ = bytes;
}

void SimulatedSegments::Overwrite(std::string_view name, std::string bytes) {
  MutexLock lock(mutex_);
  auto file = std::make_shared<File>();
  file->bytes = std::move(bytes);
  file->appended = file->synced = file->bytes.size();
  file->name_is_durable = true;
  files_.insert_or_assign(std::string(name), std::move(file));
}

int64_t SimulatedSegments::UsedBytes() {
  int64_t used = 0;
  for (const auto& [name, file] : files_) used += static_cast<int64_t>(file->bytes.size());
  return used;
}

Result<std::unique_ptr<SegmentWriter>> SimulatedSegments::Create(std::string_view name, int64_t preallocate_bytes) {
  MutexLock lock(mutex_);
  if (files_.contains(name)) return Status::AlreadyExists("segment " + std::string(name) + " exists");
  if (UsedBytes() + preallocate_bytes > capacity_bytes_) return FullDisk();
  auto file = std::make_shared<File>();
  file->bytes.resize(static_cast<size_t>(preallocate_bytes), '\0');
  files_.emplace(std::string(name), file);
  return std::make_unique<Writer>(*this, std::move(file), life_);
}

Status SimulatedSegments::AppendTo(const std::shared_ptr<File>& file, int64_t life, ByteSpan bytes) {
  MutexLock lock(mutex_);
  if (life != life_) return Dead();
  const size_t end = file->appended + bytes.size();
  if (end > file->bytes.size()) {
    if (UsedBytes() + static_cast<int64_t>(end - file->bytes.size()) > capacity_bytes_) return FullDisk();
    file->bytes.resize(end, '\0');
  }
  std::copy_n(AsText(bytes).data(), bytes.size(), file->bytes.begin() + static_cast<std::ptrdiff_t>(file->appended));
  file->appended = end;
  return Status::Ok();
}

Status SimulatedSegments::SyncOf(const std::shared_ptr<File>& file, int64_t life) {
  MutexLock lock(mutex_);
  if (life != life_) return Dead();
  if (file->removed) return Status::Unavailable("simulated: the segment was removed");
  if (syncs_until_failure_ > 0 && --syncs_until_failure_ == 0) {
    Tear(*file);
    return Status::Unavailable("simulated: fdatasync failed");
  }
  file->synced = file->appended;
  file->name_is_durable = true;
  return Status::Ok();
}

void SimulatedSegments::ShrinkToFit(const std::shared_ptr<File>& file, int64_t life) {
  MutexLock lock(mutex_);
  if (life == life_) file->bytes.resize(file->appended);
}

Result<std::string> SimulatedSegments::Read(std::string_view name) { return ReadRange(name, 0, INT64_MAX); }

Result<std::string> SimulatedSegments::ReadRange(std::string_view name, int64_t offset, int64_t length) {
  MutexLock lock(mutex_);
  const auto found = files_.find(name);
  if (found == files_.end()) return Status::NotFound("no segment " + std::string(name));
  const std::string& bytes = found->second->bytes;
  if (offset < 0 || length < 0) return Status::InvalidArgument("negative range");
  if (offset >= static_cast<int64_t>(bytes.size())) return std::string();
  return bytes.substr(static_cast<size_t>(offset), static_cast<size_t>(length));
}

Status SimulatedSegments::Sync(std::string_view name) {
  MutexLock lock(mutex_);
  const auto found = files_.find(name);
  if (found == files_.end()) return Status::NotFound("no segment " + std::string(name));
  found->second->synced = found->second->appended;
  found->second->name_is_durable = true;
  return Status::Ok();
}

Result<std::vector<SegmentInfo>> SimulatedSegments::List() {
  MutexLock lock(mutex_);
  std::vector<SegmentInfo> segments;
  for (const auto& [name, file] : files_) segments.push_back({name, static_cast<int64_t>(file->bytes.size())});
  return segments;
}

Status SimulatedSegments::Remove(std::string_view name) {
  MutexLock lock(mutex_);
  const auto found = files_.find(name);
  if (found == files_.end()) return Status::Ok();
  found->second->removed = true;
  files_.erase(found);
  return Status::Ok();
}

Status SimulatedSegments::WriteFile(std::string_view name, ByteSpan bytes) {
  Overwrite(name, std::string(AsText(bytes)));
  return Status::Ok();
}

}  // namespace tarn::storage::testing
