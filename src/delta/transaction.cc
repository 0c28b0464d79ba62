#include "delta/transaction.h"

#include <arrow/api.h>
#include <simdjson.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/mutex.h"
#include "columnar/delta_schema.h"
#include "delta/conflict.h"
#include "delta/constraints.h"
#include "delta/files/column_mapping.h"
#include "delta/log/commit_json.h"
#include "delta/log/commit_store.h"
#include "delta/log/log_snapshot.h"
#include "delta/log/replay.h"
#include "delta/protocol_features.h"
#include "delta/schema_evolution.h"
#include "delta/table_path.h"
#include "delta/table_properties.h"
#include "storage/stores.h"

namespace tarn::delta {

namespace {

constexpr std::string_view kEngineInfo = "tarn/0.1.0";
/// Lost races after which a commit gives up; each loss means that another writer got on.
constexpr int kMaxAttempts = 1000;
/// How often an attempt with an unknown outcome is looked up or repeated.
constexpr int kMaxLookups = 5;
constexpr int64_t kBackoffStepMicros = 1'000;
constexpr int64_t kMaxBackoffMicros = 50'000;

class LogTransaction final : public Transaction {
 public:
  LogTransaction(const TableContext& table, std::shared_ptr<const LogSnapshot> base)
      : table_(table),
        commits_(table.commits != nullptr ? table.commits : MakePutIfAbsentCommits(table.store)),
        current_(std::move(base)),
        txn_id_(table.random->Uuid()) {
    if (current_ != nullptr) base_version_ = current_->version();
  }

  /// Turns this into the creation of a table.
  void SetCreation(Protocol protocol, Metadata metadata, std::shared_ptr<arrow::Schema> schema) {
    protocol_ = std::move(protocol);
    metadata_ = std::move(metadata);
    schema_ = std::move(schema);
    operation_ = "CREATE TABLE";
  }

  void SetReads(Reads reads) override { reads_ = std::move(reads); }
  void AddFile(Add add) override { adds_.push_back(std::move(add)); }
  void RemoveFile(Remove remove) override { removes_.push_back(std::move(remove)); }
  void SetTxn(Txn txn) override { txn_ = std::move(txn); }
  void SetDomain(DomainMetadata domain) override { domains_.push_back(std::move(domain)); }
  Status SetSchema(const std::shared_ptr<arrow::Schema>& schema) override;
  Status SetMetadata(Metadata metadata) override {
    TARN_ASSIGN_OR_RETURN(schema_, columnar::SchemaFromDeltaJson(metadata.schema_string));
    metadata_ = std::move(metadata);
    return Status::Ok();
  }
  void SetProtocol(Protocol protocol) override { protocol_ = std::move(protocol); }
  void SetOperation(std::string operation, std::map<std::string, std::string> parameters) override {
    operation_ = std::move(operation);
    operation_parameters_ = std::move(parameters);
  }
  void SetMetrics(std::map<std::string, std::string> metrics) override { operation_metrics_ = std::move(metrics); }
  Result<Committed> Commit() override;

 private:
  enum class Outcome : uint8_t { kCommitted, kLost, kUndecided };

  const Protocol& protocol() const { return protocol_.has_value() ? *protocol_ : current_->protocol(); }
  const Metadata& metadata() const { return metadata_.has_value() ? *metadata_ : current_->metadata(); }
  Status CheckActions() const;
  Status CheckFiles() const;
  Status CheckAdd(const Add& add, const std::vector<std::string>& partition_columns) const;
  Status CheckDomains() const;
  /// Whether nothing that the table holds or says changes.
  bool ChangesNoData() const;
  Result<OwnChange> Describe() const;
  Status CheckTxn() const;
  std::string Render(int64_t version, const OwnChange& own);
  Result<Outcome> Attempt(int64_t version, const std::string& text);
  Result<bool> AbsorbWinners(int64_t version, const OwnChange& own);
  Result<Committed> Finish(int64_t version, std::string_view text);
  void BackOff(int losses, int64_t winners);

  const TableContext table_;
  const std::shared_ptr<CommitStore> commits_;
  /// Newest version this builds upon; nullptr while a table is being created.
  std::shared_ptr<const LogSnapshot> current_;
  int64_t base_version_ = -1;
  const std::string txn_id_;
  std::optional<Protocol> protocol_;
  std::optional<Metadata> metadata_;
  std::shared_ptr<arrow::Schema> schema_;
  std::optional<Txn> txn_;
  std::vector<DomainMetadata> domains_;
  std::optional<Reads> reads_;
  std::vector<Add> adds_;
  std::vector<Remove> removes_;
  std::string operation_ = "WRITE";
  std::map<std::string, std::string> operation_parameters_;
  std::map<std::string, std::string> operation_metrics_;
  PublishedCommit published_;
  int rebases_ = 0;
  bool used_ = false;
};

Status LogTransaction::SetSchema(const std::shared_ptr<arrow::Schema>& schema) {
  TARN_CHECK(current_ != nullptr);
  TARN_RETURN_NOT_OK(CheckOnlyAddsColumns(*current_->schema(), *schema));
  // What the old columns are called and made of was decided before; only new ones must fit the lowest protocol.
  arrow::FieldVector added;
  arrow::FieldVector fields;
  for (const auto& field : schema->fields()) {
    const auto old = current_->schema()->GetFieldByName(field->name());
    fields.push_back(old != nullptr ? old : field);
    if (old == nullptr) added.push_back(field);
  }
  if (added.empty()) return Status::Ok();
  const bool mapped = current_->field_match() != columnar::FieldMatch::kName;
  TARN_RETURN_NOT_OK(
      CheckPlainSchema(*arrow::schema(added), {mapped, FeaturesOf(protocol()).contains("timestampNtz")}));
  Metadata metadata = current_->metadata();
  if (mapped) {
    TARN_RETURN_NOT_OK(CheckMapping(*arrow::schema(fields), current_->field_match()));
    RaiseMaxColumnId(*arrow::schema(fields), metadata);
  }
  TARN_ASSIGN_OR_RETURN(metadata.schema_string, columnar::SchemaToDeltaJson(*arrow::schema(fields)));
  metadata_ = std::move(metadata);
  schema_ = arrow::schema(fields);
  return Status::Ok();
}

Status LogTransaction::CheckAdd(const Add& add, const std::vector<std::string>& partition_columns) const {
  const auto refuse = [&](const std::string& why) { return Status::InvalidArgument("the file " + add.path + why); };
  if (add.size_bytes < 0) return refuse(" has a negative size");
  std::vector<std::string> columns;
  for (const auto& [column, value] : add.partition_values) columns.push_back(column);
  std::sort(columns.begin(), columns.end());
  if (columns != partition_columns) return refuse(" does not have one value for each partition column");
  if (!add.deletion_vector.has_value()) return Status::Ok();
  if (!FeaturesOf(protocol()).contains("deletionVectors")) {
    return Status::Unsupported("writing deletion vectors needs the feature deletionVectors");
  }
  const int64_t rows = NumRecordsOf(add.stats, /*escaped=*/false);
  if (rows < 0) return refuse(" has a deletion vector and no number of rows");
  if (add.deletion_vector->cardinality > rows) return refuse(" has fewer rows than its deletion vector deletes");
  return Status::Ok();
}

Status LogTransaction::CheckFiles() const {
  std::vector<std::string> partition_columns = metadata().partition_columns;
  TARN_ASSIGN_OR_RETURN(const columnar::FieldMatch match, FieldMatchOf(protocol(), metadata()));
  if (match != columnar::FieldMatch::kName) {
    const arrow::Schema& schema = schema_ != nullptr ? *schema_ : *current_->schema();
    for (std::string& name : partition_columns) {
      const auto field = schema.GetFieldByName(name);
      if (field == nullptr) return Status::Corruption("the schema lacks the partition column " + name);
      name = columnar::PhysicalName(*field);
    }
  }
  std::sort(partition_columns.begin(), partition_columns.end());
  // At most one add and one remove per path; both only where the deletion vector changes.
  std::map<std::string, std::string> added;
  for (const Add& add : adds_) {
    const std::string path = CanonicalPath(add.path, table_.store->uri());
    TARN_RETURN_NOT_OK(KeyOfCanonical(path, *table_.store).status());
    if (!added.emplace(path, FileKeyText(path, add.deletion_vector)).second) {
      return Status::InvalidArgument("the file " + add.path + " is added twice");
    }
    TARN_RETURN_NOT_OK(CheckAdd(add, partition_columns));
  }
  std::set<std::string> removed;
  for (const Remove& remove : removes_) {
    const std::string path = CanonicalPath(remove.path, table_.store->uri());
    if (!removed.insert(path).second) return Status::InvalidArgument("the file " + remove.path + " is removed twice");
    const auto again = added.find(path);
    if (again != added.end() && again->second == FileKeyText(path, remove.deletion_vector)) {
      return Status::InvalidArgument("the file " + remove.path + " is both added and removed");
    }
  }
  return Status::Ok();
}

Status LogTransaction::CheckDomains() const {
  std::set<std::string> names;
  for (const DomainMetadata& domain : domains_) {
    if (!FeaturesOf(protocol()).contains("domainMetadata")) {
      return Status::Unsupported("writing domain metadata needs the feature domainMetadata");
    }
    if (!names.insert(domain.domain).second) {
      return Status::InvalidArgument("the domain " + domain.domain + " is set twice");
    }
  }
  return Status::Ok();
}

Status LogTransaction::CheckActions() const {
  const arrow::Schema& schema = schema_ != nullptr ? *schema_ : *current_->schema();
  TARN_RETURN_NOT_OK(CheckWritable(protocol(), metadata(), schema));
  TARN_RETURN_NOT_OK(CheckFiles());
  TARN_RETURN_NOT_OK(CheckDomains());
  const bool deletes =
      std::any_of(removes_.begin(), removes_.end(), [](const Remove& remove) { return remove.data_change; });
  if (deletes) TARN_RETURN_NOT_OK(CheckMayDelete(metadata()));
  if (txn_.has_value() && txn_->app_id.empty()) return Status::InvalidArgument("a txn needs an application id");
  return Status::Ok();
}

bool LogTransaction::ChangesNoData() const {
  if (protocol_.has_value() || metadata_.has_value() || txn_.has_value() || !domains_.empty()) return false;
  if (adds_.empty() && removes_.empty()) return false;
  return std::none_of(adds_.begin(), adds_.end(), [](const Add& add) { return add.data_change; }) &&
         std::none_of(removes_.begin(), removes_.end(), [](const Remove& remove) { return remove.data_change; });
}

/// To be called on the snapshot that was read.
Result<OwnChange> LogTransaction::Describe() const {
  OwnChange own;
  own.isolation = ChangesNoData() ? IsolationLevel::kSnapshot : IsolationLevelOf(metadata());
  own.changes_protocol = protocol_.has_value();
  own.changes_metadata = metadata_.has_value();
  if (reads_.has_value()) {
    own.read_whole_table = reads_->whole_table;
    own.read_conditions = reads_->conditions;
    for (const FileIndex index : reads_->files) {
      TARN_ASSIGN_OR_RETURN(const DataFile file, current_->File(index));
      own.read_files.insert(FileKeyText(file.key, file.deletion_vector));
    }
    own.app_ids.insert(reads_->app_ids.begin(), reads_->app_ids.end());
  } else {
    own.read_whole_table =
        std::any_of(removes_.begin(), removes_.end(), [](const Remove& remove) { return remove.data_change; });
  }
  if (txn_.has_value()) own.app_ids.insert(txn_->app_id);
  for (const DomainMetadata& domain : domains_) own.domains.insert(domain.domain);
  for (const Remove& remove : removes_) {
    own.removed.insert(FileKeyText(CanonicalPath(remove.path, table_.store->uri()), remove.deletion_vector));
  }
  return own;
}

Status LogTransaction::CheckTxn() const {
  if (!txn_.has_value() || current_ == nullptr) return Status::Ok();
  const auto version = current_->TxnVersion(txn_->app_id);
  if (!version.has_value() || *version < txn_->version) return Status::Ok();
  return Status::AlreadyExists("the table already has version " + std::to_string(*version) + " of the application " +
                               txn_->app_id);
}

std::string LogTransaction::Render(int64_t version, const OwnChange& own) {
  CommitInfo info;
  info.timestamp_millis = table_.clock->WallMicros() / kMicrosPerMilli;
  info.operation = operation_;
  info.operation_parameters = operation_parameters_;
  if (version > 0) info.read_version = base_version_;
  info.isolation_level = IsolationLevelName(own.isolation);
  info.is_blind_append = own.ReadsNothing() && removes_.empty() &&
                         std::all_of(adds_.begin(), adds_.end(), [](const Add& add) { return add.data_change; });
  info.operation_metrics = operation_metrics_;
  info.operation_metrics.emplace("numAddedFiles", std::to_string(adds_.size()));
  info.operation_metrics.emplace("numRemovedFiles", std::to_string(removes_.size()));
  info.engine_info = kEngineInfo;
  info.txn_id = txn_id_;
  if (PropertyIsTrue(metadata(), "delta.enableInCommitTimestamps")) {
    const int64_t previous = current_ != nullptr ? current_->timestamp_millis() : 0;
    info.in_commit_timestamp_millis = std::max(info.timestamp_millis, previous + 1);
    if (current_ != nullptr && !PropertyIsTrue(current_->metadata(), "delta.enableInCommitTimestamps")) {
      // Those of the versions before are where they were.
      auto& properties = metadata_->configuration;
      properties["delta.inCommitTimestampEnablementVersion"] = std::to_string(version);
      properties["delta.inCommitTimestampEnablementTimestamp"] = std::to_string(*info.in_commit_timestamp_millis);
    }
  }
  std::string text;
  AppendLine(text, info);
  if (protocol_.has_value()) AppendLine(text, *protocol_);
  if (metadata_.has_value()) AppendLine(text, *metadata_);
  if (txn_.has_value()) AppendLine(text, *txn_);
  for (const DomainMetadata& domain : domains_) AppendLine(text, domain);
  for (const Remove& remove : removes_) AppendLine(text, remove);
  for (const Add& add : adds_) AppendLine(text, add);
  return text;
}

/// Tries one version. A reply that is lost or says that the version exists is resolved by reading it: the commit may be
/// our own.
Result<LogTransaction::Outcome> LogTransaction::Attempt(int64_t version, const std::string& text) {
  auto published = commits_->Publish(version, text);
  if (published.ok()) {
    published_ = std::move(published).value();
    return Outcome::kCommitted;
  }
  const bool lost_reply = published.status().Is(StatusCode::kIndeterminate);
  if (!lost_reply && !published.status().Is(StatusCode::kAlreadyExists)) return std::move(published).status();
  Status failure;
  for (int lookup = 0; lookup < kMaxLookups; ++lookup) {
    const auto found = ReadCommit(*table_.store, version);
    if (found.ok()) {
      if (found->text != text) return Outcome::kLost;
      published_ = {.modified_millis = found->modified_millis, .etag = {}};
      return Outcome::kCommitted;
    }
    if (found.status().Is(StatusCode::kNotFound)) return Outcome::kUndecided;
    failure = found.status();
  }
  return Status::Indeterminate("version " + std::to_string(version) +
                               " may or may not have been committed: " + failure.message());
}

/// Moves on to the newest version, checking every winner on the way. True when one of them turns out to be our own.
Result<bool> LogTransaction::AbsorbWinners(int64_t version, const OwnChange& own) {
  const std::string uri = table_.store->uri();
  while (true) {
    const auto commit = ReadCommit(*table_.store, version);
    if (commit.status().Is(StatusCode::kNotFound)) return false;
    if (!commit.ok()) return commit.status();
    TARN_ASSIGN_OR_RETURN(const Winner winner, ReadWinner(commit->text, version, uri));
    const bool is_own = winner.info.txn_id == txn_id_;
    TARN_ASSIGN_OR_RETURN(TableState state, ApplyCommit(current_->state(), table_.store, commit->text, version,
                                                        commit->modified_millis, ReplayOptions()));
    const std::shared_ptr<const LogSnapshot> before = current_;
    TARN_ASSIGN_OR_RETURN(current_, LogSnapshot::Make(table_, std::move(state), before.get()));
    if (is_own) return true;
    TARN_RETURN_NOT_OK(CheckTxn());
    TARN_RETURN_NOT_OK(CheckConflict(own, winner, before->protocol(), [&] {
      return LogSnapshot::FilesAddedIn(table_, *current_, commit->text, version);
    }));
    if (winner.protocol.has_value()) {
      TARN_RETURN_NOT_OK(CheckWritable(current_->protocol(), current_->metadata(), *current_->schema()));
    }
    ++version;
  }
}

/// A short wait that grows with the number of rivals and shrinks with the own bad luck, so that nobody starves. The
/// first loss is retried at once.
void LogTransaction::BackOff(int losses, int64_t winners) {
  if (losses < 2) return;
  const int64_t window = std::min(kMaxBackoffMicros, kBackoffStepMicros * winners * 4 / std::min(losses, 8));
  Mutex mutex;
  CondVar never;
  const int64_t deadline =
      table_.clock->MonotonicMicros() + static_cast<int64_t>(table_.random->Below(static_cast<uint64_t>(window) + 1));
  MutexLock lock(mutex);
  while (table_.clock->WaitUntil(never, mutex, deadline)) {
  }
}

Result<Committed> LogTransaction::Finish(int64_t version, std::string_view text) {
  Committed committed;
  committed.version = version;
  committed.rebases = rebases_;
  const TableState before = current_ != nullptr ? current_->state() : TableState();
  TARN_ASSIGN_OR_RETURN(TableState state,
                        ApplyCommit(before, table_.store, text, version, published_.modified_millis, ReplayOptions()));
  state.etag = published_.etag;
  TARN_ASSIGN_OR_RETURN(committed.snapshot, LogSnapshot::Make(table_, std::move(state), current_.get()));
  return committed;
}

Result<Committed> LogTransaction::Commit() {
  TARN_CHECK(!used_);
  used_ = true;
  TARN_RETURN_NOT_OK(CheckActions());
  if (current_ == nullptr) {
    // Version 0 may have been cleaned up behind a checkpoint.
    TARN_ASSIGN_OR_RETURN(const bool exists, TableExists(*table_.store));
    if (exists) return Status::AlreadyExists("there already is a table at " + table_.store->uri());
  }
  TARN_ASSIGN_OR_RETURN(const OwnChange own, Describe());
  int undecided = 0;
  int64_t rendered_version = -1;
  std::string text;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    TARN_RETURN_NOT_OK(CheckTxn());
    const int64_t version = current_ != nullptr ? current_->version() + 1 : 0;
    // A repeated attempt at one version writes the same bytes.
    if (version != std::exchange(rendered_version, version)) text = Render(version, own);
    if (!simdjson::validate_utf8(text)) return Status::InvalidArgument("a text of the commit is not UTF-8");
    TARN_ASSIGN_OR_RETURN(const Outcome outcome, Attempt(version, text));
    if (outcome == Outcome::kCommitted) return Finish(version, text);
    if (outcome == Outcome::kUndecided) {
      if (++undecided < kMaxLookups) continue;
      return Status::Indeterminate("version " + std::to_string(version) + " may or may not be committed yet");
    }
    if (current_ == nullptr) return Status::AlreadyExists("another writer created the table at " + table_.store->uri());
    ++rebases_;
    TARN_ASSIGN_OR_RETURN(const bool is_own, AbsorbWinners(version, own));
    if (is_own) return Committed{current_->version(), current_, rebases_};
    BackOff(rebases_, current_->version() - version + 1);
  }
  return Status::Conflict("gave up after " + std::to_string(kMaxAttempts) + " lost races");
}

}  // namespace

Result<std::unique_ptr<Transaction>> Transaction::Begin(const TableContext& table,
                                                        std::shared_ptr<const Snapshot> snapshot) {
  auto base = LogSnapshot::From(snapshot);
  TARN_RETURN_NOT_OK(CheckWritable(base->protocol(), base->metadata(), *base->schema()));
  return std::unique_ptr<Transaction>(std::make_unique<LogTransaction>(table, std::move(base)));
}

Result<std::unique_ptr<Transaction>> Transaction::Create(const TableContext& table, const CreateTableOptions& options) {
  if (options.schema == nullptr) return Status::InvalidArgument("a table needs a schema");
  Metadata metadata;
  metadata.configuration = options.configuration;
  TARN_ASSIGN_OR_RETURN(std::set<std::string> features, TakeFeatures(metadata.configuration));
  const bool mapped = FeaturesInUse(metadata, *options.schema).contains("columnMapping");
  TARN_RETURN_NOT_OK(CheckPlainSchema(*options.schema, {mapped, features.contains("timestampNtz")}));
  const auto given = mapped ? MapColumnsOfNewTable(*options.schema, *table.random) : options.schema;
  if (mapped) RaiseMaxColumnId(*given, metadata);
  metadata.id = table.random->Uuid();
  metadata.name = options.name;
  metadata.description = options.description;
  TARN_ASSIGN_OR_RETURN(metadata.schema_string, columnar::SchemaToDeltaJson(*given));
  std::set<std::string> partitions;
  for (const std::string& column : options.partition_columns) {
    const auto field = options.schema->GetFieldByName(column);
    if (field == nullptr) return Status::InvalidArgument("there is no column " + column + " to partition by");
    if (arrow::is_nested(field->type()->id())) {
      return Status::InvalidArgument("the column " + column + " cannot partition a table: its type is nested");
    }
    if (!partitions.insert(column).second) return Status::InvalidArgument(column + " partitions the table twice");
  }
  if (static_cast<int>(partitions.size()) == options.schema->num_fields()) {
    return Status::InvalidArgument("a table needs a column that does not partition it");
  }
  metadata.partition_columns = options.partition_columns;
  metadata.created_time_millis = table.clock->WallMicros() / kMicrosPerMilli;
  TARN_ASSIGN_OR_RETURN(auto schema, columnar::SchemaFromDeltaJson(metadata.schema_string));
  features.merge(FeaturesInUse(metadata, *schema));
  TARN_ASSIGN_OR_RETURN(const Protocol protocol, RaiseFor(Protocol(), features));
  TARN_RETURN_NOT_OK(CheckWritable(protocol, metadata, *schema));
  TARN_RETURN_NOT_OK(RowConstraints::Of(metadata, schema).status());
  auto transaction = std::make_unique<LogTransaction>(table, nullptr);
  transaction->SetCreation(protocol, std::move(metadata), std::move(schema));
  return std::unique_ptr<Transaction>(std::move(transaction));
}

Result<std::shared_ptr<const Snapshot>> SnapshotOfNewTable(const TableContext& table,
                                                           const CreateTableOptions& options) {
  const TableContext nowhere{
      .store = storage::MakeMemoryStore(*table.clock), .clock = table.clock, .random = table.random};
  TARN_ASSIGN_OR_RETURN(const auto transaction, Transaction::Create(nowhere, options));
  TARN_ASSIGN_OR_RETURN(Committed committed, transaction->Commit());
  return std::move(committed.snapshot);
}

}  // namespace tarn::delta
