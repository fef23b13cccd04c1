#include "custom_ops.h"

#include <array>
#include <string>

#include "graph/bit_operators.h"
#include "graph/graph.h"
#include "guard.h"

namespace pbatch::ort {
namespace {

// Behind an operator's own inputs: row scale, codebook, group codes, and up to 16 planes.
constexpr std::size_t kMatrixInputs = 3 + 16;

/// A BitOperator's signature: docs/model-file.md.
struct Signature : OrtCustomOp {
  explicit Signature(const BitOperator& of);

  const BitOperator& op;
  bool is(std::string_view name) const { return name == op.op_type; }
};

const Signature& self(const OrtCustomOp* op) { return *static_cast<const Signature*>(op); }

ONNXTensorElementDataType input_type(const Signature& s, std::size_t i) {
  if (i < s.op.inputs) {
    if (s.is("BitGather")) return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;  // int32 or int64
    const bool is_lengths = s.is("BitRecurrent") && i == 2;
    return is_lengths ? ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32 : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  }
  return i == s.op.inputs ? ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT
                          : ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
}

OrtStatus* ORT_API_CALL refuse(const OrtCustomOp* op, const OrtApi*, const OrtKernelInfo*,
                               void** kernel) noexcept {
  *kernel = nullptr;
  return guarded([&] {
    return Status(
        ErrorCode::unsupported,
        std::string("operator ") + self(op).op.op_type + " runs in " + kProviderName + " only",
        "add its device to the session options (add_provider_for_devices, or "
        "pbatch.ort.register(options))");
  });
}

Signature::Signature(const BitOperator& of) : OrtCustomOp{}, op(of) {
  version = kApiVersion;
  CreateKernelV2 = refuse;
  KernelComputeV2 = [](void*, OrtKernelContext*) noexcept -> OrtStatusPtr { return nullptr; };
  KernelDestroy = [](void*) noexcept {};
  GetName = [](const OrtCustomOp* op_) noexcept { return self(op_).op.op_type; };
  GetExecutionProviderType = [](const OrtCustomOp*) noexcept -> const char* { return nullptr; };
  GetInputTypeCount = [](const OrtCustomOp* op_) noexcept {
    return self(op_).op.inputs + kMatrixInputs;
  };
  GetInputType = [](const OrtCustomOp* op_, std::size_t i) noexcept {
    return input_type(self(op_), i);
  };
  GetInputCharacteristic = [](const OrtCustomOp*, std::size_t i) noexcept {
    return i == 0 ? INPUT_OUTPUT_REQUIRED : INPUT_OUTPUT_OPTIONAL;
  };
  GetInputMemoryType = [](const OrtCustomOp*, std::size_t) noexcept { return OrtMemTypeDefault; };
  GetOutputTypeCount = [](const OrtCustomOp* op_) noexcept {
    return std::size_t{self(op_).is("BitRecurrent") ? 3u : 1u};
  };
  GetOutputType = [](const OrtCustomOp*, std::size_t) noexcept {
    return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  };
  GetOutputCharacteristic = [](const OrtCustomOp* op_, std::size_t) noexcept {
    return self(op_).is("BitRecurrent") ? INPUT_OUTPUT_OPTIONAL : INPUT_OUTPUT_REQUIRED;
  };
  GetStartVersion = [](const OrtCustomOp*) noexcept { return 1; };
  GetEndVersion = [](const OrtCustomOp*) noexcept { return kPbatchOpset; };
}

// ONNX Runtime keeps pointers to both for as long as any session lives, so they are never freed.
OrtCustomOpDomain* make_domain() {
  OrtCustomOpDomain* domain = nullptr;
  Ort::ThrowOnError(Ort::GetApi().CreateCustomOpDomain(kPbatchDomain, &domain));
  for (const BitOperator& op : kBitOperators) {
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
