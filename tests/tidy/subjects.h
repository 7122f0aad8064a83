// Subjects of commits: `room: summary` in at most 72 columns.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/tidy/checks.h"

namespace atl::testing {

// One sentence a subject that is too long or has another form.
Violations CheckSubjects(const std::vector<std::string>& subjects);

// The subjects after `first`; none without git, in a shallow clone, and where `first` is not in the
// history.
std::vector<std::string> SubjectsAfter(const std::filesystem::path& root, const std::string& first);

}  // namespace atl::testing
