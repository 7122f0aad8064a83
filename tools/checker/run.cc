#include "tools/checker/run.h"

#include <istream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <utility>

#include "common/base/status_macros.h"

namespace atl::tools {
namespace {

enum class Read { kLine, kEnd, kTooLong };

Read ReadLine(std::istream& in, std::string& line) {
  line.clear();
  std::streambuf& buffer = *in.rdbuf();
  constexpr int kEof = std::char_traits<char>::eof();
  for (int c = buffer.sbumpc(); c != '\n'; c = buffer.sbumpc()) {
    if (c == kEof) return line.empty() ? Read::kEnd : Read::kLine;
    if (line.size() == kLineBytesMax) return Read::kTooLong;
    line.push_back(static_cast<char>(c));
  }
  return Read::kLine;
}

// A string, a number or null: it is written back, so it may not be a tree of any depth.
absl::StatusOr<Json> IdOf(const Json& question) {
  const auto id = question.find("id");
  if (id == question.end()) return Json();
  if (id->is_structured()) return InvalidArgument("id: expected a string or a number");
  return *id;
}

Json ErrorOf(const absl::Status& status) {
  return {{"code", CodeName(status.code())}, {"message", MessageOf(status)}};
}

Json AnswerOne(Kind& kind, const Json& question, const std::string& line) {
  Json answer = Json::object();
  absl::StatusOr<Json> id = IdOf(question);
  answer["id"] = id.ok() ? *id : Json();
  absl::Status status = id.status();
  if (status.ok()) status = kind.Answer(question, line, answer);
  if (!status.ok()) answer = {{"id", id.ok() ? *id : Json()}, {"error", ErrorOf(status)}};
  return answer;
}

}  // namespace

absl::Status AnswerLines(Kind& kind, std::istream& in, std::ostream& out) {
  std::string line;
  for (int64_t number = 1;; ++number) {
    const Read read = ReadLine(in, line);
    if (read == Read::kEnd) return absl::OkStatus();
    if (read == Read::kTooLong) {
      return InvalidArgument("line {} of the input has more than the {} bytes allowed", number,
                             kLineBytesMax);
    }
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Json question = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!question.is_object()) {
      return InvalidArgument("line {} of the input is no JSON object; give one a line", number);
    }
    out << AnswerOne(kind, question, line).dump(-1, ' ', false, Json::error_handler_t::replace)
        << '\n'
        << std::flush;
    if (!out.good()) return Unavailable("the answer to line {} could not be written", number);
  }
}

}  // namespace atl::tools
