#include "lake/row_shape.h"

#include <arrow/array.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/array/util.h>
#include <arrow/compute/api_vector.h>
#include <arrow/compute/cast.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>

#include <algorithm>
#include <set>

#include "columnar/arrow_status.h"
#include "columnar/delta_schema.h"
#include "delta/schema_evolution.h"
#include "lake/table_names.h"

namespace tarn::lake {

namespace {

Result<std::shared_ptr<arrow::DataType>> TableType(const arrow::DataType& type);

Result<std::shared_ptr<arrow::Field>> TableField(const arrow::Field& field) {
  TARN_ASSIGN_OR_RETURN(auto type, TableType(*field.type()));
  return arrow::field(field.name(), std::move(type), field.nullable());
}

Result<std::shared_ptr<arrow::DataType>> NestedTableType(const arrow::DataType& type) {
  if (type.id() == arrow::Type::STRUCT) {
    arrow::FieldVector fields;
    for (const auto& child : type.fields()) {
      TARN_ASSIGN_OR_RETURN(auto field, TableField(*child));
      fields.push_back(std::move(field));
    }
    return arrow::struct_(std::move(fields));
  }
  if (type.id() == arrow::Type::MAP) {
    const auto& map = static_cast<const arrow::MapType&>(type);
    TARN_ASSIGN_OR_RETURN(auto key, TableType(*map.key_type()));
    TARN_ASSIGN_OR_RETURN(auto item, TableField(*map.item_field()));
    return arrow::map(std::move(key), std::move(item));
  }
  TARN_ASSIGN_OR_RETURN(auto item, TableField(*type.field(0)));
  return arrow::list(item->WithName("element"));
}

/// The type in which a table keeps what arrives as `type` (columnar/delta_schema.h lists those that Delta has).
Result<std::shared_ptr<arrow::DataType>> TableType(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL:
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::INT64:
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE:
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
    case arrow::Type::DATE32:
    case arrow::Type::DECIMAL128:
      return type.GetSharedPtr();
    case arrow::Type::UINT8:
      return arrow::int16();
    case arrow::Type::UINT16:
      return arrow::int32();
    case arrow::Type::UINT32:
      return arrow::int64();
    case arrow::Type::UINT64:
      return arrow::decimal128(20, 0);
    case arrow::Type::HALF_FLOAT:
      return arrow::float32();
    case arrow::Type::DATE64:
      return arrow::date32();
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW:
      return arrow::utf8();
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::BINARY_VIEW:
    case arrow::Type::FIXED_SIZE_BINARY:
      return arrow::binary();
    case arrow::Type::DICTIONARY:
      return TableType(*static_cast<const arrow::DictionaryType&>(type).value_type());
    case arrow::Type::TIMESTAMP: {
      const bool zoned = !static_cast<const arrow::TimestampType&>(type).timezone().empty();
      return zoned ? arrow::timestamp(arrow::TimeUnit::MICRO, "UTC") : arrow::timestamp(arrow::TimeUnit::MICRO);
    }
    case arrow::Type::STRUCT:
    case arrow::Type::MAP:
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
      return NestedTableType(type);
    default:
      return Status::InvalidArgument("type " + type.ToString() + " cannot be stored");
  }
}

/// Equal as Delta sees it: names of list elements and the like do not matter.
bool SameTableType(const arrow::DataType& left, const arrow::DataType& right) {
  return left.Equals(right) || columnar::DeltaTypeName(left) == columnar::DeltaTypeName(right);
}

constexpr int64_t kMicrosPerDay = 86'400'000'000;

int64_t DayOf(int64_t micros) { return micros / kMicrosPerDay - (micros % kMicrosPerDay < 0 ? 1 : 0); }

/// The values of one partition column, read row by row.
class PartitionKeys {
 public:
  PartitionKeys(const arrow::RecordBatch& rows, const TableColumns& table) {
    for (const std::string& name : table.partition_columns) {
      Source source;
      if (name == kTimeDateColumn && table.derives_time_date()) {
        source.array = rows.GetColumnByName(kTimeColumn);
        source.is_date_of_time = true;
      } else {
        source.array = rows.GetColumnByName(name);
      }
      sources_.push_back(std::move(source));
    }
  }

  Result<std::vector<columnar::Value>> At(int64_t row) const {
    std::vector<columnar::Value> values;
    values.reserve(sources_.size());
    for (const Source& source : sources_) {
      TARN_ASSIGN_OR_RETURN(auto value, ValueOf(source, row));
      values.push_back(std::move(value));
    }
    return values;
  }

 private:
  struct Source {
    /// Null for a column that the rows lack.
    std::shared_ptr<arrow::Array> array;
    bool is_date_of_time = false;
  };

  static Result<columnar::Value> ValueOf(const Source& source, int64_t row) {
    if (source.array == nullptr || source.array->IsNull(row)) return columnar::Value();
    const arrow::Array& array = *source.array;
    const auto integer = [&]<typename ArrayType>() {
      return columnar::Value(static_cast<int64_t>(static_cast<const ArrayType&>(array).Value(row)));
    };
    switch (array.type_id()) {
      case arrow::Type::BOOL:
        return columnar::Value(static_cast<const arrow::BooleanArray&>(array).Value(row));
      case arrow::Type::INT8:
        return integer.operator()<arrow::Int8Array>();
      case arrow::Type::INT16:
        return integer.operator()<arrow::Int16Array>();
      case arrow::Type::INT32:
        return integer.operator()<arrow::Int32Array>();
      case arrow::Type::INT64:
        return integer.operator()<arrow::Int64Array>();
      case arrow::Type::DATE32:
        return integer.operator()<arrow::Date32Array>();
      case arrow::Type::TIMESTAMP: {
        const int64_t micros = static_cast<const arrow::TimestampArray&>(array).Value(row);
        if (!source.is_date_of_time) return columnar::Value(micros);
        return columnar::Value(DayOf(micros));
      }
      case arrow::Type::FLOAT:
        return columnar::Value(static_cast<double>(static_cast<const arrow::FloatArray&>(array).Value(row)));
      case arrow::Type::DOUBLE:
        return columnar::Value(static_cast<const arrow::DoubleArray&>(array).Value(row));
      case arrow::Type::STRING:
      case arrow::Type::BINARY:
        return columnar::Value(static_cast<const arrow::BinaryArray&>(array).GetString(row));
      default:
        return Status::Unsupported("partition column of type " + array.type()->ToString());
    }
  }

  std::vector<Source> sources_;
};

/// Begin and length of consecutive rows.
using Run = std::pair<int64_t, int64_t>;

struct PartitionRows {
  std::vector<columnar::Value> values;
  std::vector<Run> runs;
};

void AddRun(std::vector<PartitionRows>& partitions, std::vector<columnar::Value> values, Run run) {
  size_t found = 0;
  while (found < partitions.size() && partitions[found].values != values) ++found;
  if (found == partitions.size()) partitions.push_back({std::move(values), {}});
  partitions[found].runs.push_back(run);
}

/// The usual case, partitioned by the date of `time` alone, without a look at each row's values.
std::vector<PartitionRows> RunsByDay(const arrow::TimestampArray& time) {
  std::vector<PartitionRows> partitions;
  const auto same_day = [&time](int64_t row, bool is_null, int64_t day) {
    return time.IsNull(row) ? is_null : !is_null && DayOf(time.Value(row)) == day;
  };
  for (int64_t row = 0; row < time.length();) {
    const int64_t begin = row;
    const bool is_null = time.IsNull(row);
    const int64_t day = is_null ? 0 : DayOf(time.Value(row));
    while (row < time.length() && same_day(row, is_null, day)) ++row;
    AddRun(partitions, {is_null ? columnar::Value() : columnar::Value(day)}, {begin, row - begin});
  }
  return partitions;
}

Result<std::vector<PartitionRows>> RunsByPartition(const arrow::RecordBatch& rows, const TableColumns& table) {
  if (table.partition_columns.empty()) return std::vector<PartitionRows>{{{}, {{0, rows.num_rows()}}}};
  if (table.partition_columns.size() == 1 && table.derives_time_date()) {
    if (const auto time = rows.GetColumnByName(kTimeColumn); time != nullptr) {
      return RunsByDay(static_cast<const arrow::TimestampArray&>(*time));
    }
  }
  const PartitionKeys keys(rows, table);
  std::vector<PartitionRows> partitions;
  std::vector<columnar::Value> previous;
  int64_t begin = 0;
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    TARN_ASSIGN_OR_RETURN(auto values, keys.At(row));
    if (row > 0 && values == previous) continue;
    if (row > 0) AddRun(partitions, std::move(previous), {begin, row - begin});
    previous = std::move(values);
    begin = row;
  }
  AddRun(partitions, std::move(previous), {begin, rows.num_rows() - begin});
  return partitions;
}

Result<std::shared_ptr<arrow::RecordBatch>> TakeRuns(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                     const std::vector<Run>& runs) {
  if (runs.size() == 1) return rows->Slice(runs[0].first, runs[0].second);
  arrow::Int64Builder indices;
  for (const auto& [begin, count] : runs) {
    for (int64_t i = 0; i < count; ++i) TARN_RETURN_NOT_OK(columnar::FromArrow(indices.Append(begin + i)));
  }
  std::shared_ptr<arrow::Array> index_array;
  TARN_RETURN_NOT_OK(columnar::FromArrow(indices.Finish(&index_array)));
  TARN_ASSIGN_OR_RETURN(auto taken,
                        columnar::FromArrow(arrow::compute::Take(arrow::Datum(rows), arrow::Datum(index_array))));
  return taken.record_batch();
}

}  // namespace

bool TableColumns::derives_time_date() const {
  if (std::find(partition_columns.begin(), partition_columns.end(), kTimeDateColumn) == partition_columns.end()) {
    return false;
  }
  const auto date = schema->GetFieldByName(kTimeDateColumn);
  const auto time = schema->GetFieldByName(kTimeColumn);
  return date != nullptr && date->type()->id() == arrow::Type::DATE32 && time != nullptr &&
         time->type()->id() == arrow::Type::TIMESTAMP;
}

int FindColumn(const arrow::Schema& schema, std::string_view name) {
  const int exact = schema.GetFieldIndex(std::string(name));
  if (exact >= 0) return exact;
  const std::string folded = FoldCase(name);
  for (int i = 0; i < schema.num_fields(); ++i) {
    if (FoldCase(schema.field(i)->name()) == folded) return i;
  }
  return -1;
}

Result<TableColumns> ColumnsOfNewTable(const arrow::Schema& batch) {
  TableColumns columns;
  const int time = FindColumn(batch, kTimeColumn);
  arrow::FieldVector fields;
  if (time >= 0) {
    if (batch.field(time)->type()->id() != arrow::Type::TIMESTAMP) {
      return Status::InvalidArgument("column name 'time' is reserved for a timestamp, but it is " +
                                     batch.field(time)->type()->ToString());
    }
    fields.push_back(arrow::field(kTimeColumn, arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")));
    fields.push_back(arrow::field(kTimeDateColumn, arrow::date32()));
    columns.partition_columns = {kTimeDateColumn};
  }
  columns.schema = arrow::schema(std::move(fields));
  return columns;
}

Result<ColumnPlan> PlanColumns(const arrow::Schema& batch, const TableColumns& table) {
  ColumnPlan plan;
  const bool derives_time_date = table.derives_time_date();
  std::set<std::string> seen;
  std::vector<int> input_of(table.schema->num_fields(), -1);
  std::vector<ColumnPlan::Column> added;
  for (int i = 0; i < batch.num_fields(); ++i) {
    const arrow::Field& field = *batch.field(i);
    const std::string& name = field.name();
    if (name.empty()) return Status::InvalidArgument("a column has no name");
    if (!seen.insert(FoldCase(name)).second) {
      return Status::InvalidArgument("column '" + name + "' is there twice (names differ only in case)");
    }
    if (FoldCase(name) == kTimeDateColumn && derives_time_date) {
      return Status::InvalidArgument("column name 'time_date' is reserved: it is derived from 'time'");
    }
    const int known = FindColumn(*table.schema, name);
    if (known >= 0 && table.schema->field(known)->name() != name) {
      return Status::InvalidArgument("column '" + name + "' differs only in case from '" +
                                     table.schema->field(known)->name() + "'");
    }
    // A column without any value says nothing about its type.
    if (field.type()->id() == arrow::Type::NA) continue;
    auto type = TableType(*field.type());
    if (!type.ok()) return std::move(type).status().WithContext("column '" + name + "'");
    if (known < 0) {
      if (FoldCase(name) == kTimeNsColumn && (*type)->id() != arrow::Type::INT16) {
        return Status::InvalidArgument("column name 'time_ns' is reserved for an int16 remainder");
      }
      plan.added.push_back(arrow::field(name, *type));
      added.push_back({i, plan.added.back()});
      continue;
    }
    const auto& known_field = table.schema->field(known);
    if (!SameTableType(**type, *known_field->type())) {
      return Status::Conflict("column '" + name + "' is " + columnar::DeltaTypeName(*known_field->type()) +
                              " in the table, not " + columnar::DeltaTypeName(**type));
    }
    input_of[static_cast<size_t>(known)] = i;
  }
  // Acknowledged rows must not fail later, when the table is to get their columns.
  if (!plan.added.empty()) TARN_RETURN_NOT_OK(delta::CheckPlainSchema(*arrow::schema(plan.added), {.any_name = true}));
  for (int i = 0; i < table.schema->num_fields(); ++i) {
    const int input = input_of[static_cast<size_t>(i)];
    const auto& field = table.schema->field(i);
    if (input >= 0) {
      plan.columns.push_back({input, field});
    } else if (!field->nullable()) {
      return Status::InvalidArgument("column '" + field->name() + "' must not be null, but the rows lack it");
    }
  }
  plan.columns.insert(plan.columns.end(), added.begin(), added.end());
  return plan;
}

Result<std::shared_ptr<arrow::RecordBatch>> ApplyPlan(const arrow::RecordBatch& batch, const ColumnPlan& plan) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const auto& [input, target] : plan.columns) {
    auto array = batch.column(input);
    if (!target->nullable() && array->null_count() > 0) {
      return Status::InvalidArgument("column '" + target->name() + "' must not be null");
    }
    if (!array->type()->Equals(*target->type())) {
      auto cast = arrow::compute::Cast(*array, target->type(), arrow::compute::CastOptions::Safe());
      if (!cast.ok()) {
        return Status::InvalidArgument("column '" + target->name() + "': " + cast.status().message());
      }
      array = std::move(cast).ValueUnsafe();
    }
    fields.push_back(target->WithMetadata(nullptr));
    arrays.push_back(std::move(array));
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), batch.num_rows(), std::move(arrays));
}

Result<std::vector<BufferSegment>> CutByPartition(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                  const TableColumns& table) {
  TARN_ASSIGN_OR_RETURN(const auto partitions, RunsByPartition(*rows, table));
  std::shared_ptr<arrow::RecordBatch> bare = rows;
  for (const std::string& name : table.partition_columns) {
    const int index = bare->schema()->GetFieldIndex(name);
    if (index < 0) continue;
    TARN_ASSIGN_OR_RETURN(bare, columnar::FromArrow(bare->RemoveColumn(index)));
  }
  std::vector<BufferSegment> segments;
  for (const PartitionRows& partition : partitions) {
    BufferSegment segment;
    TARN_ASSIGN_OR_RETURN(auto taken, TakeRuns(bare, partition.runs));
    segment.num_rows = taken->num_rows();
    segment.bytes = RowBytes(*taken);
    segment.batches.push_back(std::move(taken));
    segment.partition_values = partition.values;
    segments.push_back(std::move(segment));
  }
  return segments;
}

int64_t RowBytes(const arrow::RecordBatch& rows) {
  // Of Arrow's objects around the values, as measured with rows of a few columns.
  constexpr int64_t kPerBatch = 1024;
  constexpr int64_t kPerColumn = 512;
  const auto referenced = arrow::util::ReferencedBufferSize(rows);
  const int64_t bytes = referenced.ok() ? *referenced : arrow::util::TotalBufferSize(rows);
  return bytes + kPerBatch + kPerColumn * rows.num_columns();
}

}  // namespace tarn::lake
