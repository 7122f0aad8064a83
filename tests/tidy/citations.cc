#include "tests/tidy/citations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace atl::testing {
namespace {

constexpr std::string_view kFolder = "docs/";
constexpr std::string_view kEnding = ".md";

bool IsDigit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

bool IsOfPath(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '/' || c == '-' || c == '_' ||
         c == '.';
}

// "3.2" at the beginning of `text`; a point that no digit follows is not of it.
std::string_view NumberAt(std::string_view text) {
  size_t end = 0;
  while (end < text.size() &&
         (IsDigit(text[end]) ||
          (end > 0 && text[end] == '.' && end + 1 < text.size() && IsDigit(text[end + 1])))) {
    ++end;
  }
  return text.substr(0, end);
}

// The numbers of a page's headings: "## 3. Plan", "### 3.2 RMS norm".
std::set<std::string, std::less<>> SectionsOf(const TextFile& page) {
  std::set<std::string, std::less<>> sections;
  for (const std::string_view line : SplitLines(page.text)) {
    if (!line.starts_with("##")) continue;
    const size_t begin = line.find_first_not_of("# ");
    if (begin == std::string_view::npos) continue;
    const std::string_view number = NumberAt(line.substr(begin));
    if (!number.empty()) sections.emplace(number);
  }
  return sections;
}

struct Citation {
  std::string_view page;
  std::string_view section;  // may be empty
};

// The citation at `at`, where the line has "docs/"; no page where it goes on as no Markdown file.
Citation CitationAt(std::string_view line, size_t at) {
  // A longer path, as tests/docs/x.md, is none of ours.
  if (at > 0 && IsOfPath(line[at - 1])) return {};
  size_t end = at;
  while (end < line.size() && IsOfPath(line[end])) ++end;
  while (end > at && line[end - 1] == '.') --end;  // of the sentence
  const std::string_view page = line.substr(at, end - at);
  if (!page.ends_with(kEnding)) return {};
  if (end + 1 >= line.size() || line[end] != ' ') return {page, {}};
  return {page, NumberAt(line.substr(end + 1))};
}

}  // namespace

Violations CheckCitations(const Tree& tree) {
  std::map<std::string, std::set<std::string, std::less<>>, std::less<>> pages;
  for (const TextFile& file : tree.files) {
    if (IsBelow(file.path, "docs") && file.path.ends_with(kEnding)) {
      pages.emplace(file.path, SectionsOf(file));
    }
  }
  Violations violations;
  for (const TextFile& file : tree.files) {
    if (IsBelow(file.path, "tests/tidy")) continue;  // plants pages that are not there
    int line_number = 0;
    for (const std::string_view line : SplitLines(file.text)) {
      ++line_number;
      for (size_t at = line.find(kFolder); at != std::string_view::npos;
           at = line.find(kFolder, at + 1)) {
        const Citation citation = CitationAt(line, at);
        if (citation.page.empty()) continue;
        const auto page = pages.find(citation.page);
        if (page == pages.end()) {
          violations.push_back(
              fmt::format("{}:{}: there is no {}", file.path, line_number, citation.page));
        } else if (!citation.section.empty() && !page->second.contains(citation.section)) {
          violations.push_back(fmt::format("{}:{}: {} has no section {}", file.path, line_number,
                                           citation.page, citation.section));
        }
      }
    }
  }
  return violations;
}

}  // namespace atl::testing
