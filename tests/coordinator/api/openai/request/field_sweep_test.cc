// Every known field of every endpoint with every kind of JSON value that it does not take: each is
// a 400 that names the field.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/coordinator/api/openai/request/parse.h"

namespace atl::coordinator {
namespace {

// A letter for each kind: what a field takes is written as "is", say, for a list of strings or a
// string. A lower-case letter is a value, an upper-case one a list of such values.
struct Kind {
  char letter;
  std::vector<std::string> values;
};
const Kind kKinds[] = {
    {'b', {"true", "false"}},
    {'i', {"1", "2.0"}},
    {'r', {"0.5", "1.5", "1e-300"}},
    {'h', {"1e300", "-1e300", "123456789012345678901234567890", "-9007199254740993"}},
    {'s', {"\"\"", "\"x\"", "\"1\"", "\"\\u0000\""}},
    {'e', {"[]"}},
    {'S', {"[\"x\"]", "[\"x\",\"y\"]"}},
    {'I', {"[1]", "[1,2]"}},
    {'L', {"[[1]]", "[[1],[2,3]]"}},
    {'M', {"[null]", "[{}]", "[true]", "[\"x\",1]", "[[[]]]", "[1.5]", "[-1]", "[1e300]"}},
    {'o', {"{}"}},
    {'O', {"{\"x\":1}", "{\"type\":[]}", "{\"1\":\"x\"}", "{\"-1\":1}"}},
};

struct Field {
  const char* name;
  const char* takes;  // kinds of which some value may be accepted, or refused for its size
};

const Field kGeneration[] = {
    {"model", "s"},
    {"temperature", "ir"},
    {"top_p", "ir"},
    {"top_k", "i"},
    {"min_p", "ir"},
    {"presence_penalty", "ir"},
    {"frequency_penalty", "ir"},
    {"repetition_penalty", "ir"},
    {"logit_bias", "o"},
    {"seed", "ih"},
    {"stop", "sSe"},
    {"stop_token_ids", "Ie"},
    {"include_stop_str_in_output", "b"},
    {"max_tokens", "i"},
    {"max_completion_tokens", "i"},
    {"min_tokens", "i"},
    {"ignore_eos", "b"},
    {"skip_special_tokens", "b"},
    {"n", "i"},
    {"best_of", "i"},
    {"priority", "i"},
    {"stream", "b"},
    {"include_timings", "b"},
    {"stream_options", "oO"},
    {"response_format", ""},
    {"guided_json", ""},
    {"structured_outputs", ""},
    {"allowed_token_ids", ""},
    {"prompt_logprobs", ""},
    {"functions", ""},
    {"audio", ""},
    {"bad_words", "e"},
    {"use_beam_search", "b"},
    {"length_penalty", "i"},
};
const Field kChat[] = {
    {"messages", ""},
    {"tools", "e"},
    {"tool_choice", ""},
    {"chat_template", ""},
    {"chat_template_kwargs", "oO"},
    {"add_generation_prompt", "b"},
    {"continue_final_message", "b"},
    {"logprobs", "b"},
    {"top_logprobs", "i"},
    {"echo", "b"},
};
const Field kCompletion[] = {
    {"prompt", "sSIL"},          {"echo", "b"},   {"logprobs", "i"},
    {"add_special_tokens", "b"}, {"suffix", "s"},
};
const Field kTokenize[] = {
    {"model", "s"},
    {"prompt", "s"},
    {"add_special_tokens", "b"},
    {"return_token_strs", "b"},
};
const Field kDetokenize[] = {{"model", "s"}, {"tokens", "Ie"}};

struct Endpoint {
  const char* name;
  std::vector<Field> fields;
  const char* required;  // members without which nothing is accepted
  std::optional<ApiError> (*error)(const std::string& body);
};

template <auto kParse>
std::optional<ApiError> ErrorOf(const std::string& body) {
  const auto result = kParse(body, kLimits);
  const auto* error = std::get_if<ApiError>(&result);
  return error == nullptr ? std::nullopt : std::optional(*error);
}

template <size_t kSize>
void Append(const Field (&fields)[kSize], std::vector<Field>* out) {
  out->insert(out->end(), std::begin(fields), std::end(fields));
}

std::vector<Endpoint> Endpoints() {
  std::vector<Endpoint> all = {
      {"chat", {}, R"("messages":[{"role":"user"}])", ErrorOf<ParseChatRequest>},
      {"completion", {}, R"("prompt":"hi")", ErrorOf<ParseCompletionRequest>},
      {"tokenize", {}, R"("prompt":"hi")", ErrorOf<ParseTokenizeRequest>},
      {"detokenize", {}, R"("tokens":[1])", ErrorOf<ParseDetokenizeRequest>}};
  Append(kGeneration, &all[0].fields);
  Append(kChat, &all[0].fields);
  Append(kGeneration, &all[1].fields);
  Append(kCompletion, &all[1].fields);
  Append(kTokenize, &all[2].fields);
  Append(kDetokenize, &all[3].fields);
  return all;
}

// The name at the start of a param: "prompt" of "prompt[1]".
std::string FieldOf(const std::string& param) { return param.substr(0, param.find_first_of("[.")); }

TEST(FieldSweepTest, EveryWrongTypeIsRefusedByName) {
  int cases = 0;
  for (const Endpoint& endpoint : Endpoints()) {
    for (const Field& field : endpoint.fields) {
      for (const Kind& kind : kKinds) {
        const bool taken = std::string_view(field.takes).find(kind.letter) != std::string::npos;
        for (const std::string& value : kind.values) {
          // The last of two fields of one name counts, so a required one may be given again.
          const std::string body =
              With(endpoint.required, "\"" + std::string(field.name) + "\":" + value);
          SCOPED_TRACE(std::string(endpoint.name) + " " + body);
          const auto error = endpoint.error(body);
          ++cases;
          if (taken && !error) continue;
          ASSERT_TRUE(error) << "accepted";
          EXPECT_EQ(error->status, 400);
          EXPECT_EQ(FieldOf(error->param), field.name) << error->message;
          EXPECT_EQ(error->message.rfind(field.name, 0), 0u) << error->message;
        }
      }
    }
  }
  EXPECT_GT(cases, 2000);
}

TEST(FieldSweepTest, EveryFieldMayBeNull) {
  for (const Endpoint& endpoint : Endpoints()) {
    for (const Field& field : endpoint.fields) {
      const std::string name = "\"" + std::string(field.name) + "\":";
      const bool required = std::string(endpoint.required).rfind(name, 0) == 0;
      const auto error = endpoint.error(With(endpoint.required, name + "null"));
      EXPECT_EQ(error.has_value(), required) << endpoint.name << " " << field.name;
    }
  }
}

// The sweep would pass over a field whose every value is refused for another reason.
TEST(FieldSweepTest, EveryFieldHasAValueThatIsTaken) {
  for (const Endpoint& endpoint : Endpoints()) {
    for (const Field& field : endpoint.fields) {
      if (std::string_view(field.takes).empty()) continue;
      bool accepted = false;
      for (const Kind& kind : kKinds) {
        if (std::string_view(field.takes).find(kind.letter) == std::string::npos) continue;
        for (const std::string& value : kind.values) {
          const std::string member = "\"" + std::string(field.name) + "\":" + value;
          for (const char* beside : {"", ",\"stream\":true", ",\"logprobs\":true"}) {
            accepted |= !endpoint.error(With(endpoint.required, member + beside));
          }
        }
      }
      EXPECT_TRUE(accepted) << endpoint.name << " " << field.name;
    }
  }
}

}  // namespace
}  // namespace atl::coordinator
