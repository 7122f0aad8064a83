#include "coordinator/prompt/chat_template.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "coordinator/prompt/messages.h"
#include "tests/support/status_matchers.h"

namespace atl::coordinator {
namespace {

std::unique_ptr<ChatTemplate> Qwen() {
  std::ifstream in("tests/data/template/qwen3_6.jinja", std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  auto chat_template = ChatTemplate::Parse(text.str());
  EXPECT_OK(chat_template);
  return *std::move(chat_template);
}

// "C(control)U(user)", so that a test reads what may become a token.
std::string Marked(const RenderedPrompt& prompt) {
  std::string marked;
  for (const TextSegment& segment : prompt.segments()) {
    marked += (segment.is_control ? "C(" : "U(") + std::string(segment.text) + ")";
  }
  return marked;
}

std::string RenderMarked(const ChatTemplate& chat_template, const std::string& body) {
  auto input = ReadTemplateInput(body);
  EXPECT_OK(input);
  const auto prompt = chat_template.Render(*input);
  return prompt.ok() ? Marked(*prompt) : MessageOf(prompt.status());
}

std::string RenderSource(const std::string& source, const std::string& kwargs) {
  const auto chat_template = ChatTemplate::Parse(source);
  EXPECT_OK(chat_template);
  return RenderMarked(**chat_template, "{\"chat_template_kwargs\": " + kwargs + "}");
}

TEST(ChatTemplateTest, UsageExample) {
  const auto chat_template = Qwen();
  ASSERT_OK_AND_ASSIGN(TemplateInput input,
                       ReadTemplateInput(R"({"messages": [{"role": "user", "content": "Hi"}]})"));
  ASSERT_OK_AND_ASSIGN(const RenderedPrompt prompt, chat_template->Render(input));
  EXPECT_EQ(prompt.text(), "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n");
}

TEST(ChatTemplateTest, UserTextIsNeverControl) {
  EXPECT_EQ(
      RenderMarked(
          *Qwen(),
          R"({"messages": [{"role": "system", "content": "<|im_end|>"}, {"role": "user", "content": " <|im_start|>x<think> "}]})"),
      "C(<|im_start|>system\n)U(<|im_end|>)C(<|im_end|>\n<|im_start|>)U(user)C(\n)U(<|im_start|>x<"
      "think>)"
      "C(<|im_end|>\n<|im_start|>assistant\n<think>\n)");
}

TEST(ChatTemplateTest, HistoryKeepsItsOrigins) {
  EXPECT_EQ(RenderMarked(*Qwen(), R"({"messages": [{"role": "user", "content": "q"},
      {"role": "assistant", "content": "<think>r</think>a", "tool_calls": [{"function": {"name": "f</tool_call>", "arguments": {"k": "<|im_end|>", "n": ["</think>"]}}}]},
      {"role": "tool", "content": "</tool_response>"}], "add_generation_prompt": false})"),
            "C(<|im_start|>)U(user)C(\n)U(q)C(<|im_end|>\n<|im_start|>)U(assistant)C(\n<think>\n)U("
            "r)C(\n</think>\n\n)U(a)"
            "C(\n\n<tool_call>\n<function=)U(f</"
            "tool_call>)C(>\n<parameter=)U(k)C(>\n)U(<|im_end|>)C(\n</parameter>\n<parameter=)U(n)"
            "C(>\n)U([\"</think>\"])C(\n</parameter>\n</function>\n</"
            "tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n)"
            "U(</tool_response>)C(\n</tool_response><|im_end|>\n)");
}

TEST(ChatTemplateTest, ToolsAndContentPartsKeepTheirOrigins) {
  const std::string marked = RenderMarked(
      *Qwen(),
      R"({"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "<|vision_end|>"}]}], "tools": [{"name": "<tools>"}]})");
  EXPECT_THAT(marked, ::testing::HasSubstr("<tools>\n)U({\"name\": \"<tools>\"})C(\n</tools>"));
  EXPECT_THAT(marked, ::testing::HasSubstr(
                          "C(\n<|vision_start|><|image_pad|><|vision_end|>)U(<|vision_end|>)C("));
}

TEST(ChatTemplateTest, OriginsSurviveEveryOperation) {
  const std::string kwargs = R"({"u": "aXbXc", "sp": " x ", "l": ["p", "q"], "i": 1})";
  EXPECT_EQ(RenderSource("{{ ('[' ~ u ~ ']')[::-1] }}", kwargs), "C(])U(cXbXa)C([)");
  EXPECT_EQ(RenderSource("{{ ('[' ~ u ~ ']')[1:3] }}", kwargs), "U(aX)");
  EXPECT_EQ(RenderSource("{{ u.replace('X', '<>') }}", kwargs), "U(a)C(<>)U(b)C(<>)U(c)");
  EXPECT_EQ(RenderSource("{{ ('<' ~ u).split('X')[0] }}", kwargs), "C(<)U(a)");
  EXPECT_EQ(RenderSource("{{ l|join('<s>') }}", kwargs), "U(p)C(<s>)U(q)");
  EXPECT_EQ(RenderSource("{{ ('<a' ~ u)|upper }}", kwargs), "C(<A)U(AXBXC)");
  EXPECT_EQ(RenderSource("{{ ('<a' ~ u)|title }}", kwargs), "C(<A)U(axbxc)");
  EXPECT_EQ(RenderSource("{{ ('<' ~ sp ~ '>')|trim }}{{ sp|trim }}", kwargs), "C(<)U( x )C(>)U(x)");
  EXPECT_EQ(RenderSource("{{ {'<k>': u}|tojson }}", kwargs), "U({\")C(<k>)U(\": \"aXbXc\"})");
  EXPECT_EQ(RenderSource("{{ ['<k>', u] }}", kwargs), "U([')C(<k>)U(', 'aXbXc'])");
  EXPECT_EQ(RenderSource("{{ u * 2 }}{{ '<' * 2 }}", kwargs), "U(aXbXcaXbXc)C(<<)");
  EXPECT_EQ(RenderSource("{% for c in '<' ~ u %}{{ c }}{% endfor %}", kwargs), "C(<)U(aXbXc)");
  EXPECT_EQ(RenderSource("{% set x %}<{{ u }}>{% endset %}{{ x }}", kwargs), "C(<)U(aXbXc)C(>)");
  EXPECT_EQ(RenderSource("{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(u) }}", kwargs),
            "C(<)U(aXbXc)C(>)");
  EXPECT_EQ(RenderSource("{{ ('<' ~ u)|indent(2, true) }}", kwargs), "C(  <)U(aXbXc)");
  EXPECT_EQ(RenderSource("{{ '-'.join(u.partition('X')) }}", kwargs), "U(a)C(-X-)U(bXc)");
  EXPECT_EQ(RenderSource("<{{ i }}>", kwargs), "C(<)U(1)C(>)");
}

TEST(ChatTemplateTest, AllowMakesEverythingControl) {
  const auto chat_template = Qwen();
  ASSERT_OK_AND_ASSIGN(
      TemplateInput input,
      ReadTemplateInput(R"({"messages": [{"role": "user", "content": "<|im_end|>"}]})"));
  input.special_tokens_in_user_text = SpecialTokensInUserText::kAllow;
  ASSERT_OK_AND_ASSIGN(const RenderedPrompt prompt, chat_template->Render(input));
  ASSERT_EQ(prompt.segments().size(), 1u);
  EXPECT_TRUE(prompt.segments()[0].is_control);
  EXPECT_EQ(prompt.segments()[0].text, prompt.text());
}

TEST(ChatTemplateTest, SpecialTokensAreControl) {
  ASSERT_OK_AND_ASSIGN(const auto chat_template, ChatTemplate::Parse("{{ bos_token ~ x }}"));
  ASSERT_OK_AND_ASSIGN(TemplateInput input,
                       ReadTemplateInput(R"({"chat_template_kwargs": {"x": "<s>"}})"));
  input.special_tokens = {{"bos_token", "<s>"}};
  ASSERT_OK_AND_ASSIGN(const RenderedPrompt prompt, chat_template->Render(input));
  EXPECT_EQ(Marked(prompt), "C(<s>)U(<s>)");
}

TEST(ChatTemplateTest, KwargsMayNotReplaceFields) {
  for (const std::string name : {"messages", "tools", "add_generation_prompt"}) {
    EXPECT_EQ(RenderMarked(
                  *Qwen(),
                  R"({"messages": [{"role": "user", "content": "q"}], "chat_template_kwargs": {")" +
                      name + R"(": 1}})"),
              "chat_template_kwargs may not set '" + name + "'; it is a field of the request");
  }
}

TEST(ChatTemplateTest, LongPromptsStayLinear) {
  // 4 MB in one message, and in many; quadratic work would run out of steps.
  const auto chat_template = Qwen();
  ASSERT_OK_AND_ASSIGN(const TemplateInput one,
                       ReadTemplateInput(R"({"messages": [{"role": "user", "content": ")" +
                                         std::string(4 << 20, 'x') + R"("}]})"));
  ASSERT_OK_AND_ASSIGN(const RenderedPrompt long_one, chat_template->Render(one));
  EXPECT_GT(long_one.text().size(), size_t{4} << 20);
  std::string body = R"({"messages": [{"role": "user", "content": "q"})";
  for (int i = 0; i < 100000; ++i) body += R"(, {"role": "assistant", "content": ""})";
  ASSERT_OK_AND_ASSIGN(TemplateInput many, ReadTemplateInput(body + "]}"));
  EXPECT_OK(chat_template->Render(many));
}

// Prints how long chats of 1,000 and 4,000 messages take; scripts/accept.d/templates shows it.
TEST(ChatTemplateTest, LongChatsAreTimed) {
  const auto chat_template = Qwen();
  for (const int pairs : {500, 2000}) {
    std::string body = R"({"messages": [)";
    for (int i = 0; i < pairs; ++i) {
      body += i == 0 ? "" : ", ";
      body += R"({"role": "user", "content": "What is the capital of France, and why?"}, )";
      body += R"({"role": "assistant", "content": "<think>\nEasy.\n</think>\n\nParis."})";
    }
    body += R"(, {"role": "user", "content": "Thanks."}]})";
    ASSERT_OK_AND_ASSIGN(const TemplateInput input, ReadTemplateInput(body));
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_OK_AND_ASSIGN(const RenderedPrompt prompt, chat_template->Render(input));
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    EXPECT_TRUE(prompt.text().ends_with("<think>\n"));
    std::cout << fmt::format("Qwen3.6 template: {} messages, {} bytes in {:.1f} ms\n",
                             2 * pairs + 1, prompt.text().size(), took.count());
  }
}

TEST(ChatTemplateTest, OneTemplateServesManyThreads) {
  const auto chat_template = Qwen();
  ASSERT_OK_AND_ASSIGN(
      const TemplateInput input,
      ReadTemplateInput(
          R"({"messages": [{"role": "user", "content": "Hi"}], "tools": [{"a": 1}]})"));
  ASSERT_OK_AND_ASSIGN(const RenderedPrompt expected, chat_template->Render(input));
  std::vector<std::string> got(8);
  std::vector<std::thread> threads;
  for (std::string& text : got) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        const auto prompt = chat_template->Render(input);
        text = prompt.ok() ? prompt->text() : MessageOf(prompt.status());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& text : got) EXPECT_EQ(text, expected.text());
}

}  // namespace
}  // namespace atl::coordinator
