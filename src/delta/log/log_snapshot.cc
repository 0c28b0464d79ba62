#include "delta/log/log_snapshot.h"

#include <arrow/api.h>

#include <algorithm>
#include <bit>
#include <set>

#include "base/check.h"
#include "columnar/delta_schema.h"
#include "delta/files/column_mapping.h"
#include "delta/files/type_changes.h"
#include "delta/log/log_segment.h"
#include "delta/log/replay.h"
#include "delta/protocol_features.h"
#include "delta/table_path.h"

namespace tarn::delta {

namespace {

constexpr int kNewestKnownReader = 3;
/// Predicates on more columns than this are judged by the first ones.
constexpr size_t kMaxPredicateColumns = 16;

void CollectColumns(const Predicate& predicate, std::set<int>& columns) {
  if (predicate.column >= 0) columns.insert(predicate.column);
  for (const Predicate& child : predicate.children) CollectColumns(child, columns);
}

/// A slot's place among the live ones of its chunk, and the reverse.
uint32_t SlotOfLive(const ChunkView& view, uint32_t place) {
  if (view.dead == nullptr) return place;
  const size_t size = view.chunk->size();
  for (size_t word = 0; word < view.dead->size(); ++word) {
    const size_t slots = std::min<size_t>(64, size - word * 64);
    const uint64_t mask = slots == 64 ? ~uint64_t{0} : (uint64_t{1} << slots) - 1;
    uint64_t live = ~(*view.dead)[word] & mask;
    const auto count = static_cast<uint32_t>(std::popcount(live));
    if (place >= count) {
      place -= count;
      continue;
    }
    for (; place > 0; --place) live &= live - 1;
    return static_cast<uint32_t>(word * 64 + std::countr_zero(live));
  }
  TARN_CHECK(false);
  return 0;
}

}  // namespace

std::string Snapshot::StoredName(int column) const {
  const arrow::Field& field = *schema()->field(column);
  return field_match() == columnar::FieldMatch::kName ? field.name() : columnar::PhysicalName(field);
}

/// What a conjunction of predicates needs to know of the columns.
struct LogSnapshot::Plan {
  const std::vector<Predicate>* all_of = nullptr;
  bool uses_partitions = false;
  std::vector<StatsColumn> stats_columns;
  /// Per schema column its place in stats_columns, or -1.
  std::vector<int> stats_place;
};

LogSnapshot::LogSnapshot(const TableContext& table, TableState state)
    : store_(table.store), partition_timezone_(table.partition_timezone), state_(std::move(state)) {}

Result<std::shared_ptr<const LogSnapshot>> LogSnapshot::Make(const TableContext& table, TableState state,
                                                             const LogSnapshot* previous) {
  std::shared_ptr<LogSnapshot> snapshot(new LogSnapshot(table, std::move(state)));
  TARN_RETURN_NOT_OK(snapshot->Derive(previous));
  return std::shared_ptr<const LogSnapshot>(std::move(snapshot));
}

std::shared_ptr<const LogSnapshot> LogSnapshot::From(const std::shared_ptr<const Snapshot>& snapshot) {
  auto own = std::dynamic_pointer_cast<const LogSnapshot>(snapshot);
  TARN_CHECK(own != nullptr);
  return own;
}

Status LogSnapshot::Derive(const LogSnapshot* previous) {
  const std::string at = "version " + std::to_string(state_.version);
  if (!state_.protocol.has_value()) return Status::Corruption(at + " has no protocol");
  if (state_.protocol->min_reader_version > kNewestKnownReader) {
    return CheckReadable(*state_.protocol, Metadata(), *arrow::schema({}));
  }
  if (!state_.metadata.has_value()) return Status::Corruption(at + " has no metaData");
  if (previous != nullptr && previous->metadata().schema_string == state_.metadata->schema_string) {
    schema_ = previous->schema_;
  } else {
    TARN_ASSIGN_OR_RETURN(schema_, columnar::SchemaFromDeltaJson(state_.metadata->schema_string));
  }
  TARN_RETURN_NOT_OK(CheckReadable(*state_.protocol, *state_.metadata, *schema_));
  TARN_ASSIGN_OR_RETURN(field_match_, FieldMatchOf(*state_.protocol, *state_.metadata));
  TARN_RETURN_NOT_OK(CheckMapping(*schema_, field_match_));
  partition_place_.assign(schema_->num_fields(), -1);
  partitioning_ = partition_timezone_.name() + '\0';
  for (const std::string& name : state_.metadata->partition_columns) {
    const int column = schema_->GetFieldIndex(name);
    if (column < 0) return Status::Corruption(at + " is partitioned by " + name + ", which its schema lacks");
    partition_place_[column] = static_cast<int>(partition_columns_.size());
    partition_columns_.push_back(column);
    partitioning_ += StoredName(column) + '\0' + schema_->field(column)->type()->ToString() + '\0';
  }
  first_index_.push_back(0);
  for (const ChunkView& view : state_.chunks) {
    first_index_.push_back(first_index_.back() + view.live);
    total_bytes_ += view.live_bytes;
  }
  if (num_files() > UINT32_MAX) return Status::ResourceExhausted("the table has more files than can be addressed");
  return Status::Ok();
}

int64_t LogSnapshot::timestamp_millis() const {
  return state_.in_commit_timestamp_millis.value_or(state_.modified_millis);
}

Result<std::shared_ptr<const Snapshot>> LogSnapshot::FilesAddedIn(const TableContext& table, const LogSnapshot& like,
                                                                  std::string_view text, int64_t version) {
  TableState alone;
  alone.protocol = like.protocol();
  alone.metadata = like.metadata();
  TARN_ASSIGN_OR_RETURN(alone, ApplyCommit(alone, table.store, text, version, /*modified_millis=*/0, ReplayOptions()));
  TARN_ASSIGN_OR_RETURN(const auto snapshot, Make(table, std::move(alone), &like));
  return std::shared_ptr<const Snapshot>(snapshot);
}

std::optional<int64_t> LogSnapshot::TxnVersion(const std::string& app_id) const {
  const auto found = state_.txns->find(app_id);
  if (found == state_.txns->end()) return std::nullopt;
  return found->second.version;
}

LogSnapshot::Location LogSnapshot::Locate(FileIndex index) const {
  TARN_CHECK(index < num_files());
  const auto after = std::upper_bound(first_index_.begin(), first_index_.end(), size_t{index});
  const size_t chunk = after - first_index_.begin() - 1;
  return {chunk, SlotOfLive(state_.chunks[chunk], static_cast<uint32_t>(index - first_index_[chunk]))};
}

Result<std::shared_ptr<const TypedPartitions>> LogSnapshot::TypedOf(const FileChunk& chunk) const {
  return chunk.Typed(partitioning_, [&](std::string_view json) -> Result<std::vector<columnar::Value>> {
    TARN_ASSIGN_OR_RETURN(const PartitionValues texts, ParsePartitionValuesObject(json));
    std::vector<columnar::Value> values;
    for (size_t i = 0; i < partition_columns_.size(); ++i) {
      const std::string name = StoredName(partition_columns_[i]);
      const auto found = std::find_if(texts.begin(), texts.end(), [&](const auto& pair) { return pair.first == name; });
      if (found == texts.end() || !found->second.has_value()) {
        values.emplace_back();
        continue;
      }
      auto value = columnar::ParsePartitionValue(*found->second, *schema_->field(partition_columns_[i])->type(),
                                                 partition_timezone_);
      if (!value.ok()) return value.status().WithContext("partition column " + name);
      values.push_back(std::move(*value));
    }
    return values;
  });
}

Result<DataFile> LogSnapshot::File(FileIndex index) const {
  const Location at = Locate(index);
  const FileChunk& chunk = *state_.chunks[at.chunk].chunk;
  const FileChunk::Record& record = chunk.record(at.slot);
  DataFile file;
  TARN_ASSIGN_OR_RETURN(file.key, KeyOfPath(chunk.Path(at.slot), *store_));
  file.size_bytes = record.size_bytes;
  file.modification_time_millis = record.modification_time_millis;
  file.num_records = record.num_records;
  if (!partition_columns_.empty()) {
    TARN_ASSIGN_OR_RETURN(const auto typed, TypedOf(chunk));
    file.partition_values = typed->tuples[record.partition];
  }
  if (const FileChunk::Extra* extra = chunk.ExtraOf(at.slot); extra != nullptr) {
    file.deletion_vector = extra->deletion_vector;
  }
  return file;
}

Result<Add> LogSnapshot::AddWithoutStats(const FileChunk& chunk, uint32_t slot, PartitionValues partition_values) {
  const FileChunk::Record& record = chunk.record(slot);
  Add add;
  add.path = chunk.Path(slot);
  add.partition_values = std::move(partition_values);
  add.size_bytes = record.size_bytes;
  add.modification_time_millis = record.modification_time_millis;
  add.data_change = record.data_change;
  if (const FileChunk::Extra* extra = chunk.ExtraOf(slot); extra != nullptr) {
    add.deletion_vector = extra->deletion_vector;
    TARN_ASSIGN_OR_RETURN(add.tags, ParseTagsObject(extra->tags_json));
  }
  return add;
}

Result<Add> LogSnapshot::AddAction(FileIndex index) const {
  const Location at = Locate(index);
  const FileChunk& chunk = *state_.chunks[at.chunk].chunk;
  TARN_ASSIGN_OR_RETURN(PartitionValues partition_values,
                        ParsePartitionValuesObject(chunk.PartitionJson(chunk.record(at.slot).partition)));
  TARN_ASSIGN_OR_RETURN(Add add, AddWithoutStats(chunk, at.slot, std::move(partition_values)));
  TARN_ASSIGN_OR_RETURN(add.stats, chunk.StatsText(at.slot));
  return add;
}

StatsColumn LogSnapshot::StatsColumnOf(int column) const {
  const arrow::Field& field = *schema_->field(column);
  return {StoredName(column), field.type(), WasFloat(field)};
}

LogSnapshot::Plan LogSnapshot::MakePlan(const std::vector<Predicate>& all_of) const {
  Plan plan;
  plan.all_of = &all_of;
  plan.stats_place.assign(schema_->num_fields(), -1);
  std::set<int> columns;
  for (const Predicate& predicate : all_of) CollectColumns(predicate, columns);
  for (const int column : columns) {
    TARN_CHECK(column < schema_->num_fields());
    if (partition_place_[column] >= 0) {
      plan.uses_partitions = true;
    } else if (plan.stats_columns.size() < kMaxPredicateColumns) {
      plan.stats_place[column] = static_cast<int>(plan.stats_columns.size());
      plan.stats_columns.push_back(StatsColumnOf(column));
    }
  }
  return plan;
}

Status LogSnapshot::SelectInChunk(const Plan& plan, const FileChunk& chunk, std::vector<Candidate> candidates,
                                  std::vector<FileIndex>& selected) const {
  std::shared_ptr<const TypedPartitions> typed;
  const auto may_match = [&](int64_t num_records, const auto& bounds) {
    return std::all_of(plan.all_of->begin(), plan.all_of->end(), [&](const Predicate& predicate) {
      return MayMatch(predicate, num_records, bounds) == Truth::kMaybe;
    });
  };
  const auto partition_bounds = [&](uint32_t tuple, int column) {
    return ColumnBounds::OfConstant(typed->tuples[tuple][partition_place_[column]]);
  };
  if (plan.uses_partitions) {
    TARN_ASSIGN_OR_RETURN(typed, TypedOf(chunk));
    // Files share tuples, so each tuple is judged once.
    std::vector<bool> keep(typed->tuples.size());
    for (uint32_t tuple = 0; tuple < typed->tuples.size(); ++tuple) {
      keep[tuple] = may_match(-1, [&](int column) {
        if (partition_place_[column] >= 0) return partition_bounds(tuple, column);
        return ColumnBounds::Unknown();
      });
    }
    std::erase_if(candidates, [&](const Candidate& c) { return !keep[chunk.record(c.slot).partition]; });
  }
  if (plan.stats_columns.empty() || candidates.empty()) {
    for (const Candidate& candidate : candidates) selected.push_back(candidate.index);
    return Status::Ok();
  }
  std::vector<uint32_t> slots;
  slots.reserve(candidates.size());
  for (const Candidate& candidate : candidates) slots.push_back(candidate.slot);
  chunk.WithBounds(plan.stats_columns, slots, [&](const std::vector<const ColumnFacts*>& facts) {
    for (const Candidate& candidate : candidates) {
      const FileChunk::Record& record = chunk.record(candidate.slot);
      const bool keep = may_match(record.num_records, [&](int column) {
        if (partition_place_[column] >= 0) return partition_bounds(record.partition, column);
        const int place = plan.stats_place[column];
        if (place >= 0) return facts[place]->Get(candidate.slot);
        return ColumnBounds::Unknown();
      });
      if (keep) selected.push_back(candidate.index);
    }
  });
  return Status::Ok();
}

Result<std::vector<FileIndex>> LogSnapshot::Select(const std::vector<Predicate>& all_of) const {
  const Plan plan = MakePlan(all_of);
  std::vector<FileIndex> selected;
  for (size_t i = 0; i < state_.chunks.size(); ++i) {
    const ChunkView& view = state_.chunks[i];
    std::vector<Candidate> candidates;
    candidates.reserve(view.live);
    auto index = static_cast<FileIndex>(first_index_[i]);
    for (uint32_t slot = 0; slot < view.chunk->size(); ++slot) {
      if (view.IsLive(slot)) candidates.push_back({slot, index++});
    }
    TARN_RETURN_NOT_OK(SelectInChunk(plan, *view.chunk, std::move(candidates), selected));
  }
  return selected;
}

Result<std::vector<FileIndex>> LogSnapshot::SelectAmong(const std::vector<FileIndex>& candidates,
                                                        const std::vector<Predicate>& all_of) const {
  const Plan plan = MakePlan(all_of);
  std::vector<FileIndex> sorted = candidates;
  std::sort(sorted.begin(), sorted.end());
  std::vector<FileIndex> selected;
  for (size_t i = 0; i < sorted.size();) {
    const Location first = Locate(sorted[i]);
    std::vector<Candidate> in_chunk;
    for (; i < sorted.size() && sorted[i] < first_index_[first.chunk + 1]; ++i) {
      in_chunk.push_back({Locate(sorted[i]).slot, sorted[i]});
    }
    TARN_RETURN_NOT_OK(SelectInChunk(plan, *state_.chunks[first.chunk].chunk, std::move(in_chunk), selected));
  }
  return selected;
}

Result<ColumnBounds> LogSnapshot::Bounds(FileIndex index, int column) const {
  TARN_CHECK(column >= 0 && column < schema_->num_fields());
  const Location at = Locate(index);
  const FileChunk& chunk = *state_.chunks[at.chunk].chunk;
  if (partition_place_[column] >= 0) {
    TARN_ASSIGN_OR_RETURN(const auto typed, TypedOf(chunk));
    return ColumnBounds::OfConstant(typed->tuples[chunk.record(at.slot).partition][partition_place_[column]]);
  }
  ColumnBounds bounds;
  const std::vector<StatsColumn> columns{StatsColumnOf(column)};
  chunk.WithBounds(columns, {at.slot},
                   [&](const std::vector<const ColumnFacts*>& facts) { bounds = facts[0]->Get(at.slot); });
  return bounds;
}

size_t LogSnapshot::memory_bytes() const {
  size_t bytes = sizeof(*this) + state_.chunks.capacity() * sizeof(ChunkView);
  for (const ChunkView& view : state_.chunks) {
    bytes += view.chunk->entry_bytes();
    if (view.dead != nullptr) bytes += view.dead->capacity() * sizeof(uint64_t);
  }
  return bytes;
}

Status LogSnapshot::VisitAdds(const std::function<Status(const Add&)>& visit) const {
  for (const ChunkView& view : state_.chunks) {
    const FileChunk& chunk = *view.chunk;
    std::vector<uint32_t> slots;
    for (uint32_t slot = 0; slot < chunk.size(); ++slot) {
      if (view.IsLive(slot)) slots.push_back(slot);
    }
    std::vector<std::optional<PartitionValues>> tuples(chunk.num_partition_tuples());
    TARN_RETURN_NOT_OK(chunk.VisitStats(slots, [&](uint32_t slot, std::string_view stats) -> Status {
      const uint32_t tuple = chunk.record(slot).partition;
      if (!tuples[tuple].has_value()) {
        TARN_ASSIGN_OR_RETURN(tuples[tuple], ParsePartitionValuesObject(chunk.PartitionJson(tuple)));
      }
      TARN_ASSIGN_OR_RETURN(Add add, AddWithoutStats(chunk, slot, *tuples[tuple]));
      add.stats = stats;
      return visit(add);
    }));
  }
  return Status::Ok();
}

Status LogSnapshot::VisitTxns(const std::function<Status(const Txn&)>& visit) const {
  for (const auto& [app_id, txn] : *state_.txns) TARN_RETURN_NOT_OK(visit(txn));
  return Status::Ok();
}

Status LogSnapshot::VisitDomains(const std::function<Status(const DomainMetadata&)>& visit) const {
  for (const auto& [name, domain] : *state_.domains) {
    if (!domain.removed) TARN_RETURN_NOT_OK(visit(domain));
  }
  return Status::Ok();
}

Result<std::shared_ptr<const Snapshot>> OpenCheckpoint(const TableContext& table, const CheckpointFiles& checkpoint) {
  LogSegment segment;
  segment.version = checkpoint.version;
  segment.checkpoint = checkpoint;
  std::string broken;
  TARN_ASSIGN_OR_RETURN(TableState state, ReplaySegment(table.store, segment, ReplayOptions(), &broken));
  TARN_ASSIGN_OR_RETURN(auto snapshot, LogSnapshot::Make(table, std::move(state)));
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

}  // namespace tarn::delta
