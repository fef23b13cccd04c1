#include "run/op_remedy.h"

#include <string_view>

namespace pbatch {

std::string remedy_for(const Node& node) {
  const std::string_view op = node.op_type;
  if (op.starts_with("Random") || op == "Bernoulli" || op == "Multinomial") {
    return "it draws random numbers: export the network with an input in its place, and feed the "
           "noise";
  }
  if (op.starts_with("TreeEnsemble")) {
    return "trees have no matrices to run on: run this model in ONNX Runtime";
  }
  if (op.starts_with("SVM")) {
    return "it compares with support vectors and has no matrix to quantize: run this model in ONNX "
           "Runtime";
  }
  if (op.starts_with("String") || op == "LabelEncoder" || op == "TfIdfVectorizer" ||
      op == "RegexFullMatch" || op == "CategoryMapper" || op == "CastMap" ||
      op == "DictVectorizer" || op == "OneHotEncoder") {
    return "it works on strings or maps: do this part before the network, and feed it numbers";
  }
  if (op == "ImageDecoder") {
    return "it reads an image file: decode it before the network, and feed it the pixels";
  }
  if (op == "NegativeLogLikelihoodLoss" || op == "SoftmaxCrossEntropyLoss") {
    return "a loss is for training: export the network without it";
  }
  if (op.starts_with("Sequence") || op.ends_with("Sequence")) {
    return "this sequence is not known before the run: export the network with tensors instead";
  }
  return "change the network so that it does without this operator, and export it again";
}

}  // namespace pbatch
