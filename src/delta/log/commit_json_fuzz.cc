// Log lines of foreign writers: any bytes give actions or Corruption.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "delta/log/commit_json.h"

namespace tarn::delta {
namespace {

/// Reads on in every text that an action carries.
class Deep final : public ActionVisitor {
 public:
  Status OnAdd(const AddRecord& add) override {
    (void)NumRecordsOf(add.stats_token, /*escaped=*/true);
    if (!add.stats_token.empty()) (void)UnescapeJsonString(add.stats_token).ok();
    (void)ParseTagsObject(add.tags).ok();
    return ParsePartitionValuesObject(add.partition_values).status();
  }
  Status OnCommitInfo(std::string_view json) override { return ParseCommitInfo(json).status(); }
};

}  // namespace
}  // namespace tarn::delta

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tarn::delta::CommitParser parser;
  tarn::delta::Deep visitor;
  (void)parser.ParseCommit(std::string_view(reinterpret_cast<const char*>(data), size), visitor).ok();
  return 0;
}
