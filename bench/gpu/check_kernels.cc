// The device's kernels besides products against the emulated device's, on the same random data.
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "accelerator/device_buffer.h"
#include "bench/gpu/bit_networks.h"
#include "bench/gpu/parts.h"
#include "kernel/cells.h"
#include "tests/cuda/emulated_device.h"

namespace pbatch::bench {
namespace {

using SharedDevice = std::shared_ptr<cuda::Device>;

// Queues a kernel over floats that it reads (`in`) and writes (`out`); both are the device's.
using Work = std::function<Status(cuda::Device&, const float* in, float* out)>;

Result<std::vector<float>> run_on(const SharedDevice& device, const std::vector<float>& in,
                                  std::int64_t out, const Work& work) {
  const std::vector<float> untouched(static_cast<std::size_t>(out), -12345.0F);
  PBATCH_ASSIGN_OR_RETURN(
      const DeviceBuffer from,
      DeviceBuffer::copy_of(device, in.data(), static_cast<std::int64_t>(in.size()) * 4));
  PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer to,
                          DeviceBuffer::copy_of(device, untouched.data(), out * 4));
  PBATCH_RETURN_IF_ERROR(work(*device, from.as<float>(), to.as<float>()));
  PBATCH_RETURN_IF_ERROR(device->synchronize(nullptr));
  std::vector<float> got(static_cast<std::size_t>(out));
  PBATCH_RETURN_IF_ERROR(device->copy_to_host(got.data(), to.as<void>(), out * 4));
  return got;
}

// tolerance 0: equal bits. Else relative, for what comes from two mathematical libraries.
Status compare(const char* name, const SharedDevice& device, std::int64_t in, std::int64_t out,
               float tolerance, const Work& work) {
  const std::vector<float> data = random_vectors(in, 21);
  PBATCH_ASSIGN_OR_RETURN(const std::vector<float> got, run_on(device, data, out, work));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<float> want,
                          run_on(std::make_shared<testing::EmulatedDevice>(), data, out, work));
  for (std::size_t i = 0; i < want.size(); ++i) {
    const bool same = std::memcmp(&got[i], &want[i], sizeof(float)) == 0;
    const bool near = std::fabs(got[i] - want[i]) <= tolerance * (1 + std::fabs(want[i]));
    if (same || (tolerance > 0 && near)) continue;
    return {ErrorCode::internal, std::string(name) + ": element " + std::to_string(i) + " is " +
                                     std::to_string(got[i]) + " for " + std::to_string(want[i])};
  }
  return Status::ok();
}

Status check_elementwise(const SharedDevice& device, int* count) {
  using F = ElementFunction;
  constexpr std::int64_t kCount = 1000;
  for (int f = 0; f <= static_cast<int>(F::sub); ++f) {
    const auto function = static_cast<F>(f);
    // Of exact operations only: no library in between.
    const bool exact = function == F::abs || function == F::neg || function == F::relu ||
                       function == F::clip || function >= F::add;
    const Work work = [&](cuda::Device& d, const float* in, float* out) -> Status {
      ElementwiseArgs args = {};
      args.function = function;
      args.count = kCount;
      args.y = out;
      args.a = in;
      if (function >= F::add) args.b = in + kCount;
      args.alpha = 0.3F;
      args.beta = 0.7F;
      if (function == F::log || function == F::sqrt) {  // of what is not negative
        ElementwiseArgs first = args;
        first.function = F::abs;
        PBATCH_RETURN_IF_ERROR(d.elementwise(first, nullptr));
        args.a = out;
      }
      return d.elementwise(args, nullptr);
    };
    PBATCH_RETURN_IF_ERROR(
        compare("elementwise", device, 2 * kCount, kCount + 7, exact ? 0.0F : 4e-6F, work));
    ++*count;
  }
  return Status::ok();
}

Status check_rows(const SharedDevice& device, int* count) {
  for (const std::int64_t cols : {1, 31, 33, 1000}) {
    for (const bool log : {false, true}) {
      const Work work = [&](cuda::Device& d, const float* in, float* out) -> Status {
        return d.softmax({in, out, 17, cols, log}, nullptr);
      };
      PBATCH_RETURN_IF_ERROR(compare("softmax", device, 17 * cols, 17 * cols + 5, 4e-6F, work));
      ++*count;
    }
    const Work work = [&](cuda::Device& d, const float* in, float* out) -> Status {
      FloatProductArgs args = {};
      args.w = in;
      args.rows = 9;
      args.cols = cols;
      args.x = in + 9 * cols;
      args.ldx = cols;
      args.batch = 3;
      args.y = out;
      args.ldy = 11;
      args.bias = in + 12 * cols;
      args.activation = Activation::relu;
      return d.multiply_floats(args, nullptr);
    };
    PBATCH_RETURN_IF_ERROR(
        compare("float product", device, 9 * cols + 3 * cols + 9, 3 * 11, 0, work));
    ++*count;
  }
  return Status::ok();
}

// Rows of a table of bit-layers, and of floats; and elements that are moved.
Status check_gather(const SharedDevice& device, int* count) {
  const RandomWeights weights = random_weights(75, 300, 5);
  const std::vector<std::int64_t> indices = {0, 74, -1, -75, 33, 16};
  const std::int64_t values = static_cast<std::int64_t>(indices.size()) * weights.cols;
  for (const bool bits : {true, false}) {
    const Work work = [&](cuda::Device& d, const float* in, float* out) -> Status {
      // The table belongs to the device that is asked.
      const SharedDevice borrowed(&d, [](cuda::Device*) {});
      PBATCH_ASSIGN_OR_RETURN(const cuda::Matrix matrix, upload(borrowed, weights));
      PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer there,
                              DeviceBuffer::copy_of(borrowed, indices.data(),
                                                    static_cast<std::int64_t>(indices.size()) * 8));
      PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer flag, DeviceBuffer::zeros(borrowed, 4));
      cuda::GatherArgs args = {};
      if (bits) matrix.fill(3, 0, row_blocks(weights.rows), args.table);
      args.floats = in;
      args.rows = weights.rows;
      args.cols = weights.cols;
      args.indices = there.as<void>();
      args.wide = true;
      args.count = static_cast<std::int64_t>(indices.size());
      args.y = out;
      args.flag = flag.as<std::uint32_t>();
      PBATCH_RETURN_IF_ERROR(d.queue_gather(args, nullptr));
      return d.synchronize(nullptr);
    };
    PBATCH_RETURN_IF_ERROR(compare("rows of a table", device, 75 * 300, values + 3, 0, work));
    ++*count;
  }
  std::vector<std::int32_t> places(1000);
  for (std::size_t i = 0; i < places.size(); ++i) {
    places[i] = i % 7 == 0 ? -1 : static_cast<std::int32_t>(i * 613 % 1000);
  }
  const Work work = [&](cuda::Device& d, const float* in, float* out) -> Status {
    const SharedDevice borrowed(&d, [](cuda::Device*) {});
    PBATCH_ASSIGN_OR_RETURN(const DeviceBuffer index,
                            DeviceBuffer::copy_of(borrowed, places.data(), 4000));
    PBATCH_RETURN_IF_ERROR(d.move({1000, 4, in, index.as<std::int32_t>(), out}, nullptr));
    return d.synchronize(nullptr);
  };
  PBATCH_RETURN_IF_ERROR(compare("move", device, 1000, 1003, 0, work));
  ++*count;
  return Status::ok();
}

// A step of every cell; states, and what was quantized for the next product, as raw floats.
Status check_steps(const SharedDevice& device, int* count) {
  constexpr std::int64_t kHidden = 300, kPadded = 304, kBatch = 3, kUnits = kBatch * kPadded;
  constexpr std::int64_t kRows = 4 * kPadded;
  for (int kind = 0; kind <= kStepStart; ++kind) {
    for (const int activation_bits : {8, 16, 32}) {
      for (const cuda::Method method : {cuda::Method::bits, cuda::Method::bytes}) {
        const std::int64_t words = kBatch * cuda::activation_words(2, activation_bits);
        const std::int64_t sums = kBatch * cuda::halves_of(activation_bits) * 2 * 4;
        const Work work = [&](cuda::Device& d, const float* in, float* out) -> Status {
          const float* const states = in + 2 * kBatch * kRows;
          cuda::StepArgs args = {};
          args.kind = kind;
          args.hidden = kHidden;
          args.padded = kPadded;
          args.batch = kBatch;
          args.steps = 1;
          args.x = in;
          args.x_vector = kRows;
          args.r = in + kBatch * kRows;
          args.r_vector = kRows;
          args.r_bias = states + 4 * kUnits;
          args.peephole = states + 4 * kUnits + kPadded;
          args.clip = INFINITY;
          args.h = out;
          args.c = out + kUnits;
          args.update = out + 2 * kUnits;
          args.reset_h = out + 3 * kUnits;
          args.initial_h = states;
          args.initial_vector = kHidden;
          args.y = out + 4 * kUnits;
          args.y_vector = kHidden;
          args.quantizes = true;
          args.method = method;
          args.quantize.x = kind == kCellGruGates ? args.reset_h : args.h;
          args.quantize.ldx = kPadded;
          args.quantize.cols = kHidden;
          args.quantize.slabs = 2;
          args.quantize.run_blocks = kRunBlocks;
          args.quantize.activation_bits = activation_bits;
          args.quantize.batch = kBatch;
          // 16 bytes apart from the states, whose number of floats is a multiple of 4.
          args.quantize.activations = reinterpret_cast<std::uint32_t*>(out + 5 * kUnits);
          args.quantize.run_sums = reinterpret_cast<std::int32_t*>(out + 5 * kUnits + words);
          args.quantize.activation_scales = out + 5 * kUnits + words + sums;
          args.quantize.flag =
              reinterpret_cast<std::uint32_t*>(out + 5 * kUnits + words + sums + kBatch);
          PBATCH_RETURN_IF_ERROR(d.copy(out, states, 4 * kUnits * 4, nullptr));
          return d.queue_step(args, nullptr);
        };
        PBATCH_RETURN_IF_ERROR(compare("recurrent step", device,
                                       2 * kBatch * kRows + 4 * kUnits + 4 * kPadded,
                                       5 * kUnits + words + sums + kBatch + 1, 0, work));
        ++*count;
      }
    }
  }
  return Status::ok();
}

// Recorded networks, replayed twice.
Status check_networks(const SharedDevice& device, int* count) {
  const auto outputs_on = [](const SharedDevice& where, bool lstm,
                             const NetworkPrecision& precision,
                             int batch) -> Result<std::vector<float>> {
    PBATCH_ASSIGN_OR_RETURN(const std::unique_ptr<BitNetwork> network,
                            lstm ? make_bit_lstm(where, 320, 3, precision, batch)
                                 : make_bit_mlp(where, {784, 512, 300, 10}, precision, batch));
    PBATCH_ASSIGN_OR_RETURN(Stream stream, where->create_stream());
    PBATCH_RETURN_IF_ERROR(where->begin_recording(stream));
    const Status queued = network->queue(stream);
    PBATCH_ASSIGN_OR_RETURN(Recording recording, where->end_recording(stream));
    PBATCH_RETURN_IF_ERROR(queued);
    for (int round = 0; round < 2; ++round) {
      PBATCH_RETURN_IF_ERROR(where->replay(recording, stream));
    }
    PBATCH_RETURN_IF_ERROR(where->synchronize(stream));
    where->destroy_recording(recording);
    where->destroy_stream(stream);
    return network->outputs();
  };
  for (const bool lstm : {false, true}) {
    for (const int batch : {1, 3, 12}) {
      for (const NetworkPrecision precision : {NetworkPrecision{1, 8}, {4, 16}, {9, 32}}) {
        PBATCH_ASSIGN_OR_RETURN(const auto got, outputs_on(device, lstm, precision, batch));
        PBATCH_ASSIGN_OR_RETURN(
            const auto want,
            outputs_on(std::make_shared<testing::EmulatedDevice>(), lstm, precision, batch));
        if (std::memcmp(got.data(), want.data(), want.size() * sizeof(float)) != 0) {
          return {ErrorCode::internal, std::string(lstm ? "an LSTM" : "a network") + " at batch " +
                                           std::to_string(batch) + " differs from the emulation"};
        }
        ++*count;
      }
    }
  }
  return Status::ok();
}

}  // namespace

Result<int> check_kernels(const SharedDevice& device) {
  int count = 0;
  PBATCH_RETURN_IF_ERROR(check_elementwise(device, &count));
  PBATCH_RETURN_IF_ERROR(check_rows(device, &count));
  PBATCH_RETURN_IF_ERROR(check_gather(device, &count));
  PBATCH_RETURN_IF_ERROR(check_steps(device, &count));
  PBATCH_RETURN_IF_ERROR(check_networks(device, &count));
  return count;
}

}  // namespace pbatch::bench
