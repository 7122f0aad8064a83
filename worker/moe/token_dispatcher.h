// TokenDispatcher: which rows travel to which worker, and how their results come home. It knows
// experts; Transport does not.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/buffer.h"
#include "kernels/tensor/tensor_view.h"
#include "worker/moe/exchange_layout.h"
#include "worker/transport/transport.h"

namespace atl::worker {

// The router's choice for T rows: k experts each in ascending id, and their weights.
struct Routing {
  std::span<const uint16_t> experts;  // T · k
  std::span<const float> weights;     // T · k
  int k = 0;
};

// Rows of one expert that are to be computed here: pointers into the dispatcher's buffers, valid
// until ReceiveCombine.
struct ExpertWork {
  int expert = 0;
  int first = 0;  // into inputs and outputs
  int num_rows = 0;
};
struct ReceivedWork {
  std::span<const ExpertWork> experts;  // touched ones, ascending
  std::span<const void* const> inputs;  // P rows of H in the exchange type
  std::span<void* const> outputs;       // P rows to be written
  int num_local = 0;                    // of the P, those of this rank's own rows
};

struct DispatcherConfig {
  int hidden = 0;
  int num_experts = 0;
  int experts_per_token = 0;
  kernels::DType exchange_dtype = kernels::DType::kBf16;
};

// One layer: Dispatch (sends) → Receive (what is to be computed here) → compute → SendCombine
// (sends results) → ReceiveCombine (rows of results, by pair). One thread; nothing but buffers is
// kept between layers. After an error of the transport the step is abandoned: call Abandon.
class TokenDispatcher {
 public:
  // owner[expert] → rank of the layer is given with each Dispatch. The transport outlives the
  // dispatcher.
  TokenDispatcher(const DispatcherConfig& config, Transport* transport);

  // Makes buffers large enough for a step in which rank r sends at most rows_by_rank[r] rows. Not
  // in the layer loop. kResourceExhausted: a message would be larger than the transport allows.
  absl::Status Prepare(std::span<const int32_t> rows_by_rank);

  // Rounds the rows of x [T, H] to the exchange type, straight into the messages, and sends each
  // once to every other rank that owns an expert of it; what stays is rounded while they fly. A
  // rank without planned rows sends nothing; every rank calls this in each layer. T may be 0.
  absl::Status Dispatch(kernels::KernelContext& context, const MessageKey& key,
                        const kernels::TensorView& x, const Routing& routing,
                        std::span<const int32_t> owner);
  // Waits for the dispatches of all ranks with planned rows, and until the own are with theirs.
  // kDataLoss: a peer's message contradicts itself.
  absl::StatusOr<ReceivedWork> Receive();
  // Sends the results that belong to others and starts receiving one's own.
  absl::Status SendCombine();
  // Waits likewise; result [t · k + j] is the row of the j-th expert of row t.
  absl::StatusOr<std::span<const void* const>> ReceiveCombine();

  // Cancels what is in flight.
  void Abandon();

  bool has_peers() const { return peers_.size() > 1; }  // this rank is one of them
  uint64_t waiting_us() const { return waiting_us_; }   // since creation

 private:
  struct Peer {
    kernels::Buffer dispatch_out, dispatch_in, combine_out, combine_in;
    std::vector<ExchangePair> pairs;  // of this layer's dispatch to the peer; stand behind its rows
    size_t rows_out = 0;              // … and the rows
    int last_row = -1;                // … of them, the own row that came last
    size_t pairs_in = 0;              // of this layer's dispatch from the peer
  };
  // Own rows and where each is to be rounded to.
  struct Rounding {
    std::vector<int32_t> rows;
    std::vector<void*> outputs;
    void Clear();
    void Add(int32_t row, void* output);
  };

  // Lists what goes where: pairs, and the rows to be rounded.
  void Route(const Routing& routing, int num_rows, std::span<const int32_t> owner);
  absl::Status Round(kernels::KernelContext& context, const kernels::TensorView& x,
                     const Rounding& rounding) const;
  absl::Status SendDispatch();
  absl::Status ParseDispatch(int rank, size_t bytes);
  void GroupByExpert();
  absl::Status WaitFor(Transfer& transfer);

  DispatcherConfig config_;
  DispatchLayout layout_;
  Transport* transport_;
  std::vector<int32_t> rows_by_rank_;
  std::vector<Peer> peers_;

  // Of the layer under way.
  MessageKey key_;
  std::span<const int32_t> owner_;
  kernels::Buffer rounded_;               // [rows for an expert here, H] in the exchange type
  kernels::Buffer local_out_;             // [local pairs, H]
  std::vector<const void*> result_rows_;  // by own pair t · k + j
  Rounding sent_, kept_;                  // into messages, into rounded_
  struct Computed {
    int expert;
    const void* input;
    void* output;
  };
  std::vector<Computed> pairs_;    // to be computed here, in order of arrival: own, then by rank
  std::vector<int> expert_count_;  // counting sort by expert
  std::vector<const void*> inputs_;
  std::vector<void*> outputs_;
  std::vector<ExpertWork> work_;
  int num_local_ = 0;

  std::unique_ptr<Transfer> dispatch_;
  std::unique_ptr<Transfer> combine_;
  std::vector<MessageBuffer> sends_, receives_;
  uint64_t waiting_us_ = 0;
};

}  // namespace atl::worker
