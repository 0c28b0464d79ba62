#include "delta/operations/batch_pipe.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace tarn::delta {
namespace {

using BatchPtr = std::shared_ptr<arrow::RecordBatch>;

/// Of a megabyte, so that only a few find room in the pipe.
BatchPtr BatchOf(int64_t number) {
  constexpr int64_t kRows = 128 << 10;
  const std::shared_ptr<arrow::Array> array = *arrow::MakeArrayFromScalar(arrow::Int64Scalar(number), kRows);
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("x", arrow::int64())}), kRows, {array});
}

int64_t NumberOf(const BatchPtr& batch) { return static_cast<const arrow::Int64Array&>(*batch->column(0)).Value(0); }

TEST(BatchPipe, BatchesArriveInOrder) {
  std::vector<int64_t> seen;
  const auto produce = [](const columnar::BatchVisitor& visit) -> Status {
    for (int64_t i = 0; i < 50; ++i) TARN_RETURN_NOT_OK(visit(BatchOf(i)));
    return Status::Ok();
  };
  ASSERT_TRUE(PipeBatches(produce, [&](const BatchPtr& batch) {
                seen.push_back(NumberOf(batch));
                return Status::Ok();
              }).ok());
  ASSERT_EQ(seen.size(), 50U);
  for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], static_cast<int64_t>(i));
}

TEST(BatchPipe, AFailingProducerEndsItBehindWhatItGave) {
  int taken = 0;
  const auto produce = [](const columnar::BatchVisitor& visit) -> Status {
    TARN_RETURN_NOT_OK(visit(BatchOf(1)));
    return Status::Corruption("the file ends here");
  };
  const Status status = PipeBatches(produce, [&](const BatchPtr&) {
    ++taken;
    return Status::Ok();
  });
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_EQ(taken, 1);
}

TEST(BatchPipe, AFailingConsumerEndsTheProducer) {
  Status told;
  const auto produce = [&](const columnar::BatchVisitor& visit) -> Status {
    // Without end, but for being told.
    while (told.ok()) told = visit(BatchOf(1));
    return told;
  };
  const Status status =
      PipeBatches(produce, [](const BatchPtr&) { return Status::ResourceExhausted("the disk is full"); });
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(told.code(), StatusCode::kCancelled);
}

}  // namespace
}  // namespace tarn::delta
