// Flags that take one word of a closed list.
//
//   AddChoice<Compat>(&app, "--compat", {{"none", Compat::kNone}, {"vllm", Compat::kVllm}}, "Names", &compat);
//   AddLogLevel(&app, &level);
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/log/log.h"

namespace CLI {
class App;
}

namespace atl {

// `take` gets a word of `words`; any other is refused by name.
void AddWordFlag(CLI::App* app, const std::string& name, const std::vector<std::string>& words,
                 const std::string& help, std::function<void(const std::string&)> take);

// `choice` holds the default, and the value of the word that is given.
template <typename Choice>
void AddChoice(CLI::App* app, const std::string& name, const std::map<std::string, Choice>& choices,
               const std::string& help, Choice* choice) {
  std::vector<std::string> words;
  std::string standing;
  for (const auto& [word, value] : choices) {
    words.push_back(word);
    if (value == *choice) standing = word;
  }
  AddWordFlag(app, name, words, help + " [" + standing + "]",
              [choices, choice](const std::string& word) { *choice = choices.at(word); });
}

// --log-level of every program that logs.
void AddLogLevel(CLI::App* app, log::Level* level);

}  // namespace atl
