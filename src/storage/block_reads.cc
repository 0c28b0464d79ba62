#include "storage/block_reads.h"

#include <algorithm>
#include <utility>

namespace tarn::storage::internal {

class BlockReads::Load {
 public:
  /// Null says that it failed: each of those who wait asks by itself then.
  void End(Block block) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    block_ = std::move(block);
    ended_ = true;
    ended_signal_.notify_all();
  }
  Block Await() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (!ended_) ended_signal_.wait(mutex_);
    return block_;
  }

 private:
  Mutex mutex_;
  CondVar ended_signal_;
  bool ended_ GUARDED_BY(mutex_) = false;
  Block block_ GUARDED_BY(mutex_);
};

int64_t BlockReads::SizeOf(const CachedObject& object, int64_t block) const {
  return std::min(block_bytes_, object.size_bytes - block * block_bytes_);
}

std::vector<BlockReads::Claim> BlockReads::ClaimBlocks(const CachedObject& object, int64_t first, int64_t last) {
  std::vector<Claim> claims;
  MutexLock lock(mutex_);
  for (int64_t block = first; block <= last; ++block) {
    Claim& claim = claims.emplace_back();
    claim.name = object.name + '\n' + std::to_string(block_bytes_) + '\n' + std::to_string(block);
    auto [entry, is_new] = loading_.try_emplace(claim.name);
    if (is_new) entry->second = std::make_shared<Load>();
    claim.load = entry->second;
    claim.is_mine = is_new;
  }
  return claims;
}

void BlockReads::End(const Claim& claim, Block block) {
  claim.load->End(std::move(block));
  MutexLock lock(mutex_);
  loading_.erase(claim.name);
}

Result<std::string> BlockReads::Fetch(const CachedObject& object, ObjectReader& source, int64_t first, int64_t last,
                                      ReadCost& cost) const {
  const int64_t begin = first * block_bytes_;
  std::string bytes(static_cast<size_t>(last * block_bytes_ + SizeOf(object, last) - begin), '\0');
  TARN_ASSIGN_OR_RETURN(const size_t got, source.ReadCounted(begin, std::as_writable_bytes(std::span(bytes)), cost));
  if (got == bytes.size()) return bytes;
  return Status::Conflict(source.info().key + " is shorter than it is known to be");
}

Status BlockReads::LoadMine(const CachedObject& object, ObjectReader& source, int64_t first, std::vector<Claim>& claims,
                            ReadCost& cost) {
  std::vector<size_t> missing;
  for (size_t i = 0; i < claims.size(); ++i) {
    if (!claims[i].is_mine) continue;
    const auto size = static_cast<size_t>(SizeOf(object, first + static_cast<int64_t>(i)));
    auto found = folder_->Load(claims[i].name, size);
    if (!found.has_value()) {
      missing.push_back(i);
      continue;
    }
    ++counts_.hits;
    counts_.hit_bytes += static_cast<int64_t>(size);
    End(claims[i], std::make_shared<const std::string>(std::move(*found)));
  }
  if (missing.empty()) return Status::Ok();
  counts_.misses += static_cast<int64_t>(missing.size());
  // One request, even where some in between are here.
  const auto fetched = Fetch(object, source, first + static_cast<int64_t>(missing.front()),
                             first + static_cast<int64_t>(missing.back()), cost);
  for (const size_t i : missing) {
    if (!fetched.ok()) {
      End(claims[i], nullptr);
      continue;
    }
    const size_t begin = (i - missing.front()) * static_cast<size_t>(block_bytes_);
    auto block = std::make_shared<const std::string>(fetched->substr(begin, static_cast<size_t>(block_bytes_)));
    // Those who wait need not wait for the disk; those who come now find it on its way until it is on disk.
    claims[i].load->End(block);
    folder_->Store(claims[i].name, *block);
    End(claims[i], std::move(block));
  }
  return fetched.status();
}

Result<std::vector<BlockReads::Block>> BlockReads::Read(const CachedObject& object, ObjectReader& source, int64_t first,
                                                        int64_t last, ReadCost& cost) {
  std::vector<Claim> claims = ClaimBlocks(object, first, last);
  // One's own come first, so that no two callers ever wait for each other.
  TARN_RETURN_NOT_OK(LoadMine(object, source, first, claims, cost));
  std::vector<Block> blocks;
  for (size_t i = 0; i < claims.size(); ++i) {
    Block block = claims[i].load->Await();
    if (!claims[i].is_mine) ++counts_.shared;
    if (block == nullptr) {
      const int64_t number = first + static_cast<int64_t>(i);
      TARN_ASSIGN_OR_RETURN(std::string bytes, Fetch(object, source, number, number, cost));
      block = std::make_shared<const std::string>(std::move(bytes));
    }
    blocks.push_back(std::move(block));
  }
  return blocks;
}

}  // namespace tarn::storage::internal
