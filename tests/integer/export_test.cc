// The exported C gives the bits of the library, compiled for this machine and for others that can
// be emulated here; what is not installed is named.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "pbatch/quantize.h"
#include "pbatch/session.h"
#include "tests/support/recurrent.h"
#include "tests/support/spectrum.h"

namespace pbatch::testing {
namespace {

struct Target {
  const char* name;
  const char* compiler;
  const char* flags;
  const char* emulator;   // program and options; empty: none
  const char* link = "";  // flags besides
};

// A core without a system: where memory is, what runs first, and how main's result leaves by
// semihosting. QEMU's board mps2-an386.
constexpr const char* kMemory =
    "MEMORY { code : ORIGIN = 0, LENGTH = 4M  data : ORIGIN = 0x20000000, LENGTH = 4M }\n"
    "SECTIONS { .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) } > code\n"
    "  .ARM.exidx : { *(.ARM.exidx*) } > code\n"
    "  .data : { *(.data*) } > data  .bss : { *(.bss*) *(COMMON) } > data }\n";
constexpr const char* kStart =
    "int main(void);\n"
    "void start(void) {\n"
    "  volatile unsigned block[2] = {0x20026, 0};\n"
    "  register unsigned r0 __asm__(\"r0\");\n"
    "  register volatile unsigned* r1 __asm__(\"r1\");\n"
    "  block[1] = (unsigned)main();\n"
    "  r0 = 0x20;\n  r1 = block;\n"
    "  __asm__ volatile(\"bkpt 0xab\" : : \"r\"(r0), \"r\"(r1) : \"memory\");\n"
    "  for (;;) {}\n}\n"
    "__attribute__((section(\".vectors\"), used)) static const void* const vectors[2] = {\n"
    "  (const void*)0x20400000, (const void*)start};\n";

constexpr Target kTargets[] = {
    {"this machine", "cc", "-O2 -fno-strict-aliasing -std=c99 -Wall -Wextra -Wpedantic -Werror",
     ""},
    {"Cortex-M4", "arm-none-eabi-gcc",
     "-O2 -fno-strict-aliasing -std=gnu99 -mcpu=cortex-m4 -mthumb",
     "qemu-system-arm -M mps2-an386 -semihosting -nographic -kernel",
     "-nostartfiles -T memory.ld start.c"},
    {"RISC-V", "riscv64-linux-gnu-gcc", "-O2 -fno-strict-aliasing -std=c99 -static",
     "qemu-riscv64"},
    {"ARM, 64 bits", "aarch64-linux-gnu-gcc", "-O2 -fno-strict-aliasing -std=c99 -static",
     "qemu-aarch64"},
    {"PowerPC, big-endian", "powerpc64-linux-gnu-gcc", "-O2 -fno-strict-aliasing -std=c99 -static",
     "qemu-ppc64"},
    {"s390x, big-endian", "s390x-linux-gnu-gcc", "-O2 -fno-strict-aliasing -std=c99 -static",
     "qemu-s390x"},
};

bool installed(const std::string& command) {
  const std::string program = command.substr(0, command.find(' '));
  return std::system(("command -v " + program + " > /dev/null 2>&1").c_str()) == 0;
}

void compare(const Graph& graph, const Precision& precision, const std::vector<InputShape>& shapes,
             const std::vector<Sample>& samples = {}) {
  const std::string path = temp_path("net.onnx");
  write_onnx(graph, path);
  QuantizeOptions options;
  options.min_elements = 64;
  options.scheme = Scheme::plain;
  options.input_ranges = {{"x", -4, 4}};
  options.samples = samples;
  const auto session = Session::quantize_in_memory(path, options, {.threads = 1});
  ASSERT_TRUE(session) << session.status().to_line();
  const auto sources = session->export_c("net", precision, shapes);
  ASSERT_TRUE(sources) << sources.status().to_line();
  const TempFolder folder;
  for (const SourceFile& source : *sources) {
    std::ofstream(folder.path() / source.name, std::ios::binary) << source.text;
    if (source.name == "net.c" || source.name == "pbatch_steps.h") {
      for (const char* word : {"float", "double", "malloc", "stdlib"}) {
        // Comments of the steps may say the words.
        const std::size_t at = source.text.find(std::string(word) + " ");
        if (at == std::string::npos) continue;
        const std::size_t line = source.text.rfind('\n', at) + 1;
        EXPECT_NE(source.text.find_first_of("/*", line), std::string::npos);
      }
    }
  }
  std::ofstream(folder.path() / "memory.ld") << kMemory;
  std::ofstream(folder.path() / "start.c") << kStart;
  for (const Target& target : kTargets) {
    const bool runs = target.emulator[0] == '\0' || installed(target.emulator);
    if (!installed(target.compiler) || !runs) {
      std::printf("%s: skipped: %s or its emulator is not installed\n", target.name,
                  target.compiler);
      continue;
    }
    const std::string make = "make -s -C '" + folder.path().string() +
                             "' clean test CC=" + target.compiler + " CFLAGS='" + target.flags +
                             "' LDFLAGS='" + target.link + "' RUN='" + target.emulator + "' 1>&2";
    EXPECT_EQ(std::system(make.c_str()), 0) << target.name;
  }
}

TEST(ExportC, FullyConnected) { compare(mlp({40, 64, 32, 10}), Precision::integer(4, 8), {}); }

TEST(ExportC, Lstm) {
  const RecurrentCase c{.direction = "bidirectional", .peepholes = true, .lengths = {5, 2, 0}};
  compare(recurrent_graph(c, random_tensors(c)), Precision::integer(3, 16),
          {{"x", {5, 3, 7}}, {"lengths", {3}}, {"h0", {2, 3, 20}}, {"c0", {2, 3, 20}}});
}

TEST(ExportC, Gru) {
  const RecurrentCase c{.cell = "GRU"};
  compare(recurrent_graph(c, random_tensors(c)), Precision::integer(8, 8),
          {{"x", {5, 3, 7}}, {"h0", {1, 3, 20}}});
}

TEST(ExportC, MagnitudesAndCodesThatSpanDecades) {
  compare(spectrum(), Precision::integer(8, kActivations8s), {{"x", {1, 1, 96}}},
          {{"x", quiet_and_loud(40), false}});
}

TEST(ExportC, RefusesNamesThatAreNone) {
  const std::string path = temp_path("net.onnx");
  write_onnx(mlp({40, 64, 10}), path);
  const auto session = Session::quantize_in_memory(path, {.min_elements = 64}, {.threads = 1});
  ASSERT_TRUE(session);
  for (const char* name : {"", "2a", "a b", "a-b", "\xc3\xa4"}) {
    EXPECT_EQ(session->export_c(name, Precision::integer(4, 8)).status().code(),
              ErrorCode::invalid_argument);
  }
}

}  // namespace
}  // namespace pbatch::testing
