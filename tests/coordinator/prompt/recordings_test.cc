// Compares the engine with what Jinja made of the same templates; tools/template/record.py recorded
// it.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "coordinator/prompt/chat_template.h"
#include "coordinator/prompt/messages.h"
#include "tests/support/json_node.h"
#include "tests/support/status_matchers.h"

namespace atl::coordinator {
namespace {

constexpr char kData[] = "tests/data/template/";

std::string ReadFile(const std::string& name) {
  std::ifstream in(kData + name, std::ios::binary);
  EXPECT_TRUE(in.good()) << kData << name << " is missing; run from the repository root";
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<JsonNode> ReadRecords(const std::string& name) {
  std::vector<JsonNode> records;
  std::istringstream lines(ReadFile(name));
  for (std::string line; std::getline(lines, line);) records.push_back(testing::NodeOf(line));
  return records;
}

std::string Field(const JsonNode& record, std::string_view name) {
  const JsonNode* field = record.Find(name);
  return field == nullptr ? "" : field->string();
}

bool Has(const JsonNode& record, std::string_view name) { return record.Find(name) != nullptr; }

// Output byte for byte; the template's own errors to the letter; Jinja's of undefined values with
// their message behind our "template:N: "; Python's only as an error, since its words are Python's.
void ExpectAsRecorded(const JsonNode& record, const absl::StatusOr<RenderedPrompt>& got) {
  if (Has(record, "output")) {
    ASSERT_OK(got);
    EXPECT_EQ(got->text(), Field(record, "output"));
    std::string joined;
    for (const TextSegment& segment : got->segments()) joined += segment.text;
    EXPECT_EQ(joined, got->text());
    return;
  }
  ASSERT_FALSE(got.ok()) << "should fail, gave " << got->text();
  const std::string message = MessageOf(got.status());
  if (Has(record, "raised")) {
    EXPECT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(message, Field(record, "raised"));
  } else {
    EXPECT_EQ(message.rfind("template:", 0), 0u) << message;
    if (Has(record, "undefined")) {
      EXPECT_THAT(message, ::testing::EndsWith(Field(record, "undefined")));
    }
  }
}

TEST(RecordingsTest, Qwen36) {
  ASSERT_OK_AND_ASSIGN(auto chat_template, ChatTemplate::Parse(ReadFile("qwen3_6.jinja")));
  const std::vector<JsonNode> records = ReadRecords("qwen3_6.jsonl");
  ASSERT_GE(records.size(), 400u);
  for (const JsonNode& record : records) {
    SCOPED_TRACE(Field(record, "name"));
    const JsonNode& body = *record.Find("input");
    TemplateInput input;
    if (const JsonNode* messages = body.Find("messages")) input.messages = *messages;
    if (const JsonNode* tools = body.Find("tools")) input.tools = *tools;
    if (const JsonNode* kwargs = body.Find("chat_template_kwargs"))
      input.chat_template_kwargs = *kwargs;
    if (const JsonNode* generate = body.Find("add_generation_prompt"))
      input.add_generation_prompt = generate->is_bool() && generate->boolean();
    ExpectAsRecorded(record, chat_template->Render(input));
  }
}

TEST(RecordingsTest, Constructs) {
  const std::vector<JsonNode> records = ReadRecords("constructs.jsonl");
  ASSERT_GE(records.size(), 400u);
  const JsonNode* shared = records[0].Find("variables");
  ASSERT_NE(shared, nullptr);
  for (size_t i = 1; i < records.size(); ++i) {
    const JsonNode& record = records[i];
    SCOPED_TRACE(Field(record, "name") + ": " + Field(record, "template"));
    const auto chat_template = ChatTemplate::Parse(Field(record, "template"));
    if (Has(record, "line")) {
      EXPECT_FALSE(chat_template.ok()) << "should not parse";
      if (chat_template.ok()) continue;
      const std::string line = "template:" + std::to_string(record.Find("line")->integer()) + ": ";
      EXPECT_EQ(MessageOf(chat_template.status()).rfind(line, 0), 0u)
          << MessageOf(chat_template.status());
      continue;
    }
    if (!chat_template.ok() && Has(record, "error")) continue;  // refused before it is run
    EXPECT_OK(chat_template);
    if (!chat_template.ok()) continue;
    JsonObject variables = shared->object();
    if (const JsonNode* more = record.Find("variables")) {
      for (const auto& [key, value] : more->object().entries()) variables.Set(key, value);
    }
    TemplateInput input;
    input.messages = *variables.Find("messages");
    input.add_generation_prompt = variables.Find("add_generation_prompt") != nullptr;
    JsonObject kwargs;
    for (const auto& [key, value] : variables.entries()) {
      if (key != "messages" && key != "add_generation_prompt") kwargs.Set(key, value);
    }
    input.chat_template_kwargs = JsonNode(std::move(kwargs));
    ExpectAsRecorded(record, (*chat_template)->Render(input));
  }
}

}  // namespace
}  // namespace atl::coordinator
