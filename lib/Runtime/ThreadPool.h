// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A few threads that stay: a stage with feedback is called a hundred times a run, too often to start threads
// for each.
#ifndef SPIKELOOM_LIB_RUNTIME_THREADPOOL_H
#define SPIKELOOM_LIB_RUNTIME_THREADPOOL_H

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace spikeloom::runtime {

class ThreadPool {
public:
  /// `threads` includes the caller's.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int size() const { return int(workers.size()) + 1; }

  /// Calls body(i) for every i in [0, count) and returns when all are done. Indices are started in ascending
  /// order; the threads take the next one each, so neighbours are worked on at the same time.
  void run(int64_t count, const std::function<void(int64_t)> &body);

private:
  void work();
  void drain();

  std::vector<std::thread> workers;
  std::mutex mutex;
  std::condition_variable wake, finished;
  std::atomic<uint64_t> round{0};
  std::atomic<int> busy{0};
  bool stopping = false;

  const std::function<void(int64_t)> *body = nullptr;
  int64_t count = 0;
  std::atomic<int64_t> next{0};
};

} // namespace spikeloom::runtime
#endif
