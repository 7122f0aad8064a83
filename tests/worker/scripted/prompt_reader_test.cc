#include "worker/scripted/prompt_reader.h"

#include "common/tokenizer/detokenizer.h"
#include "tests/support/status_matchers.h"

namespace atl::worker {
namespace {

class PromptReaderTest : public ::testing::Test {
 protected:
  PromptReaderTest()
      : tokenizer_(*Tokenizer::FromDirectory("tools/nano/checkpoint")), marks_(*tokenizer_) {}

  PromptReader Read(const std::string& prompt, size_t chunk = 1'000'000) const {
    const auto ids = *tokenizer_->Encode(prompt, {.special = EncodeOptions::Special::kParse});
    PromptReader reader(*tokenizer_, marks_);
    for (size_t begin = 0; begin < ids.size(); begin += chunk) {
      reader.Append(std::span(ids).subspan(begin, std::min(chunk, ids.size() - begin)));
    }
    return reader;
  }
  std::string Message(const PromptReader& reader) const {
    return Decode(*tokenizer_, reader.LastUserMessage(), SkipSpecial::kShow);
  }

  const std::unique_ptr<Tokenizer> tokenizer_;
  const PromptMarks marks_;
};

TEST_F(PromptReaderTest, TheLastTurnOfTheUserIsHeard) {
  const std::string chat =
      "<|im_start|>system\nuser\n<|im_end|>\n<|im_start|>user\nFirst?<|im_end|>\n"
      "<|im_start|>assistant\nYes.<|im_end|>\n<|im_start|>user\nAnd now,\n\nwhat?<|im_end|>\n"
      "<|im_start|>assistant\n<think>\n";
  for (const size_t chunk : {1, 3, 1000}) {
    EXPECT_EQ(Message(Read(chat, chunk)), "And now,\n\nwhat?") << chunk;
  }
}

TEST_F(PromptReaderTest, WithoutMarksAllIsHeard) {
  EXPECT_EQ(Message(Read("Once upon a time")), "Once upon a time");
  EXPECT_EQ(Message(Read("<|im_start|>system\nBe brief.<|im_end|>")),
            "<|im_start|>system\nBe brief.<|im_end|>");
  EXPECT_FALSE(Read("Once <think> upon").EndsInThought());
}

TEST_F(PromptReaderTest, AMessageThatIsStillComingIsHeardSoFar) {
  EXPECT_EQ(Message(Read("<|im_start|>user\nA long sto")), "A long sto");
  EXPECT_EQ(Message(Read("<|im_start|>user\n")), "");
  EXPECT_EQ(Message(Read("<|im_start|>us")), "<|im_start|>us");
}

TEST_F(PromptReaderTest, OnlyAnOpenThoughtOfTheLastTurnCounts) {
  const std::string asked = "<|im_start|>user\nHm?<|im_end|>\n<|im_start|>assistant\n";
  EXPECT_TRUE(Read(asked + "<think>\n").EndsInThought());
  EXPECT_FALSE(Read(asked + "<think>\n\n</think>\n\n").EndsInThought());
  EXPECT_FALSE(Read(asked).EndsInThought());
  EXPECT_FALSE(Read(asked + "<think>\n<|im_end|>\n" + asked).EndsInThought());
}

}  // namespace
}  // namespace atl::worker
