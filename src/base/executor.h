#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"

namespace tarn {

/// Runs tasks somewhere else. Thread-safe. Tasks must not throw.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Hands over a task; ResourceExhausted when the queue is full, Unavailable after shutdown.
  virtual Status Submit(std::function<void()> task) = 0;
};

/// Runs each task within Submit; for tests and simulation.
class InlineExecutor final : public Executor {
 public:
  Status Submit(std::function<void()> task) override {
    task();
    return Status::Ok();
  }
};

struct ThreadPoolOptions {
  /// At most 15 characters; shown by the operating system's tools.
  std::string name = "tarn-pool";
  int threads = 1;
  size_t max_queued = 1024;
};

/// A fixed number of threads over one bounded queue. The destructor runs what is queued, then joins.
class ThreadPool final : public Executor {
 public:
  explicit ThreadPool(ThreadPoolOptions options);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  Status Submit(std::function<void()> task) override EXCLUDES(mutex_);
  size_t queued() const EXCLUDES(mutex_);

 private:
  void Work();

  const ThreadPoolOptions options_;
  mutable Mutex mutex_;
  CondVar wake_;
  std::deque<std::function<void()>> queue_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

/// One named thread that runs `body` and is joined on destruction. `body` must end by itself when told to by its owner.
class Thread {
 public:
  Thread() = default;
  Thread(std::string name, std::function<void()> body);
  Thread(Thread&&) = default;
  Thread& operator=(Thread&& other) noexcept;
  ~Thread();
  void Join();

 private:
  std::thread thread_;
};

}  // namespace tarn
