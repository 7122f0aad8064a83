// Gives every file of a corpus to its target, without libFuzzer: what fuzzing once found stays
// mended in every build.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace atl::testing {
namespace {

TEST(CorpusTest, EveryFileIsWithstood) {
  size_t num_files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(ATOLL_CORPUS)) {
    SCOPED_TRACE(entry.path());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    ++num_files;
  }
  EXPECT_GE(num_files, 10u) << "in " << ATOLL_CORPUS;
}

}  // namespace
}  // namespace atl::testing
