#include "op/recurrent/recurrent_layer.h"

#include <algorithm>
#include <cstddef>

#include "isa/isa.h"
#include "kernel/registry.h"
#include "op/recurrent/recurrent_cells.h"

namespace pbatch {
namespace {

// Tiles that a thread takes at once: whole bands of 1-bit fields.
constexpr std::int64_t kGrainBlocks = 8;

// One run of a layer. Tiles are finished in the task that computed their gates.
class Sequence {
 public:
  Sequence(const RecurrentSpec& spec, const RecurrentCall& call, RecurrentProduct& product)
      : spec_(spec), gates_(spec.gates), call_(call), product_(product) {}

  Status run(void* memory) {
    PBATCH_ASSIGN_OR_RETURN(const IsaChoice isa, select_isa());
    cells_ = cells_for(isa).run;
    divide(static_cast<float*>(memory));
    start();
    const RecurrentProduct::RangeTask first = [this](std::int64_t begin, std::int64_t end) {
      finish(first_kind(), first_gates(), begin, end);
    };
    const RecurrentProduct::RangeTask second = [this](std::int64_t begin, std::int64_t end) {
      const std::int64_t before = gates_.first_part_blocks();
      finish(kCellGruState, 1, begin - before, end - before);
    };
    const std::int64_t part = gates_.first_part_blocks(), blocks = gates_.rows() / kTileUnits;
    for (step_ = 0; step_ < call_.steps; ++step_) {
      PBATCH_RETURN_IF_ERROR(product_.run(h_, gates_.padded(), 0, part, grain(first_gates()), r_,
                                          gates_.rows(), first));
      if (gates_.two_parts()) {
        PBATCH_RETURN_IF_ERROR(product_.run(reset_h_, gates_.padded(), part, blocks, grain(1), r_,
                                            gates_.rows(), second));
      }
    }
    give_last();
    return Status::ok();
  }

 private:
  int first_gates() const { return gates_.two_parts() ? 2 : gates_.gates(); }

  CellKind first_kind() const {
    if (gates_.cell == CellType::rnn) return kCellRnn;
    if (gates_.cell == CellType::lstm) return kCellLstm;
    return gates_.two_parts() ? kCellGruGates : kCellGru;
  }

  // Whole tiles of so many gates.
  static std::int64_t grain(int gates) { return (kGrainBlocks + gates - 1) / gates * gates; }

  void divide(float* memory) {
    const std::int64_t units = call_.batch * gates_.padded();
    h_ = memory;
    c_ = h_ + units;
    update_ = c_ + units;
    reset_h_ = update_ + units;
    r_ = reset_h_ + units;
  }

  void start() {
    std::fill(h_, r_, 0.0F);  // all of it: products read vectors of no steps, too
    for (std::int64_t b = 0; b < call_.batch; ++b) {
      const std::int64_t from = b * call_.initial_vector, to = b * gates_.padded();
      if (call_.initial_h != nullptr) std::copy_n(call_.initial_h + from, gates_.hidden, h_ + to);
      if (call_.initial_c != nullptr) std::copy_n(call_.initial_c + from, gates_.hidden, c_ + to);
    }
    // Steps beyond a sequence's length are not computed.
    if (call_.y == nullptr || call_.lengths == nullptr) return;
    for (std::int64_t b = 0; b < call_.batch; ++b) {
      for (std::int64_t t = call_.lengths[b]; t < call_.steps; ++t) {
        std::fill_n(call_.y + t * call_.y_step + b * call_.y_vector, gates_.hidden, 0.0F);
      }
    }
  }

  // Row blocks begin .. end - 1 of a part that has `gates` of them for a tile.
  void finish(CellKind kind, int gates, std::int64_t begin, std::int64_t end) {
    const std::int64_t first_row =
        kind == kCellGruState ? gates_.first_part_blocks() * kTileUnits : 0;
    const std::int64_t tile_begin = begin / gates, tile_end = end / gates;
    for (std::int64_t b = 0; b < call_.batch; ++b) {
      const std::int64_t length = call_.lengths != nullptr ? call_.lengths[b] : call_.steps;
      if (step_ >= length) continue;
      const std::int64_t time = spec_.reverse ? length - 1 - step_ : step_;
      const std::int64_t units = b * gates_.padded();
      CellArgs args = {};
      args.x = call_.x + time * call_.x_step + b * call_.x_vector + first_row;
      args.r = r_ + b * gates_.rows() + first_row;
      args.r_bias = call_.r_bias;
      args.peephole = call_.peephole;
      args.peephole_stride = gates_.padded();
      args.clip = spec_.clip;
      args.couple_forget = spec_.couple_forget ? 1 : 0;
      args.h = h_ + units;
      args.c = c_ + units;
      args.update = update_ + units;
      args.reset_h = reset_h_ + units;
      if (defaults_) {
        cells_(kind, &args, tile_begin, tile_end);
      } else {
        any_cells(spec_, kind, args, tile_begin, tile_end);
      }
      if (call_.y != nullptr && kind != kCellGruGates) give(b, time, tile_begin, tile_end);
    }
  }

  void give(std::int64_t b, std::int64_t time, std::int64_t tile_begin, std::int64_t tile_end) {
    const std::int64_t begin = tile_begin * kTileUnits;
    const std::int64_t end = std::min(tile_end * kTileUnits, gates_.hidden);
    std::copy(h_ + b * gates_.padded() + begin, h_ + b * gates_.padded() + end,
              call_.y + time * call_.y_step + b * call_.y_vector + begin);
  }

  void give_last() {
    for (std::int64_t b = 0; b < call_.batch; ++b) {
      const std::int64_t from = b * gates_.padded(), to = b * call_.last_vector;
      if (call_.last_h != nullptr) std::copy_n(h_ + from, gates_.hidden, call_.last_h + to);
      if (call_.last_c != nullptr) std::copy_n(c_ + from, gates_.hidden, call_.last_c + to);
    }
  }

  const RecurrentSpec& spec_;
  const GateTiles& gates_;
  const RecurrentCall& call_;
  RecurrentProduct& product_;
  const bool defaults_ = spec_.default_activations();
  CellFn cells_ = nullptr;
  float *h_ = nullptr, *c_ = nullptr, *update_ = nullptr, *reset_h_ = nullptr;  // [batch][padded]
  float* r_ = nullptr;                                                          // [batch][rows]
  std::int64_t step_ = 0;
};

}  // namespace

std::size_t recurrent_scratch_bytes(const RecurrentSpec& spec, std::int64_t batch) {
  const std::int64_t floats = batch * (4 * spec.gates.padded() + spec.gates.rows());
  return static_cast<std::size_t>(floats) * sizeof(float);
}

Status run_recurrent(const RecurrentSpec& spec, const RecurrentCall& call,
                     RecurrentProduct& product, void* scratch) {
  if (call.batch == 0) return Status::ok();
  return Sequence(spec, call, product).run(scratch);
}

}  // namespace pbatch
