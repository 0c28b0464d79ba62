#pragma once

#include <functional>

#include "base/status.h"
#include "columnar/parquet_reader.h"

namespace tarn::delta {

/// Runs `produce` on a thread of its own and hands the batches that it visits to `consume` on the caller's, in order.
/// A bounded number of bytes waits in between. Ends with the first status that is not ok, the consumer's before the
/// producer's; the producer's next batch then meets Cancelled.
Status PipeBatches(const std::function<Status(const columnar::BatchVisitor&)>& produce,
                   const columnar::BatchVisitor& consume);

}  // namespace tarn::delta
