#include "delta/parallel.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/executor.h"
#include "storage/stores.h"

namespace tarn::delta {

namespace {

/// Requests at once.
constexpr int kDistantThreads = 32;

}  // namespace

bool IsDistant(const storage::ObjectStore& store) {
  const std::string uri = store.uri();
  return storage::IsRemoteUri(uri) && !uri.starts_with("memory:");
}

int ThreadsFor(const storage::ObjectStore& store, int on_disk) {
  if (IsDistant(store)) return kDistantThreads;
  return std::min(on_disk, std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
}

Status RunParallel(size_t count, int max_threads, const std::function<Status(size_t)>& work) {
  std::atomic<size_t> next = 0;
  std::vector<Status> statuses(count);
  std::atomic<bool> failed = false;
  const auto loop = [&] {
    while (!failed) {
      const size_t i = next++;
      if (i >= count) return;
      statuses[i] = work(i);
      if (!statuses[i].ok()) failed = true;
    }
  };
  const int helpers = std::min(max_threads, static_cast<int>(std::min<size_t>(count, 64))) - 1;
  std::vector<Thread> threads;
  for (int i = 0; i < helpers; ++i) threads.emplace_back("delta-replay", loop);
  loop();
  for (Thread& thread : threads) thread.Join();
  for (Status& status : statuses) TARN_RETURN_NOT_OK(status);
  return Status::Ok();
}

}  // namespace tarn::delta
