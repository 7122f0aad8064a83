#include "common/config/choice_flag.h"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace atl {

void AddWordFlag(CLI::App* app, const std::string& name, const std::vector<std::string>& words,
                 const std::string& help, std::function<void(const std::string&)> take) {
  std::string kind;
  for (const std::string& word : words) kind += (kind.empty() ? "" : "|") + word;
  const auto check = [words, take = std::move(take)](const std::string& word) {
    if (std::find(words.begin(), words.end(), word) == words.end()) {
      throw CLI::ValidationError("no such choice as " + word);
    }
    take(word);
  };
  app->add_option_function<std::string>(name, check, help)->type_name(kind);
}

void AddLogLevel(CLI::App* app, log::Level* level) {
  AddChoice<log::Level>(app, "--log-level",
                        {{"debug", log::Level::kDebug},
                         {"info", log::Level::kInfo},
                         {"warning", log::Level::kWarning},
                         {"error", log::Level::kError}},
                        "Least weight of lines on standard error", level);
}

}  // namespace atl
