#include "engine/chunk_rows.h"

#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>

#include "columnar/arrow_status.h"
#include "duckdb/common/arrow/arrow_appender.hpp"
#include "duckdb/common/arrow/arrow_converter.hpp"
#include "engine/result_types.h"

namespace tarn::engine {

Result<std::shared_ptr<arrow::RecordBatch>> ChunkRows::Take(duckdb::DataChunk& chunk) const {
  TARN_RETURN_NOT_OK(CheckResultTypes(types_, names_));
  TARN_RETURN_NOT_OK(IntervalCheck(types_, names_)(chunk));
  duckdb::ArrowAppender appender(types_, chunk.size(), properties_, {});
  appender.Append(chunk, 0, chunk.size(), chunk.size());
  ArrowSchema c_schema;
  duckdb::ArrowConverter::ToArrowSchema(&c_schema, types_, names_, properties_);
  ArrowArray c_rows = appender.Finalize();
  TARN_ASSIGN_OR_RETURN(auto rows, columnar::FromArrow(arrow::ImportRecordBatch(&c_rows, &c_schema)));
  TARN_RETURN_NOT_OK(HugeintCheck(types_)(*rows));
  return rows;
}

}  // namespace tarn::engine
