#include "tests/tidy/definitions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>
#include <utility>

namespace atl::testing {
namespace {

using std::string_view;
using Tokens = std::vector<string_view>;

bool IsWordByte(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

bool IsWord(string_view token) { return !token.empty() && IsWordByte(token[0]); }

size_t EndOfLine(string_view text, size_t at) { return std::min(text.find('\n', at), text.size()); }

// Past the literal that opens at `at` with a quote.
size_t EndOfLiteral(string_view text, size_t at) {
  const char quote = text[at];
  size_t end = at + 1;
  while (end < text.size() && text[end] != quote) end += text[end] == '\\' ? 2 : 1;
  return std::min(end + 1, text.size());
}

// Past the raw literal whose quote stands at `at`.
size_t EndOfRawLiteral(string_view text, size_t at) {
  const size_t open = text.find('(', at);
  if (open == string_view::npos) return text.size();
  const std::string close = fmt::format("){}\"", text.substr(at + 1, open - at - 1));
  const size_t end = text.find(close, open);
  return end == string_view::npos ? text.size() : end + close.size();
}

// Past a line of the preprocessor and those that continue it.
size_t EndOfDirective(string_view text, size_t at) {
  size_t end = EndOfLine(text, at);
  while (end < text.size() && text[end - 1] == '\\') end = EndOfLine(text, end + 1);
  return end;
}

// Words, "::" and single signs; comments, literals and lines of the preprocessor are left out.
Tokens TokensOf(string_view text) {
  Tokens tokens;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (std::isspace(static_cast<unsigned char>(c))) {
      ++at;
    } else if (text.substr(at).starts_with("//")) {
      at = EndOfLine(text, at);
    } else if (text.substr(at).starts_with("/*")) {
      const size_t end = text.find("*/", at);
      at = end == string_view::npos ? text.size() : end + 2;
    } else if (c == '#') {
      at = EndOfDirective(text, at);
    } else if (c == '"' || c == '\'') {
      at = EndOfLiteral(text, at);
    } else if (IsWordByte(c)) {
      size_t end = at;
      // 1'000 is one word.
      const bool is_number = std::isdigit(static_cast<unsigned char>(c));
      while (end < text.size() && (IsWordByte(text[end]) || (is_number && text[end] == '\'')))
        ++end;
      const string_view word = text.substr(at, end - at);
      at = end;
      if (word.ends_with('R') && at < text.size() && text[at] == '"') {
        at = EndOfRawLiteral(text, at);
      } else {
        tokens.push_back(word);
      }
    } else {
      const size_t size = text.substr(at).starts_with("::") ? 2 : 1;
      tokens.push_back(text.substr(at, size));
      at += size;
    }
  }
  return tokens;
}

// Past the `close` that belongs to the `open` at `at`.
size_t Past(const Tokens& tokens, size_t at, string_view open, string_view close) {
  int depth = 0;
  for (; at < tokens.size(); ++at) {
    if (tokens[at] == open) ++depth;
    if (tokens[at] == close && --depth == 0) return at + 1;
  }
  return at;
}

// Declarations without what may stand before them: template<...>, [[...]], static, inline and the
// like.
Tokens WithoutPrefix(Tokens tokens) {
  static const std::set<string_view> words = {"static", "inline",    "constexpr", "extern",
                                              "const",  "constinit", "consteval", "thread_local"};
  while (!tokens.empty()) {
    size_t count = 0;
    if (tokens[0] == "template") {
      count = Past(tokens, 1, "<", ">");
    } else if (tokens[0] == "[") {
      count = Past(tokens, 0, "[", "]");
    } else if (words.count(tokens[0]) > 0) {
      count = 1;
    }
    if (count == 0) break;
    tokens.erase(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(count));
  }
  return tokens;
}

// The types of a list of parameters: each without its default and its name.
std::string ParametersOf(const Tokens& tokens, size_t open) {
  std::string all;
  Tokens parameter;
  bool in_default = false;
  const auto finish = [&] {
    if (parameter.size() > 1 && IsWord(parameter.back()) &&
        parameter[parameter.size() - 2] != "::" && parameter[parameter.size() - 2] != "const") {
      parameter.pop_back();
    }
    for (string_view token : parameter) all += token;
    all += ',';
    parameter.clear();
    in_default = false;
  };
  int depth = 0;
  const size_t end = Past(tokens, open, "(", ")");
  for (size_t i = open + 1; i + 1 < end; ++i) {
    const string_view token = tokens[i];
    if (token == "<" || token == "(" || token == "{") ++depth;
    if (token == ">" || token == ")" || token == "}") --depth;
    if (token == "," && depth == 0) {
      finish();
    } else if (token == "=" && depth == 0) {
      in_default = true;
    } else if (!in_default) {
      parameter.push_back(token);
    }
  }
  if (!parameter.empty()) finish();
  if (!all.empty()) all.pop_back();
  return all;
}

// Where the first `sign` stands outside of brackets; tokens.size() if nowhere.
size_t FindOutside(const Tokens& tokens, string_view sign) {
  int depth = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (depth == 0 && tokens[i] == sign) return i;
    if (tokens[i] == "(" || tokens[i] == "[" || tokens[i] == "<") ++depth;
    if (tokens[i] == ")" || tokens[i] == "]" || tokens[i] == ">") --depth;
  }
  return tokens.size();
}

// The name before `end`, "" for a member, an operator or a specialisation.
std::string NameBefore(const Tokens& tokens, size_t end) {
  while (end > 0 && tokens[end - 1] == "]") {
    while (end > 0 && tokens[end - 1] != "[") --end;
    if (end > 0) --end;
  }
  if (end == 0 || !IsWord(tokens[end - 1])) return "";
  if (end > 1 && (tokens[end - 2] == "::" || tokens[end - 2] == "operator")) return "";
  return std::string(tokens[end - 1]);
}

std::string TypeNameOf(const Tokens& tokens) {
  size_t at = 1;
  if (at < tokens.size() && (tokens[at] == "class" || tokens[at] == "struct")) ++at;
  while (at < tokens.size() && (tokens[at] == "alignas" || tokens[at] == "[")) {
    at = tokens[at] == "[" ? Past(tokens, at, "[", "]") : Past(tokens, at + 1, "(", ")");
  }
  if (at >= tokens.size() || !IsWord(tokens[at])) return "";
  const bool is_plain =
      at + 1 == tokens.size() || tokens[at + 1] == ":" || tokens[at + 1] == "final";
  return is_plain ? std::string(tokens[at]) : "";
}

bool IsTypeWord(string_view token) {
  return token == "class" || token == "struct" || token == "union" || token == "enum";
}

// What a declaration defines; `has_body` if a brace follows it, else a semicolon.
std::string DefinedBy(const Tokens& whole, bool has_body) {
  const Tokens tokens = WithoutPrefix(whole);
  // After a comma: the rest of a list of initialisers.
  if (tokens.empty() || tokens[0] == "friend" || tokens[0] == ",") return "";
  if (tokens[0] == "using") {
    return tokens.size() > 2 && tokens[2] == "=" ? std::string(tokens[1]) : "";
  }
  if (std::find(tokens.begin(), tokens.end(), "operator") != tokens.end()) return "";
  const size_t parameters = FindOutside(tokens, "(");
  const size_t assigned = FindOutside(tokens, "=");
  if (assigned < parameters) return NameBefore(tokens, assigned);
  if (IsTypeWord(tokens[0]) && parameters == tokens.size()) {
    return has_body ? TypeNameOf(tokens) : "";
  }
  if (parameters < tokens.size()) {
    if (!has_body || parameters == 0) return "";
    const std::string name = NameBefore(tokens, parameters);
    return name.empty() ? "" : fmt::format("{}({})", name, ParametersOf(tokens, parameters));
  }
  // A variable with an initialiser in braces.
  return has_body && tokens.size() > 1 ? NameBefore(tokens, tokens.size()) : "";
}

// Namespaces from the outside in; one without a name hides what is in it.
class Reader {
 public:
  explicit Reader(const Tokens& tokens) : tokens_(tokens) {}

  std::vector<std::string> Read() {
    for (size_t at = 0; at < tokens_.size();) at = Take(at);
    return std::move(definitions_);
  }

 private:
  // Takes the token at `at` and what belongs to it; returns where to go on.
  size_t Take(size_t at) {
    const string_view token = tokens_[at];
    if (token == ";") {
      Define(false);
      return at + 1;
    }
    if (token == "}") {
      if (!namespaces_.empty()) namespaces_.pop_back();
      declaration_.clear();
      return at + 1;
    }
    if (token == "(" || token == "[") {  // braces in there are no bodies
      const size_t end = Past(tokens_, at, token, token == "(" ? ")" : "]");
      declaration_.insert(declaration_.end(), tokens_.begin() + static_cast<ptrdiff_t>(at),
                          tokens_.begin() + static_cast<ptrdiff_t>(end));
      return end;
    }
    if (token != "{") {
      declaration_.push_back(token);
      return at + 1;
    }
    if (OpensNamespace()) return at + 1;
    Define(true);
    return Past(tokens_, at, "{", "}");
  }

  bool OpensNamespace() {
    const auto word = std::find(declaration_.begin(), declaration_.end(), "namespace");
    const bool is_extern = declaration_.size() == 1 && declaration_[0] == "extern";
    if (word == declaration_.end() && !is_extern) return false;
    std::string name = is_extern ? "extern" : "";
    if (!is_extern) {
      for (auto part = word + 1; part != declaration_.end(); ++part) name += *part;
    }
    namespaces_.push_back(std::move(name));
    declaration_.clear();
    return true;
  }

  void Define(bool has_body) {
    const std::string name = DefinedBy(declaration_, has_body);
    declaration_.clear();
    const bool is_hidden =
        std::find(namespaces_.begin(), namespaces_.end(), "") != namespaces_.end();
    if (name.empty() || is_hidden || namespaces_.empty()) return;
    std::string full;
    for (const std::string& part : namespaces_) full += part + "::";
    definitions_.push_back(full + name);
  }

  const Tokens& tokens_;
  Tokens declaration_;
  std::vector<std::string> namespaces_;
  std::vector<std::string> definitions_;
};

bool IsProduction(string_view path) {
  static constexpr std::array<string_view, 5> tops = {"common", "kernels", "coordinator", "worker",
                                                      "tools"};
  return IsCpp(path) &&
         std::any_of(tops.begin(), tops.end(), [&](string_view top) { return IsBelow(path, top); });
}

}  // namespace

std::vector<std::string> DefinitionsOf(string_view text) {
  const Tokens tokens = TokensOf(text);
  return Reader(tokens).Read();
}

Violations CheckDefinitions(const Tree& tree) {
  std::map<std::string, std::set<string_view>> files;  // that define the name
  for (const TextFile& file : tree.files) {
    if (!IsProduction(file.path)) continue;
    for (std::string& name : DefinitionsOf(file.text)) files[std::move(name)].insert(file.path);
  }
  Violations violations;
  for (const auto& [name, paths] : files) {
    if (paths.size() < 2) continue;
    violations.push_back(fmt::format("{}: defined in {}", name, fmt::join(paths, " and ")));
  }
  return violations;
}

}  // namespace atl::testing
