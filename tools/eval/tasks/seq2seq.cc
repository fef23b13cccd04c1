#include "tools/eval/tasks/seq2seq.h"

#include <algorithm>
#include <utility>

#include "tools/eval/edit_distance.h"
#include "tools/eval/required_inputs.h"
#include "tools/eval/tasks/transducer.h"

namespace pbatch {
namespace {

constexpr std::size_t kTimedPairs = 16;  // that one timed call goes through

Status at_line(const SequencePair& pair, const Status& status) {
  return Status(status.code(), "line " + std::to_string(pair.line) + ": " + status.message(),
                status.remedy())
      .at_node(status.node())
      .in_file(status.file());
}

Status check_references(std::span<const SequencePair> pairs, std::int64_t vocabulary,
                        const Seq2SeqOptions& options) {
  std::int64_t tokens = 0;
  for (const SequencePair& pair : pairs) {
    for (const TokenSequence& reference : pair.references) {
      for (const std::int64_t token : reference) {
        ++tokens;
        if (token >= 0 && token < vocabulary && token != options.stop) continue;
        return at_line(pair, {ErrorCode::invalid_argument,
                              "token " + std::to_string(token) + " of the reference is " +
                                  (token == options.stop
                                       ? "the one that stops, which is left out of references"
                                       : "not one of the network's " + std::to_string(vocabulary)),
                              "give references that belong to this network"});
      }
    }
  }
  if (tokens > 0) return Status::ok();
  return {ErrorCode::invalid_argument, "all references are empty", "give references with tokens"};
}

struct Tally {
  std::int64_t edits = 0, reference_tokens = 0, wrong = 0;

  void add(const TokenSequence& answer, const std::vector<TokenSequence>& references) {
    std::int64_t nearest = -1, length = 0;
    for (const TokenSequence& reference : references) {
      const std::int64_t distance = edit_distance(answer, reference);
      if (nearest >= 0 && distance >= nearest) continue;
      nearest = distance;
      length = static_cast<std::int64_t>(reference.size());
    }
    edits += nearest;
    reference_tokens += length;
    wrong += nearest > 0 ? 1 : 0;
  }
};

Result<Seq2SeqRow> decode_all(Transducer transducer, std::span<const SequencePair> pairs,
                              const Seq2SeqOptions& options, Progress& progress) {
  Tally tally;
  for (const SequencePair& pair : pairs) {
    if (Status s = transducer.read(pair.source); !s) return at_line(pair, s);
    auto answer = transducer.write(options);
    if (!answer) return at_line(pair, answer.status());
    tally.add(*answer, pair.references);
    progress.step();
  }
  // Only empty references were nearest: every token of the answers is an edit too many.
  const auto tokens = static_cast<double>(std::max<std::int64_t>(tally.reference_tokens, 1));
  return Seq2SeqRow{static_cast<double>(tally.edits) / tokens,
                    static_cast<double>(tally.wrong) / static_cast<double>(pairs.size()),
                    {}};
}

// The work of reading a source and writing its reference.
Status walk_reference(Transducer& transducer, const SequencePair& pair, std::int64_t start) {
  PBATCH_RETURN_IF_ERROR(transducer.read(pair.source));
  PBATCH_RETURN_IF_ERROR(transducer.step(start).status());
  for (const std::int64_t token : pair.references[0]) {
    PBATCH_RETURN_IF_ERROR(transducer.step(token).status());
  }
  return Status::ok();
}

Result<std::vector<Cost>> sequence_costs(std::span<const Contender> encoders,
                                         std::span<const Contender> decoders,
                                         const TransducerPorts& ports,
                                         std::span<const SequencePair> pairs,
                                         const Seq2SeqOptions& options, Progress& progress) {
  const auto timed = pairs.first(std::min(pairs.size(), kTimedPairs));
  std::vector<Transducer> transducers;
  for (std::size_t i = 0; i < encoders.size(); ++i) {
    transducers.emplace_back(encoders[i], decoders[i], ports);
  }
  std::vector<TimedCall> calls;
  for (Transducer& transducer : transducers) {
    calls.emplace_back([&transducer, timed, &options](std::int64_t) {
      for (const SequencePair& pair : timed) {
        PBATCH_RETURN_IF_ERROR(walk_reference(transducer, pair, options.start));
      }
      return Status::ok();
    });
  }
  PBATCH_ASSIGN_OR_RETURN(
      std::vector<Cost> costs,
      measure_costs(encoders, calls, static_cast<double>(timed.size()), options.timing, progress));
  for (std::size_t i = 0; i < costs.size(); ++i) {
    PBATCH_ASSIGN_OR_RETURN(const std::int64_t bytes,
                            decoders[i].session->weight_bytes(decoders[i].precision));
    costs[i].weight_bytes += bytes;
  }
  return costs;
}

}  // namespace

Result<Seq2Seq> evaluate_seq2seq(std::span<const Contender> encoders,
                                 std::span<const Contender> decoders,
                                 std::span<const SequencePair> pairs, const Seq2SeqOptions& options,
                                 Progress& progress) {
  PBATCH_ASSIGN_OR_RETURN(const TransducerPorts ports,
                          find_transducer_ports(encoders, decoders, options, pairs[0].source));
  Seq2Seq result;
  Transducer first(encoders[0], decoders[0], ports);
  PBATCH_RETURN_IF_ERROR(first.read(pairs[0].source));
  PBATCH_ASSIGN_OR_RETURN(const Tensor output, first.step(options.start));
  PBATCH_RETURN_IF_ERROR(chosen_token(output).status());
  if (output.size() > 1) {
    result.vocabulary = output.size();
    PBATCH_RETURN_IF_ERROR(check_references(pairs, result.vocabulary, options));
    if (options.stop >= result.vocabulary) {
      return Status(ErrorCode::invalid_argument,
                    "--stop " + std::to_string(options.stop) + " is not one of the network's " +
                        std::to_string(result.vocabulary) + " tokens",
                    "give the token that ends a sequence");
    }
  } else {
    PBATCH_RETURN_IF_ERROR(check_references(pairs, INT64_MAX, options));
  }
  const Session& encoder = *encoders[0].session;
  const Session& decoder = *decoders[0].session;
  result.layout = token_axes_name(ports.layout.axes);
  result.states = describe_states(required_inputs(decoder), decoder.outputs(), ports.decoder);
  result.feeds =
      describe_states(required_inputs(decoder), encoder.outputs(), {.states = ports.feeds});

  progress.begin("decoding", static_cast<std::int64_t>(pairs.size() * encoders.size()));
  for (std::size_t i = 0; i < encoders.size(); ++i) {
    PBATCH_ASSIGN_OR_RETURN(
        const Seq2SeqRow row,
        decode_all(Transducer(encoders[i], decoders[i], ports), pairs, options, progress));
    result.rows.push_back(row);
  }
  PBATCH_ASSIGN_OR_RETURN(const std::vector<Cost> costs,
                          sequence_costs(encoders, decoders, ports, pairs, options, progress));
  for (std::size_t i = 0; i < costs.size(); ++i) result.rows[i].cost = costs[i];
  return result;
}

}  // namespace pbatch
