// CenterCropPad: Pad by half of what each axis lacks, negative where it has too much.
#include "graph/expand/expansion.h"

namespace pbatch {

Status expand_center_crop_pad(Expansion& e) {
  PBATCH_RETURN_IF_ERROR(e.expect_inputs(2, 2));
  PBATCH_ASSIGN_OR_RETURN(const std::vector<std::int64_t> axes, e.node().ints_attr("axes", {}));
  const bool all = !e.node().has_attr("axes");
  const ValueId axis_list = all ? kNoValue : e.ints(axes);
  ValueId shape = e.op("Shape", {e.in(0)});
  if (!all) shape = e.op("Gather", {shape, axis_list});
  const ValueId missing = e.op("Sub", {e.cast(e.in(1), DType::i64), shape});
  // The quotient is rounded towards zero: of an odd difference the end takes the rest.
  const ValueId begin = e.op("Div", {missing, e.scalar(std::int64_t{2})});
  const ValueId end = e.op("Sub", {missing, begin});
  Expansion::Values inputs{e.in(0), e.op("Concat", {begin, end}, {{"axis", std::int64_t{0}}})};
  if (!all) inputs.insert(inputs.end(), {kNoValue, axis_list});
  e.result(0, e.op("Pad", std::move(inputs)));
  return Status::ok();
}

}  // namespace pbatch
