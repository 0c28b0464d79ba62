/// Makes a table of deletion vectors, version by version, for other readers to be held against: tarn_dml_table FOLDER.

#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <memory>
#include <vector>

#include "base/check.h"
#include "columnar/value_array.h"
#include "delta/operations/delete.h"
#include "delta/operations/optimize.h"
#include "delta/operations/overwrite.h"
#include "delta/operations/update.h"
#include "delta/testing/data_table.h"
#include "storage/stores.h"

namespace tarn::delta {
namespace {

using Op = Predicate::Op;

const arrow::FieldVector kColumns = {arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8())};

/// Gives every row the name "updated".
class Renaming final : public RowUpdate {
 public:
  Result<std::shared_ptr<arrow::RecordBatch>> Apply(const std::shared_ptr<arrow::RecordBatch>& rows) override {
    auto columns = rows->columns();
    TARN_ASSIGN_OR_RETURN(columns[1], columnar::ConstantArray(std::string("updated"), arrow::utf8(), rows->num_rows()));
    return arrow::RecordBatch::Make(rows->schema(), rows->num_rows(), columns);
  }
};

std::string RowsFrom(int first, int count) {
  std::string rows = "[";
  for (int id = first; id < first + count; ++id) {
    if (id > first) rows += ',';
    rows += R"({"id":)" + std::to_string(id) + R"(,"name":"n)" + std::to_string(id % 7) + "\"}";
  }
  return rows + "]";
}

class Maker {
 public:
  explicit Maker(const std::string& folder) : table_(*storage::OpenLocalStore(folder)) {}

  void Run() {
    arrow::FieldVector fields = kColumns;
    fields.push_back(arrow::field("day", arrow::date32()));
    schema_ = arrow::schema(fields);
    table_.Create(schema_, {"day"}, {{"delta.enableDeletionVectors", "true"}});
    table_.Append(kColumns, RowsFrom(0, 1000), {{"day", "2026-01-01"}});
    table_.Append(kColumns, RowsFrom(1000, 500), {{"day", "2026-01-02"}});
    table_.Append(kColumns, RowsFrom(1500, 100), {{"day", "2026-01-02"}});
    Remove(Predicate::Compare(Op::kEq, 1, std::string("n3")));
    Remove({Op::kIn, 0, {int64_t{0}, int64_t{999}, int64_t{1000}}, {}});
    Rename(Predicate::Compare(Op::kLt, 0, int64_t{50}));
    Checkpoint();
    Remove(Predicate::Compare(Op::kGe, 0, int64_t{1500}));
    // Leaves the vectors of one partition to be purged, those of the other are overwritten.
    Replace();
    TARN_CHECK(Optimize(table_.context(), table_.Latest(), {}).ok());
  }

 private:
  std::unique_ptr<RowCondition> Where(Predicate predicate) { return *MakeCondition(*schema_, {std::move(predicate)}); }
  void Remove(Predicate predicate) {
    const auto condition = Where(std::move(predicate));
    TARN_CHECK(Delete(table_.context(), table_.Latest(), *condition)->version.has_value());
  }
  void Rename(Predicate predicate) {
    const auto condition = Where(std::move(predicate));
    Renaming update;
    TARN_CHECK(Update(table_.context(), table_.Latest(), *condition, update)->version.has_value());
  }
  void Checkpoint() { TARN_CHECK(WriteCheckpoint(table_.context(), *table_.Latest()).ok()); }
  void Replace() {
    const std::string rows = R"([{"id":7000,"name":"fresh","day":20455},{"id":7001,"name":null,"day":20455}])";
    const auto batch = *arrow::RecordBatch::FromStructArray(
        *arrow::json::ArrayFromJSONString(arrow::struct_(schema_->fields()), rows));
    const auto reader = *arrow::RecordBatchReader::Make({batch});
    TARN_CHECK(Overwrite(table_.context(), table_.Latest(), *reader, {.scope = OverwriteScope::kPartitions})
                   ->version.has_value());
  }

  std::shared_ptr<arrow::Schema> schema_;
  testing::DataTable table_;
};

}  // namespace
}  // namespace tarn::delta

int main(int argc, char** argv) {
  TARN_CHECK(argc == 2);
  tarn::delta::Maker(argv[1]).Run();
  return 0;
}
