// Files of earlier programs, part of the tests: what a newer one must read (docs/promises.md).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "pbatch/session.h"

namespace pbatch {
namespace {

std::vector<float> numbers_of_line(std::istream& file) {
  std::string line;
  std::getline(file, line);
  std::istringstream words(line);
  std::vector<float> numbers;
  for (float number = 0; words >> number;) numbers.push_back(number);
  return numbers;
}

// The answers are those of files/expected.py.
TEST(FormatVersion, FilesOfVersionOneGiveTheSameAnswers) {
  const Result<Session> session = Session::load("tests/api/files/version_1.onnx");
  ASSERT_TRUE(session) << session.status().to_line();
  std::ifstream expected("tests/api/files/version_1.txt");
  const std::vector<float> x = numbers_of_line(expected);
  ASSERT_EQ(x.size(), 70U);
  const Result<Tensor> input = Tensor::from_floats({1, 70}, x);
  ASSERT_TRUE(input);
  const std::vector<NamedTensor> inputs{{"x", *input}};
  for (int bits = 1; bits <= 8; ++bits) {
    const std::vector<float> wanted = numbers_of_line(expected);
    ASSERT_EQ(wanted.size(), 20U);
    const auto outputs = session->run(inputs, Precision::bits(bits, 16));
    ASSERT_TRUE(outputs) << outputs.status().to_line();
    const Tensor& y = outputs->front();
    ASSERT_EQ(y.shape(), (Shape{1, 20}));
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_NEAR(y.data<float>()[i], wanted[i], 2e-3) << bits << " bits, output " << i;
    }
  }
}

}  // namespace
}  // namespace pbatch
