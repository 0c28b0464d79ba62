#pragma once

#include <memory>

#include "frontends/encoding/result_writer.h"

namespace tarn::frontends {

/// The implementations behind ResultWriter::Make.
std::unique_ptr<ResultWriter> MakeJsonWriter(std::shared_ptr<arrow::Schema> schema, bool lines);
std::unique_ptr<ResultWriter> MakeCsvWriter(std::shared_ptr<arrow::Schema> schema);
std::unique_ptr<ResultWriter> MakeTableWriter(std::shared_ptr<arrow::Schema> schema);
std::unique_ptr<ResultWriter> MakeMarkdownWriter(std::shared_ptr<arrow::Schema> schema);
Result<std::unique_ptr<ResultWriter>> MakeArrowWriter(std::shared_ptr<arrow::Schema> schema);
Result<std::unique_ptr<ResultWriter>> MakeParquetWriter(std::shared_ptr<arrow::Schema> schema);

}  // namespace tarn::frontends
