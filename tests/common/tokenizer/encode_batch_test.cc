#include "common/tokenizer/encode_batch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "common/concurrency/thread_pool.h"
#include "tests/common/tokenizer/fixtures.h"
#include "tests/support/status_matchers.h"

namespace atl {
namespace {

using Task = std::function<void(size_t)>;

TaskRunner RunnerOn(ThreadPool* pool) {
  return [pool](size_t num_tasks, const Task& task) {
    const Task* borrowed = &task;
    pool->Run(
        static_cast<int>(num_tasks),
        [](void* arg, int index, int /*thread*/) {
          (**static_cast<const Task**>(arg))(static_cast<size_t>(index));
        },
        &borrowed);
  };
}

void RunBackwards(size_t num_tasks, const Task& task) {
  while (num_tasks > 0) task(--num_tasks);
}

TEST(EncodeBatchTest, SameIdsAsOneByOneOnAnyNumberOfThreads) {
  std::mt19937 random(31);
  std::vector<std::string> texts;
  for (int i = 0; i < 3000; ++i) texts.push_back(NastyText(&random, 60));
  for (const EncodeRecord& record : EncodeRecords()) texts.push_back(record.text);
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  std::vector<std::vector<TokenId>> expected;
  for (const std::string& text : texts) {
    expected.push_back(Qwen36().Encode(text, kText).value());
  }
  for (const int num_threads : {1, 2, 3}) {
    ThreadPool pool({.num_threads = num_threads});
    ASSERT_OK_AND_ASSIGN(const auto ids, EncodeBatch(Qwen36(), views, kText, RunnerOn(&pool)));
    EXPECT_TRUE(ids == expected) << num_threads << " threads";
  }
  ASSERT_OK_AND_ASSIGN(const auto ids, EncodeBatch(Qwen36(), views, kText, RunBackwards));
  EXPECT_TRUE(ids == expected);
}

TEST(EncodeBatchTest, TheFirstErrorIsNamed) {
  const std::string_view texts[] = {"a", "\xFF", "b", "c\xFF"};
  EXPECT_STATUS(EncodeBatch(Nano(), texts, kText, RunBackwards), absl::StatusCode::kInvalidArgument,
                "text 1: the text is no valid UTF-8 at byte 0");
}

TEST(EncodeBatchTest, NoTextsGiveNoIds) {
  ASSERT_OK_AND_ASSIGN(const auto ids, EncodeBatch(Nano(), {}, kText, RunBackwards));
  EXPECT_TRUE(ids.empty());
}

}  // namespace
}  // namespace atl
