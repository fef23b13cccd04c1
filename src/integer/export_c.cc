#include "integer/export_c.h"

#include <cctype>
#include <cstdio>
#include <random>
#include <set>

#include "integer/c_writer.h"

namespace pbatch {
namespace {

// The steps as they are compiled here: the files of src/kernel, joined.
const char* const kStepSources[] = {
#include "integer/step_sources.inc"
};

constexpr int kTestRuns = 3;

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", x);
  return text;
}

// Without what the library alone needs.
std::string step_header() {
  std::string text =
      "/* The steps of integer networks, as libpbatch computes them. Apache-2.0. */\n"
      "#ifndef PBATCH_STEPS_H\n#define PBATCH_STEPS_H\n";
  for (const std::string source : kStepSources) {
    std::size_t begin = 0;
    while (begin < source.size()) {
      std::size_t end = source.find('\n', begin);
      if (end == std::string::npos) end = source.size();
      const std::string line = source.substr(begin, end - begin);
      begin = end + 1;
      if (line.rfind("#pragma once", 0) == 0 || line.rfind("#include \"", 0) == 0) continue;
      text += line.rfind("// ", 0) == 0 ? "/* " + line.substr(3) + " */\n" : line + "\n";
    }
  }
  return text + "#endif\n";
}

class CProgram {
 public:
  CProgram(const IntegerProgram& program, const std::string& name)
      : program_(program), name_(name) {
    for (const int v : program.inputs()) parameters_.push_back(parameter("in_", v));
    for (const int v : program.outputs()) parameters_.push_back(parameter("out_", v));
  }

  std::string header() const {
    const std::string guard = upper(name_) + "_H";
    return "#ifndef " + guard + "\n#define " + guard + "\n#include <stdint.h>\n\n" +
           "/* Codes are int32_t; a number is code * scale. Indices are themselves. Not for "
           "several "
           "threads\n * at once: " +
           name_ + "_run has memory of its own. */\n" + ports(program_.inputs(), 0) +
           ports(program_.outputs(), program_.inputs().size()) + "\n" + prototype() +
           ";\n\n#endif\n";
  }

  std::string source() {
    for (const IntegerStep& step : program_.steps()) {
      IntegerNames names;
      for (const int v : step.inputs) names.in.push_back(operand(v));
      for (const int v : step.outputs) names.out.push_back(operand(v));
      writer_.call("/* " + comment(step.node) + ": " + step.kind + " */");
      step.write(writer_, names);
    }
    std::string copies_in, copies_out;
    std::size_t p = 0;
    for (const int v : program_.inputs()) {
      copies_in += "  memcpy(" + operand(v) + ", " + parameters_[p++] + ", " + bytes(v) + ");\n";
    }
    std::string calls = writer_.calls();
    for (const int v : program_.outputs()) {
      const std::string from = operand(v);  // may declare a constant
      copies_out += "  memcpy(" + parameters_[p++] + ", " + from + ", " + bytes(v) + ");\n";
    }
    const std::int64_t words = (program_.scratch_bytes() + 7) / 8;
    return "#include \"" + name_ + ".h\"\n#include \"pbatch_steps.h\"\n\n" +
           writer_.declarations() + "\nstatic int32_t v[" +
           std::to_string(std::max<std::int64_t>(1, program_.memory_codes())) +
           "];\nstatic int64_t scratch_memory[" + std::to_string(std::max<std::int64_t>(1, words)) +
           "];\n\n" + prototype() +
           " {\n  void* const scratch = scratch_memory;\n  (void)scratch;\n" + copies_in + calls +
           copies_out + "}\n";
  }

  std::string test(const std::vector<std::vector<std::vector<std::int32_t>>>& inputs,
                   const std::vector<std::vector<std::vector<std::int32_t>>>& outputs) const {
    std::string text =
        "/* Exit code: 0 if all bits are those of the library, else the first output "
        "that differs, from 1. */\n#include \"" +
        name_ + ".h\"\n\n";
    std::string main = "int main(void) {\n  int32_t i;\n";
    for (std::size_t run = 0; run < inputs.size(); ++run) {
      std::string call = "  " + name_ + "_run(", checks;
      for (std::size_t i = 0; i < inputs[run].size(); ++i) {
        const std::string array = "x" + std::to_string(run) + "_" + std::to_string(i);
        text += "static const int32_t " + array + "[] = {\n" +
                joined_numbers(inputs[run][i].data(), inputs[run][i].size()) + "};\n";
        call += (i == 0 ? "" : ", ") + array;
      }
      for (std::size_t o = 0; o < outputs[run].size(); ++o) {
        const std::string array = "y" + std::to_string(run) + "_" + std::to_string(o);
        const std::string count = std::to_string(outputs[run][o].size());
        text += "static const int32_t " + array + "[] = {\n" +
                joined_numbers(outputs[run][o].data(), outputs[run][o].size()) + "};\n";
        if (run == 0) text += "static int32_t made" + std::to_string(o) + "[" + count + "];\n";
        call += (call.back() == '(' ? "" : ", ") + ("made" + std::to_string(o));
        checks += "  for (i = 0; i < " + count + "; ++i) {\n    if (made" + std::to_string(o) +
                  "[i] != " + array + "[i]) return " + std::to_string(o + 1) + ";\n  }\n";
      }
      main += call + ");\n" + checks;
    }
    return text + "\n" + main + "  return 0;\n}\n";
  }

  std::string makefile() const {
    return "# Scratch memory holds numbers of several types, one after the other.\n"
           "CFLAGS ?= -O2 -std=c99 -Wall -Wextra -fno-strict-aliasing\n\nall: " +
           name_ + ".o\n\ntest: " + name_ + "_test\n\t$(RUN) ./" + name_ + "_test\n\n" + name_ +
           "_test: " + name_ + "_test.o " + name_ +
           ".o\n\t$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^\n\n" + name_ + ".o: " + name_ + ".c " +
           name_ + ".h pbatch_steps.h\n" + name_ + "_test.o: " + name_ + "_test.c " + name_ +
           ".h\n\nclean:\n\trm -f *.o " + name_ + "_test\n\n.PHONY: all test clean\n";
  }

 private:
  static std::string upper(std::string text) {
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return text;
  }
  // Names of a network as comments and identifiers.
  static std::string comment(std::string text) {
    for (char& c : text) {
      if (c == '*' || c == '/' || c == '\\' || static_cast<unsigned char>(c) < 32) c = '.';
    }
    return text;
  }
  std::string parameter(const char* prefix, int value) {
    std::string text = prefix + program_.values()[static_cast<std::size_t>(value)].name;
    for (char& c : text) {
      if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
    }
    while (!taken_.insert(text).second) text += "_";
    return text;
  }
  std::string bytes(int value) const {
    return std::to_string(4 * program_.values()[static_cast<std::size_t>(value)].count);
  }
  std::string operand(int value) {
    if (value < 0) return "0";
    const IntegerValue& v = program_.values()[static_cast<std::size_t>(value)];
    if (v.constant != nullptr) return writer_.array(*v.constant);
    return "(v + " + std::to_string(v.place) + ")";
  }
  std::string ports(const std::vector<int>& values, std::size_t first) const {
    std::string text;
    for (const int value : values) {
      const IntegerValue& v = program_.values()[static_cast<std::size_t>(value)];
      const std::string macro = upper(name_ + "_" + parameters_[first++]);
      text += "/* " + comment(v.name) + " " + shape_to_string(v.shape) + " */\n#define " + macro +
              "_COUNT " + std::to_string(v.count) + "\n";
      if (v.format.is_index()) continue;
      text += "#define " + macro + "_SCALE " + number(v.format.scale) + "\n#define " + macro +
              "_LEAST (" + std::to_string(v.format.lo) + ")\n#define " + macro + "_GREATEST " +
              std::to_string(v.format.hi) + "\n";
    }
    return text;
  }
  std::string prototype() const {
    std::string text = "void " + name_ + "_run(";
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      text += (i == 0 ? "" : ", ") +
              std::string(i < program_.inputs().size() ? "const int32_t* " : "int32_t* ") +
              parameters_[i];
    }
    return text + ")";
  }

  const IntegerProgram& program_;
  const std::string name_;
  CWriter writer_;
  std::set<std::string> taken_;
  std::vector<std::string> parameters_;
};

}  // namespace

Result<std::vector<SourceFile>> export_c(const IntegerProgram& program, const std::string& name,
                                         BufferPool& buffers) {
  std::mt19937_64 random(1);
  std::vector<std::vector<std::vector<std::int32_t>>> inputs, outputs;
  for (int run = 0; run < kTestRuns; ++run) {
    inputs.push_back(program.random_codes(random));
    PBATCH_ASSIGN_OR_RETURN(auto made, program.run_codes(inputs.back(), buffers));
    outputs.push_back(std::move(made));
  }
  CProgram c(program, name);
  std::vector<SourceFile> files;
  files.push_back({name + ".c", c.source()});
  files.push_back({name + ".h", c.header()});
  files.push_back({"pbatch_steps.h", step_header()});
  files.push_back({name + "_test.c", c.test(inputs, outputs)});
  files.push_back({"Makefile", c.makefile()});
  return files;
}

}  // namespace pbatch
