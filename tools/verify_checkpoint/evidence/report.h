// What was found, a section at a time, on a page.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace atl::tools {

// Facts are printed as they come; findings at the end of their section, by kind: how many, and the
// first ten.
class Report {
 public:
  explicit Report(std::ostream& out) : out_(out) {}

  void BeginSection(std::string_view title);
  void Say(std::string_view fact);
  // Something is wrong. `kind` in the plural ("missing tensors"), `sentence` with file and remedy.
  void Find(std::string_view kind, std::string sentence);
  void EndSection();

  int num_findings() const { return num_findings_; }

 private:
  struct Kind {
    std::string name;
    std::vector<std::string> first;
    int count = 0;
  };
  std::ostream& out_;
  std::vector<Kind> kinds_;  // of this section
  int num_findings_ = 0;
};

}  // namespace atl::tools
