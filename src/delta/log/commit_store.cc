#include "delta/log/commit_store.h"

#include <utility>

#include "base/clock.h"
#include "delta/table.h"

namespace tarn::delta {

namespace {

class PutIfAbsentCommits final : public CommitStore {
 public:
  explicit PutIfAbsentCommits(std::shared_ptr<storage::ObjectStore> store) : store_(std::move(store)) {}

  Result<PublishedCommit> Publish(int64_t version, std::string_view text) override {
    TARN_ASSIGN_OR_RETURN(storage::ObjectInfo info,
                          store_->Put(CommitKey(version), AsBytes(text), storage::Precondition::IfAbsent()));
    return PublishedCommit{info.modified_micros / kMicrosPerMilli, std::move(info.etag)};
  }

 private:
  const std::shared_ptr<storage::ObjectStore> store_;
};

}  // namespace

std::shared_ptr<CommitStore> MakePutIfAbsentCommits(std::shared_ptr<storage::ObjectStore> store) {
  return std::make_shared<PutIfAbsentCommits>(std::move(store));
}

Result<CommitText> ReadCommit(storage::ObjectStore& store, int64_t version) {
  const std::string key = CommitKey(version);
  TARN_ASSIGN_OR_RETURN(const auto reader, store.Open(key));
  CommitText commit;
  commit.modified_millis = reader->info().modified_micros / kMicrosPerMilli;
  commit.text.resize(reader->info().size_bytes);
  TARN_ASSIGN_OR_RETURN(
      const size_t read,
      reader->ReadAt(0, MutableByteSpan(reinterpret_cast<std::byte*>(commit.text.data()), commit.text.size())));
  if (read != commit.text.size()) return Status::Corruption(key + " is shorter than its size");
  return commit;
}

}  // namespace tarn::delta
