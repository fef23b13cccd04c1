#include "tools/eval/compare.h"

namespace pbatch {

Result<std::vector<CompareRow>> compare(std::span<const Contender> contenders,
                                        const std::vector<NamedTensor>& inputs,
                                        const TimingOptions& timing, Progress& progress) {
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> reference,
                          contenders[0].session->run(inputs, contenders[0].precision));
  std::vector<CompareRow> rows;
  for (const Contender& c : contenders) {
    PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> outputs, c.session->run(inputs, c.precision));
    CompareRow row;
    PBATCH_ASSIGN_OR_RETURN(row.errors, output_errors(outputs, reference));
    rows.push_back(row);
  }
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Cost> costs,
                          measure_costs(contenders, {inputs}, 1, timing, progress));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].cost = costs[i];
  return rows;
}

Result<std::vector<LayerErrors>> layer_errors(const Session& session, const Contender& reference,
                                              const std::vector<NamedTensor>& inputs,
                                              std::span<const int> widths, int activation_bits,
                                              Progress& progress) {
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> right,
                          reference.session->run(inputs, reference.precision));
  progress.begin("layers", static_cast<std::int64_t>(session.layers().size() * widths.size()));
  std::vector<LayerErrors> all;
  for (const LayerInfo& layer : session.layers()) {
    LayerErrors errors{layer.name, {}};
    for (const int width : widths) {
      Precision precision = Precision::f32();
      precision.layers[layer.name] = {width, activation_bits};
      PBATCH_ASSIGN_OR_RETURN(const std::vector<Tensor> outputs, session.run(inputs, precision));
      PBATCH_ASSIGN_OR_RETURN(const std::vector<OutputError> all_errors,
                              output_errors(outputs, right));
      errors.rel_error.push_back(all_errors[worst_of(all_errors)].rel_error);
      progress.step();
    }
    all.push_back(std::move(errors));
  }
  return all;
}

}  // namespace pbatch
