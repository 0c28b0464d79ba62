#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <vector>

namespace tarn::columnar {

/// The leaf columns of some rows, by their place in a Parquet file of these columns, in which most values differ from
/// all others: encoded by a dictionary they would be stored once more than without one. Estimated by linear counting
/// (Whang, Vander-Zanden, Taylor: "A linear-time probabilistic counting algorithm", 1990). The batches have one schema.
std::vector<int> LeavesWithoutRepetition(const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches);

}  // namespace tarn::columnar
