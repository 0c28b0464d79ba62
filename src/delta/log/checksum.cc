#include "delta/log/checksum.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "delta/log/commit_json.h"
#include "delta/log/log_names.h"
#include "delta/log/log_snapshot.h"
#include "delta/log/same_actions.h"
#include "delta/protocol_features.h"

namespace tarn::delta {

namespace {

/// With more of them than this the optional lists are left out, as Spark does, so that a checksum stays small.
constexpr size_t kMaxListedTxns = 100;
constexpr size_t kMaxListedDomains = 10;

/// Appends `,"<key>":[<one object per action>]`.
template <typename Visit>
Status AppendList(std::string& out, std::string_view key, Visit&& visit) {
  out.append(",\"").append(key).append("\":[");
  bool first = true;
  TARN_RETURN_NOT_OK(visit([&](const auto& action) {
    if (!first) out += ',';
    first = false;
    AppendObject(out, action);
    return Status::Ok();
  }));
  out += ']';
  return Status::Ok();
}

Result<std::string> Render(const LogSnapshot& snapshot) {
  const TableState& state = snapshot.state();
  std::string out = R"({"tableSizeBytes":)" + std::to_string(snapshot.total_bytes()) + R"(,"numFiles":)" +
                    std::to_string(snapshot.num_files()) + R"(,"numMetadata":1,"numProtocol":1)";
  if (PropertyIsTrue(snapshot.metadata(), "delta.enableInCommitTimestamps")) {
    if (!state.in_commit_timestamp_millis.has_value()) {
      return Status::Corruption("version " + std::to_string(state.version) + " has no in-commit timestamp");
    }
    out += R"(,"inCommitTimestampOpt":)" + std::to_string(*state.in_commit_timestamp_millis);
  }
  if (state.txns->size() <= kMaxListedTxns) {
    TARN_RETURN_NOT_OK(AppendList(out, "setTransactions", [&](auto&& visit) { return snapshot.VisitTxns(visit); }));
  }
  // Domains that were removed stay in the map, so that their number bounds that of the live ones from above.
  if (state.domains->size() <= kMaxListedDomains) {
    TARN_RETURN_NOT_OK(AppendList(out, "domainMetadata", [&](auto&& visit) { return snapshot.VisitDomains(visit); }));
  }
  out += R"(,"metadata":)";
  AppendObject(out, snapshot.metadata());
  out += R"(,"protocol":)";
  AppendObject(out, snapshot.protocol());
  out += '}';
  return out;
}

/// The actions that a checksum repeats.
class RepeatedActions final : public ActionVisitor {
 public:
  Status OnProtocol(Protocol found) override {
    protocol = std::move(found);
    return Status::Ok();
  }
  Status OnMetadata(Metadata found) override {
    metadata = std::move(found);
    return Status::Ok();
  }
  std::optional<Protocol> protocol;
  std::optional<Metadata> metadata;
};

}  // namespace

ChecksumDifference DifferenceFromChecksum(std::string_view text, const Snapshot& snapshot) {
  simdjson::dom::parser json;
  simdjson::dom::object root;
  const simdjson::padded_string padded(text);
  if (json.parse(padded).get(root) != simdjson::SUCCESS) return {"it is no JSON object"};
  const std::pair<std::string_view, int64_t> numbers[] = {{"numFiles", static_cast<int64_t>(snapshot.num_files())},
                                                          {"tableSizeBytes", snapshot.total_bytes()},
                                                          {"numMetadata", 1},
                                                          {"numProtocol", 1}};
  for (const auto& [field, expected] : numbers) {
    int64_t found = 0;
    if (root[field].get(found) != simdjson::SUCCESS) return {std::string(field) + " is no number"};
    if (found == expected) continue;
    return {std::string(field) + " is " + std::to_string(found) + ", but " + std::to_string(expected) + " by the log",
            /*contradicts=*/true};
  }
  RepeatedActions found;
  const std::pair<std::string_view, std::string_view> actions[] = {{"protocol", "protocol"}, {"metadata", "metaData"}};
  for (const auto& [field, action] : actions) {
    simdjson::dom::element value;
    if (root[field].get(value) != simdjson::SUCCESS) continue;
    if (!value.is_object()) return {std::string(field) + " is no object"};
    const std::string line = "{\"" + std::string(action) + "\":" + simdjson::minify(value) + "}";
    if (const Status parsed = CommitParser().ParseCommit(line, found); !parsed.ok()) return {parsed.message()};
  }
  if (found.protocol.has_value() && !SameProtocol(*found.protocol, snapshot.protocol())) {
    return {"its protocol is not the log's", /*contradicts=*/true};
  }
  if (found.metadata.has_value() && !SameMetadata(*found.metadata, snapshot.metadata())) {
    return {"its metaData is not the log's", /*contradicts=*/true};
  }
  return {};
}

Status WriteChecksum(const TableContext& table, const Snapshot& snapshot) {
  const auto* log_snapshot = dynamic_cast<const LogSnapshot*>(&snapshot);
  if (log_snapshot == nullptr) return Status::Unsupported("this snapshot cannot be written as a checksum");
  TARN_ASSIGN_OR_RETURN(const std::string text, Render(*log_snapshot));
  Status put =
      table.store->Put(ChecksumKey(snapshot.version()), AsBytes(text), storage::Precondition::IfAbsent()).status();
  return put.Is(StatusCode::kAlreadyExists) ? Status::Ok() : put;
}

}  // namespace tarn::delta
