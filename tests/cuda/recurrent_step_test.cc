// A step of a recurrent layer on the emulated device: the states of the CPU's cells, to the bit,
// and quantized as the CPU quantizes them.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "accelerator/device_buffer.h"
#include "kernel/registry.h"
#include "tests/cuda/emulated_device.h"
#include "tests/cuda/emulated_product.h"
#include "tests/kernel/time_box.h"

namespace pbatch::testing {
namespace {

std::vector<float> random_floats(std::mt19937_64& rng, std::int64_t count) {
  std::normal_distribution<float> normal(0, 2);
  std::vector<float> out(static_cast<std::size_t>(count));
  for (float& x : out) x = normal(rng);
  return out;
}

struct States {
  std::vector<float> h, c, update, reset_h;
  friend bool operator==(const States&, const States&) = default;
};

int gates_of(int kind) {
  return kind == kCellLstm ? 4 : kind == kCellGru ? 3 : kind == kCellGruGates ? 2 : 1;
}

TEST(RecurrentStep, HasTheBitsOfTheCpusCells) {
  std::mt19937_64 rng(kSeed);
  EmulatedDevice device;
  for (TimeBox box(3); box.next();) {
    for (int kind = 0; kind < kCellKinds; ++kind) {
      const std::int64_t hidden = 1 + static_cast<std::int64_t>(rng() % 70);
      const std::int64_t padded = (hidden + 15) / 16 * 16, rows = gates_of(kind) * padded;
      const int batch = 1 + static_cast<int>(rng() % 3);
      const std::int64_t units = batch * padded, steps = 5;
      const std::vector<float> x = random_floats(rng, steps * batch * rows);
      const std::vector<float> r = random_floats(rng, batch * rows);
      const std::vector<float> r_bias = random_floats(rng, padded);
      const std::vector<float> peephole = random_floats(rng, 3 * padded);
      const States before{random_floats(rng, units), random_floats(rng, units),
                          random_floats(rng, units), random_floats(rng, units)};
      const bool has_peephole = rng() % 2 != 0, has_lengths = rng() % 2 != 0;
      const std::vector<std::int32_t> lengths = {5, 2, 4};
      States got = before, want = before;
      std::vector<float> y(static_cast<std::size_t>(steps * batch * hidden), -1.0f), want_y = y;

      cuda::StepArgs args = {};
      args.kind = kind;
      args.hidden = hidden;
      args.padded = padded;
      args.batch = batch;
      args.steps = steps;
      args.step = 3;
      args.reverse = rng() % 2 != 0;
      args.lengths = has_lengths ? lengths.data() : nullptr;
      args.x = x.data();
      args.x_step = batch * rows;
      args.x_vector = rows;
      args.r = r.data();
      args.r_vector = rows;
      args.r_bias = kind == kCellGru ? r_bias.data() : nullptr;
      args.peephole = kind == kCellLstm && has_peephole ? peephole.data() : nullptr;
      args.clip = rng() % 2 != 0 ? 1.5f : INFINITY;
      args.couple_forget = kind == kCellLstm && rng() % 2 != 0 ? 1 : 0;
      args.h = got.h.data();
      args.c = got.c.data();
      args.update = got.update.data();
      args.reset_h = got.reset_h.data();
      args.y = y.data();
      args.y_step = batch * hidden;
      args.y_vector = hidden;
      ASSERT_TRUE(device.queue_step(args, nullptr).is_ok());

      for (int v = 0; v < batch; ++v) {
        const std::int64_t length = has_lengths ? lengths[static_cast<std::size_t>(v)] : steps;
        if (args.step >= length) continue;
        const std::int64_t time = args.reverse ? length - 1 - args.step : args.step;
        CellArgs cell = {};
        cell.x = x.data() + (time * batch + v) * rows;
        cell.r = r.data() + v * rows;
        cell.r_bias = args.r_bias;
        cell.peephole = args.peephole;
        cell.peephole_stride = padded;
        cell.clip = args.clip;
        cell.couple_forget = args.couple_forget;
        cell.h = want.h.data() + v * padded;
        cell.c = want.c.data() + v * padded;
        cell.update = want.update.data() + v * padded;
        cell.reset_h = want.reset_h.data() + v * padded;
        cells_for(Isa::generic).run(static_cast<CellKind>(kind), &cell, 0, padded / 16);
        if (kind == kCellGruGates) continue;
        for (std::int64_t u = 0; u < hidden; ++u) {
          want_y[static_cast<std::size_t>((time * batch + v) * hidden + u)] = cell.h[u];
        }
      }
      ASSERT_EQ(got, want) << "cell " << kind;
      ASSERT_EQ(y, want_y) << "cell " << kind;
    }
  }
}

TEST(RecurrentStep, StartsWithTheGivenStatesAndZerosBeyondTheLengths) {
  std::mt19937_64 rng(kSeed);
  EmulatedDevice device;
  const std::int64_t hidden = 21, padded = 32, steps = 3;
  const int batch = 2;
  const std::vector<float> h0 = random_floats(rng, batch * hidden);
  const std::vector<std::int32_t> lengths = {1, 3};
  std::vector<float> units[4];
  for (auto& u : units) u = random_floats(rng, batch * padded);
  std::vector<float> y(static_cast<std::size_t>(steps * batch * hidden), 7.0f);
  std::vector<float> last(static_cast<std::size_t>(batch * hidden));
  cuda::StepArgs args = {};
  args.kind = kStepStart;
  args.hidden = hidden;
  args.padded = padded;
  args.batch = batch;
  args.steps = steps;
  args.lengths = lengths.data();
  args.h = units[0].data();
  args.c = units[1].data();
  args.update = units[2].data();
  args.reset_h = units[3].data();
  args.initial_h = h0.data();
  args.initial_vector = hidden;
  args.y = y.data();
  args.y_step = batch * hidden;
  args.y_vector = hidden;
  args.last_h = last.data();
  args.last_vector = hidden;

  // What the first product multiplies.
  DeviceLayer layer;
  layer.cols = hidden;
  layer.batch = batch;
  layer.activation_bits = 16;
  layer.run_blocks = 2;
  layer.x = h0;
  const EmulatedVectors want = quantize_emulated(layer, 1, cuda::Method::bits);
  EmulatedVectors got(layer, 1);
  std::uint32_t flag = 0;
  args.quantizes = true;
  args.method = cuda::Method::bits;
  args.quantize = {args.h,
                   padded,
                   hidden,
                   1,
                   2,
                   16,
                   batch,
                   got.words.data(),
                   got.run_sums.data(),
                   got.scales.data(),
                   &flag};
  ASSERT_TRUE(device.queue_step(args, nullptr).is_ok());

  EXPECT_EQ(last, h0);
  for (int v = 0; v < batch; ++v) {
    for (std::int64_t u = 0; u < padded; ++u) {
      const auto at = static_cast<std::size_t>(v * padded + u);
      EXPECT_EQ(units[0][at], u < hidden ? h0[static_cast<std::size_t>(v * hidden + u)] : 0.0f);
      for (int i = 1; i < 4; ++i) EXPECT_EQ(units[i][at], 0.0f);
    }
    for (std::int64_t t = 0; t < steps; ++t) {
      for (std::int64_t u = 0; u < hidden; ++u) {
        EXPECT_EQ(y[static_cast<std::size_t>((t * batch + v) * hidden + u)],
                  t < lengths[static_cast<std::size_t>(v)] ? 7.0f : 0.0f);
      }
    }
    EXPECT_EQ(got.scales[v], want.scales.data()[v]);
  }
  for (std::int64_t i = 0; i < got.words.size(); ++i) {
    ASSERT_EQ(got.words[i], want.words.data()[i]) << i;
  }
  EXPECT_EQ(flag, 0u);
}

}  // namespace
}  // namespace pbatch::testing
