#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "delta/actions.h"
#include "delta/snapshot.h"
#include "delta/table.h"

namespace tarn::delta {

struct CreateTableOptions {
  std::shared_ptr<arrow::Schema> schema;
  std::vector<std::string> partition_columns;
  /// Table properties, which alone raise the protocol; `delta.feature.NAME = supported` among them.
  std::map<std::string, std::string> configuration;
  std::optional<std::string> name;
  std::optional<std::string> description;
};

/// What a transaction has read of its snapshot, and what therefore must not have changed before it commits.
struct Reads {
  /// Every row there is.
  bool whole_table = false;
  /// Rows by condition: a row that makes every predicate of one element true would have been read, also one that others
  /// add meanwhile.
  std::vector<std::vector<Predicate>> conditions;
  /// Files that were read or whose rows were relied on.
  std::vector<FileIndex> files;
  /// Applications whose `txn` was looked at.
  std::vector<std::string> app_ids;
};

/// What a commit did.
struct Committed {
  int64_t version = 0;
  /// The table right after the commit, made without reading the log again.
  std::shared_ptr<const Snapshot> snapshot;
  /// How often a concurrent winner made it rebase.
  int rebases = 0;
};

/// One atomic change of a table (PROTOCOL.md, "Writer Requirements"; delta.md b). Thread-compatible; used once.
///
/// Commits that others make meanwhile are rebased over unless they change what this one has read, removes or describes;
/// conflict.h has the rules. One that only adds and has read nothing is a blind append, which fails only behind a
/// changed schema or protocol; one whose file actions all have dataChange=false, with nothing else in it, only when a
/// file is gone that it removes or has read. Other commits keep to `delta.isolationLevel`. A winner with an equal `txn`
/// or our own txnId means that the work is already done.
class Transaction {
 public:
  virtual ~Transaction() = default;

  /// Begins on an existing table. Unsupported when a writer feature is not ours.
  static Result<std::unique_ptr<Transaction>> Begin(const TableContext& table,
                                                    std::shared_ptr<const Snapshot> snapshot);
  /// Begins the creation of a table at version 0; Commit returns AlreadyExists when another creator wins. Where the
  /// properties map columns, those of the schema that have no physical name get one.
  static Result<std::unique_ptr<Transaction>> Create(const TableContext& table, const CreateTableOptions& options);

  /// What the change rests on. One that removes data and does not say counts as having read the whole table.
  virtual void SetReads(Reads reads) = 0;
  virtual void AddFile(Add add) = 0;
  virtual void RemoveFile(Remove remove) = 0;
  /// Checked against the snapshot before each attempt: Commit returns AlreadyExists when the table has this version or
  /// a later one.
  virtual void SetTxn(Txn txn) = 0;
  /// Needs the feature domainMetadata.
  virtual void SetDomain(DomainMetadata domain) = 0;
  /// Replaces the schema (evolution): adding nullable columns only, mapped by MapNewColumns where the table maps its
  /// columns. InvalidArgument for anything else.
  virtual Status SetSchema(const std::shared_ptr<arrow::Schema>& schema) = 0;
  /// Replaces the metaData by one that need not be like it, as a restore does; Commit checks that it can be written.
  /// Corruption when its schema cannot be read.
  virtual Status SetMetadata(Metadata metadata) = 0;
  /// Replaces the protocol by a higher one, as RaiseFor gives it; Commit checks that it can be written.
  virtual void SetProtocol(Protocol protocol) = 0;
  virtual void SetOperation(std::string operation, std::map<std::string, std::string> parameters) = 0;
  /// For commitInfo, beside the numbers of files that are added and removed.
  virtual void SetMetrics(std::map<std::string, std::string> metrics) = 0;

  /// Publishes. Conflict when a winner cannot be rebased over (the message names version and rule); Indeterminate only
  /// when the store keeps failing after a lost reply.
  virtual Result<Committed> Commit() = 0;
};

/// What a table that Transaction::Create makes begins with, without making it: for writing its first files. Where
/// columns are mapped, the table is then to be made of this schema.
Result<std::shared_ptr<const Snapshot>> SnapshotOfNewTable(const TableContext& table,
                                                           const CreateTableOptions& options);

/// Writes a checkpoint of the snapshot and then the `_last_checkpoint` hint (PROTOCOL.md, "Checkpoints"), streamed in
/// O(row group) memory: a v2 checkpoint with sidecars where the protocol has the feature and `delta.checkpointPolicy`
/// is `v2`, a classic single file otherwise. A checkpoint that is there is success.
Status WriteCheckpoint(const TableContext& table, const Snapshot& snapshot);

}  // namespace tarn::delta
