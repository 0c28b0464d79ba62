#pragma once

#include <cstddef>
#include <functional>

#include "base/status.h"
#include "storage/object_store.h"

namespace tarn::delta {

/// Whether reading a store is waiting for a server's answers more than anything else.
bool IsDistant(const storage::ObjectStore& store);

/// How many threads gain from reading a store: `on_disk`, and at most one a processor, where reading is work; more
/// where each of them waits for a server's answer.
int ThreadsFor(const storage::ObjectStore& store, int on_disk);

/// Runs `work(i)` for 0 <= i < count on at most `max_threads` threads, the caller's included, and waits for them; the
/// status of the first i that failed. After a failure no more is begun.
Status RunParallel(size_t count, int max_threads, const std::function<Status(size_t)>& work);

}  // namespace tarn::delta
