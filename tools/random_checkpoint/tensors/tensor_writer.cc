#include "tools/random_checkpoint/tensors/tensor_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <span>
#include <system_error>
#include <vector>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "common/concurrency/thread_pool.h"
#include "kernels/tensor/weight_view.h"
#include "tools/random_checkpoint/tensors/fp8.h"
#include "tools/random_checkpoint/tensors/progress.h"
#include "tools/random_checkpoint/tensors/values.h"

namespace atl::tools {
namespace {

using kernels::Bf16;
using kernels::DType;
using kernels::F8E4m3;
using Kind = worker::ExpectedTensor::Kind;

// Elements of a piece: its floats stay in the second-level cache. Even, as RandomValues asks.
constexpr int64_t kPieceElements = 1 << 18;

std::string SystemError() { return std::generic_category().message(errno); }

// A new file, written at any place by any thread.
class OutputFile {
 public:
  static absl::StatusOr<OutputFile> Create(const std::string& path) {
    const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (descriptor < 0)
      return ResourceExhausted("{}: cannot be created: {}; choose another folder", path,
                               SystemError());
    return OutputFile(path, descriptor);
  }
  OutputFile(OutputFile&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }

  absl::Status Write(uint64_t offset, std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t written =
          pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        return ResourceExhausted("{}: cannot be written: {}; free some space and begin anew", path_,
                                 SystemError());
      }
      offset += static_cast<uint64_t>(written);
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

 private:
  OutputFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_ = -1;
};

// Elements [begin, end) of one tensor; of an FP8 matrix the rows of one row of blocks.
struct Piece {
  const PlacedTensor* tensor = nullptr;
  const PlacedTensor* scales = nullptr;  // of an FP8 matrix
  int64_t begin = 0, end = 0;
};

std::vector<Piece> CutIntoPieces(const std::vector<PlacedTensor>& tensors) {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const worker::ExpectedTensor& tensor = tensors[i].tensor;
    if (tensor.kind == Kind::kFp8Scales) continue;  // written with their matrix
    const bool is_fp8 = tensor.kind == Kind::kFp8Matrix;
    CHECK(!is_fp8 || (i + 1 < tensors.size() && tensors[i + 1].tensor.kind == Kind::kFp8Scales));
    const int64_t size = is_fp8 ? kernels::kScaleBlock * tensor.shape[1] : kPieceElements;
    for (int64_t begin = 0; begin < tensor.num_elements(); begin += size) {
      pieces.push_back({&tensors[i], is_fp8 ? &tensors[i + 1] : nullptr, begin,
                        std::min(begin + size, tensor.num_elements())});
    }
  }
  return pieces;
}

// The memory of one thread, kept from piece to piece.
struct Scratch {
  std::vector<float> values;
  std::vector<Bf16> narrow;
  std::vector<F8E4m3> quantised;
};

class TensorWriter {
 public:
  TensorWriter(const ShardPlan& plan, std::vector<OutputFile> files, uint64_t seed, int num_threads)
      : files_(std::move(files)),
        seed_(seed),
        pieces_(CutIntoPieces(plan.tensors)),
        scratch_(static_cast<size_t>(num_threads)),
        progress_("writing", plan.file_bytes()) {}

  absl::Status Run() {
    ThreadPool threads({.num_threads = static_cast<int>(scratch_.size())});
    threads.Run(
        static_cast<int>(pieces_.size()),
        [](void* self, int piece, int thread) {
          static_cast<TensorWriter*>(self)->RunPiece(static_cast<size_t>(piece), thread);
        },
        this);
    progress_.Finish();
    return status_;
  }

 private:
  void RunPiece(size_t index, int thread) {
    if (has_failed_) return;
    if (thread == 0) progress_.Print();
    const absl::Status status = Write(pieces_[index], scratch_[static_cast<size_t>(thread)]);
    if (status.ok()) return;
    has_failed_ = true;
    const std::lock_guard lock(mutex_);
    status_.Update(status);
  }

  absl::Status Write(const Piece& piece, Scratch& scratch) {
    const PlacedTensor& placed = *piece.tensor;
    const RandomValues random(seed_, placed.tensor.name, DistributionOf(placed.tensor));
    const auto count = static_cast<size_t>(piece.end - piece.begin);
    scratch.values.resize(count);
    random.Fill(piece.begin, scratch.values);
    const auto write = [&](const PlacedTensor& to, int64_t begin, auto values) {
      progress_.Add(values.size_bytes());
      return files_[to.shard].Write(
          to.offset + static_cast<uint64_t>(begin) * kernels::SizeOf(to.dtype),
          std::as_bytes(values));
    };
    if (placed.dtype == DType::kF32)
      return write(placed, piece.begin, std::span<const float>(scratch.values));
    if (placed.dtype == DType::kBf16) {
      scratch.narrow.resize(count);
      std::transform(scratch.values.begin(), scratch.values.end(), scratch.narrow.begin(),
                     kernels::ToBf16);
      return write(placed, piece.begin, std::span<const Bf16>(scratch.narrow));
    }
    CHECK(piece.scales != nullptr, "{}: a type that is not written", placed.tensor.name);
    const int64_t blocks = piece.scales->tensor.shape[1];
    scratch.quantised.resize(count);
    scratch.narrow.resize(static_cast<size_t>(blocks));
    QuantiseScaleBlocks(scratch.values, placed.tensor.shape[1], scratch.quantised, scratch.narrow);
    ATOLL_RETURN_IF_ERROR(write(placed, piece.begin, std::span<const F8E4m3>(scratch.quantised)));
    const int64_t block_row = piece.begin / (kernels::kScaleBlock * placed.tensor.shape[1]);
    return write(*piece.scales, block_row * blocks, std::span<const Bf16>(scratch.narrow));
  }

  const std::vector<OutputFile> files_;
  const uint64_t seed_;
  const std::vector<Piece> pieces_;
  std::vector<Scratch> scratch_;  // by thread
  Progress progress_;
  std::atomic<bool> has_failed_{false};
  std::mutex mutex_;
  absl::Status status_;
};

}  // namespace

absl::Status WriteTensors(const ShardPlan& plan, const std::string& folder, uint64_t seed,
                          int num_threads) {
  std::vector<OutputFile> files;
  for (const Shard& shard : plan.shards) {
    ATOLL_ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(folder + "/" + shard.file));
    ATOLL_RETURN_IF_ERROR(file.Write(0, std::as_bytes(std::span(shard.header))));
    files.push_back(std::move(file));
  }
  return TensorWriter(plan, std::move(files), seed, num_threads).Run();
}

}  // namespace atl::tools
