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
  std::map<std::string, std::string> configuration;
  std::optional<std::string> name;
  std::optional<std::string> description;
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
/// Kinds by what is put in: only adds (a blind append, which rebases over every winner except a changed schema or
/// protocol), adds and removes with dataChange=false (a rewrite, which fails only when one of its inputs is gone),
/// anything else (fails on any winner that touches what it read). A winner with an equal `txn` or our own txnId means
/// that the work is already done.
class Transaction {
 public:
  virtual ~Transaction() = default;

  /// Begins on an existing table. Unsupported when a writer feature is not ours.
  static Result<std::unique_ptr<Transaction>> Begin(const TableContext& table,
                                                    std::shared_ptr<const Snapshot> snapshot);
  /// Begins the creation of a table at version 0; Commit returns AlreadyExists when another creator wins.
  static Result<std::unique_ptr<Transaction>> Create(const TableContext& table, const CreateTableOptions& options);

  virtual void AddFile(Add add) = 0;
  virtual void RemoveFile(Remove remove) = 0;
  /// Checked against the snapshot before each attempt: Commit returns AlreadyExists when the table has this version or
  /// a later one.
  virtual void SetTxn(Txn txn) = 0;
  /// Replaces the schema (evolution): adding nullable columns only, mapped by MapNewColumns where the table maps its
  /// columns. InvalidArgument for anything else.
  virtual Status SetSchema(const std::shared_ptr<arrow::Schema>& schema) = 0;
  virtual void SetOperation(std::string operation, std::map<std::string, std::string> parameters) = 0;

  /// Publishes. Conflict when a winner cannot be rebased over (the message names version and rule); Indeterminate only
  /// when the store keeps failing after a lost reply.
  virtual Result<Committed> Commit() = 0;
};

/// Writes a checkpoint of the snapshot and then the `_last_checkpoint` hint (PROTOCOL.md, "Checkpoints"), streamed in
/// O(row group) memory: a v2 checkpoint with sidecars where the protocol has the feature and `delta.checkpointPolicy`
/// is `v2`, a classic single file otherwise. A checkpoint that is there is success.
Status WriteCheckpoint(const TableContext& table, const Snapshot& snapshot);

}  // namespace tarn::delta
