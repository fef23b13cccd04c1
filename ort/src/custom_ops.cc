#include "custom_ops.h"

#include <string>
#include <string_view>

#include "graph/bit_operators.h"
#include "graph/graph.h"
#include "guard.h"

namespace pbatch::ort {
namespace {

// Inputs: F is float32, ? of any type. These may be absent: f float32, i int32, b uint8, - any
// type. Behind those of an operator of bit-layers stand the matrix's.
struct Operator {
  const char* name;
  std::string_view inputs;
  std::size_t outputs = 1;  ///< float32; if there are several, each may be absent
};

constexpr Operator kOperators[] = {
    {"AttentionMask", "FF-f"},
    {"BitConv", "Ff"},
    {"BitGather", "?"},
    {"BitLinear", "Ff"},
    {"BitRecurrent", "Ffifff", 3},
    {"Conv", "FFf"},
    {"Linear", "FFf"},
    {"Recurrent", "FFfifff", 3},
    {"SplitHeads", "F"},
    {"SwapLast", "F"},
};

// Row scale, codebook, group codes, up to 16 planes, places and values of outliers.
constexpr std::string_view kMatrixInputs = "fbbbbbbbbbbbbbbbbbbif";
static_assert(kMatrixInputs.size() == 3 + 16 + 2);

/// An operator of docs/model-file.md, or one that its float parts are made of.
struct Signature : OrtCustomOp {
  explicit Signature(const Operator& of);

  char input(std::size_t i) const {
    return i < op.inputs.size() ? op.inputs[i] : kMatrixInputs[i - op.inputs.size()];
  }

  const Operator& op;
};

const Signature& self(const OrtCustomOp* op) { return *static_cast<const Signature*>(op); }

ONNXTensorElementDataType element_type(char input) {
  switch (input) {
    case 'F':
    case 'f':
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    case 'i':
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    case 'b':
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
    default:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  }
}

OrtStatus* ORT_API_CALL refuse(const OrtCustomOp* op, const OrtApi*, const OrtKernelInfo*,
                               void** kernel) noexcept {
  *kernel = nullptr;
  return guarded([&] {
    return Status(
        ErrorCode::unsupported,
        std::string("operator ") + self(op).op.name + " runs in " + kProviderName + " only",
        "add its device to the session options (add_provider_for_devices, or "
        "pbatch.ort.register(options))");
  });
}

Signature::Signature(const Operator& of) : OrtCustomOp{}, op(of) {
  version = kApiVersion;
  CreateKernelV2 = refuse;
  KernelComputeV2 = [](void*, OrtKernelContext*) noexcept -> OrtStatusPtr { return nullptr; };
  KernelDestroy = [](void*) noexcept {};
  GetName = [](const OrtCustomOp* op_) noexcept { return self(op_).op.name; };
  GetExecutionProviderType = [](const OrtCustomOp*) noexcept -> const char* { return nullptr; };
  GetInputTypeCount = [](const OrtCustomOp* op_) noexcept {
    const Operator& of_ = self(op_).op;
    return of_.inputs.size() + (find_bit_operator(of_.name) ? kMatrixInputs.size() : 0);
  };
  GetInputType = [](const OrtCustomOp* op_, std::size_t i) noexcept {
    return element_type(self(op_).input(i));
  };
  GetInputCharacteristic = [](const OrtCustomOp* op_, std::size_t i) noexcept {
    const char input = self(op_).input(i);
    return input == 'F' || input == '?' ? INPUT_OUTPUT_REQUIRED : INPUT_OUTPUT_OPTIONAL;
  };
  GetInputMemoryType = [](const OrtCustomOp*, std::size_t) noexcept { return OrtMemTypeDefault; };
  GetOutputTypeCount = [](const OrtCustomOp* op_) noexcept { return self(op_).op.outputs; };
  GetOutputType = [](const OrtCustomOp*, std::size_t) noexcept {
    return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  };
  GetOutputCharacteristic = [](const OrtCustomOp* op_, std::size_t) noexcept {
    return self(op_).op.outputs > 1 ? INPUT_OUTPUT_OPTIONAL : INPUT_OUTPUT_REQUIRED;
  };
  GetStartVersion = [](const OrtCustomOp*) noexcept { return 1; };
  GetEndVersion = [](const OrtCustomOp*) noexcept { return kPbatchOpset; };
}

// ONNX Runtime keeps pointers to both for as long as any session lives, so they are never freed.
OrtCustomOpDomain* make_domain() {
  OrtCustomOpDomain* domain = nullptr;
  Ort::ThrowOnError(Ort::GetApi().CreateCustomOpDomain(kPbatchDomain, &domain));
  for (const Operator& op : kOperators) {
    Ort::ThrowOnError(Ort::GetApi().CustomOpDomain_Add(domain, new Signature(op)));
  }
  return domain;
}

}  // namespace

void add_operators(OrtSessionOptions* options) {
  static OrtCustomOpDomain* const domain = make_domain();
  Ort::ThrowOnError(Ort::GetApi().AddCustomOpDomain(options, domain));
}

}  // namespace pbatch::ort
