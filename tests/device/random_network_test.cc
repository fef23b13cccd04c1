// Random networks on the emulated device: the bits of the CPU, whatever lies beside what in memory.
#include "tests/device/random_network.h"

#include <gtest/gtest.h>

#include "tests/device/both.h"
#include "tests/kernel/time_box.h"

namespace pbatch {
namespace {

using testing::OnBoth;
using testing::RandomNetwork;

int any_of(std::mt19937_64& rng, std::initializer_list<int> choices) {
  return choices.begin()[rng() % choices.size()];
}

Precision random_precision(std::mt19937_64& rng, int planes, const RandomNetwork& network) {
  const auto layer = [&]() -> LayerPrecision {
    return {1 + static_cast<int>(rng() % static_cast<unsigned>(planes)), any_of(rng, {8, 16, 32})};
  };
  Precision precision{layer(), {}};
  for (const std::string& name : network.layers()) {
    if (rng() % 4 == 0) precision.layers[name] = layer();
  }
  return precision;
}

void compare(OnBoth& both, const RandomNetwork& network, const std::vector<Tensor>& inputs,
             const Precision& precision) {
  const auto want = both.on_host(inputs, precision), got = both.on_device(inputs, precision);
  ASSERT_TRUE(want) << want.status().to_line();
  ASSERT_TRUE(got) << got.status().to_line();
  ASSERT_EQ(got->size(), want->size());
  for (std::size_t i = 0; i < want->size(); ++i) {
    const Tensor &g = (*got)[i], &w = (*want)[i];
    if (network.is_exact(i)) {
      ASSERT_TRUE(testing::same_bits(g, w)) << "output " << i;
    } else {
      testing::expect_near(g, w.shape(), testing::values_of(w), 2e-5F);
    }
  }
}

TEST(DeviceRandomNetwork, HasTheBitsOfTheCpu) {
  std::mt19937_64 rng(testing::kSeed);
  int round = 0;
  for (testing::TimeBox box(25); box.next(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    RandomNetwork network(rng, 2 + static_cast<int>(rng() % 12));
    QuantizeOptions options;
    options.planes = any_of(rng, {1, 4, 8, 12, 16});
    options.group = any_of(rng, {kAutoGroup, 0, 32, 64, 128});
    options.min_elements = 1;
    OnBoth both(network.graph(), options, any_of(rng, {80, 100}));
    ASSERT_TRUE(both.refusal()) << both.refusal().to_line();
    // The second and third time the first run lies between.
    const std::vector<Tensor> first = network.inputs(any_of(rng, {1, 2, 7}));
    const std::vector<Tensor> second = network.inputs(any_of(rng, {3, 8, 9, 17}));
    const Precision p = random_precision(rng, options.planes, network);
    compare(both, network, first, p);
    compare(both, network, second, random_precision(rng, options.planes, network));
    compare(both, network, first, p);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace pbatch
