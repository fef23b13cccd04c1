// Inside build_integer_program: what all kinds of nodes use.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "integer/c_writer.h"
#include "integer/integer_builder.h"
#include "integer/integer_product.h"
#include "integer/value_wishes.h"
#include "product/conv_geometry.h"
#include "run/plan.h"

namespace pbatch {

class IntegerBuilder {
 public:
  IntegerBuilder(const Program& program, RunContext& context, const Precision& precision,
                 const Plan& plan)
      : program_(program),
        graph_(program.graph()),
        context_(context),
        precision_(precision),
        plan_(plan),
        producers_(graph_.producers()) {}

  Result<std::shared_ptr<IntegerProgram>> build();

 private:
  using Write = std::function<void(CWriter&, const IntegerNames&)>;

  // What is known of a value of the graph.
  struct Known {
    int made = -1;                 // its value in the program
    std::optional<Interval> seen;  // by its readers, on samples
    std::optional<double> share;   // share_in_use, once asked for
    double clip8 = 0;              // where 8 bits are limited; 0: nowhere
    double octaves = 0;            // the greatest magnitude over the usual one; 0: unknown
    bool probabilities = false;    // its rows sum to 1
    int input = -1;                // the graph input whose elements it has, perhaps moved
  };

  // --- the graph
  Known& known(ValueId id) { return known_[static_cast<std::size_t>(id)]; }
  Wish wish(ValueId id) const { return wishes_[static_cast<std::size_t>(id)]; }
  const Tensor* constant(const Node& node, std::size_t i) const;
  Shape shape_of(ValueId id) const { return plan_.type_of(id)->shape; }
  bool is_float(ValueId id) const { return plan_.type_of(id)->dtype == DType::f32; }
  Status missing(const Node& node, const std::string& why) const;
  /// The node that reads a value first.
  std::string reader_of(ValueId id) const;

  // --- values
  int add_value(ValueId id, const IntegerFormat& format);
  int add_hidden(const std::string& name, const Shape& shape, const IntegerFormat& format);
  int add_constant(const std::string& name, const Shape& shape, const IntegerFormat& format,
                   std::vector<std::int32_t> codes);
  const IntegerFormat& format(int value) const {
    return made_->values_[static_cast<std::size_t>(value)].format;
  }
  /// The value of input i of a node; a constant is made when it is first read.
  Result<int> operand(const Node& node, std::size_t i);
  /// The same within 16 bits, or as a product of `bits` reads it.
  Result<int> operand_of_16(const Node& node, std::size_t i);
  Result<int> operand_as(const Node& node, std::size_t i, const IntegerFormat& wanted);
  double share_in_use(ValueId id);
  Result<int> product_input(const Node& node, std::size_t i, int bits);
  /// v as codes of 8s.
  int in_levels(const std::string& node, int v, double octaves);
  int rescaled(const std::string& node, int from, const IntegerFormat& to);
  /// The format of a result that can be `range`, by what its readers wish.
  IntegerFormat choose(ValueId id, Interval range) const;

  // --- steps
  IntegerStep& add_step(const Node& node, const char* kind, std::vector<int> inputs,
                        std::vector<int> outputs);

  void count_readers();
  Status read_ranges();
  void move_ranges_back();
  Status build_inputs();
  Status build_node(std::size_t n);
  Status build_linear(const Node& node);
  Status build_float_linear(const Node& node);
  Status build_convolution(const Node& node);
  Status build_lookup(const Node& node);
  Status build_recurrent(const Node& node);
  Status build_binary(const Node& node, int kind, bool subtract);
  Status build_divide(const Node& node);
  Status build_unary(std::size_t n);
  Status build_relu(const Node& node);
  Status build_sqrt(const Node& node);
  void find_magnitudes();
  ValueId square_root_of(ValueId v) const;
  Status build_magnitude(const Node& node, ValueId a, ValueId b);
  Status build_movement(std::size_t n);
  Status build_concat(std::size_t n);
  Status build_pool(const Node& node, bool average);
  Status build_reduce(const Node& node);
  Status build_softmax(const Node& node);
  Status build_layer_norm(const Node& node);
  Status build_matmul(const Node& node);
  Result<IntegerWeights> weights_of(const Node& node, std::int64_t begin, std::int64_t end,
                                    const Tensor* floats, bool transposed);
  Result<std::vector<Tensor>> run_node(std::size_t n, std::vector<const Tensor*> inputs);
  Status finish_product(const Node& node, IntegerWeights weights, int x, const Tensor* bias);
  void record(const Node& node, const IntegerProduct& product, const IntegerFormat& x);

  const Program& program_;
  const Graph& graph_;
  RunContext& context_;  // in floats
  const Precision& precision_;
  const Plan& plan_;
  const std::vector<std::int32_t> producers_;
  std::shared_ptr<IntegerProgram> made_;
  std::vector<Known> known_;
  std::vector<Wish> wishes_;
  std::vector<int> readers_;  // of each value: nodes, and the caller
  std::map<std::size_t, std::pair<ValueId, ValueId>> magnitudes_;  // by the node of the root
  std::set<std::size_t> within_magnitudes_;                        // nodes that these stand for
};

/// Whether it is the power of a square.
inline bool is_two(const Tensor* power) {
  return power != nullptr && power->dtype() == DType::f32 && power->size() == 1 &&
         power->data<float>()[0] == 2;
}

/// "v + 120" or "a7": as C names them.
inline std::string call_text(const char* function, const std::string& structure,
                             const IntegerNames& names) {
  std::string text = std::string(function) + "(&" + structure;
  for (const std::string& in : names.in) text += ", " + in;
  for (const std::string& out : names.out) text += ", " + out;
  return text + ")";
}

}  // namespace pbatch
