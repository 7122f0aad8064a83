#include "worker/transport/message_header.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <vector>

namespace atl::worker {
namespace {

const MessageKey kKey = {
    .epoch = {.term = 2, .number = 9}, .step = 77, .layer = 39, .kind = MessageKind::kCombine};
constexpr MessageRoute kRoute = {.source = 3, .destination = 1};

TEST(MessageHeaderTest, EveryFieldDecides) {
  std::vector<std::byte> message(100);
  WriteMessageHeader(kKey, kRoute, {1, message.data(), message.size()});
  ASSERT_TRUE(MessageMatches(kKey, kRoute, message.data(), message.size()));
  EXPECT_FALSE(MessageMatches(kKey, kRoute, message.data(), message.size() - 1));
  EXPECT_FALSE(MessageMatches(kKey, kRoute, message.data(), kMessageHeaderBytes - 1));
  for (size_t byte = 0; byte < kMessageHeaderBytes; ++byte) {
    std::vector<std::byte> wrong = message;
    wrong[byte] ^= std::byte{1};
    EXPECT_FALSE(MessageMatches(kKey, kRoute, wrong.data(), wrong.size())) << "byte " << byte;
  }
  message[kMessageHeaderBytes] ^= std::byte{1};  // the payload is not the transport's
  EXPECT_TRUE(MessageMatches(kKey, kRoute, message.data(), message.size()));
}

TEST(MessageTagTest, EveryFieldIsInTheTag) {
  std::set<uint64_t> tags;
  const auto add = [&](auto change) {
    MessageKey key = kKey;
    change(key);
    tags.insert(MessageTag(key, 3));
  };
  add([](MessageKey&) {});
  add([](MessageKey& key) { ++key.epoch.term; });
  add([](MessageKey& key) { ++key.epoch.number; });
  add([](MessageKey& key) { ++key.step; });
  add([](MessageKey& key) { ++key.layer; });
  add([](MessageKey& key) { key.kind = MessageKind::kDispatch; });
  tags.insert(MessageTag(kKey, 4));
  EXPECT_EQ(tags.size(), 7u);
  MessageKey later = kKey;
  later.step += uint64_t{1} << 24;
  EXPECT_EQ(MessageTag(later, 3), MessageTag(kKey, 3));
}

TEST(MessageTagTest, StaleIsAnotherEpochOrAnEarlierStep) {
  const auto stale = [](uint64_t message_step, uint64_t newest_step) {
    MessageKey message = kKey;
    message.step = message_step;
    MessageKey newest = kKey;
    newest.step = newest_step;
    newest.layer = 0;
    return MessageIsStale(MessageTag(message, 0), newest);
  };
  EXPECT_TRUE(stale(4, 5));
  EXPECT_FALSE(stale(5, 5));
  EXPECT_FALSE(stale(6, 5));
  const uint64_t wrap = uint64_t{1} << 24;
  EXPECT_TRUE(stale(wrap - 1, wrap));
  EXPECT_FALSE(stale(wrap, wrap - 1));
  MessageKey other_epoch = kKey;
  ++other_epoch.epoch.number;
  EXPECT_TRUE(MessageIsStale(MessageTag(kKey, 0), other_epoch));
}

}  // namespace
}  // namespace atl::worker
