// Asks a kind of atoll-check a few lines.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/recorded_lines.h"
#include "tests/support/status_matchers.h"
#include "tools/checker/kinds/kind.h"
#include "tools/checker/run.h"

namespace atl::tools {

// The answers to `lines`, each read back from its text.
inline std::vector<Json> AskLines(const CheckFlags& flags, const std::string& lines) {
  const auto kind = MakeKind(flags);
  EXPECT_OK(kind);
  if (!kind.ok()) return {};
  std::istringstream in(lines);
  std::ostringstream out;
  EXPECT_OK(AnswerLines(**kind, in, out));
  std::vector<Json> answers;
  std::istringstream read(out.str());
  for (std::string line; std::getline(read, line);) answers.push_back(Json::parse(line));
  return answers;
}

inline Json Ask(const CheckFlags& flags, const Json& question) {
  const std::vector<Json> answers = AskLines(flags, question.dump() + "\n");
  EXPECT_EQ(answers.size(), 1u);
  return answers.empty() ? Json() : answers[0];
}

inline std::vector<Json> ReadRecords(const std::string& path) {
  std::vector<Json> records;
  for (const std::string& line : testing::ReadRecordedLines(path))
    records.push_back(Json::parse(line));
  return records;
}

}  // namespace atl::tools

// The answer is an error of this code, with these words.
#define EXPECT_ERROR(answer, expected_code, substring)                             \
  do {                                                                             \
    const ::atl::tools::Json atoll_answer_ = (answer);                             \
    EXPECT_EQ(atoll_answer_.value("/error/code"_json_pointer, ""), expected_code); \
    EXPECT_THAT(atoll_answer_.value("/error/message"_json_pointer, ""),            \
                ::testing::HasSubstr(substring));                                  \
  } while (false)
