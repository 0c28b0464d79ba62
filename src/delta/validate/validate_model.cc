#include "delta/validate/validate_model.h"

#include <algorithm>
#include <functional>

#include "delta/log/checkpoint_source.h"
#include "delta/log/same_actions.h"
#include "delta/table_path.h"

namespace tarn::delta::validation {
namespace {

/// Differences beyond these are only counted.
constexpr size_t kNamedDifferences = 3;

uint64_t DigestOf(const std::string& text) { return std::hash<std::string>()(text); }

/// An empty value is null for every type.
uint64_t PartitionDigest(PartitionValues values) {
  std::sort(values.begin(), values.end());
  std::string text;
  for (const auto& [key, value] : values) text += key + '\0' + value.value_or("") + '\0';
  return DigestOf(text);
}

uint64_t VectorDigest(const DeletionVector& vector) {
  return DigestOf(vector.UniqueId() + '\0' + std::to_string(vector.size_in_bytes) + '\0' +
                  std::to_string(vector.cardinality));
}

/// Reports differences of one kind, the first ones by name.
class Differences {
 public:
  Differences(std::string rule, const Place& place, Findings& findings)
      : rule_(std::move(rule)), place_(place), findings_(findings) {}
  ~Differences() {
    if (count_ <= kNamedDifferences) return;
    findings_.Error(rule_, place_, "and " + std::to_string(count_ - kNamedDifferences) + " more of the kind");
  }
  Differences(const Differences&) = delete;
  Differences& operator=(const Differences&) = delete;

  void Add(std::string message) {
    if (++count_ <= kNamedDifferences) findings_.Error(rule_, place_, std::move(message));
  }

 private:
  const std::string rule_;
  const Place& place_;
  Findings& findings_;
  size_t count_ = 0;
};

template <typename Action, typename Same>
void CompareMaps(const std::map<std::string, Action>& expected, const std::map<std::string, Action>& found,
                 const std::string& what, Same&& same, Differences& differences) {
  for (const auto& [key, action] : expected) {
    const auto other = found.find(key);
    if (other == found.end()) {
      differences.Add("it lacks the " + what + " " + key);
    } else if (!same(action, other->second)) {
      differences.Add("its " + what + " " + key + " is not the log's");
    }
  }
  for (const auto& [key, action] : found) {
    if (!expected.contains(key)) differences.Add("it has the " + what + " " + key + ", which the log does not have");
  }
}

}  // namespace

AddFacts AddFacts::Of(const Add& add) {
  AddFacts facts;
  facts.size_bytes = add.size_bytes;
  facts.modification_time_millis = add.modification_time_millis;
  facts.partition_values = PartitionDigest(add.partition_values);
  if (add.deletion_vector.has_value()) {
    facts.vector_id = add.deletion_vector->UniqueId();
    facts.vector = VectorDigest(*add.deletion_vector);
  }
  std::string tags;
  for (const auto& [key, value] : add.tags) tags += key + '\0' + value + '\0';
  facts.tags = DigestOf(tags);
  if (!add.stats.empty()) facts.stats = DigestOf(CanonicalJson(add.stats));
  return facts;
}

std::string DifferenceOf(const AddFacts& expected, const AddFacts& found, bool with_stats) {
  if (expected.vector_id != found.vector_id) return "another deletion vector";
  if (expected.vector != found.vector) return "another cardinality or size of its deletion vector";
  if (expected.size_bytes != found.size_bytes) {
    return std::to_string(found.size_bytes) + " bytes instead of " + std::to_string(expected.size_bytes);
  }
  if (expected.modification_time_millis != found.modification_time_millis) return "another modification time";
  if (expected.partition_values != found.partition_values) return "other partition values";
  if (expected.tags != found.tags) return "other tags";
  if (with_stats && expected.stats != found.stats) return found.stats == 0 ? "no statistics" : "other statistics";
  return "";
}

Result<TableModel> ModelOf(const Snapshot& snapshot, const std::string& table_uri, const std::string& rule,
                           const Place& place, Findings& findings) {
  const auto* source = dynamic_cast<const CheckpointSource*>(&snapshot);
  if (source == nullptr) return Status::Internal("this snapshot does not show its actions");
  TableModel model;
  model.protocol = snapshot.protocol();
  model.metadata = snapshot.metadata();
  TARN_RETURN_NOT_OK(source->VisitTxns([&](const Txn& txn) {
    model.txns[txn.app_id] = txn;
    return Status::Ok();
  }));
  TARN_RETURN_NOT_OK(source->VisitDomains([&](const DomainMetadata& domain) {
    if (!domain.removed) model.domains[domain.domain] = domain;
    return Status::Ok();
  }));
  Differences twice(rule, place, findings);
  TARN_RETURN_NOT_OK(source->VisitAdds([&](const Add& add) {
    const std::string path = CanonicalPath(add.path, table_uri);
    if (!model.files.emplace(path, AddFacts::Of(add)).second) twice.Add("it has the file " + path + " twice");
    return Status::Ok();
  }));
  return model;
}

void CompareModels(const TableModel& expected, const TableModel& found, const CompareOptions& options,
                   const std::string& rule, const Place& place, Findings& findings) {
  if (expected.protocol.has_value() && found.protocol.has_value() &&
      !SameProtocol(*expected.protocol, *found.protocol)) {
    findings.Error(rule, place, "its protocol is not the log's");
  }
  if (expected.metadata.has_value() && found.metadata.has_value() &&
      !SameMetadata(*expected.metadata, *found.metadata)) {
    findings.Error(rule, place, "its metaData is not the log's");
  }
  Differences small(rule, place, findings);
  if (options.txns) {
    CompareMaps(
        expected.txns, found.txns, "txn", [](const Txn& a, const Txn& b) { return a.version == b.version; }, small);
  }
  CompareMaps(
      expected.domains, found.domains, "domain",
      [](const DomainMetadata& a, const DomainMetadata& b) { return a.configuration == b.configuration; }, small);
  Differences missing(rule, place, findings);
  Differences different(rule, place, findings);
  for (const auto& [path, facts] : expected.files) {
    const auto other = found.files.find(path);
    if (other == found.files.end()) {
      missing.Add("it lacks the live file " + path);
    } else if (const std::string what = DifferenceOf(facts, other->second, options.stats); !what.empty()) {
      different.Add("its file " + path + " has " + what);
    }
  }
  Differences surplus(rule, place, findings);
  for (const auto& [path, facts] : found.files) {
    if (!expected.files.contains(path)) surplus.Add("it has the file " + path + ", which is not live");
  }
}

}  // namespace tarn::delta::validation
