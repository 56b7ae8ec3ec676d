// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The codelets of the hand-made programs; built into the tests and, as an object of their own, into a
// `.loom`. Host codelets see groups of tiles side by side, strict ones a single tile.
#include "ToyShape.h"
#include <algorithm>

using namespace toy;

#define ENTRY extern "C" __attribute__((visibility("default"))) void

/// Reads and writes of a strict codelet, each announced first.
struct Access {
  void *context;
  Check check;
  template <typename T> T load(const T *p) const {
    check(context, int64_t(p), sizeof(T), 0, 0);
    return *p;
  }
  template <typename T> void store(T *p, T value) const {
    check(context, int64_t(p), sizeof(T), 1, 1);
    *p = value;
  }
};

template <typename T> T *as(void *p) { return static_cast<T *>(p); }

// Arguments: x [steps][batch][inputs], w [inputs][own], u [batch][own], y [steps][batch][own].
ENTRY forward_host(void *const *a, int64_t n, int64_t, int64_t *) {
  const float *x = as<float>(a[0]), *w = as<float>(a[1]);
  float *u = as<float>(a[2]), *y = as<float>(a[3]);
  for (int64_t t = 0; t < n; ++t)
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t j = 0; j < groupUnits; ++j) {
        float sum = 0.5f * u[b * groupUnits + j];
        for (int64_t i = 0; i < inputs; ++i)
          sum += x[(t * batch + b) * inputs + i] * w[i * groupUnits + j];
        u[b * groupUnits + j] = sum;
        y[(t * batch + b) * pitch + j] = sum;
      }
}
ENTRY forward_strict(void *const *a, int64_t n, int64_t, int64_t *, void *context, Check check) {
  const Access m{context, check};
  const float *x = as<float>(a[0]), *w = as<float>(a[1]);
  float *u = as<float>(a[2]), *y = as<float>(a[3]);
  for (int64_t t = 0; t < n; ++t)
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t j = 0; j < perTile; ++j) {
        float sum = 0.5f * m.load(&u[b * perTile + j]);
        for (int64_t i = 0; i < inputs; ++i)
          sum += m.load(&x[(t * batch + b) * inputs + i]) * m.load(&w[i * perTile + j]);
        m.store(&u[b * perTile + j], sum);
        m.store(&y[(t * batch + b) * perTile + j], sum);
      }
}
ENTRY forward_cycles(void *const *, int64_t n, int64_t, int64_t *cycles) {
  for (int64_t t = 0; t < n; ++t)
    cycles[t] = 40;
}

// Arguments: y of one sample [steps][1][units], info of it [steps][1][10]. On the host the rows are a pitch
// apart.
template <int64_t yStep, int64_t infoStep, typename M> void count(void *const *a, int64_t n, const M &m) {
  const float *y = as<float>(a[0]);
  int32_t *info = as<int32_t>(a[1]);
  for (int64_t t = 0; t < n; ++t) {
    int32_t positive = 0;
    for (int64_t j = 0; j < units; ++j)
      positive += m.load(&y[t * yStep + j]) > 0;
    for (int64_t k = 0; k < 10; ++k)
      m.store(&info[t * infoStep + k], k == 6 ? positive - positive / 4 : k >= 7 && k < 9 ? positive : 0);
  }
}
struct Free {
  template <typename T> T load(const T *p) const { return *p; }
  template <typename T> void store(T *p, T value) const { *p = value; }
};
ENTRY count_host(void *const *a, int64_t n, int64_t, int64_t *) {
  count<batch * pitch, batch * 10>(a, n, Free{});
}
ENTRY count_strict(void *const *a, int64_t n, int64_t, int64_t *, void *context, Check check) {
  count<units, 10>(a, n, Access{context, check});
}
ENTRY count_cycles(void *const *a, int64_t n, int64_t, int64_t *cycles) {
  const float *y = as<float>(a[0]);
  for (int64_t t = 0; t < n; ++t) {
    cycles[t] = 5;
    for (int64_t j = 0; j < units; ++j)
      cycles[t] += 3 * (y[t * units + j] > 0);
  }
}

// Arguments: y own, w own, partial [steps][batch][inputs].
ENTRY partial_host(void *const *a, int64_t n, int64_t task, int64_t *) {
  const float *y = as<float>(a[0]), *w = as<float>(a[1]);
  float *p = as<float>(a[2]);
  const int64_t present = std::min(group, tiles - task);
  for (int64_t t = 0; t < n; ++t)
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t i = 0; i < inputs; ++i) {
        float sum = 0; // four lanes: strided partials are the lanes, the tree adds 2 then 1 apart
        float lane[group] = {};
        for (int64_t l = 0; l < present; ++l)
          for (int64_t c = 0; c < perTile; ++c)
            lane[l] += y[(t * batch + b) * pitch + c * group + l] * w[i * groupUnits + c * group + l];
        sum = (lane[0] + lane[2]) + (lane[1] + lane[3]);
        p[(t * batch + b) * inputs + i] = sum;
      }
}
ENTRY partial_strict(void *const *a, int64_t n, int64_t, int64_t *, void *context, Check check) {
  const Access m{context, check};
  const float *y = as<float>(a[0]), *w = as<float>(a[1]);
  float *p = as<float>(a[2]);
  for (int64_t t = 0; t < n; ++t)
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t i = 0; i < inputs; ++i) {
        float sum = 0;
        for (int64_t c = 0; c < perTile; ++c)
          sum += m.load(&y[(t * batch + b) * perTile + c]) * m.load(&w[i * perTile + c]);
        m.store(&p[(t * batch + b) * inputs + i], sum);
      }
}
ENTRY one_cycle(void *const *, int64_t n, int64_t, int64_t *cycles) {
  for (int64_t t = 0; t < n; ++t)
    cycles[t] = 11;
}

// Arguments: staged partials [tiles][steps][batch][1], result [steps][batch][1] of one input.
ENTRY sum_strict(void *const *a, int64_t n, int64_t, int64_t *, void *context, Check check) {
  const Access m{context, check};
  const float *p = as<float>(a[0]);
  float *g = as<float>(a[1]);
  for (int64_t i = 0; i < n * batch; ++i) {
    float total = 0;
    for (int64_t first = 0; first < tiles; first += group) {
      float lane[group] = {};
      for (int64_t l = 0; l < group && first + l < tiles; ++l)
        lane[l] = m.load(&p[(first + l) * n * batch + i]);
      const float sum = (lane[0] + lane[2]) + (lane[1] + lane[3]);
      total = first == 0 ? sum : total + sum;
    }
    m.store(&g[i], total);
  }
}

// Arguments: y before [steps][units] broadcast, x [steps][units] slice-less broadcast, y after [steps][own].
template <int64_t width, int64_t stride, int64_t yPitch, typename M>
void loopBody(void *const *a, int64_t n, int64_t first, const M &m) {
  const float *before = as<float>(a[0]), *x = as<float>(a[1]);
  float *after = as<float>(a[2]);
  for (int64_t t = 0; t < n; ++t) {
    float sum = 0;
    for (int64_t j = 0; j < units; ++j)
      sum += m.load(&before[t * yPitch + j]);
    for (int64_t j = 0; j < width; ++j) {
      const int64_t unit = first + (width == perTile ? j * group : j);
      const float in = unit < units ? m.load(&x[t * units + unit]) : 0;
      m.store(&after[t * stride + j], in + 0.25f * sum);
    }
  }
}
ENTRY loop_host(void *const *a, int64_t n, int64_t task, int64_t *) {
  loopBody<groupUnits, pitch, pitch>(a, n, task / group * groupUnits, Free{});
}
ENTRY loop_strict(void *const *a, int64_t n, int64_t task, int64_t *, void *context, Check check) {
  loopBody<perTile, perTile, units>(a, n, task / group * groupUnits + task % group, Access{context, check});
}

// Arguments: label [batch], weight [batch], hyper [4], w [own], m [own].
template <int64_t width, typename M> static void train(void *const *a, const M &m) {
  const int32_t *label = as<int32_t>(a[0]);
  const float *weight = as<float>(a[1]), *hyper = as<float>(a[2]);
  float *w = as<float>(a[3]), *moment = as<float>(a[4]), sum = 0;
  for (int64_t b = 0; b < batch; ++b)
    sum += float(m.load(&label[b])) * m.load(&weight[b]);
  for (int64_t j = 0; j < width; ++j) {
    m.store(&moment[j], m.load(&hyper[1]) * m.load(&moment[j]) + sum);
    m.store(&w[j], m.load(&w[j]) - m.load(&hyper[0]) * m.load(&moment[j]));
  }
}
ENTRY train_host(void *const *a, int64_t, int64_t, int64_t *) { train<groupUnits>(a, Free{}); }
ENTRY train_strict(void *const *a, int64_t, int64_t, int64_t *, void *context, Check check) {
  train<perTile>(a, Access{context, check});
}

// Arguments: label [batch], weight [batch], loss [1].
template <typename M> static void loss(void *const *a, const M &m) {
  float sum = 0;
  for (int64_t b = 0; b < batch; ++b)
    sum += float(m.load(&as<int32_t>(a[0])[b])) * m.load(&as<float>(a[1])[b]);
  m.store(as<float>(a[2]), sum);
}
ENTRY loss_host(void *const *a, int64_t, int64_t, int64_t *) { loss(a, Free{}); }
ENTRY loss_strict(void *const *a, int64_t, int64_t, int64_t *, void *context, Check check) {
  loss(a, Access{context, check});
}
