#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "delta/log/commit_entries.h"
#include "storage/object_store.h"

namespace tarn::delta {

struct ExternalCommitOptions {
  /// The store's own place as Spark writes it, without '/' at the end: "s3a://bucket/lake". With a table's folder
  /// behind it this is the `table_path` of entries, byte for byte.
  std::string root;
  /// How long an entry stays after it is complete, at least.
  int64_t ttl_seconds = 24 * 60 * 60;
};

/// A view of a store below which tables are committed to by entries, in the protocol of Spark's S3DynamoDBLogStore, so
/// that Spark may write beside us and the store need not know If-None-Match. It holds for every table below the store,
/// and everything that reads or writes a log through it keeps to it without knowing.
///
/// Put of a commit, if absent: look that version N is not there and N-1 is; write the bytes to a temporary file; add
/// the entry of N that names it, which is the commit; copy the file to N; mark the entry as complete. Whoever lists a
/// log or asks for a commit that is not there finishes the newest entry first, or, where it may not write, reads the
/// temporary file in its place.
///
/// Errors of Put beside the store's own: AlreadyExists, another commit has the version; Indeterminate, the entry may
/// have been added; Corruption: entries and log contradict each other; Unsupported: the table was committed to without
/// entries less than `ttl_seconds` ago, that is, by writers that do not know of them. Clock and random must outlive it.
std::shared_ptr<storage::ObjectStore> MakeExternalCommits(std::shared_ptr<storage::ObjectStore> store,
                                                          std::shared_ptr<CommitEntries> entries,
                                                          ExternalCommitOptions options, Clock& clock, Random& random);

/// The other side of it, for a store whose commits are decided by put-if-absent: the first commit to each table looks
/// for the temporary files of commits by entries, and finding one is Unsupported.
std::shared_ptr<storage::ObjectStore> MakeCommitsWithoutEntries(std::shared_ptr<storage::ObjectStore> store);

}  // namespace tarn::delta
