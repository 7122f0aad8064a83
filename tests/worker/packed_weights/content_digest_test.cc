#include "worker/weights/content_digest.h"

#include "tests/worker/packed_weights/packed_model.h"

namespace atl::worker {
namespace {

uint64_t DigestOf(const std::string& folder) {
  const auto checkpoint = Checkpoint::Open(folder).value();
  return ContentDigest(*checkpoint).value();
}

TEST(ContentDigestTest, ACopyHasTheSame) {
  TemporaryFolder folder;
  std::filesystem::copy(kUntied, folder.path());
  EXPECT_EQ(DigestOf(folder.path()), DigestOf(kUntied));
}

// Equal headers, config and sizes: only the numbers of one tensor differ, at either of its ends.
TEST(ContentDigestTest, OtherWeightsUnderEqualHeadersHaveAnother) {
  const auto original = Checkpoint::Open(kUntied).value();
  const SafetensorsFile& file = *original->files()[0];
  for (const auto& [name, tensor] : file.tensors()) {
    for (const uint64_t at : {uint64_t{0}, tensor.size_bytes - 1}) {
      SCOPED_TRACE(name + " at " + std::to_string(at));
      TemporaryFolder folder;
      std::filesystem::copy(kUntied, folder.path());
      const std::string copy = folder.file(std::filesystem::path(file.path()).filename());
      std::string bytes = ReadBytes(copy);
      bytes[file.OffsetOf(tensor.data) + at] ^= 1;
      WriteBytes(copy, bytes);
      const auto changed = Checkpoint::Open(folder.path()).value();
      EXPECT_EQ(changed->digest(), original->digest());
      EXPECT_NE(ContentDigest(*changed).value(), ContentDigest(*original).value());
    }
  }
}

TEST(ContentDigestTest, AFileThatWasCutShortIsSaidToBe) {
  TemporaryFolder folder;
  std::filesystem::copy(kUntied, folder.path());
  const auto checkpoint = Checkpoint::Open(folder.path()).value();
  std::filesystem::resize_file(checkpoint->files()[0]->path(), 20000);
  EXPECT_STATUS(ContentDigest(*checkpoint), absl::StatusCode::kDataLoss, "its size changed");
}

}  // namespace
}  // namespace atl::worker
