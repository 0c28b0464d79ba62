// Checkpoints as foreign writers may leave them: actions whose columns are there or not, of other types, null or odd;
// then with bytes changed. Each gives a snapshot that answers, or a typed error. The input says what is not as it
// should be, so that zeros are a good checkpoint.

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <fuzzer/FuzzedDataProvider.h>
#include <parquet/arrow/writer.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "delta/log/checkpoint_reader.h"
#include "delta/log/log_snapshot.h"
#include "delta/transaction.h"
#include "storage/stores.h"

namespace tarn::delta {
namespace {

constexpr char kCheckpoint[] = "_delta_log/00000000000000000003.checkpoint.parquet";
constexpr char kSidecar[] = "_delta_log/_sidecars/s.parquet";

/// What a field holds where nothing is wrong with it.
enum class Kind : uint8_t { kText, kSchema, kPath, kInt, kLong, kFlag, kTexts, kTextMap, kRecord };

struct FieldPlan {
  const char* name;
  Kind kind;
  std::vector<FieldPlan> fields = {};
};

FieldPlan VectorPlan() {
  return {"deletionVector",
          Kind::kRecord,
          {{"storageType", Kind::kText},
           {"pathOrInlineDv", Kind::kText},
           {"offset", Kind::kInt},
           {"sizeInBytes", Kind::kInt},
           {"cardinality", Kind::kLong}}};
}

std::vector<FieldPlan> Actions() {
  const FieldPlan values = {"partitionValues", Kind::kTextMap};
  return {
      {"protocol",
       Kind::kRecord,
       {{"minReaderVersion", Kind::kInt},
        {"minWriterVersion", Kind::kInt},
        {"readerFeatures", Kind::kTexts},
        {"writerFeatures", Kind::kTexts}}},
      {"metaData",
       Kind::kRecord,
       {{"id", Kind::kText},
        {"schemaString", Kind::kSchema},
        {"partitionColumns", Kind::kTexts},
        {"configuration", Kind::kTextMap},
        {"format", Kind::kRecord, {{"provider", Kind::kText}, {"options", Kind::kTextMap}}},
        {"createdTime", Kind::kLong}}},
      {"add",
       Kind::kRecord,
       {{"path", Kind::kPath},
        values,
        {"size", Kind::kLong},
        {"modificationTime", Kind::kLong},
        {"dataChange", Kind::kFlag},
        {"stats", Kind::kText},
        {"tags", Kind::kTextMap},
        VectorPlan(),
        {"stats_parsed",
         Kind::kRecord,
         {{"numRecords", Kind::kLong},
          {"minValues", Kind::kRecord, {{"id", Kind::kLong}}},
          {"maxValues", Kind::kRecord, {{"id", Kind::kLong}}},
          {"nullCount", Kind::kRecord, {{"id", Kind::kLong}}}}}}},
      {"remove",
       Kind::kRecord,
       {{"path", Kind::kPath}, values, {"deletionTimestamp", Kind::kLong}, {"size", Kind::kLong}, VectorPlan()}},
      {"txn", Kind::kRecord, {{"appId", Kind::kText}, {"version", Kind::kLong}, {"lastUpdated", Kind::kLong}}},
      {"domainMetadata",
       Kind::kRecord,
       {{"domain", Kind::kText}, {"configuration", Kind::kText}, {"removed", Kind::kFlag}}},
      {"sidecar", Kind::kRecord, {{"path", Kind::kText}, {"sizeInBytes", Kind::kLong}}},
  };
}

class CheckpointMaker {
 public:
  explicit CheckpointMaker(FuzzedDataProvider& input) : input_(input) {}

  /// The bytes of one Parquet file; false when the types cannot be written.
  bool Make(std::string& bytes) {
    const std::vector<FieldPlan> actions = Actions();
    // The rows begin as a checkpoint that has each action once.
    std::vector<size_t> kinds;
    for (int64_t row = 0; row < 4 + input_.ConsumeIntegralInRange(0, 8); ++row) {
      kinds.push_back((static_cast<size_t>(row) + input_.ConsumeIntegralInRange<size_t>(0, 6)) % 7);
    }
    kinds_ = &kinds;
    arrow::FieldVector fields;
    arrow::ArrayVector columns;
    for (size_t i = 0; i < actions.size(); ++i) {
      action_ = i;
      auto array = Column(actions[i], static_cast<int64_t>(kinds.size()), /*is_action=*/true);
      if (array == nullptr) continue;
      fields.push_back(arrow::field(actions[i].name, array->type()));
      columns.push_back(std::move(array));
    }
    const auto table = arrow::Table::Make(arrow::schema(fields), columns, static_cast<int64_t>(kinds.size()));
    const auto out = *arrow::io::BufferOutputStream::Create();
    const auto rows_per_group = input_.ConsumeIntegralInRange<int64_t>(1, 16);
    if (!parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), out, rows_per_group).ok()) return false;
    bytes = (*out->Finish())->ToString();
    for (int flips = input_.ConsumeIntegralInRange(0, 6); flips > 0; --flips) {
      bytes[input_.ConsumeIntegralInRange<size_t>(0, bytes.size() - 1)] = input_.ConsumeIntegral<char>();
    }
    return true;
  }

 private:
  bool Seldom() { return input_.ConsumeIntegralInRange(0, 15) == 15; }

  std::string Text(Kind kind) {
    static constexpr const char* kTexts[] = {"a",
                                             "",
                                             "u",
                                             "i",
                                             "p",
                                             "%",
                                             "%zz",
                                             "../up",
                                             "/abs",
                                             "s3://b/k",
                                             R"({"numRecords":1,"minValues":{"id":1}})",
                                             R"({"numRecords":)",
                                             "\xff\xfe",
                                             "deletionVectors",
                                             "columnMapping",
                                             "name",
                                             "id",
                                             "s.parquet",
                                             "ab^-aqEH.-t@S}K{vb[*k^",
                                             "delta.columnMapping.mode",
                                             "delta.enableDeletionVectors"};
    const size_t pick = input_.ConsumeIntegralInRange<size_t>(0, std::size(kTexts));
    if (pick == std::size(kTexts)) return input_.ConsumeRandomLengthString(64);
    if (pick > 0) return kTexts[pick];
    if (kind == Kind::kSchema) {
      return R"({"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}},)"
             R"({"name":"day","type":"date","nullable":true,"metadata":{}}]})";
    }
    return kind == Kind::kPath ? "f" + std::to_string(input_.remaining_bytes()) + ".parquet" : "a";
  }

  int64_t Number() {
    static constexpr int64_t kNumbers[] = {1, 0, -1, 2, 3, 7, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    const size_t pick = input_.ConsumeIntegralInRange<size_t>(0, std::size(kNumbers));
    return pick < std::size(kNumbers) ? kNumbers[pick] : input_.ConsumeIntegral<int64_t>();
  }

  std::shared_ptr<arrow::Array> Texts(Kind kind, int64_t length, std::shared_ptr<arrow::DataType> type) {
    const auto builder = *arrow::MakeBuilder(type);
    for (int64_t i = 0; i < length; ++i) {
      if (Seldom()) {
        TARN_CHECK(builder->AppendNull().ok());
      } else {
        TARN_CHECK(static_cast<arrow::BinaryBuilder&>(*builder).Append(Text(kind)).ok());
      }
    }
    return *builder->Finish();
  }

  template <typename Builder>
  std::shared_ptr<arrow::Array> Numbers(int64_t length, std::shared_ptr<arrow::DataType> type) {
    const auto made = *arrow::MakeBuilder(type);
    auto& builder = static_cast<Builder&>(*made);
    for (int64_t i = 0; i < length; ++i) {
      const auto number = static_cast<typename Builder::value_type>(Number());
      TARN_CHECK((Seldom() ? builder.AppendNull() : builder.Append(number)).ok());
    }
    return *builder.Finish();
  }

  /// Offsets of `length` lists; where nothing is wrong they are empty.
  std::shared_ptr<arrow::Array> Offsets(int64_t length, int32_t& total) {
    arrow::Int32Builder offsets;
    total = 0;
    for (int64_t i = 0; i <= length; ++i) {
      TARN_CHECK(offsets.Append(total).ok());
      if (i < length) total += input_.ConsumeIntegralInRange(0, 2);
    }
    return *offsets.Finish();
  }

  std::shared_ptr<arrow::Array> Record(const FieldPlan& plan, int64_t length, bool is_action) {
    arrow::FieldVector fields;
    arrow::ArrayVector columns;
    for (const FieldPlan& field : plan.fields) {
      auto array = Column(field, length, /*is_action=*/false);
      if (array == nullptr) continue;
      fields.push_back(arrow::field(field.name, array->type()));
      columns.push_back(std::move(array));
    }
    // Parquet has no empty groups.
    if (fields.empty()) return nullptr;
    // Of an action only its own rows are there, and what it has besides a few is not.
    arrow::TypedBufferBuilder<bool> valid;
    int64_t nulls = 0;
    for (int64_t row = 0; row < length; ++row) {
      const bool has = is_action ? (*kinds_)[static_cast<size_t>(row)] == action_ || Seldom() : !IsOptional(plan);
      nulls += has ? 0 : 1;
      TARN_CHECK(valid.Append(has).ok());
    }
    return *arrow::StructArray::Make(columns, fields, *valid.Finish(), nulls);
  }

  bool IsOptional(const FieldPlan& plan) {
    const bool usually_null = std::string_view(plan.name) == "deletionVector";
    return Seldom() != usually_null;
  }

  /// Null stands for a column that is left out.
  std::shared_ptr<arrow::Array> Column(const FieldPlan& plan, int64_t length, bool is_action) {
    Kind kind = plan.kind;
    const int odd = input_.ConsumeIntegralInRange(0, 31);
    if (odd == 31) return nullptr;
    if (odd >= 20) kind = static_cast<Kind>(odd - 20);
    if (odd == 29) return Numbers<arrow::DoubleBuilder>(length, arrow::float64());
    if (odd == 30) return Numbers<arrow::TimestampBuilder>(length, arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"));
    switch (kind) {
      case Kind::kText:
      case Kind::kSchema:
      case Kind::kPath:
        return Texts(kind, length, input_.ConsumeBool() ? arrow::binary() : arrow::utf8());
      case Kind::kInt:
        return Numbers<arrow::Int32Builder>(length, arrow::int32());
      case Kind::kLong:
        return Numbers<arrow::Int64Builder>(length, arrow::int64());
      case Kind::kFlag:
        return Numbers<arrow::BooleanBuilder>(length, arrow::boolean());
      case Kind::kTexts: {
        int32_t total = 0;
        const auto offsets = Offsets(length, total);
        return *arrow::ListArray::FromArrays(*offsets, *Texts(Kind::kText, total, arrow::utf8()));
      }
      case Kind::kTextMap: {
        int32_t total = 0;
        const auto offsets = Offsets(length, total);
        arrow::StringBuilder keys;
        for (int32_t i = 0; i < total; ++i) TARN_CHECK(keys.Append(Text(Kind::kText)).ok());
        return *arrow::MapArray::FromArrays(offsets, *keys.Finish(), Texts(Kind::kText, total, arrow::utf8()));
      }
      case Kind::kRecord:
        return Record(plan, length, is_action);
    }
    return nullptr;
  }

  FuzzedDataProvider& input_;
  const std::vector<size_t>* kinds_ = nullptr;
  size_t action_ = 0;
};

/// Ends the program for an error that says nothing about the table.
void MustBeTyped(const Status& status) {
  const bool is_typed = status.ok() || status.Is(StatusCode::kCorruption) || status.Is(StatusCode::kUnsupported) ||
                        status.Is(StatusCode::kNotFound) || status.Is(StatusCode::kPermissionDenied) ||
                        status.Is(StatusCode::kResourceExhausted);
  if (!is_typed) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  TARN_CHECK(is_typed);
}

/// Asks all that can be asked of a snapshot.
void Ask(const TableContext& table, const Snapshot& snapshot) {
  for (FileIndex i = 0; i < snapshot.num_files(); ++i) {
    MustBeTyped(snapshot.File(i).status());
    MustBeTyped(snapshot.AddAction(i).status());
    for (int column = 0; column < snapshot.schema()->num_fields(); ++column) {
      MustBeTyped(snapshot.Bounds(i, column).status());
    }
  }
  if (snapshot.schema()->num_fields() > 0) {
    const auto one = Predicate::Compare(Predicate::Op::kEq, 0, int64_t{1});
    MustBeTyped(snapshot.Select({one}).status());
  }
  const auto none = [](const auto&) { return Status::Ok(); };
  const auto* source = dynamic_cast<const LogSnapshot*>(&snapshot);
  TARN_CHECK(source != nullptr);
  MustBeTyped(source->VisitAdds(none));
  MustBeTyped(source->VisitRemoves(table, INT64_MIN, none));
  MustBeTyped(source->VisitTxns(none));
  MustBeTyped(source->VisitDomains(none));
}

}  // namespace
}  // namespace tarn::delta

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tarn;
  using namespace tarn::delta;
  FuzzedDataProvider input(data, size);
  FakeClock clock;
  Random random(1);
  const auto store = storage::MakeMemoryStore(clock);
  for (const char* key : {kCheckpoint, kSidecar}) {
    std::string bytes;
    if (!CheckpointMaker(input).Make(bytes)) return 0;
    TARN_CHECK(store->Put(key, std::as_bytes(std::span(bytes)), storage::Precondition::None()).ok());
  }
  const TableContext table{.store = store, .clock = &clock, .random = &random, .commits = nullptr};
  const auto snapshot = LoadSnapshot(table);
  MustBeTyped(snapshot.status());
  if (snapshot.ok()) Ask(table, **snapshot);
  return 0;
}
