#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "delta/actions.h"
#include "delta/log/file_chunk.h"

namespace tarn::delta {

/// One bit per file of a chunk that is no longer live.
using DeadFiles = std::vector<uint64_t>;

inline bool IsDead(const DeadFiles* dead, size_t slot) {
  return dead != nullptr && ((*dead)[slot / 64] >> (slot % 64) & 1) != 0;
}

/// A chunk as one version sees it.
struct ChunkView {
  std::shared_ptr<const FileChunk> chunk;
  /// nullptr when all files are live.
  std::shared_ptr<const DeadFiles> dead;
  uint32_t live = 0;
  int64_t live_bytes = 0;

  static ChunkView Of(std::shared_ptr<const FileChunk> chunk, std::shared_ptr<const DeadFiles> dead);
  bool IsLive(size_t slot) const { return !IsDead(dead.get(), slot); }
};

using TxnMap = std::map<std::string, Txn, std::less<>>;
using DomainMap = std::map<std::string, DomainMetadata, std::less<>>;

/// The reconciled actions of one version (PROTOCOL.md, "Action Reconciliation"). A value; what is large is shared and
/// immutable.
struct TableState {
  int64_t version = -1;
  /// Modification time of the commit, and its in-commit timestamp where it has one.
  int64_t modified_millis = 0;
  /// Of the commit's file where it is our own; empty where it was read.
  std::string etag;
  std::optional<int64_t> in_commit_timestamp_millis;
  std::optional<Protocol> protocol;
  std::optional<Metadata> metadata;
  std::shared_ptr<const TxnMap> txns = std::make_shared<TxnMap>();
  std::shared_ptr<const DomainMap> domains = std::make_shared<DomainMap>();
  /// Oldest files first.
  std::vector<ChunkView> chunks;
};

/// Appends a chunk; small neighbours are merged so that their number grows with the logarithm of the number of files.
void AppendChunk(std::vector<ChunkView>& chunks, ChunkView added);

/// The live file with this key among the chunks: its chunk and slot.
std::optional<std::pair<size_t, uint32_t>> FindLive(const std::vector<ChunkView>& chunks, uint64_t hash,
                                                    std::string_view canonical_path,
                                                    std::string_view deletion_vector_id, std::string_view table_uri);

}  // namespace tarn::delta
