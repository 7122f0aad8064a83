// Every filter, test, method, operator and statement over every kind of value, against what Jinja
// made of the same; tools/template/record_grid.py recorded it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/jinja/jinja.h"
#include "tests/support/json_node.h"
#include "tests/support/status_matchers.h"

namespace atl::jinja {
namespace {

constexpr char kRecording[] = "tests/data/template/grid.jsonl";

struct Context {
  std::string name;
  std::vector<Variable> variables;  // their trees are the head record's
};

class Grid {
 public:
  static Grid Read() {
    Grid grid;
    std::ifstream in(kRecording, std::ios::binary);
    EXPECT_TRUE(in.good()) << kRecording << " is missing; run from the repository root";
    std::string line;
    if (!std::getline(in, line)) return grid;
    grid.head_ = std::make_unique<JsonNode>(testing::NodeOf(line));
    while (std::getline(in, line)) grid.records_.push_back(testing::NodeOf(line));
    grid.MakeContexts();
    return grid;
  }

  const std::vector<JsonNode>& records() const { return records_; }
  const std::vector<Context>& contexts(const std::string& over) const { return contexts_.at(over); }

 private:
  void MakeContexts() {
    const JsonObject& values = head_->Find("values")->object();
    contexts_["none"].push_back({"none", {}});
    std::vector<std::string> names;
    for (const auto& [name, value] : values.entries()) names.push_back(name);
    names.push_back("undefined");
    for (const std::string& v : names) contexts_["values"].push_back(Bind(values, {{"v", v}}));
    for (const JsonNode& v : head_->Find("sides")->list()) {
      for (const JsonNode& w : head_->Find("sides")->list()) {
        contexts_["sides"].push_back(Bind(values, {{"v", v.string()}, {"w", w.string()}}));
      }
    }
  }

  static Context Bind(const JsonObject& values,
                      const std::vector<std::pair<std::string, std::string>>& names) {
    Context context;
    for (const auto& [variable, name] : names) {
      context.name += (context.name.empty() ? "" : ", ") + variable + " = " + name;
      if (const JsonNode* value = values.Find(name)) context.variables.push_back({variable, value});
    }
    return context;
  }

  std::unique_ptr<const JsonNode> head_;
  std::vector<JsonNode> records_;
  std::map<std::string, std::vector<Context>> contexts_;
};

// Where this engine refuses what Jinja renders, by a part of the sentence, and why it may. It never
// renders another text, and never renders what Jinja refuses.
struct Refusal {
  std::string_view sentence;
  std::string_view reason;
};
constexpr Refusal kRefusals[] = {
    {"an integer beyond 64 bits can be printed", "Python's integers grow without bound"},
    {"formatting a string with '%' is not supported", "a template has `~`"},
    {"this method of a string is not supported", "no published template calls it"},
    {"is not supported in a chat template", "filters for HTML and for reports"},
    {"batch() needs an integer", "Jinja takes any value and never fills such a batch"},
    {"batch needs a size from 1", "the same of sizes that are none"},
    {"truncate needs a string", "Jinja gives back what has a small enough length"},
    {"truncate() needs an integer", "the same of a length that is no integer"},
    {"macro 'm' takes", "`varargs` and `kwargs` are not there"},
    {"object is not iterable", "Jinja's map and select find out only when they are read"},
    {"is unsafe; build a new one", "Jinja 3.1.2 lets clear and pop of a list through"},
    {"round takes a precision from 0 to 15", "digits beyond those of a double"},
    {"() takes a dict, not", "of pairs or an empty string Python would make a dict"},
    {"'dict object' has no attribute 'fromkeys'", "no published template calls it"},
    {"the result of '**' is no finite number", "Python's would be complex"},
};

struct Counts {
  int texts = 0;
  int failures = 0;
  int addresses = 0;
  std::map<std::string_view, int> refusals;  // by sentence
};

// The place in kRefusals of the sentence that `message` holds, or nullptr.
const Refusal* FindRefusal(const std::string& message) {
  for (const Refusal& refusal : kRefusals) {
    if (message.find(refusal.sentence) != std::string::npos) return &refusal;
  }
  return nullptr;
}

void CheckOne(const JsonNode& expected, const absl::StatusOr<Text>& got, Counts& counts) {
  if (expected.is_bool()) {  // an address in Python's text; nothing to compare
    ++counts.addresses;
  } else if (expected.is_null()) {
    ++counts.failures;
    ASSERT_FALSE(got.ok()) << "should fail, gave " << got->bytes();
  } else if (got.ok()) {
    ++counts.texts;
    ASSERT_EQ(got->bytes(), expected.string());
  } else {
    const Refusal* refusal = FindRefusal(MessageOf(got.status()));
    ASSERT_NE(refusal, nullptr) << MessageOf(got.status()) << "; Jinja gave " << expected.string();
    ++counts.refusals[refusal->sentence];
  }
}

TEST(GridTest, AsJinja) {
  const Grid grid = Grid::Read();
  ASSERT_GE(grid.records().size(), 800u);
  Counts counts;
  for (const JsonNode& record : grid.records()) {
    const std::string& source = record.Find("template")->string();
    const JsonNode& results = *record.Find("results");  // null: all fail
    const auto& contexts = grid.contexts(record.Find("over")->string());
    ASSERT_TRUE(results.is_null() || results.list().size() == contexts.size()) << source;
    const auto parsed = Template::Parse(source, {});
    for (size_t i = 0; i < contexts.size(); ++i) {
      SCOPED_TRACE(source + " with " + contexts[i].name);
      const JsonNode& expected = results.is_null() ? results : results.list()[i];
      CheckOne(expected,
               parsed.ok() ? (*parsed)->Render(contexts[i].variables)
                           : absl::StatusOr<Text>(parsed.status()),
               counts);
    }
  }
  std::cout << fmt::format("{} texts and {} failures as Jinja's, {} texts with an address\n",
                           counts.texts, counts.failures, counts.addresses);
  for (const Refusal& refusal : kRefusals) {
    EXPECT_GT(counts.refusals[refusal.sentence], 0) << refusal.sentence << " is refused nowhere";
    std::cout << fmt::format("{} refused: {} ({})\n", counts.refusals[refusal.sentence],
                             refusal.sentence, refusal.reason);
  }
}

}  // namespace
}  // namespace atl::jinja
