#include "lake/testing/lake_sim.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <set>

#include "columnar/value_array.h"
#include "delta/operations/append.h"
#include "delta/operations/log_cleanup.h"
#include "delta/operations/vacuum.h"
#include "delta/transaction.h"
#include "delta/validate/validate.h"
#include "lake/testing/lake_world.h"
#include "storage/stores.h"

namespace tarn::lake::testing {

namespace {

using storage::testing::FaultMode;

constexpr int kServers = 2;
constexpr int kTables = 3;
constexpr int kColumns = 3;
constexpr int64_t kDay = 86'400 * kMicrosPerSecond;
constexpr size_t kReaders = 12;
/// A day less than tables keep files, since clocks jump.
constexpr int64_t kSurelyRetained = 6 * kDay;

TableName NameOf(int table) { return {"db", "t" + std::to_string(table)}; }

/// What is known of one table's rows.
struct TableModel {
  std::set<int64_t> acknowledged;
  /// Rows that another writer's choice of a column's type may turn away.
  std::set<int64_t> contested;
  /// Calls that failed without saying whether their rows are kept.
  std::vector<std::set<int64_t>> uncertain;
  /// Rows and types by extra column.
  std::map<std::string, std::set<std::string>> types_tried;
  std::map<std::string, std::set<int64_t>> rows_with;
};

struct Server {
  std::unique_ptr<Lake> lake;
  /// Rows acknowledged by this server or replayed by it: they must be in its views.
  std::array<std::set<int64_t>, kTables> must_show;
  std::array<std::set<int64_t>, kTables> shown;
  std::string crash_at;
  bool crashed = false;
};

/// Somebody who took a view and goes on reading it.
struct Reader {
  std::shared_ptr<const TableView> view;
  std::multiset<int64_t> ids;
  int64_t since_micros = 0;
};

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options)
      : options_(options), world_(options.seed), random_(options.seed * 7919 + 1) {
    world_.canary_replays_twice = options.canary == Canary::kReplaysTwice;
    world_.canary_overwrites_commits = options.canary == Canary::kOverwritesCommits;
    world_.before_commit = [this](std::string_view key) { MaybeRace(key); };
  }

  Status Run() {
    for (int server = 0; server < kServers; ++server) TARN_RETURN_NOT_OK(Reopen(server));
    for (step_ = 1; step_ <= options_.steps; ++step_) {
      const auto server = static_cast<int>(random_.Below(kServers));
      MaybeArmFault();
      Step(server);
      EndFaults();
      for (int i = 0; i < kServers; ++i) {
        if (servers_[i].crashed || random_.Below(40) == 0) TARN_RETURN_NOT_OK(CrashAndReopen(i));
      }
      TARN_RETURN_NOT_OK(CheckViews());
      TARN_RETURN_NOT_OK(CheckReaders());
    }
    return Finish();
  }

  SimulationCounts counts;

 private:
  Status Failure(const std::string& what) const {
    return Status::Internal("seed " + std::to_string(options_.seed) + ", step " + std::to_string(step_) + ": " + what);
  }

  bool OneIn(uint64_t n) { return random_.Below(n) == 0; }

  void MaybeArmFault() {
    if (!OneIn(5)) return;
    ++counts.faults;
    if (OneIn(4)) {
      for (const std::string& node : world_.nodes.Nodes()) {
        if (OneIn(2)) {
          world_.nodes.Segments(node)->FailSync(1 + static_cast<int64_t>(random_.Below(2)));
        } else {
          world_.nodes.Segments(node)->SetCapacity(1);
        }
      }
      return;
    }
    if (OneIn(4)) {
      world_.faults->Arm({.nth = 2 + static_cast<int64_t>(random_.Below(5)), .mode = FaultMode::kEveryNth});
      return;
    }
    const FaultMode mode = OneIn(3) ? FaultMode::kReplyLost : OneIn(3) ? FaultMode::kForever : FaultMode::kOnce;
    world_.faults->Arm({.nth = 1 + static_cast<int64_t>(random_.Below(15)), .mode = mode});
  }

  void EndFaults() {
    world_.faults->Disarm();
    for (const std::string& node : world_.nodes.Nodes()) {
      world_.nodes.Segments(node)->FailSync(0);
      world_.nodes.Segments(node)->SetCapacity(INT64_MAX);
    }
  }

  void Step(int server) {
    Lake& lake = *servers_[server].lake;
    if (OneIn(12)) {
      servers_[server].crash_at = kCrashPoints[random_.Below(std::size(kCrashPoints))];
    }
    switch (random_.Below(14)) {
      case 0:
        (void)lake.FlushAll();
        break;
      case 1:
      case 2:
        world_.clock.Advance(static_cast<int64_t>(random_.Below(2 * kMicrosPerSecond)));
        (void)lake.FlushDue();
        break;
      case 3:
        Compact(lake);
        break;
      case 4:
        AddForeignColumn();
        break;
      case 5:
        world_.clock.JumpWall(static_cast<int64_t>(random_.Below(100 * kMicrosPerSecond)) - 50 * kMicrosPerSecond);
        break;
      case 6:
        CleanUp();
        break;
      default:
        Append(server);
    }
    servers_[server].crash_at.clear();
  }

  void Compact(Lake& lake) {
    const auto compacted = lake.Optimize(NameOf(static_cast<int>(random_.Below(kTables))), {.decode_ahead = false});
    if (compacted.ok() && compacted->version.has_value()) ++counts.compactions;
  }

  /// Upkeep by another process, whose storage may fail as that of the servers, some days later.
  void CleanUp() {
    const auto table = static_cast<int>(random_.Below(kTables));
    world_.clock.Advance(static_cast<int64_t>(random_.Below(50)) * (OneIn(2) ? kDay : kDay / 24));
    delta::TableContext context = ContextOf(table);
    context.store = storage::testing::MakeFaultyStore(context.store, world_.faults);
    const auto snapshot = delta::LoadSnapshot(context);
    if (!snapshot.ok()) return;
    delta::VacuumOptions options;
    options.mode = OneIn(2) ? delta::VacuumMode::kLite : delta::VacuumMode::kFull;
    if (options_.canary == Canary::kVacuumsTooEarly) {
      options.retention_millis = 0;
      options.allow_short_retention = true;
    }
    const auto vacuumed = delta::Vacuum(context, *snapshot, options);
    if (vacuumed.ok()) counts.files_vacuumed += vacuumed->files;
    const auto cleaned = delta::CleanUpLog(context, vacuumed.ok() ? *vacuumed->snapshot : **snapshot);
    if (cleaned.ok()) counts.log_files_cleaned += cleaned->files;
  }

  delta::TableContext ContextOf(int table) { return ForeignContext(world_, "db/t" + std::to_string(table)); }

  RowsOf RandomRows(TableModel& model) {
    RowsOf rows;
    for (uint64_t n = 1 + random_.Below(12); n > 0; --n) rows.ids.push_back(next_id_++);
    rows.day = static_cast<int64_t>(random_.Below(3));
    if (!OneIn(3)) return rows;
    rows.extra_name = "c" + std::to_string(random_.Below(kColumns));
    rows.extra_type = OneIn(2) ? arrow::int64() : OneIn(2) ? arrow::float64() : arrow::utf8();
    Tried(model, *rows.extra_name, rows.extra_type->ToString());
    return rows;
  }

  /// Notes that somebody wanted a column to have a type; rows that have it may lose if there are two opinions.
  static void Tried(TableModel& model, const std::string& column, const std::string& type) {
    model.types_tried[column].insert(type);
    if (model.types_tried[column].size() < 2) return;
    const auto& rows = model.rows_with[column];
    model.contested.insert(rows.begin(), rows.end());
  }

  void Append(int server) {
    std::vector<TableBatch> batches;
    std::vector<std::pair<int, RowsOf>> sent;
    const int tables = OneIn(4) ? 2 : 1;
    for (int i = 0; i < tables; ++i) {
      const auto table = static_cast<int>(random_.Below(kTables));
      if (!sent.empty() && sent.front().first == table) continue;
      sent.emplace_back(table, RandomRows(models_[table]));
      batches.push_back({NameOf(table), MakeRows(sent.back().second)});
    }
    const Status appended = servers_[server].lake->Append(std::move(batches)).status();
    const bool refused = appended.Is(StatusCode::kConflict) || appended.Is(StatusCode::kInvalidArgument);
    for (const auto& [table, rows] : sent) {
      TableModel& model = models_[table];
      const std::set<int64_t> ids(rows.ids.begin(), rows.ids.end());
      if (refused) continue;
      if (rows.extra_name.has_value()) {
        model.rows_with[*rows.extra_name].insert(ids.begin(), ids.end());
        Tried(model, *rows.extra_name, rows.extra_type->ToString());
      }
      if (!appended.ok()) {
        model.uncertain.push_back(ids);
        counts.rows_uncertain += static_cast<int64_t>(ids.size());
        continue;
      }
      model.acknowledged.insert(ids.begin(), ids.end());
      servers_[server].must_show[table].insert(ids.begin(), ids.end());
      counts.rows_acknowledged += static_cast<int64_t>(ids.size());
    }
  }

  void AddForeignColumn() {
    const auto table = static_cast<int>(random_.Below(kTables));
    const delta::TableContext context = ContextOf(table);
    const auto snapshot = delta::LoadSnapshot(context);
    if (!snapshot.ok()) return;
    const std::string name = "c" + std::to_string(random_.Below(kColumns));
    if ((*snapshot)->schema()->GetFieldIndex(name) >= 0) return;
    const auto type = OneIn(2) ? arrow::utf8() : arrow::float64();
    auto transaction = delta::Transaction::Begin(context, *snapshot);
    if (!transaction.ok()) return;
    auto fields = (*snapshot)->schema()->fields();
    fields.push_back(arrow::field(name, type));
    if (!(*transaction)->SetSchema(arrow::schema(fields)).ok()) return;
    if ((*transaction)->Commit().ok()) Tried(models_[table], name, type->ToString());
  }

  /// Another writer is sometimes a little faster with the version that a server is about to commit. Not twice running:
  /// who has lost twice waits, and in one thread nothing would end that.
  void MaybeRace(std::string_view key) {
    if (!key.ends_with(".json") || std::exchange(raced_, false) || !OneIn(4)) return;
    raced_ = true;
    for (int table = 0; table < kTables; ++table) {
      if (key.starts_with("db/t" + std::to_string(table) + "/_delta_log/")) AppendForeign(table);
    }
  }

  /// Another writer commits one row of its own.
  void AppendForeign(int table) {
    const delta::TableContext context = ContextOf(table);
    const auto snapshot = delta::LoadSnapshot(context);
    if (!snapshot.ok()) return;
    const int64_t id = next_id_++;
    const auto own = MakeRows({.ids = {id}});
    arrow::ArrayVector columns;
    for (const auto& field : (*snapshot)->schema()->fields()) {
      auto column = own->GetColumnByName(field->name());
      if (column == nullptr) column = *columnar::ConstantArray({}, field->type(), 1);
      columns.push_back(std::move(column));
    }
    const auto rows = arrow::RecordBatch::Make((*snapshot)->schema(), 1, std::move(columns));
    const auto reader = arrow::RecordBatchReader::Make({rows});
    if (!reader.ok() || !delta::Append(context, *snapshot, **reader).ok()) return;
    ++counts.races;
    models_[table].acknowledged.insert(id);
    for (Server& server : servers_) server.must_show[table].insert(id);
  }

  Status Reopen(int server) {
    Server& state = servers_[server];
    world_.at_point = [this, server](std::string_view point) {
      Server& at = servers_[server];
      if (at.crashed) return Status::Cancelled("dead");
      if (at.crash_at != point) return Status::Ok();
      at.crashed = true;
      world_.faults->Arm({.nth = 1, .mode = FaultMode::kForever});
      return Status::Cancelled("crash");
    };
    auto options = world_.Options();
    options.checkpoint_interval = 5;
    if (OneIn(4)) {
      world_.faults->Arm({.nth = 1 + static_cast<int64_t>(random_.Below(10)), .mode = FaultMode::kOnce});
      (void)world_.Open(options);
      EndFaults();
    }
    auto opened = world_.Open(options);
    if (!opened.ok()) return Failure("opening: " + opened.status().ToString());
    state.lake = std::move(opened).value();
    return Status::Ok();
  }

  /// A server is dead for long enough that its neighbour adopts its log, and with it the duty to show its rows.
  void StayAway(Server& dead, Server& neighbour) {
    const int64_t before = neighbour.lake->stats().wals_adopted;
    world_.clock.Advance(kAdoptionIntervalMicros);
    if (OneIn(2)) MaybeArmFault();
    (void)neighbour.lake->FlushDue();
    EndFaults();
    if (neighbour.lake->stats().wals_adopted == before) return;
    // Of several logs that the dead one had, a fault may have kept some back until the next attempt.
    world_.clock.Advance(60 * kMicrosPerSecond);
    (void)neighbour.lake->FlushDue();
    ++counts.adoptions;
    for (int table = 0; table < kTables; ++table) {
      neighbour.must_show[table].merge(dead.must_show[table]);
      dead.must_show[table].clear();
      dead.shown[table].clear();
    }
  }

  Status CrashAndReopen(int server) {
    Server& state = servers_[server];
    ++counts.crashes;
    // Sometimes it stops in order instead.
    if (!OneIn(4)) state.crashed = true;
    state.lake.reset();
    world_.faults->Disarm();
    if (OneIn(2)) {
      world_.nodes.LosePower();
    } else {
      world_.nodes.KillProcess();
    }
    state.crashed = false;
    state.crash_at.clear();
    if (OneIn(3)) StayAway(state, servers_[1 - server]);
    TARN_RETURN_NOT_OK(Reopen(server));
    return Status::Ok();
  }

  Result<std::multiset<int64_t>> VisibleIn(Lake& lake, int table) {
    const auto view = lake.Pin(NameOf(table), std::nullopt);
    if (view.status().Is(StatusCode::kNotFound)) return std::multiset<int64_t>{};
    if (!view.ok()) return Failure("pin: " + view.status().ToString());
    if ((*view)->snapshot != nullptr && OneIn(4)) {
      readers_.push_back({*view, CommittedIdsOf(**view), world_.clock.WallMicros()});
      if (readers_.size() > kReaders) readers_.pop_front();
    }
    return IdsOf(**view);
  }

  /// Whoever took a view within the retention reads what it had then.
  Status CheckReaders() {
    for (const Reader& reader : readers_) {
      if (world_.clock.WallMicros() - reader.since_micros > kSurelyRetained) continue;
      for (size_t i = 0; i < reader.view->snapshot->num_files(); ++i) {
        TARN_ASSIGN_OR_RETURN(const auto file, reader.view->snapshot->File(static_cast<delta::FileIndex>(i)));
        const auto head = reader.view->store->Head(file.key);
        if (!head.ok()) return Failure("a reader's file is gone: " + head.status().ToString());
      }
      if (CommittedIdsOf(*reader.view) != reader.ids) return Failure("a reader's rows changed");
    }
    return Status::Ok();
  }

  /// Each row at most once, only rows that were sent, all that must be there, calls whole or not at all.
  Status CheckRows(const std::multiset<int64_t>& visible, int table, const std::set<int64_t>& must) {
    TableModel& model = models_[table];
    for (auto it = visible.begin(); it != visible.end();) {
      if (visible.count(*it) > 1) return Failure("row " + std::to_string(*it) + " is there twice");
      ++it;
    }
    for (const int64_t id : must) {
      if (!visible.contains(id) && !model.contested.contains(id)) {
        return Failure("row " + std::to_string(id) + " of t" + std::to_string(table) + " is missing");
      }
    }
    for (const auto& call : model.uncertain) {
      const auto there = std::count_if(call.begin(), call.end(), [&](int64_t id) { return visible.contains(id); });
      if (there != 0 && there != static_cast<int64_t>(call.size())) return Failure("a call's rows are there in part");
    }
    return Status::Ok();
  }

  Status CheckViews() {
    for (Server& server : servers_) {
      for (int table = 0; table < kTables; ++table) {
        TARN_ASSIGN_OR_RETURN(const auto visible, VisibleIn(*server.lake, table));
        TARN_RETURN_NOT_OK(CheckRows(visible, table, server.must_show[table]));
        TARN_RETURN_NOT_OK(CheckRows(visible, table, server.shown[table]));
        server.shown[table] = std::set<int64_t>(visible.begin(), visible.end());
      }
    }
    return Status::Ok();
  }

  Status Finish() {
    for (Server& server : servers_) {
      const Status flushed = server.lake->FlushAll();
      if (!flushed.ok()) return Failure("last flush: " + flushed.ToString());
      counts.commits += server.lake->stats().flushes;
    }
    for (int table = 0; table < kTables; ++table) {
      const auto view = servers_[0].lake->Pin(NameOf(table), std::nullopt);
      if (!view.ok()) continue;
      if (!(*view)->segments.empty()) return Failure("rows are buffered after the last flush");
      const auto committed = CommittedIdsOf(**view);
      const auto rejected = RejectedIds(*world_.store, "db/t" + std::to_string(table));
      counts.rows_rejected += static_cast<int64_t>(rejected.size());
      std::multiset<int64_t> kept = committed;
      kept.insert(rejected.begin(), rejected.end());
      const auto& model = models_[table];
      std::set<int64_t> sent = model.acknowledged;
      for (const auto& call : model.uncertain) sent.insert(call.begin(), call.end());
      for (const int64_t id : kept) {
        if (kept.count(id) > 1) return Failure("row " + std::to_string(id) + " is kept twice");
        if (!sent.contains(id)) return Failure("row " + std::to_string(id) + " was never sent");
      }
      for (const int64_t id : model.acknowledged) {
        if (!kept.contains(id)) return Failure("row " + std::to_string(id) + " is lost");
      }
      TARN_RETURN_NOT_OK(CheckRows(committed, table, model.acknowledged));
      TARN_RETURN_NOT_OK(CheckProtocol(table));
    }
    return Status::Ok();
  }

  Status CheckProtocol(int table) {
    TARN_ASSIGN_OR_RETURN(const auto report, delta::ValidateTable(ContextOf(table), {.check_files = true}));
    for (const delta::Finding& finding : report.findings) {
      if (finding.severity == delta::Finding::Severity::kError) return Failure(finding.ToString());
    }
    return Status::Ok();
  }

  const SimulationOptions options_;
  LakeWorld world_;
  Random random_;
  std::array<Server, kServers> servers_;
  std::array<TableModel, kTables> models_;
  std::deque<Reader> readers_;
  int64_t next_id_ = 1;
  bool raced_ = false;
  int step_ = 0;
};

}  // namespace

Status RunSimulation(const SimulationOptions& options, SimulationCounts* counts) {
  Simulation simulation(options);
  Status status = simulation.Run();
  if (counts != nullptr) *counts = simulation.counts;
  return status;
}

}  // namespace tarn::lake::testing
