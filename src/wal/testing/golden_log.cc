#include "wal/testing/golden_log.h"

#include "base/clock.h"
#include "base/random.h"
#include "wal/testing/replayed.h"
#include "wal/wal.h"

namespace tarn::wal::testing {

namespace {

constexpr uint64_t kSeed = 20260101;

}  // namespace

Status WriteGoldenLog(std::shared_ptr<storage::SegmentStore> segments) {
  FakeClock clock;
  Random random(kSeed);
  WalOptions options;
  options.segment_bytes = 512;
  const auto nothing = [](const ReplayedRecord&) { return Status::Ok(); };
  TARN_ASSIGN_OR_RETURN(const auto wal, Wal::Open(std::move(segments), options, clock, random, nothing));
  const auto cpu = wal->DefineSchema("schema of cpu");
  const auto memory = wal->DefineSchema("schema of memory");
  const std::string filler(300, 'f');
  const auto append = [&](std::vector<NewRecord> records) { return wal->Append(std::move(records)).status(); };
  TARN_RETURN_NOT_OK(append({Record(cpu, filler)}));
  TARN_RETURN_NOT_OK(append({Record(memory, "first of three", "key-2"), Record(cpu, ""), Record(memory, "third")}));
  TARN_RETURN_NOT_OK(append({Record(cpu, "five")}));
  TARN_RETURN_NOT_OK(append({Record(cpu, filler, "key-6")}));
  return wal->Release(1);
}

std::vector<std::string> GoldenRecords() {
  return {"2:schema of memory:key-2:first of three", "3:schema of cpu::", "4:schema of memory::third",
          "5:schema of cpu::five", "6:schema of cpu:key-6:" + std::string(300, 'f')};
}

}  // namespace tarn::wal::testing
