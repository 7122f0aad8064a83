// atoll-tokenizer-bench RANKS time|ids|hostile: drives the tokenizer for bench/tokenizer/compare.py
// and scripts/accept.
//   time     each line "THREADS FILE" of the input → "TOKENS SECONDS CPU_SECONDS"; FILE is
//   documents
//            in frames
//   ids      each frame of the input, a text → a frame of its ids, 32 bits each
//   hostile  CPU milliseconds for texts of one and two million bytes that tempt a tokenizer
// A frame is a size in bytes, 64 bits, and so many bytes; all numbers little-endian.
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "common/concurrency/thread_pool.h"
#include "common/tokenizer/encode_batch.h"

namespace atl::bench {
namespace {

constexpr EncodeOptions kOptions = {.special = EncodeOptions::Special::kText};

// Time of the processor, of all threads together, does not count what others run meanwhile.
struct Spent {
  double wall_s = 0;
  double cpu_s = 0;
};

double CpuSeconds() {
  timespec now = {};
  CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

Spent Measure(const std::function<void()>& work) {
  const auto began = std::chrono::steady_clock::now();
  const double cpu_began_s = CpuSeconds();
  work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(),
          CpuSeconds() - cpu_began_s};
}

std::optional<std::string> ReadFrame(std::istream& in) {
  uint64_t size = 0;
  if (!in.read(reinterpret_cast<char*>(&size), sizeof(size))) return std::nullopt;
  CHECK(size <= kTextBytesMax, "a frame of {} bytes; at most {}", size, kTextBytesMax);
  std::string bytes(size, '\0');
  CHECK(in.read(bytes.data(), static_cast<std::streamsize>(size)).good(), "a frame is cut short");
  return bytes;
}

TaskRunner RunnerOn(ThreadPool* pool) {
  return [pool](size_t num_tasks, const std::function<void(size_t)>& task) {
    const std::function<void(size_t)>* borrowed = &task;
    pool->Run(
        static_cast<int>(num_tasks),
        [](void* arg, int index, int /*thread*/) {
          (**static_cast<const std::function<void(size_t)>**>(arg))(static_cast<size_t>(index));
        },
        &borrowed);
  };
}

void Time(const Tokenizer& tokenizer) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream fields(line);
    int num_threads = 0;
    std::string path;
    fields >> num_threads >> path;
    std::ifstream file(path, std::ios::binary);
    CHECK(file.good(), "{} cannot be read", path);
    std::vector<std::string> documents;
    while (std::optional<std::string> document = ReadFrame(file)) documents.push_back(*document);
    const std::vector<std::string_view> texts(documents.begin(), documents.end());
    ThreadPool pool({.num_threads = num_threads});
    size_t num_tokens = 0;
    const Spent spent = Measure([&] {
      const auto ids_of_texts = EncodeBatch(tokenizer, texts, kOptions, RunnerOn(&pool));
      CHECK_OK(ids_of_texts.status());
      for (const std::vector<TokenId>& ids : *ids_of_texts) num_tokens += ids.size();
    });
    fmt::print("{} {:.6f} {:.6f}\n", num_tokens, spent.wall_s, spent.cpu_s);
    std::fflush(stdout);
  }
}

void Ids(const Tokenizer& tokenizer) {
  while (const std::optional<std::string> text = ReadFrame(std::cin)) {
    const auto ids = tokenizer.Encode(*text, kOptions);
    CHECK_OK(ids.status());
    const uint64_t size = ids->size() * sizeof(TokenId);
    std::cout.write(reinterpret_cast<const char*>(&size), sizeof(size));
    std::cout.write(reinterpret_cast<const char*>(ids->data()), static_cast<std::streamsize>(size));
    std::cout.flush();
  }
}

struct HostileText {
  const char* title;
  std::string begin;
  std::string unit;  // repeated to the length
};

std::vector<HostileText> HostileTexts() {
  std::string mixed;  // one word: letters in an order without a period to speak of
  for (uint32_t i = 0, state = 1; i < 65521; ++i) {
    state = state * 1664525 + 1013904223;
    mixed += static_cast<char>('a' + (state >> 24) % 26);
  }
  return {{"one letter", "", "a"},
          {"mixed letters in one word", "", mixed},
          {"capitals and small letters in one word", "", "aZbYcXdWeV"},
          {"spaces", "", " "},
          {"newlines", "", "\n"},
          {"newline, spaces", "\n", " "},
          {"space and newline in turn", "", " \n"},
          {"emoji", "", "\U0001F600"},
          {"emoji joined", "", "\U0001F468\u200D"},
          {"one sign", "", "="},
          {"apostrophes", "", "'"},
          {"digits", "", "7"},
          {"Chinese", "", "\u4E2D\u6587"},
          {"combining marks, one", "a", "\u0301"},
          {"combining marks in falling order", "a", "\u0301\u0323"},
          {"marks that decompose", "a", "\u0344"},
          {"notes that decompose to three", "", "\U0001D160"},
          {"letter and mark in turn", "", "a\u0301"},
          {"Hangul in jamo", "", "\u1112\u1161\u11AB"},
          {"beginnings of an added token", "", "<|im_en"}};
}

void Hostile(const Tokenizer& tokenizer) {
  constexpr size_t kBytes = 1'000'000;
  constexpr int kRounds = 3;
  for (const HostileText& hostile : HostileTexts()) {
    double least_ms[2] = {1e9, 1e9};
    size_t num_tokens = 0;
    for (int round = 0; round < kRounds; ++round) {
      for (const size_t factor : {1, 2}) {
        std::string text = hostile.begin;
        while (text.size() < kBytes * factor) text += hostile.unit;
        const Spent spent = Measure([&] {
          const auto ids = tokenizer.Encode(text, {.special = EncodeOptions::Special::kParse});
          CHECK_OK(ids.status());
          if (factor == 1) num_tokens = ids->size();
        });
        least_ms[factor - 1] = std::min(least_ms[factor - 1], spent.cpu_s * 1e3);
      }
    }
    fmt::print("| {} | {} | {:.1f} | {:.1f} | {:.2f} |\n", hostile.title, num_tokens, least_ms[0],
               least_ms[1], least_ms[1] / least_ms[0]);
    std::fflush(stdout);
  }
}

int Main(int argc, char** argv) {
  const std::string_view mode = argc == 3 ? argv[2] : "";
  if (mode != "time" && mode != "ids" && mode != "hostile") {
    fmt::print(stderr, "usage: atoll-tokenizer-bench RANKS time|ids|hostile\n");
    return 2;
  }
  std::optional<absl::StatusOr<std::unique_ptr<Tokenizer>>> tokenizer;
  const Spent load =
      Measure([&] { tokenizer = Tokenizer::FromTiktoken(argv[1], Pattern::kQwen35); });
  CHECK_OK(tokenizer->status());
  fmt::print(stderr, "loaded in {:.3f} s of CPU\n", load.cpu_s);
  if (mode == "time") Time(***tokenizer);
  if (mode == "ids") Ids(***tokenizer);
  if (mode == "hostile") Hostile(***tokenizer);
  return 0;
}

}  // namespace
}  // namespace atl::bench

int main(int argc, char** argv) { return atl::bench::Main(argc, argv); }
