#include "pbatch/session.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <limits>
#include <thread>

#include "layout/bit_matrix.h"
#include "pbatch/isa.h"
#include "pbatch/quantize.h"
#include "tests/support/forked.h"
#include "tests/support/networks.h"

namespace pbatch {
namespace {

using testing::mlp;
using testing::random_floats;
using testing::temp_path;
using testing::tensor_of;
using testing::write_onnx;

// The network of testing::mlp in doubles, written out.
std::vector<double> naive_mlp(const std::vector<std::int64_t>& sizes, std::vector<double> x) {
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    const auto in = static_cast<std::size_t>(sizes[i]),
               out = static_cast<std::size_t>(sizes[i + 1]);
    const std::vector<float> w = random_floats(in * out, unsigned(i) + 1);
    const std::vector<float> b = random_floats(out, 100 + unsigned(i));
    std::vector<double> y(out);
    for (std::size_t r = 0; r < out; ++r) {
      double sum = b[r];
      for (std::size_t c = 0; c < in; ++c) sum += w[r * in + c] / std::sqrt(double(in)) * x[c];
      y[r] = i + 2 < sizes.size() ? std::max(sum, 0.0) : sum;
    }
    x = std::move(y);
  }
  return x;
}

class SessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = temp_path("net.onnx");
    write_onnx(mlp(sizes_), path_);
  }

  Session load_quantized(int threads = 1) {
    QuantizeOptions quantize;
    quantize.min_elements = 1;
    SessionOptions options;
    options.threads = threads;
    Result<Session> s = Session::quantize_in_memory(path_, quantize, options);
    EXPECT_TRUE(s) << s.status().to_line();
    return std::move(s).value();
  }

  NamedTensor input(std::int64_t batch, unsigned seed = 9) const {
    return {"x", tensor_of({batch, sizes_[0]},
                           random_floats(static_cast<std::size_t>(batch * sizes_[0]), seed))};
  }

  std::vector<std::int64_t> sizes_{70, 96, 33, 5};
  std::string path_;
};

std::vector<float> values(const Result<std::vector<Tensor>>& outputs) {
  EXPECT_TRUE(outputs) << outputs.status().to_line();
  if (!outputs) return {};
  const auto span = (*outputs)[0].span<float>();
  return {span.begin(), span.end()};
}

double error_against(const std::vector<float>& y, const std::vector<double>& want) {
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    error += (y[i] - want[i]) * (y[i] - want[i]);
    norm += want[i] * want[i];
  }
  return std::sqrt(error / norm);
}

TEST_F(SessionTest, FloatNetworkEqualsTheClosedForm) {
  const Result<Session> session = Session::load(path_);
  ASSERT_TRUE(session) << session.status().to_line();
  EXPECT_TRUE(session->layers().empty());
  const NamedTensor x = input(1);
  const auto span = x.tensor.span<float>();
  const auto want = naive_mlp(sizes_, {span.begin(), span.end()});
  for (const FloatBackend backend :
       {FloatBackend::fastest, FloatBackend::onednn, FloatBackend::openblas}) {
    SessionOptions options;
    options.float_backend = backend;
    const Result<Session> s = Session::load(path_, options);
    ASSERT_TRUE(s);
    EXPECT_LT(error_against(values(s->run({&x, 1}, Precision::f32())), want), 1e-5);
  }
}

TEST_F(SessionTest, ErrorFallsWithEveryWidthAndFloatIsRebuilt) {
  const Session session = load_quantized();
  ASSERT_EQ(session.layers().size(), 3u);
  EXPECT_EQ(session.max_weight_bits(), 8);
  const NamedTensor x = input(1);
  const auto span = x.tensor.span<float>();
  const auto want = naive_mlp(sizes_, {span.begin(), span.end()});
  // A quantizer of n bits leaves about 2^-n of the signal in each layer.
  for (int bits = 1; bits <= 8; ++bits) {
    const double error = error_against(values(session.run({&x, 1}, Precision::bits(bits))), want);
    EXPECT_LT(error, 3.5 * std::pow(2.0, -bits)) << bits;
  }
  EXPECT_LT(error_against(values(session.run({&x, 1}, Precision::f32())), want), 0.014);
}

TEST_F(SessionTest, BatchAndThreadsDoNotChangeABit) {
  const NamedTensor x = input(5);
  const Session one = load_quantized(1);
  for (const int bits : {1, 3, 8}) {
    for (const int abits : {8, 16, 32}) {
      const Precision p = Precision::bits(bits, abits);
      const std::vector<float> whole = values(one.run({&x, 1}, p));
      for (const int threads : {2, 3}) {
        EXPECT_EQ(values(load_quantized(threads).run({&x, 1}, p)), whole);
      }
      for (std::size_t i = 0; i < 5; ++i) {
        const float* row = x.tensor.data<float>() + i * 70;
        const NamedTensor single{"x", tensor_of({1, 70}, {row, row + 70})};
        const std::vector<float> y = values(one.run({&single, 1}, p));
        EXPECT_EQ(0, std::memcmp(y.data(), whole.data() + i * 5, 5 * sizeof(float)));
      }
    }
  }
}

TEST_F(SessionTest, ThreadsMayRunDifferentPrecisionsAtOnce) {
  const Session session = load_quantized(2);
  const NamedTensor x = input(3);
  std::vector<std::vector<float>> want;
  {
    const Session serial = load_quantized(1);
    for (int bits = 1; bits <= 8; ++bits) {
      want.push_back(values(serial.run({&x, 1}, Precision::bits(bits))));
    }
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int repeat = 0; repeat < 20; ++repeat) {
        const int bits = 1 + (t * 3 + repeat) % 8;
        EXPECT_EQ(values(session.run({&x, 1}, Precision::bits(bits))),
                  want[static_cast<std::size_t>(bits - 1)]);
      }
    });
  }
  for (auto& t : threads) t.join();
}

TEST_F(SessionTest, LayersMayDiffer) {
  const Session session = load_quantized();
  const NamedTensor x = input(1);
  const auto span = x.tensor.span<float>();
  const auto want = naive_mlp(sizes_, {span.begin(), span.end()});
  Precision mixed = Precision::bits(2);
  const double low = error_against(values(session.run({&x, 1}, mixed)), want);
  for (const char* name : {"fc0", "fc1", "fc2"}) mixed.layers[name] = {8, 16};
  EXPECT_EQ(values(session.run({&x, 1}, mixed)), values(session.run({&x, 1}, Precision::bits(8))));
  EXPECT_GT(low, 0.05);
  mixed.layers["nosuch"] = {8, 16};
  EXPECT_EQ(session.run({&x, 1}, mixed).status().code(), ErrorCode::not_found);
}

TEST_F(SessionTest, PlanNamesKernelsAndBytesGrowWithBits) {
  const Session session = load_quantized();
  const auto plan = session.plan(Precision::bits(4));
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->size(), 3u);
  EXPECT_NE((*plan)[0].kernel, "float");
  EXPECT_EQ((*plan)[0].rows, 96);
  EXPECT_EQ((*plan)[0].cols, 70);
  EXPECT_LT(*session.weight_bytes(Precision::bits(1)), *session.weight_bytes(Precision::bits(2)));
  EXPECT_LT(*session.weight_bytes(Precision::bits(2)), *session.weight_bytes(Precision::bits(8)));
  EXPECT_LT(*session.weight_bytes(Precision::bits(8)), *session.weight_bytes(Precision::f32()));
}

TEST_F(SessionTest, CostsChooseTheKernelAndNothingElse) {
  const std::string table = temp_path("costs.txt");
  const auto load = [&](const std::string& costs) {
    QuantizeOptions quantize;
    quantize.min_elements = 1;
    return Session::quantize_in_memory(path_, quantize, {.threads = 1, .kernel_costs = costs});
  };
  const std::string head = "pbatch kernel costs, format 1\nisa " + *active_isa() + "\ndate 1 May\n";
  const NamedTensor x = input(2);
  std::vector<std::vector<float>> answers;
  for (const std::string kernel : {"popcnt_generic", "words_generic"}) {
    std::ofstream(table) << head << kernel << " 1024x1024 16 1 1 1 1 1 1 1 1 1\n";
    const Result<Session> session = load(table);
    ASSERT_TRUE(session) << session.status().to_line();
    EXPECT_EQ(session->kernel_costs(), "tuned on 1 May");
    const auto plan = session->plan(Precision::bits(3));
    ASSERT_TRUE(plan);
    for (const PlanStep& step : *plan) EXPECT_EQ(step.kernel, kernel);
    answers.push_back(values(session->run({&x, 1}, Precision::bits(3))));
  }
  EXPECT_EQ(answers[0], answers[1]);
  EXPECT_EQ(load("builtin")->kernel_costs(), "built-in");
  std::ofstream(table) << head << "words_generic 1024x1024 16 1 1 1 1 1 1 1 1 nan\n";
  EXPECT_EQ(load(table).status().code(), ErrorCode::malformed);
  EXPECT_EQ(load(table).status().file(), table);
  EXPECT_EQ(load(temp_path("nosuch")).status().code(), ErrorCode::io);
  const Result<Session> floats = Session::load(path_, {.threads = 1, .kernel_costs = table});
  ASSERT_TRUE(floats);  // no bit-layers, no kernels to choose
  EXPECT_EQ(floats->kernel_costs(), "");
}

TEST_F(SessionTest, RefusesWhatCannotBeRun) {
  const Session session = load_quantized();
  const NamedTensor x = input(1);
  const auto code = [&](const NamedTensor& in, const Precision& p) {
    return session.run({&in, 1}, p).status().code();
  };
  EXPECT_EQ(code(x, Precision::bits(0)), ErrorCode::invalid_argument);
  EXPECT_EQ(code(x, Precision::bits(17)), ErrorCode::invalid_argument);
  EXPECT_EQ(code(x, Precision::bits(4, 12)), ErrorCode::invalid_argument);
  EXPECT_EQ(code(x, Precision::bits(9)), ErrorCode::precision_unavailable);
  EXPECT_EQ(code({"z", x.tensor}, Precision::bits(4)), ErrorCode::invalid_argument);
  EXPECT_EQ(code({"x", x.tensor.reshaped({70, 1})}, Precision::bits(4)), ErrorCode::shape_mismatch);
  EXPECT_EQ(code({"x", *Tensor::create(DType::i64, {1, 70})}, Precision::bits(4)),
            ErrorCode::invalid_argument);
  EXPECT_EQ(session.run({}, Precision::bits(4)).status().code(), ErrorCode::invalid_argument);
  const NamedTensor twice[] = {x, x};
  EXPECT_EQ(session.run(twice, Precision::bits(4)).status().code(), ErrorCode::invalid_argument);
}

TEST_F(SessionTest, NotFiniteInputNamesTheNode) {
  const Session session = load_quantized();
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> v = random_floats(70, 1);
    v[69] = bad;
    const NamedTensor x{"x", tensor_of({1, 70}, v)};
    const Status s = session.run({&x, 1}, Precision::bits(4)).status();
    EXPECT_EQ(s.code(), ErrorCode::not_finite);
    EXPECT_EQ(s.node(), "fc0");
  }
}

TEST_F(SessionTest, EmptyBatchGivesAnEmptyResult) {
  const NamedTensor x{"x", tensor_of({0, 70}, {})};
  const auto y = load_quantized().run({&x, 1}, Precision::bits(4));
  ASSERT_TRUE(y) << y.status().to_line();
  EXPECT_EQ((*y)[0].shape(), (Shape{0, 5}));
}

TEST_F(SessionTest, MissingFileIsOneClearError) {
  const Result<Session> s = Session::load(path_ + ".nothere");
  ASSERT_FALSE(s);
  EXPECT_NE(s.status().to_line().find(".nothere"), std::string::npos);
}

TEST_F(SessionTest, SessionsShareOnePool) {
  QuantizeOptions quantize;
  quantize.min_elements = 1;
  SessionOptions options;
  const auto pool = make_thread_pool({.threads = 3});
  ASSERT_TRUE(pool) << pool.status().to_line();
  options.pool = *pool;
  std::vector<Session> sessions;
  for (int i = 0; i < 2; ++i) {
    Result<Session> s = Session::quantize_in_memory(path_, quantize, options);
    ASSERT_TRUE(s) << s.status().to_line();
    EXPECT_EQ(s->threads(), 3);
    sessions.push_back(std::move(s).value());
  }
  Result<Session> flt = Session::load(path_, options);
  ASSERT_TRUE(flt) << flt.status().to_line();
  sessions.push_back(std::move(flt).value());

  const Session alone = load_quantized();
  std::vector<std::vector<float>> want(9), float_answers(2);
  for (int bits = 1; bits <= 8; ++bits) {
    want[bits] = values(alone.run({{input(200)}}, Precision::bits(bits)));
  }
  std::vector<std::thread> callers;
  for (int t = 0; t < 6; ++t) {
    callers.emplace_back([&, t] {
      for (int bits = 1; bits <= 8; ++bits) {
        const Session& session = sessions[static_cast<std::size_t>((t + bits) % 2)];
        EXPECT_EQ(values(session.run({{input(200)}}, Precision::bits(bits))), want[bits]);
      }
      if (t < 2) float_answers[t] = values(sessions[2].run({{input(1)}}, Precision::f32()));
    });
  }
  for (std::thread& c : callers) c.join();
  const std::vector<float> x = random_floats(static_cast<std::size_t>(sizes_[0]), 9);
  for (const auto& y : float_answers) {
    EXPECT_LT(error_against(y, naive_mlp(sizes_, {x.begin(), x.end()})), 1e-5);
  }
}

TEST_F(SessionTest, ThreadsThatCannotBeAreRefused) {
  const auto refused = [&](const SessionOptions& options, const char* part) {
    const Result<Session> s = Session::load(path_, options);
    ASSERT_FALSE(s);
    EXPECT_EQ(s.status().code(), ErrorCode::invalid_argument);
    EXPECT_NE(s.status().to_line().find(part), std::string::npos) << s.status().to_line();
  };
  const auto pool = make_thread_pool({.threads = 1});
  ASSERT_TRUE(pool) << pool.status().to_line();
  refused({.threads = 1, .pool = *pool}, "shares a pool");
  refused({.cpus = {0}, .pool = *pool}, "shares a pool");
  refused({.threads = -2}, "-2 threads");
  refused({.threads = 1, .cpus = {1 << 20}}, "CPU 1048576");
}

TEST_F(SessionTest, RunsInAForkedProcess) {
  PBATCH_SKIP_FORKS();
  const Session session = load_quantized(2);
  const NamedTensor x = input(70);
  const std::vector<float> expected = values(session.run({&x, 1}, Precision::bits(4)));
  EXPECT_EQ(testing::in_a_fork([&] {
              std::vector<std::thread> threads;
              std::atomic<int> right{0};
              for (int t = 0; t < 3; ++t) {
                threads.emplace_back([&] {
                  right += values(session.run({&x, 1}, Precision::bits(4))) == expected;
                });
              }
              for (std::thread& thread : threads) thread.join();
              return right == 3;
            }),
            "");
}

// The child cannot know what the other thread left half done.
TEST_F(SessionTest, IsRefusedInAForkIfAnotherThreadWasRunningIt) {
  PBATCH_SKIP_FORKS();
  const Session session = load_quantized(1);
  const NamedTensor x = input(3000);
  std::atomic<bool> stop{false}, running{false};
  std::thread other([&] {
    while (!stop) {
      running = true;
      EXPECT_TRUE(session.run({&x, 1}, Precision::bits(4)));
    }
  });
  while (!running) std::this_thread::yield();
  std::string in_child;
  for (int tries = 0; tries < 1000 && in_child.empty(); ++tries) {  // nearly always the first
    in_child = testing::in_a_fork([&] {
      const Result<std::vector<Tensor>> made = session.run({&x, 1}, Precision::bits(4));
      return made.is_ok() || made.status().message().find("forked") == std::string::npos;
    });
  }
  stop = true;
  other.join();
  EXPECT_EQ(in_child, "wrong");  // the error was there
}

TEST_F(SessionTest, ProfilesEveryStepOfARun) {
  const Session session = load_quantized();
  const NamedTensor x = input(3);
  const auto steps = session.profile({&x, 1}, Precision::bits(4, 8), 1);
  ASSERT_TRUE(steps) << steps.status().to_line();
  const auto plan = session.plan(Precision::bits(4, 8), std::vector<InputShape>{{"x", {3, 70}}});
  ASSERT_TRUE(plan);
  ASSERT_EQ(steps->size(), plan->size());
  for (std::size_t i = 0; i < steps->size(); ++i) {
    const StepTime& step = (*steps)[i];
    EXPECT_EQ(step.node, (*plan)[i].node);
    EXPECT_EQ(step.kernel, (*plan)[i].kernel);
    EXPECT_EQ(step.weight_bytes, (*plan)[i].weight_bytes);
    EXPECT_EQ(step.predicted_us, (*plan)[i].predicted_us);
    EXPECT_GT(step.predicted_us, 0);
    EXPECT_GT(step.quantize_us, 0);
    EXPECT_GT(step.product_us, 0);
    EXPECT_GT(step.epilogue_us, 0);
    // One thread: parts of the whole.
    EXPECT_LE(step.quantize_us + step.product_us + step.epilogue_us, step.us * 1.001);
  }
  EXPECT_EQ(session.profile({&x, 1}, Precision::bits(4), 0).status().code(),
            ErrorCode::invalid_argument);
  const NamedTensor wrong{"x", tensor_of({2, 3}, random_floats(6, 1))};
  EXPECT_EQ(session.profile({&wrong, 1}, Precision::bits(4)).status().code(),
            ErrorCode::shape_mismatch);
}

}  // namespace
}  // namespace pbatch
