#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "delta/log/commit_json.h"
#include "delta/log/file_chunk.h"
#include "delta/table_state.h"

namespace tarn::delta {

/// The parsed actions of a run of commit lines, adds in chunks, in the order of the log. Not yet reconciled.
class ParsedActions final : public ActionVisitor {
 public:
  /// Adds [first_slot, end_slot) of one chunk and removes [first_remove, end_remove), all of one commit.
  struct Piece {
    int64_t version = 0;
    size_t chunk = 0;
    uint32_t first_slot = 0;
    uint32_t end_slot = 0;
    uint32_t first_remove = 0;
    uint32_t end_remove = 0;
  };
  struct RemovedKey {
    uint64_t hash = 0;
    uint32_t offset = 0;
    uint32_t path_length = 0;
    uint32_t deletion_vector_length = 0;
  };
  template <typename Action>
  struct Versioned {
    int64_t version = 0;
    Action action;
  };

  /// With a source, statistics are remembered as ranges of it.
  ParsedActions(std::string table_uri, StatsSource source);

  /// The lines that follow belong to this version.
  void BeginCommit(int64_t version);
  /// The next line begins at `line` in memory and at `offset` in its file.
  void BeginLine(const char* line, int64_t offset) {
    line_ = line;
    line_offset_ = offset;
  }
  /// An add out of a checkpoint, statistics as plain text.
  Status AddFromCheckpoint(const AddRecord& add, std::string_view stats);
  void Finish();

  Status OnAdd(const AddRecord& add) override;
  Status OnRemove(const RemoveRecord& remove) override;
  Status OnProtocol(Protocol protocol) override;
  Status OnMetadata(Metadata metadata) override;
  Status OnTxn(Txn txn) override;
  Status OnDomainMetadata(DomainMetadata domain) override;
  Status OnCommitInfo(std::string_view json) override;

  const std::vector<Piece>& pieces() const { return pieces_; }
  const std::vector<std::shared_ptr<const FileChunk>>& chunks() const { return chunks_; }
  const std::vector<RemovedKey>& removes() const { return removes_; }
  std::string_view RemovedPath(const RemovedKey& key) const {
    return std::string_view(remove_arena_).substr(key.offset, key.path_length);
  }
  std::string_view RemovedVector(const RemovedKey& key) const {
    return std::string_view(remove_arena_).substr(key.offset + key.path_length, key.deletion_vector_length);
  }

  // In the order of the log.
  std::vector<Versioned<Protocol>> protocols;
  std::vector<Versioned<Metadata>> metadatas;
  std::vector<Versioned<Txn>> txns;
  std::vector<Versioned<DomainMetadata>> domains;
  std::vector<Versioned<int64_t>> in_commit_timestamps;

 private:
  void BeginChunkIfFull();
  void ClosePiece();

  const std::string table_uri_;
  const StatsSource source_;
  FileChunkBuilder builder_;
  std::vector<std::shared_ptr<const FileChunk>> chunks_;
  std::vector<Piece> pieces_;
  std::vector<RemovedKey> removes_;
  std::string remove_arena_;
  int64_t version_ = 0;
  uint32_t piece_first_slot_ = 0;
  uint32_t piece_first_remove_ = 0;
  const char* line_ = nullptr;
  int64_t line_offset_ = 0;
};

}  // namespace tarn::delta
