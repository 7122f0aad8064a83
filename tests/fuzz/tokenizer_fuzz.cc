// Any bytes as tokenizer.json and tokenizer_config.json: refused in a sentence, or a tokenizer that
// gives back what it is given.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/check.h"
#include "common/tokenizer/detokenizer.h"
#include "common/tokenizer/tokenizer.h"
#include "tests/hostile/sentence.h"

namespace {

// The file's bytes in memory, under a path.
class MemoryFile {
 public:
  MemoryFile(const uint8_t* data, size_t size) : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) {
    CHECK(descriptor_ >= 0);
    CHECK(write(descriptor_, data, size) == static_cast<ssize_t>(size));
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

void CheckTokenizer(const std::string& path) {
  auto parts = atl::ReadTokenizerJson(path);
  if (!parts.ok()) return atl::testing::CheckSentence(parts.status());
  const auto tokenizer = atl::Tokenizer::Create(*std::move(parts));
  if (!tokenizer.ok()) return atl::testing::CheckSentence(tokenizer.status());
  const std::string text = "Hello <|im_start|> w\u00f6rld 123\n\t\U0001f30a";
  const auto ids = (*tokenizer)->Encode(text, {.nfc = atl::EncodeOptions::Nfc::kOff});
  CHECK_OK(ids.status());
  std::string bytes;
  for (const atl::TokenId id : *ids) bytes += (*tokenizer)->TokenBytes(id);
  CHECK(bytes == text, "{}", bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const MemoryFile file(data, size);
  CheckTokenizer(file.path());
  const auto added = atl::ReadAddedTokensOfConfig(file.path());
  if (!added.ok()) atl::testing::CheckSentence(added.status());
  return 0;
}
