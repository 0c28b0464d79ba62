#include "delta/conflict.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <functional>

#include "delta/log/commit_json.h"
#include "delta/testing/expect_valid.h"
#include "delta/testing/table_fixture.h"
#include "delta/transaction.h"

namespace tarn::delta {
namespace {

using testing::MemoryTable;
using Op = Predicate::Op;

constexpr int kId = 0;
constexpr int kDay = 2;
constexpr int64_t kFirstDay = 20454;  // 2026-01-01

constexpr std::string_view kProtocol =
    R"({"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],)"
    R"("writerFeatures":["appendOnly","invariants","deletionVectors","domainMetadata")";

/// The protocol of the tests with other features listed behind its own.
std::string ProtocolLine(const std::string& more = "") { return std::string(kProtocol) + more + "]}}\n"; }

std::string MetadataLine(const std::string& configuration) {
  std::string line = testing::FirstLines(/*partitioned=*/true);
  line = line.substr(line.find('\n') + 1);
  const std::string empty = "\"configuration\":{}";
  return line.replace(line.find(empty), empty.size(), "\"configuration\":{" + configuration + "}");
}

std::string Stats(int64_t first, int64_t last) {
  return R"({"numRecords":10,"minValues":{"id":)" + std::to_string(first) + R"(},"maxValues":{"id":)" +
         std::to_string(last) + R"(},"nullCount":{"id":0}})";
}

Add AddOf(const std::string& key, int day, const std::string& stats) {
  Add add = MemoryTable::MakeAdd(key, stats);
  add.partition_values = {{"day", "2026-01-0" + std::to_string(day)}};
  return add;
}

Remove RemoveOf(const std::string& key, int day, bool data_change) {
  Remove remove;
  remove.path = key;
  remove.data_change = data_change;
  remove.deletion_timestamp_millis = 5;
  remove.partition_values = {{"day", "2026-01-0" + std::to_string(day)}};
  remove.size_bytes = 100;
  return remove;
}

/// `a` holds the ids 0 to 9 of the first day, `b` those from 10 on of the second; version 1.
std::shared_ptr<const Snapshot> MakeTable(MemoryTable& table, const std::string& isolation) {
  table.PutCommit(0, ProtocolLine() + MetadataLine(R"("delta.isolationLevel":")" + isolation + '"'));
  auto begun = Transaction::Begin(table.context(), *LoadSnapshot(table.context()));
  (*begun)->AddFile(AddOf("a", 1, Stats(0, 9)));
  (*begun)->AddFile(AddOf("b", 2, Stats(10, 19)));
  return (*begun)->Commit()->snapshot;
}

FileIndex IndexOf(const Snapshot& snapshot, const std::string& key) {
  for (FileIndex i = 0; i < snapshot.num_files(); ++i) {
    if (snapshot.File(i)->key == key) return i;
  }
  ADD_FAILURE() << key;
  return 0;
}

using Act = std::function<void(Transaction&, const Snapshot&)>;

void Rewrite(Transaction& transaction, const std::string& key, int day) {
  Add add = AddOf(key + "-anew", day, Stats(day == 1 ? 0 : 10, day == 1 ? 9 : 19));
  add.data_change = false;
  transaction.AddFile(add);
  transaction.RemoveFile(RemoveOf(key, day, /*data_change=*/false));
}

/// Removes `a` for a condition that only its rows may meet.
void DeleteWhere(Transaction& transaction, const Snapshot& snapshot, Predicate condition) {
  transaction.SetReads({.conditions = {{std::move(condition)}}, .files = {IndexOf(snapshot, "a")}});
  transaction.RemoveFile(RemoveOf("a", 1, /*data_change=*/true));
}

struct Own {
  const char* name;
  Act act;
};

// The columns of the tables below.
const Own kOwn[] = {
    {"blind append", [](Transaction& t, const Snapshot&) { t.AddFile(AddOf("mine", 1, Stats(0, 9))); }},
    {"append with a txn",
     [](Transaction& t, const Snapshot&) {
       t.AddFile(AddOf("mine", 1, Stats(0, 9)));
       t.SetTxn({"app", 3, {}});
     }},
    {"append with a domain",
     [](Transaction& t, const Snapshot&) {
       t.AddFile(AddOf("mine", 1, Stats(0, 9)));
       t.SetDomain({"domain", "{}", false});
     }},
    {"rewrite of a", [](Transaction& t, const Snapshot&) { Rewrite(t, "a", 1); }},
    {"delete of a by its day",
     [](Transaction& t, const Snapshot& s) { DeleteWhere(t, s, Predicate::Compare(Op::kEq, kDay, kFirstDay)); }},
    {"delete of a by id < 5",
     [](Transaction& t, const Snapshot& s) { DeleteWhere(t, s, Predicate::Compare(Op::kLt, kId, int64_t{5})); }},
    {"append out of a",
     [](Transaction& t, const Snapshot& s) {
       t.SetReads({.files = {IndexOf(s, "a")}});
       t.AddFile(AddOf("mine", 1, Stats(0, 9)));
     }},
    {"overwrite of all",
     [](Transaction& t, const Snapshot&) {
       t.SetReads({.whole_table = true});
       t.AddFile(AddOf("mine", 1, Stats(0, 9)));
     }},
    {"removal of a that says nothing",
     [](Transaction& t, const Snapshot&) { t.RemoveFile(RemoveOf("a", 1, /*data_change=*/true)); }},
    {"new column and rows by id < 5",
     [](Transaction& t, const Snapshot& s) {
       auto fields = s.schema()->fields();
       fields.push_back(arrow::field("more", arrow::int64()));
       ASSERT_TRUE(t.SetSchema(arrow::schema(fields)).ok());
       t.SetReads({.conditions = {{Predicate::Compare(Op::kLt, kId, int64_t{5})}}});
     }},
    {"looked at a txn",
     [](Transaction& t, const Snapshot&) {
       t.SetReads({.app_ids = {"app"}});
       t.AddFile(AddOf("mine", 1, Stats(0, 9)));
     }},
};

struct WinnerCase {
  const char* name;
  /// Lines behind the commitInfo.
  std::string lines;
  const char* blind;
  /// Per own change above a letter: '.' goes through, A ConcurrentAppend, R ConcurrentDeleteRead,
  /// D ConcurrentDeleteDelete, T ConcurrentTransaction, O ConcurrentDomainMetadata, M MetadataChanged,
  /// P ProtocolChanged.
  const char* write_serializable;
  const char* serializable;
  /// The same as a transaction of ours, where it can be one.
  Act act = nullptr;
};

std::string Line(const Add& add) {
  std::string line;
  AppendLine(line, add);
  return line;
}

std::string Line(const Remove& remove) {
  std::string line;
  AppendLine(line, remove);
  return line;
}

std::string RewriteLines(const std::string& key, int day) {
  Add add = AddOf(key + "-other", day, Stats(day == 1 ? 0 : 10, day == 1 ? 9 : 19));
  add.data_change = false;
  return Line(RemoveOf(key, day, /*data_change=*/false)) + Line(add);
}

/// `a` with a deletion vector.
std::string VectorLines() {
  Add add = AddOf("a", 1, R"({"numRecords":10,"tightBounds":false})");
  add.deletion_vector = DeletionVector{'u', "ab^-aqEH.-t@S}K{vb[*k^", 1, 34, 1};
  return Line(RemoveOf("a", 1, /*data_change=*/true)) + Line(add);
}

std::vector<WinnerCase> Winners() {
  const auto add = [](const std::string& key, int day, const std::string& stats) -> Act {
    return [=](Transaction& t, const Snapshot&) { t.AddFile(AddOf(key, day, stats)); };
  };
  const std::string day1 = Line(AddOf("w", 1, Stats(0, 9)));
  // blind, txn, domain, rewrite, by day, by id, out of a, all, silent, new column, looked
  return {
      {"blind append to the day", day1, "true", ".........A.", "....AA.AAA.", add("w", 1, Stats(0, 9))},
      {"append that does not say that it is blind", day1, nullptr, "....AA.AAA.", "....AA.AAA."},
      {"append that has read", day1, "false", "....AA.AAA.", "....AA.AAA.",
       [](Transaction& t, const Snapshot& s) {
         t.SetReads({.files = {IndexOf(s, "b")}});
         t.AddFile(AddOf("w", 1, Stats(0, 9)));
       }},
      {"append of other ids", Line(AddOf("w", 1, Stats(100, 109))), "false", "....A..AA..", "....A..AA.."},
      {"append to another day", Line(AddOf("w", 2, Stats(0, 9))), "false", ".....A.AAA.", ".....A.AAA."},
      {"append of other ids to another day", Line(AddOf("w", 2, Stats(100, 109))), "false", ".......AA..",
       ".......AA.."},
      {"append without statistics", Line(AddOf("w", 1, "")), "false", "....AA.AAA.", "....AA.AAA."},
      {"rewrite of a", RewriteLines("a", 1), "false", "...DAARAAA.", "...DAARAAA.",
       [](Transaction& t, const Snapshot&) { Rewrite(t, "a", 1); }},
      {"rewrite of b", RewriteLines("b", 2), "false", ".......AA..", ".......AA..",
       [](Transaction& t, const Snapshot&) { Rewrite(t, "b", 2); }},
      {"delete of a", Line(RemoveOf("a", 1, true)), "false", "...DRRRRR..", "...DRRRRR..",
       [](Transaction& t, const Snapshot&) { t.RemoveFile(RemoveOf("a", 1, true)); }},
      {"delete of b", Line(RemoveOf("b", 2, true)), "false", ".......RR..", ".......RR..",
       [](Transaction& t, const Snapshot&) { t.RemoveFile(RemoveOf("b", 2, true)); }},
      {"delete of rows of a", VectorLines(), "false", "...DAARAAA.", "...DAARAAA."},
      {"a liar", Line(RemoveOf("a", 1, true)) + day1, "true", "...DAARAAA.", "...DAARAAA."},
      {"txn of the application", R"({"txn":{"appId":"app","version":1}})", "true", ".T........T", ".T........T",
       [](Transaction& t, const Snapshot&) { t.SetTxn({"app", 1, {}}); }},
      {"txn of another application", R"({"txn":{"appId":"other","version":1}})", "true", "...........", "...........",
       [](Transaction& t, const Snapshot&) { t.SetTxn({"other", 1, {}}); }},
      {"the same domain", R"({"domainMetadata":{"domain":"domain","configuration":"","removed":false}})", "true",
       "..O........", "..O........", [](Transaction& t, const Snapshot&) { t.SetDomain({"domain", "", false}); }},
      {"another domain", R"({"domainMetadata":{"domain":"other","configuration":"","removed":false}})", "true",
       "...........", "..........."},
      {"metadata", MetadataLine(R"("a":"b")"), "true", "MMMMMMMMMMM", "MMMMMMMMMMM",
       [](Transaction& t, const Snapshot& s) {
         auto fields = s.schema()->fields();
         fields.push_back(arrow::field("extra", arrow::float64()));
         ASSERT_TRUE(t.SetSchema(arrow::schema(fields)).ok());
       }},
      {"a feature that asks nothing", ProtocolLine(R"(,"vacuumProtocolCheck","v2Checkpoint")"), "true", "...........",
       "..........."},
      {"a feature that asks something", ProtocolLine(R"(,"checkConstraints")"), "true", "PPPPPPPPPPP", "PPPPPPPPPPP"},
      {"fewer features", R"({"protocol":{"minReaderVersion":1,"minWriterVersion":2}})", "true", "PPPPPPPPPPP",
       "PPPPPPPPPPP"},
      {"an unknown feature", ProtocolLine(R"(,"fromTheFuture")"), "true", "PPPPPPPPPPP", "PPPPPPPPPPP"},
  };
}

const char* RuleOf(char letter) {
  switch (letter) {
    case 'A':
      return "(ConcurrentAppend)";
    case 'R':
      return "(ConcurrentDeleteRead)";
    case 'D':
      return "(ConcurrentDeleteDelete)";
    case 'T':
      return "(ConcurrentTransaction)";
    case 'O':
      return "(ConcurrentDomainMetadata)";
    case 'M':
      return "(MetadataChanged)";
    case 'P':
      return "(ProtocolChanged)";
    default:
      return "";
  }
}

void ExpectOutcome(const Result<Committed>& done, char letter) {
  if (letter == '.') {
    ASSERT_TRUE(done.ok()) << done.status().ToString();
    EXPECT_EQ(done->version, 3);
    EXPECT_EQ(done->rebases, 1);
    return;
  }
  ASSERT_FALSE(done.ok()) << "expected " << RuleOf(letter);
  EXPECT_EQ(done.status().code(), StatusCode::kConflict) << done.status().ToString();
  EXPECT_NE(done.status().message().find(RuleOf(letter)), std::string::npos) << done.status().ToString();
  EXPECT_NE(done.status().message().find("version 2"), std::string::npos) << done.status().ToString();
}

/// Runs every own change behind a winner; `win` makes it version 2 of the table.
void RunCase(const WinnerCase& winner, const std::string& isolation,
             const std::function<void(MemoryTable&, const std::shared_ptr<const Snapshot>&)>& win) {
  const std::string letters = isolation == "Serializable" ? winner.serializable : winner.write_serializable;
  ASSERT_EQ(letters.size(), std::size(kOwn));
  for (size_t i = 0; i < std::size(kOwn); ++i) {
    SCOPED_TRACE(std::string(kOwn[i].name) + " behind " + winner.name + ", " + isolation);
    MemoryTable table;
    const auto base = MakeTable(table, isolation);
    auto begun = Transaction::Begin(table.context(), base);
    ASSERT_TRUE(begun.ok()) << begun.status().ToString();
    kOwn[i].act(**begun, *base);
    win(table, base);
    ExpectOutcome((*begun)->Commit(), letters[i]);
  }
}

TEST(ConflictTest, EveryRuleAgainstHandWrittenWinners) {
  for (const WinnerCase& winner : Winners()) {
    for (const char* isolation : {"WriteSerializable", "Serializable"}) {
      RunCase(winner, isolation, [&](MemoryTable& table, const auto&) {
        const std::string blind = winner.blind == nullptr ? "" : R"(,"isBlindAppend":)" + std::string(winner.blind);
        table.PutCommit(2, R"({"commitInfo":{"operation":"TEST")" + blind + "}}\n" + winner.lines);
      });
    }
  }
}

TEST(ConflictTest, EveryRuleBetweenTwoTransactions) {
  for (const WinnerCase& winner : Winners()) {
    if (winner.act == nullptr) continue;
    for (const char* isolation : {"WriteSerializable", "Serializable"}) {
      RunCase(winner, isolation, [&](MemoryTable& table, const auto& base) {
        auto begun = Transaction::Begin(table.context(), base);
        winner.act(**begun, *base);
        const auto won = (*begun)->Commit();
        ASSERT_TRUE(won.ok()) << won.status().ToString();
        ASSERT_EQ(won->version, 2);
        testing::ExpectValid(table.context());
      });
    }
  }
}

TEST(ConflictTest, AWinnerFarBehindIsFoundToo) {
  MemoryTable table;
  const auto base = MakeTable(table, "WriteSerializable");
  auto begun = Transaction::Begin(table.context(), base);
  DeleteWhere(**begun, *base, Predicate::Compare(Op::kEq, kDay, kFirstDay));
  auto latest = base;
  for (int i = 0; i < 3; ++i) {
    auto append = Transaction::Begin(table.context(), latest);
    (*append)->AddFile(AddOf("w" + std::to_string(i), 1, Stats(0, 9)));
    latest = (*append)->Commit()->snapshot;
  }
  auto rewrite = Transaction::Begin(table.context(), latest);
  Rewrite(**rewrite, "a", 1);
  ASSERT_TRUE((*rewrite)->Commit().ok());
  const Status lost = (*begun)->Commit().status();
  EXPECT_EQ(lost.code(), StatusCode::kConflict);
  EXPECT_NE(lost.message().find("version 5"), std::string::npos) << lost.ToString();
}

// What each own change says of itself.
TEST(ConflictTest, CommitInfoTellsTheTruth) {
  for (const char* isolation : {"WriteSerializable", "Serializable", "unheard of"}) {
    const std::string strict = std::string(isolation) == "WriteSerializable" ? isolation : "Serializable";
    for (const Own& own : kOwn) {
      SCOPED_TRACE(std::string(own.name) + ", " + isolation);
      MemoryTable table;
      const auto base = MakeTable(table, isolation);
      auto begun = Transaction::Begin(table.context(), base);
      own.act(**begun, *base);
      // Somebody else's commit between the reading and ours.
      auto other = Transaction::Begin(table.context(), base);
      (*other)->SetTxn({"other", 1, {}});
      ASSERT_TRUE((*other)->Commit().ok());
      ASSERT_TRUE((*begun)->Commit().ok());
      const auto mine = ReadWinner(table.Commit(3), 3, table.store().uri());
      ASSERT_TRUE(mine.ok()) << mine.status().ToString();
      const std::string name = own.name;
      const bool blind = name == "blind append" || name.starts_with("append with") || name == "looked at a txn";
      EXPECT_EQ(mine->info.is_blind_append, blind);
      EXPECT_EQ(mine->info.isolation_level, name == "rewrite of a" ? "SnapshotIsolation" : strict);
      EXPECT_EQ(mine->info.read_version, 1);
      EXPECT_FALSE(mine->info.txn_id.empty());
      testing::ExpectValid(table.context());
    }
  }
}

// Snapshot isolation is for what changes nothing at all.
TEST(ConflictTest, ARewriteWithATxnKeepsToTheTablesLevel) {
  MemoryTable table;
  const auto base = MakeTable(table, "Serializable");
  auto begun = Transaction::Begin(table.context(), base);
  Rewrite(**begun, "a", 1);
  (*begun)->SetTxn({"app", 1, {}});
  ASSERT_TRUE((*begun)->Commit().ok());
  EXPECT_NE(table.Commit(2).find(R"("isolationLevel":"Serializable")"), std::string::npos);
}

TEST(ConflictTest, VectorsAndDomainsNeedTheirFeature) {
  MemoryTable table;
  const auto base = table.Append(table.Create(), {"a"});
  const auto commit = [&](const std::function<void(Transaction&)>& act) {
    auto begun = Transaction::Begin(table.context(), base);
    act(**begun);
    return (*begun)->Commit().status();
  };
  const Status domain = commit([](Transaction& t) { t.SetDomain({"d", "", false}); });
  EXPECT_EQ(domain.code(), StatusCode::kUnsupported);
  EXPECT_NE(domain.message().find("domainMetadata"), std::string::npos);
  const Status vector = commit([](Transaction& t) {
    Add add = MemoryTable::MakeAdd("a");
    add.deletion_vector = DeletionVector{'u', "ab^-aqEH.-t@S}K{vb[*k^", 1, 34, 1};
    t.AddFile(add);
  });
  EXPECT_EQ(vector.code(), StatusCode::kUnsupported);
  EXPECT_NE(vector.message().find("deletionVectors"), std::string::npos);
}

TEST(ConflictTest, AVectorNeedsAnExactNumberOfRows) {
  MemoryTable table;
  const auto base = MakeTable(table, "Serializable");
  const auto commit = [&](const std::string& stats, int64_t cardinality) {
    auto begun = Transaction::Begin(table.context(), base);
    (*begun)->RemoveFile(RemoveOf("a", 1, /*data_change=*/true));
    Add add = AddOf("a", 1, stats);
    add.deletion_vector = DeletionVector{'u', "ab^-aqEH.-t@S}K{vb[*k^", 1, 34, cardinality};
    (*begun)->AddFile(add);
    return (*begun)->Commit().status().code();
  };
  EXPECT_EQ(commit("", 1), StatusCode::kInvalidArgument);
  EXPECT_EQ(commit(R"({"numRecords":10})", 11), StatusCode::kInvalidArgument);
  EXPECT_EQ(commit(R"({"numRecords":10,"tightBounds":false})", 10), StatusCode::kOk);
}

}  // namespace
}  // namespace tarn::delta
