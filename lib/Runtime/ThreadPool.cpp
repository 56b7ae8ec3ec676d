// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Threads look for work for a moment before they sleep: the stages of a feedback loop follow each other
// within that time, and waking a sleeper costs more than such a stage.
#include "ThreadPool.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace spikeloom::runtime {

static constexpr int looks = 4000;

static void relax() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

ThreadPool::ThreadPool(int threads) {
  for (int i = 1; i < threads; ++i)
    workers.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping = true;
    ++round;
  }
  wake.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

void ThreadPool::drain() {
  for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;)
    (*body)(i);
}

void ThreadPool::work() {
  uint64_t seen = 0;
  while (true) {
    for (int i = 0; i < looks && round.load(std::memory_order_acquire) == seen; ++i)
      relax();
    {
      std::unique_lock<std::mutex> lock(mutex);
      wake.wait(lock, [&] { return round.load(std::memory_order_relaxed) != seen; });
      seen = round.load(std::memory_order_relaxed);
      if (stopping)
        return;
    }
    drain();
    if (busy.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      std::lock_guard<std::mutex> lock(mutex);
      finished.notify_one();
    }
  }
}

void ThreadPool::run(int64_t total, const std::function<void(int64_t)> &work) {
  if (workers.empty() || total <= 1) {
    for (int64_t i = 0; i < total; ++i)
      work(i);
    return;
  }
  {
    std::lock_guard<std::mutex> lock(mutex);
    body = &work;
    count = total;
    next.store(0, std::memory_order_relaxed);
    busy.store(int(workers.size()), std::memory_order_relaxed);
    round.fetch_add(1, std::memory_order_release);
  }
  wake.notify_all();
  drain();
  for (int i = 0; i < looks && busy.load(std::memory_order_acquire) != 0; ++i)
    relax();
  std::unique_lock<std::mutex> lock(mutex);
  finished.wait(lock, [&] { return busy.load(std::memory_order_acquire) == 0; });
}

} // namespace spikeloom::runtime
