#include "tools/verify_checkpoint/checks/value_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "common/concurrency/thread_pool.h"
#include "tools/random_checkpoint/tensors/progress.h"

namespace atl::tools {
namespace {

constexpr uint64_t kPieceBytes = uint64_t{16} << 20;

struct Counts {
  uint64_t not_finite = 0;
  bool has_value = false;
};

// Values whose bits of `exponent` are all set are NaN or, but for E4M3, infinite.
template <typename Bits>
Counts CountBits(const std::byte* data, uint64_t size_bytes, Bits exponent) {
  Counts counts;
  Bits any = 0;
  const uint64_t count = size_bytes / sizeof(Bits);
  for (uint64_t i = 0; i < count; ++i) {
    Bits bits;
    std::memcpy(&bits, data + i * sizeof bits, sizeof bits);
    counts.not_finite += (bits & exponent) == exponent ? 1 : 0;
    any |= bits;
  }
  counts.has_value = any != 0;
  return counts;
}

Counts CountPiece(const std::string& dtype, const std::byte* data, uint64_t size_bytes) {
  if (dtype == "BF16") return CountBits<uint16_t>(data, size_bytes, 0x7f80u);
  if (dtype == "F16") return CountBits<uint16_t>(data, size_bytes, 0x7c00u);
  if (dtype == "F32") return CountBits<uint32_t>(data, size_bytes, 0x7f800000u);
  if (dtype == "F8_E4M3") return CountBits<uint8_t>(data, size_bytes, 0x7fu);
  return {.has_value = true};  // another type is a finding already
}

class Scan {
 public:
  explicit Scan(const StoredCheckpoint& stored) : progress_("reading", stored.tensor_bytes) {
    for (const auto& [name, located] : stored.tensors) {
      auto& scanned = tensors_.emplace_back(std::make_unique<Scanned>());
      scanned->name = name;
      scanned->located = located;
    }
    // In the order of the files, so that disks read forward.
    std::sort(tensors_.begin(), tensors_.end(), [](const auto& a, const auto& b) {
      return a->located.tensor->data < b->located.tensor->data;
    });
    for (const auto& scanned : tensors_) {
      const uint64_t size = scanned->located.tensor->size_bytes;
      for (uint64_t begin = 0; begin < size; begin += kPieceBytes)
        pieces_.push_back({scanned.get(), begin, std::min(kPieceBytes, size - begin)});
    }
  }

  void Run(int num_threads) {
    ThreadPool threads({.num_threads = num_threads});
    threads.Run(
        static_cast<int>(pieces_.size()),
        [](void* self, int piece, int thread) {
          static_cast<Scan*>(self)->RunPiece(static_cast<size_t>(piece), thread);
        },
        this);
    progress_.Finish();
  }

  void AddTo(Report& report) const {
    for (const auto& scanned : tensors_) {
      const worker::StoredTensor& tensor = *scanned->located.tensor;
      const std::string& file = scanned->located.file->path();
      if (scanned->not_finite > 0) {
        report.Find("tensors with values that are not finite",
                    fmt::format("{} in {}: {} of them; copy the file again", scanned->name, file,
                                scanned->not_finite.load()));
      }
      if (!scanned->has_value && tensor.shape.size() > 1) {
        report.Find("matrices that are all zeros",
                    fmt::format("{} in {}; copy the file again", scanned->name, file));
      }
    }
  }

 private:
  struct Scanned {
    std::string name;
    LocatedTensor located;
    std::atomic<uint64_t> not_finite{0};
    std::atomic<bool> has_value{false};
  };
  struct Piece {
    Scanned* of = nullptr;
    uint64_t begin = 0, size_bytes = 0;
  };

  void RunPiece(size_t index, int thread) {
    if (thread == 0) progress_.Print();
    const Piece& piece = pieces_[index];
    const worker::StoredTensor& tensor = *piece.of->located.tensor;
    const Counts counts = CountPiece(tensor.dtype, tensor.data + piece.begin, piece.size_bytes);
    piece.of->not_finite += counts.not_finite;
    if (counts.has_value) piece.of->has_value = true;
    progress_.Add(piece.size_bytes);
  }

  std::vector<std::unique_ptr<Scanned>> tensors_;
  std::vector<Piece> pieces_;
  Progress progress_;
};

}  // namespace

void ScanValues(const StoredCheckpoint& stored, int num_threads, Report& report) {
  Scan scan(stored);
  scan.Run(num_threads);
  report.Say(fmt::format("{} tensors read", stored.tensors.size()));
  scan.AddTo(report);
}

}  // namespace atl::tools
