#include "worker/moe/token_dispatcher.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "kernels/ops/permute/permute.h"

namespace atl::worker {
TokenDispatcher::TokenDispatcher(const DispatcherConfig& config, Transport* transport)
    : config_(config),
      layout_(config.hidden, config.exchange_dtype),
      transport_(transport),
      peers_(static_cast<size_t>(transport->world_size())),
      expert_count_(static_cast<size_t>(config.num_experts) + 1) {}

absl::Status TokenDispatcher::Prepare(std::span<const int32_t> rows_by_rank) {
  CHECK(static_cast<int>(rows_by_rank.size()) == transport_->world_size());
  rows_by_rank_.assign(rows_by_rank.begin(), rows_by_rank.end());
  const size_t k = static_cast<size_t>(config_.experts_per_token);
  const size_t me = static_cast<size_t>(transport_->rank());
  const size_t own = static_cast<size_t>(rows_by_rank[me]);
  size_t pairs_max = own * k;
  for (size_t r = 0; r < peers_.size(); ++r) {
    if (r == me) continue;
    const size_t theirs = static_cast<size_t>(rows_by_rank[r]);
    pairs_max += theirs * k;
    const size_t largest =
        std::max(layout_.dispatch_bytes(std::max(own, theirs), std::max(own, theirs) * k),
                 layout_.combine_offset(std::max(own, theirs) * k));
    if (largest > transport_->caps().message_bytes_max) {
      return ResourceExhausted(
          "a step of {} rows needs a message of {} bytes, transport {} allows {}",
          std::max(own, theirs), largest, transport_->caps().name,
          transport_->caps().message_bytes_max);
    }
    peers_[r].dispatch_out.Reserve(layout_.dispatch_bytes(own, own * k));
    peers_[r].combine_out.Reserve(layout_.combine_offset(theirs * k));
    peers_[r].dispatch_in.Reserve(layout_.dispatch_bytes(theirs, theirs * k));
    peers_[r].combine_in.Reserve(layout_.combine_offset(own * k));
    peers_[r].pairs.reserve(own * k);
  }
  rounded_.Reserve(own * layout_.row_bytes());
  local_out_.Reserve(own * k * layout_.row_bytes());
  for (Rounding* rounding : {&sent_, &kept_}) {
    const size_t rows_max = rounding == &kept_ ? own : own * std::min(k, peers_.size());
    rounding->rows.reserve(rows_max);
    rounding->outputs.reserve(rows_max);
  }
  result_rows_.resize(own * k);
  pairs_.reserve(pairs_max);
  inputs_.resize(pairs_max);
  outputs_.resize(pairs_max);
  work_.reserve(static_cast<size_t>(config_.num_experts));
  sends_.reserve(peers_.size());
  receives_.reserve(peers_.size());
  return absl::OkStatus();
}

void TokenDispatcher::Rounding::Clear() {
  rows.clear();
  outputs.clear();
}

void TokenDispatcher::Rounding::Add(int32_t row, void* output) {
  rows.push_back(row);
  outputs.push_back(output);
}

// Rows travel once per rank; own pairs get places in local_out_.
void TokenDispatcher::Route(const Routing& routing, int num_rows, std::span<const int32_t> owner) {
  const int me = transport_->rank();
  const size_t k = static_cast<size_t>(routing.k);
  for (Peer& peer : peers_) {
    peer.pairs.clear();
    peer.rows_out = peer.pairs_in = 0;
    peer.last_row = -1;
  }
  sent_.Clear();
  kept_.Clear();
  for (int t = 0; t < num_rows; ++t) {
    const size_t first = static_cast<size_t>(t) * k;
    void* const kept = rounded_.data() + kept_.rows.size() * layout_.row_bytes();
    bool is_kept = false;
    for (size_t p = first; p < first + k; ++p) {
      const uint16_t expert = routing.experts[p];
      const int rank = owner[expert];
      if (rank == me) {
        void* output = local_out_.data() + static_cast<size_t>(num_local_++) * layout_.row_bytes();
        pairs_.push_back({expert, kept, output});
        result_rows_[p] = output;
        is_kept = true;
        continue;
      }
      Peer& peer = peers_[static_cast<size_t>(rank)];
      if (peer.last_row != t) {
        peer.last_row = t;
        sent_.Add(t, peer.dispatch_out.data() + layout_.row_offset(peer.rows_out++));
      }
      result_rows_[p] = peer.combine_in.data() + layout_.combine_offset(peer.pairs.size());
      peer.pairs.push_back({static_cast<uint32_t>(peer.rows_out - 1), expert, 0});
    }
    if (is_kept) kept_.Add(t, kept);
  }
}

absl::Status TokenDispatcher::Round(kernels::KernelContext& context, const kernels::TensorView& x,
                                    const Rounding& rounding) const {
  if (rounding.rows.empty()) return absl::OkStatus();
  return kernels::RoundRows(context, {.x = x,
                                      .source_rows = rounding.rows,
                                      .outputs = rounding.outputs,
                                      .dtype = config_.exchange_dtype});
}

absl::Status TokenDispatcher::Dispatch(kernels::KernelContext& context, const MessageKey& key,
                                       const kernels::TensorView& x, const Routing& routing,
                                       std::span<const int32_t> owner) {
  const int num_rows = static_cast<int>(x.dims[0]);
  const int planned = rows_by_rank_[static_cast<size_t>(transport_->rank())];
  CHECK(num_rows <= planned, "{} rows, {} planned", num_rows, planned);
  key_ = key;
  owner_ = owner;
  pairs_.clear();
  num_local_ = 0;
  Route(routing, num_rows, owner);
  ATOLL_RETURN_IF_ERROR(Round(context, x, sent_));
  ATOLL_RETURN_IF_ERROR(SendDispatch());
  return Round(context, x, kept_);
}

// The rows are in the messages already.
absl::Status TokenDispatcher::SendDispatch() {
  sends_.clear();
  receives_.clear();
  const int me = transport_->rank();
  for (int r = 0; r < static_cast<int>(peers_.size()); ++r) {
    if (r == me) continue;
    Peer& peer = peers_[static_cast<size_t>(r)];
    if (rows_by_rank_[static_cast<size_t>(me)] > 0) {
      const ExchangeCounts counts = {.rows = static_cast<uint32_t>(peer.rows_out),
                                     .pairs = static_cast<uint32_t>(peer.pairs.size())};
      std::byte* data = peer.dispatch_out.data();
      std::memcpy(data + DispatchLayout::counts_offset(), &counts, sizeof counts);
      if (!peer.pairs.empty()) {
        std::memcpy(data + layout_.pairs_offset(peer.rows_out), peer.pairs.data(),
                    peer.pairs.size() * sizeof(ExchangePair));
      }
      sends_.push_back({r, data, layout_.dispatch_bytes(peer.rows_out, peer.pairs.size())});
    }
    const size_t theirs = static_cast<size_t>(rows_by_rank_[static_cast<size_t>(r)]);
    if (theirs > 0) {
      const size_t pairs_max = theirs * static_cast<size_t>(config_.experts_per_token);
      receives_.push_back({r, peer.dispatch_in.data(), layout_.dispatch_bytes(theirs, pairs_max)});
    }
  }
  key_.kind = MessageKind::kDispatch;
  ATOLL_ASSIGN_OR_RETURN(dispatch_,
                         transport_->AllToAll({.key = key_, .send = sends_, .receive = receives_}));
  return absl::OkStatus();
}

// Checks a peer's message before a pointer is made from it, and lists its pairs.
absl::Status TokenDispatcher::ParseDispatch(int rank, size_t bytes) {
  Peer& peer = peers_[static_cast<size_t>(rank)];
  const std::byte* data = peer.dispatch_in.data();
  ExchangeCounts counts;
  if (bytes < layout_.row_offset(0))
    return DataLoss("layer {}: dispatch of rank {} has {} bytes", key_.layer, rank, bytes);
  std::memcpy(&counts, data + DispatchLayout::counts_offset(), sizeof counts);
  const size_t rows_max = static_cast<size_t>(rows_by_rank_[static_cast<size_t>(rank)]);
  if (counts.rows > rows_max ||
      counts.pairs > rows_max * static_cast<size_t>(config_.experts_per_token) ||
      bytes != layout_.dispatch_bytes(counts.rows, counts.pairs)) {
    return DataLoss(
        "layer {}: dispatch of rank {} claims {} rows and {} pairs in {} bytes, {} rows were "
        "planned",
        key_.layer, rank, counts.rows, counts.pairs, bytes, rows_max);
  }
  for (size_t p = 0; p < counts.pairs; ++p) {
    ExchangePair pair;
    std::memcpy(&pair, data + layout_.pairs_offset(counts.rows) + p * sizeof pair, sizeof pair);
    if (pair.row >= counts.rows || pair.expert >= config_.num_experts ||
        owner_[pair.expert] != transport_->rank()) {
      return DataLoss("layer {}: dispatch of rank {} sends row {} to expert {}, which is not here",
                      key_.layer, rank, pair.row, pair.expert);
    }
    pairs_.push_back({pair.expert, data + layout_.row_offset(pair.row),
                      peer.combine_out.data() + layout_.combine_offset(p)});
  }
  peer.pairs_in = counts.pairs;
  return absl::OkStatus();
}

// Counting sort by expert; rows of one expert stay in order of arrival (their results do not depend
// on it).
void TokenDispatcher::GroupByExpert() {
  std::fill(expert_count_.begin(), expert_count_.end(), 0);
  for (const Computed& pair : pairs_) ++expert_count_[static_cast<size_t>(pair.expert) + 1];
  work_.clear();
  for (int e = 0; e < config_.num_experts; ++e) {
    const int count = expert_count_[static_cast<size_t>(e) + 1];
    if (count > 0)
      work_.push_back(
          {.expert = e, .first = expert_count_[static_cast<size_t>(e)], .num_rows = count});
    expert_count_[static_cast<size_t>(e) + 1] += expert_count_[static_cast<size_t>(e)];
  }
  for (const Computed& pair : pairs_) {
    const size_t at = static_cast<size_t>(expert_count_[static_cast<size_t>(pair.expert)]++);
    inputs_[at] = pair.input;
    outputs_[at] = pair.output;
  }
}

absl::StatusOr<ReceivedWork> TokenDispatcher::Receive() {
  ATOLL_RETURN_IF_ERROR(WaitFor(*dispatch_));
  for (const MessageBuffer& receive : receives_) {
    ATOLL_RETURN_IF_ERROR(ParseDispatch(receive.rank, dispatch_->bytes_from(receive.rank)));
  }
  dispatch_.reset();
  GroupByExpert();
  return ReceivedWork{.experts = work_,
                      .inputs = std::span(inputs_).first(pairs_.size()),
                      .outputs = std::span(outputs_).first(pairs_.size()),
                      .num_local = num_local_};
}

absl::Status TokenDispatcher::SendCombine() {
  sends_.clear();
  receives_.clear();
  for (size_t r = 0; r < peers_.size(); ++r) {
    Peer& peer = peers_[r];
    if (peer.pairs_in > 0) {
      sends_.push_back(
          {static_cast<int>(r), peer.combine_out.data(), layout_.combine_offset(peer.pairs_in)});
    }
    if (!peer.pairs.empty()) {
      receives_.push_back(
          {static_cast<int>(r), peer.combine_in.data(), layout_.combine_offset(peer.pairs.size())});
    }
  }
  key_.kind = MessageKind::kCombine;
  ATOLL_ASSIGN_OR_RETURN(combine_,
                         transport_->AllToAll({.key = key_, .send = sends_, .receive = receives_}));
  return absl::OkStatus();
}

absl::StatusOr<std::span<const void* const>> TokenDispatcher::ReceiveCombine() {
  ATOLL_RETURN_IF_ERROR(WaitFor(*combine_));
  for (const MessageBuffer& receive : receives_) {
    if (combine_->bytes_from(receive.rank) != receive.size_bytes) {
      return DataLoss("layer {}: return of rank {} has {} bytes, expected {}", key_.layer,
                      receive.rank, combine_->bytes_from(receive.rank), receive.size_bytes);
    }
  }
  combine_.reset();
  return std::span<const void* const>(result_rows_);
}

// Also for what is sent: the transport moves along on this thread alone, so a large message that
// were left behind would stand still, and its receiver with it, while the next operators run.
absl::Status TokenDispatcher::WaitFor(Transfer& transfer) {
  const auto start = std::chrono::steady_clock::now();
  const absl::Status status = transfer.Wait();
  waiting_us_ += static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                           std::chrono::steady_clock::now() - start)
                                           .count());
  return status;
}

void TokenDispatcher::Abandon() {
  dispatch_.reset();
  combine_.reset();
}

}  // namespace atl::worker
