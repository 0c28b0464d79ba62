#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/status.h"
#include "storage/object_store.h"
#include "storage/segment_store.h"

namespace tarn::storage::testing {

enum class FaultMode {
  /// The operation is not done and fails; later ones work.
  kOnce,
  /// From that operation on all fail, as if the process or the network had died there.
  kForever,
  /// The operation is done, but fails to say so: Indeterminate for what writes. Later ones work.
  kReplyLost,
  /// One of so many operations is not done and fails, again and again, as a store does that throttles.
  kEveryNth,
};

struct FaultPlan {
  /// Which operation fails: 1 is the next one. 0 lets all succeed.
  int64_t nth = 0;
  FaultMode mode = FaultMode::kOnce;
  /// Counts and hits only operations of this name; empty for all. Names: head, open, read, put, open_writer, write,
  /// finish, list, delete; create, append, sync, sync_segment, read_segment, list_segments, remove, write_file.
  std::string operation;
  /// What a failure that did nothing is called.
  StatusCode code = StatusCode::kUnavailable;
  /// Neither counts nor hits operations of these names.
  std::set<std::string, std::less<>> except = {};
};

/// Decides the fate of the operations of all stores that share it. Thread-safe.
class FaultInjector {
 public:
  enum class Fate { kSucceed, kFail, kLoseReply };

  /// Replaces the plan; counting begins anew.
  void Arm(FaultPlan plan);
  /// Lets all succeed from here on.
  void Disarm();
  /// Whether the fault of the last plan was met, also when it is disarmed since.
  bool fired() const;
  /// Operations by name since the plan was set.
  std::map<std::string, int64_t> counts() const;

  /// For decorators: counts an operation and says what happens to it.
  Fate Next(std::string_view operation);
  Status Failure(std::string_view operation) const;

 private:
  mutable Mutex mutex_;
  FaultPlan plan_ GUARDED_BY(mutex_);
  int64_t matched_ GUARDED_BY(mutex_) = 0;
  bool fired_ GUARDED_BY(mutex_) = false;
  std::map<std::string, int64_t> counts_ GUARDED_BY(mutex_);
};

std::shared_ptr<ObjectStore> MakeFaultyStore(std::shared_ptr<ObjectStore> store,
                                             std::shared_ptr<FaultInjector> injector);
std::shared_ptr<SegmentStore> MakeFaultySegments(std::shared_ptr<SegmentStore> store,
                                                 std::shared_ptr<FaultInjector> injector);

/// Runs `body` with the fault at the first operation, the second, … until no fault fires any more, and returns how many
/// did. `body` sets up what it needs with the injector disarmed, then calls `arm`.
int64_t SweepFaults(const FaultPlan& plan,
                    const std::function<void(std::shared_ptr<FaultInjector>, const std::function<void()>& arm)>& body);

}  // namespace tarn::storage::testing
