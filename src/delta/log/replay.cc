#include "delta/log/replay.h"

#include <algorithm>
#include <bit>

#include "delta/log/checkpoint_reader.h"
#include "delta/log/commit_reader.h"
#include "delta/log/parsed_actions.h"
#include "delta/parallel.h"
#include "delta/table_path.h"

namespace tarn::delta {

namespace {

/// Small commits are read this many at a time by one thread, if there are enough for all.
constexpr size_t kMaxCommitsPerUnit = 256;
struct Unit {
  std::vector<CommitPart> parts;
  bool holds_statistics = true;
};

std::vector<Unit> PlanUnits(const std::vector<LogFile>& commits, size_t max_commits_per_unit,
                            const ReplayOptions& options) {
  std::vector<Unit> units;
  int64_t bytes = 0;
  for (const LogFile& commit : commits) {
    if (commit.size_bytes > options.window_bytes || commit.is_compacted()) {
      for (int64_t begin = 0; begin < commit.size_bytes; begin += options.window_bytes) {
        const int64_t end = std::min(begin + options.window_bytes, commit.size_bytes);
        units.push_back({{{&commit, begin, end}}, commit.size_bytes <= options.held_stats_commit_bytes});
      }
      bytes = options.window_bytes;
      continue;
    }
    if (units.empty() || bytes + commit.size_bytes > options.window_bytes ||
        units.back().parts.size() >= max_commits_per_unit) {
      units.emplace_back();
      bytes = 0;
    }
    units.back().parts.push_back({&commit, 0, commit.size_bytes});
    bytes += commit.size_bytes;
  }
  return units;
}

Status ParseUnit(const std::shared_ptr<storage::ObjectStore>& store, const Unit& unit,
                 std::unique_ptr<ParsedActions>& out) {
  StatsSource source;
  if (!unit.holds_statistics) source = {store, unit.parts.front().commit->key};
  out = std::make_unique<ParsedActions>(store->uri(), std::move(source));
  CommitReader reader(*store);
  for (const CommitPart& part : unit.parts) {
    out->BeginCommit(part.commit->version);
    TARN_RETURN_NOT_OK(
        reader.Read(part, *out, [&](std::string_view line, int64_t offset) { out->BeginLine(line.data(), offset); }));
  }
  out->Finish();
  return Status::Ok();
}

/// Reconciles parsed actions, newest first: the first action seen of a file decides.
class Reconciler {
 public:
  explicit Reconciler(std::string table_uri) : table_uri_(std::move(table_uri)) {}

  /// Units in the order of the log; the first ones are the checkpoint's.
  Status Run(std::vector<std::unique_ptr<ParsedActions>> units, size_t checkpoint_units, TableState& state) {
    units_ = std::move(units);
    checkpoint_units_ = checkpoint_units;
    size_t keys = 0;
    for (const auto& unit : units_) {
      dead_.emplace_back(unit->chunks().size());
      if (IsCheckpoint(dead_.size() - 1)) continue;
      keys += unit->removes().size();
      for (const auto& chunk : unit->chunks()) keys += chunk->size();
    }
    table_.resize(std::bit_ceil(keys + keys / 2 + 16));
    for (size_t unit = units_.size(); unit-- > 0;) {
      const auto& pieces = units_[unit]->pieces();
      for (size_t piece = pieces.size(); piece-- > 0;) TARN_RETURN_NOT_OK(ApplyPiece(unit, piece));
    }
    for (size_t unit = 0; unit < units_.size(); ++unit) {
      const auto& chunks = units_[unit]->chunks();
      for (size_t i = 0; i < chunks.size(); ++i) AppendChunk(state.chunks, ChunkView::Of(chunks[i], dead_[unit][i]));
    }
    return Status::Ok();
  }

 private:
  static constexpr uint32_t kRemove = 1u << 31;
  /// What a file's newest action is: unit and piece, and the slot or, with kRemove, the index of the remove.
  struct Entry {
    uint64_t hash = 0;
    uint32_t unit = UINT32_MAX;
    uint32_t piece = 0;
    uint32_t index = 0;
  };

  bool IsCheckpoint(size_t unit) const { return unit < checkpoint_units_; }

  Status ApplyPiece(size_t unit, size_t piece_index) {
    const ParsedActions& actions = *units_[unit];
    const ParsedActions::Piece& piece = actions.pieces()[piece_index];
    const FileChunk& chunk = *actions.chunks()[piece.chunk];
    const auto at = [&](uint32_t index) {
      return Entry{0, static_cast<uint32_t>(unit), static_cast<uint32_t>(piece_index), index};
    };
    for (uint32_t slot = piece.end_slot; slot-- > piece.first_slot;) {
      Entry entry = at(slot);
      entry.hash = chunk.record(slot).hash;
      TARN_ASSIGN_OR_RETURN(const bool newest, Claim(entry));
      if (!newest) MarkDead(unit, piece.chunk, slot);
    }
    for (uint32_t i = piece.first_remove; i < piece.end_remove; ++i) {
      Entry entry = at(i | kRemove);
      entry.hash = actions.removes()[i].hash;
      TARN_ASSIGN_OR_RETURN([[maybe_unused]] const bool newest, Claim(entry));
    }
    return Status::Ok();
  }

  std::string PathOf(const Entry& entry) const {
    const ParsedActions& actions = *units_[entry.unit];
    if ((entry.index & kRemove) != 0) {
      return std::string(actions.RemovedPath(actions.removes()[entry.index & ~kRemove]));
    }
    const FileChunk& chunk = *actions.chunks()[actions.pieces()[entry.piece].chunk];
    return CanonicalPath(chunk.Path(entry.index), table_uri_);
  }

  std::string VectorOf(const Entry& entry) const {
    const ParsedActions& actions = *units_[entry.unit];
    if ((entry.index & kRemove) != 0) {
      return std::string(actions.RemovedVector(actions.removes()[entry.index & ~kRemove]));
    }
    return actions.chunks()[actions.pieces()[entry.piece].chunk]->DeletionVectorId(entry.index);
  }

  /// True when no newer action of the file was seen. A checkpoint's files are looked up but not remembered.
  Result<bool> Claim(const Entry& entry) {
    const size_t mask = table_.size() - 1;
    size_t at = entry.hash & mask;
    for (; table_[at].unit != UINT32_MAX; at = (at + 1) & mask) {
      const Entry& other = table_[at];
      if (other.hash != entry.hash || PathOf(other) != PathOf(entry) || VectorOf(other) != VectorOf(entry)) continue;
      const int64_t version = units_[entry.unit]->pieces()[entry.piece].version;
      if (!IsCheckpoint(entry.unit) && units_[other.unit]->pieces()[other.piece].version == version) {
        return Status::Corruption("version " + std::to_string(version) + " has two actions for the file " +
                                  PathOf(entry));
      }
      return false;
    }
    if (!IsCheckpoint(entry.unit)) table_[at] = entry;
    return true;
  }

  void MarkDead(size_t unit, size_t chunk, size_t slot) {
    auto& dead = dead_[unit][chunk];
    if (dead == nullptr) dead = std::make_shared<DeadFiles>((units_[unit]->chunks()[chunk]->size() + 63) / 64);
    (*dead)[slot / 64] |= uint64_t{1} << (slot % 64);
  }

  const std::string table_uri_;
  std::vector<std::unique_ptr<ParsedActions>> units_;
  size_t checkpoint_units_ = 0;
  std::vector<std::vector<std::shared_ptr<DeadFiles>>> dead_;
  std::vector<Entry> table_;
};

}  // namespace

Result<TableState> ReplaySegment(const std::shared_ptr<storage::ObjectStore>& store, const LogSegment& segment,
                                 const ReplayOptions& options, std::string* broken_key) {
  broken_key->clear();
  const int threads = ThreadsFor(*store, options.max_threads);
  // A few commits are work for one thread, unless each is an answer to wait for.
  const size_t share =
      threads > options.max_threads ? segment.commits.size() / static_cast<size_t>(threads) + 1 : kMaxCommitsPerUnit;
  const std::vector<Unit> units = PlanUnits(segment.commits, std::min(share, kMaxCommitsPerUnit), options);
  std::vector<std::unique_ptr<ParsedActions>> parsed;
  if (segment.checkpoint.has_value()) {
    auto checkpoint = ReadCheckpoint(store, *segment.checkpoint, std::min(threads, options.max_threads));
    if (!checkpoint.ok()) {
      *broken_key = segment.checkpoint->key();
      return std::move(checkpoint).status();
    }
    parsed = *std::move(checkpoint);
  }
  const size_t base = parsed.size();
  parsed.resize(base + units.size());
  std::vector<Status> failures(units.size());
  // Newest first, so that the work ends with the smallest pieces of the oldest commit rather than with a large one.
  const Status status = RunParallel(units.size(), threads, [&](size_t i) {
    const size_t unit = units.size() - 1 - i;
    failures[unit] = ParseUnit(store, units[unit], parsed[base + unit]);
    return failures[unit];
  });
  for (size_t i = 0; i < units.size(); ++i) {
    const LogFile& commit = *units[i].parts.front().commit;
    if (!failures[i].ok() && commit.is_compacted()) *broken_key = commit.key;
  }
  TARN_RETURN_NOT_OK(status);
  TableState state;
  state.version = segment.version;
  state.modified_millis = segment.modified_millis;
  std::vector<const ParsedActions*> view;
  for (const auto& unit : parsed) view.push_back(unit.get());
  Status whole = TakeSmallActions(view, state);
  if (whole.ok()) whole = Reconciler(store->uri()).Run(std::move(parsed), base, state);
  // Each file can be read, and they do not fit together.
  if (!whole.ok() && segment.checkpoint.has_value()) *broken_key = segment.checkpoint->key();
  TARN_RETURN_NOT_OK(whole);
  return state;
}

}  // namespace tarn::delta
