#include "tests/tidy/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string_view>

namespace atl::testing {
namespace {

using std::string_view;

struct Include {
  int line_number = 0;
  string_view path;
  bool is_quoted = false;
};

std::vector<Include> IncludesOf(const TextFile& file) {
  std::vector<Include> includes;
  int line_number = 0;
  for (string_view line : SplitLines(file.text)) {
    ++line_number;
    const size_t hash = line.find_first_not_of(" \t");
    if (hash == string_view::npos || line[hash] != '#') continue;
    const size_t word = line.find_first_not_of(" \t", hash + 1);
    if (word == string_view::npos || !line.substr(word).starts_with("include")) continue;
    const size_t open = line.find_first_of("\"<", word);
    if (open == string_view::npos) continue;
    const size_t close = line.find(line[open] == '<' ? '>' : '"', open + 1);
    if (close == string_view::npos) continue;
    includes.push_back({line_number, line.substr(open + 1, close - open - 1), line[open] == '"'});
  }
  return includes;
}

// Tests and benches may include everything.
bool IncludesFreely(string_view path) { return IsBelow(path, "tests") || IsBelow(path, "bench"); }

bool IsGenerated(string_view include) { return include.ends_with(".pb.h"); }

struct Owner {
  string_view library;
  std::vector<string_view> starts;  // of an include
  std::vector<string_view> ends;
  std::vector<string_view> open_in;
  bool only_in_cc = false;
  bool is_intrinsics = false;
};

const std::vector<Owner>& Owners() {
  static const std::vector<Owner> owners = {
      {"gRPC",
       {"grpc/", "grpcpp/"},
       {".grpc.pb.h"},
       {"coordinator/worker_link", "worker/rpc", "coordinator/api/grpc"}},
      {"Protobuf",
       {"google/protobuf/"},
       {".pb.h"},
       {"common/step", "coordinator/worker_link", "worker/rpc", "coordinator/api/grpc"}},
      {"UCX", {"ucp/", "uct/", "ucs/"}, {}, {"worker/transport/ucx"}},
      {"Prometheus", {"prometheus/"}, {}, {"common/metrics"}},
      {"spdlog", {"spdlog/"}, {}, {"common/log"}},
      {"RE2", {"re2/"}, {}, {"worker/scripted"}, true},
      {"Boost", {"boost/"}, {}, {"coordinator/http", "tools/loadgen"}, true},
      {"vector intrinsics",
       {"immintrin.h", "x86intrin.h"},
       {},
       {"kernels/simd", "kernels/dispatch"},
       false,
       true},
      {"Abseil's strings", {"absl/strings/"}, {}, {}},
      {"nlohmann's json.hpp", {"nlohmann/json.hpp"}, {}, {""}, true},
      {"CLI11", {"CLI/"}, {}, {""}, true},
  };
  return owners;
}

bool GoesThrough(const Owner& owner, string_view include) {
  const auto starts = [&](string_view start) { return include.starts_with(start); };
  const auto ends = [&](string_view end) { return include.ends_with(end); };
  return std::any_of(owner.starts.begin(), owner.starts.end(), starts) ||
         std::any_of(owner.ends.begin(), owner.ends.end(), ends);
}

// Waiting politely and the rounding mode are no vector code; everything else of that header is.
bool UsesNoVectors(string_view text) {
  static constexpr std::array<string_view, 3> scalar = {"_mm_pause", "_mm_getcsr", "_mm_setcsr"};
  for (size_t at = text.find("_mm"); at != string_view::npos; at = text.find("_mm", at + 1)) {
    const bool is_scalar = std::any_of(scalar.begin(), scalar.end(), [&](string_view word) {
      return text.substr(at).starts_with(word);
    });
    if (!is_scalar) return false;
  }
  return text.find("__m") == string_view::npos;
}

bool IsScript(const TextFile& file) { return file.text.starts_with("#!"); }

using LineRule = std::function<std::optional<std::string>(string_view line)>;

void ForEachLine(const TextFile& file, const LineRule& rule, Violations* violations) {
  int line_number = 0;
  for (string_view line : SplitLines(file.text)) {
    ++line_number;
    if (const std::optional<std::string> what = rule(line)) {
      violations->push_back(fmt::format("{}:{}: {}", file.path, line_number, *what));
    }
  }
}

bool IsWordAt(string_view line, size_t at, size_t size) {
  const auto is_part = [&](size_t i) {
    return i < line.size() && (std::isalnum(static_cast<unsigned char>(line[i])) || line[i] == '_');
  };
  return (at == 0 || !is_part(at - 1)) && !is_part(at + size);
}

// The word as its parts, so that this file does not break its own rule.
constexpr string_view kLater =
    "TO"
    "DO";
constexpr string_view kSwitchedOff =
    "DISA"
    "BLED_";

std::optional<std::string> LeftoverOf(string_view line) {
  for (size_t at = line.find(kLater); at != string_view::npos; at = line.find(kLater, at + 1)) {
    const string_view after = line.substr(at + kLater.size());
    const bool names_issue = after.starts_with("(#") && after.size() > 2 && std::isdigit(after[2]);
    if (IsWordAt(line, at, kLater.size()) && !names_issue) {
      return fmt::format("{} without an issue; write {}(#n)", kLater, kLater);
    }
  }
  if (line.find(kSwitchedOff) != string_view::npos) return "a test is switched off";
  return std::nullopt;
}

}  // namespace

Violations CheckIncludes(const Tree& tree, const Layers& layers) {
  std::set<string_view> paths;
  for (const TextFile& file : tree.files) paths.insert(file.path);
  Violations violations;
  for (const TextFile& file : tree.files) {
    if (!IsCpp(file.path)) continue;
    const Room* from = layers.RoomOf(file.path);
    for (const Include& include : IncludesOf(file)) {
      const auto blame = [&](string_view what) {
        violations.push_back(
            fmt::format("{}:{}: {} {}", file.path, include.line_number, include.path, what));
      };
      const bool exists = paths.count(include.path) > 0;
      if (include.is_quoted && !exists && !IsGenerated(include.path)) {
        if (include.path.find('/') == string_view::npos || include.path.starts_with(".")) {
          blame("is not a path from the root");
        }
        continue;  // a library that is quoted
      }
      if (!include.is_quoted && !exists) continue;
      if (!include.is_quoted) blame("is ours and must be quoted");
      if (IncludesFreely(file.path)) continue;
      if (IncludesFreely(include.path)) blame("belongs to tests or bench, which nothing includes");
      const Room* to = layers.RoomOf(include.path);
      if (from != nullptr && to != nullptr && !Layers::MayInclude(*from, *to)) {
        blame(fmt::format("is of {}, which {} may not include", to->path, from->path));
      }
    }
  }
  return violations;
}

Violations CheckOwners(const Tree& tree) {
  Violations violations;
  for (const TextFile& file : tree.files) {
    if (!IsCpp(file.path) || IncludesFreely(file.path)) continue;
    for (const Include& include : IncludesOf(file)) {
      for (const Owner& owner : Owners()) {
        if (!GoesThrough(owner, include.path)) continue;
        const bool is_open = std::any_of(
            owner.open_in.begin(), owner.open_in.end(),
            [&](string_view folder) { return folder.empty() || IsBelow(file.path, folder); });
        if (!is_open && owner.is_intrinsics && UsesNoVectors(file.text)) continue;
        if (!is_open) {
          violations.push_back(fmt::format("{}:{}: {} enters by another owner", file.path,
                                           include.line_number, owner.library));
        } else if (owner.only_in_cc && IsHeader(file.path)) {
          violations.push_back(fmt::format("{}:{}: {} belongs in a .cc file", file.path,
                                           include.line_number, owner.library));
        }
      }
    }
  }
  return violations;
}

Violations CheckRooms(const Tree& tree, const Layers& layers) {
  std::set<std::string> without_room;
  std::set<string_view> owners;
  for (const TextFile& file : tree.files) {
    const string_view top = string_view(file.path).substr(0, file.path.find('/'));
    const Room* room = layers.RoomOf(file.path);
    if (room != nullptr) {
      owners.insert(room->path);
    } else if (IsCpp(file.path) &&
               (top == "common" || top == "kernels" || top == "coordinator" || top == "worker")) {
      without_room.emplace(FolderOf(file.path));
    }
  }
  Violations violations;
  for (const std::string& folder : without_room) {
    violations.push_back(fmt::format("{}: sources without a room in cmake/layers.cmake", folder));
  }
  for (const Room& room : layers.rooms()) {
    if (owners.count(room.path) == 0) {
      violations.push_back(
          fmt::format("{}: a room of cmake/layers.cmake without files", room.path));
    }
    for (const std::string& folder : room.may) {
      const bool is_known = std::any_of(layers.rooms().begin(), layers.rooms().end(),
                                        [&](const Room& r) { return IsBelow(r.path, folder); });
      if (!is_known) {
        violations.push_back(
            fmt::format("{}: may include {}, which is no room", room.path, folder));
      }
    }
  }
  return violations;
}

Violations CheckMap(const Tree& tree, const Layers& layers) {
  const auto page = std::find_if(tree.files.begin(), tree.files.end(), [](const TextFile& file) {
    return file.path == "docs/ARCHITECTURE.md";
  });
  if (page == tree.files.end()) return {"docs/ARCHITECTURE.md: not there"};
  Violations violations;
  for (const Room& room : layers.rooms()) {
    if (page->text.find(fmt::format("`{}/`", room.path)) == std::string::npos) {
      violations.push_back(
          fmt::format("docs/ARCHITECTURE.md: the map leaves out `{}/`", room.path));
    }
  }
  const auto names_missing_folder = [&](string_view line) -> std::optional<std::string> {
    for (size_t open = line.find('`'); open != string_view::npos;) {
      const size_t close = line.find('`', open + 1);
      if (close == string_view::npos) break;
      const string_view name = line.substr(open + 1, close - open - 1);
      if (name.ends_with('/') && name.find(' ') == string_view::npos && name != "build/" &&
          !name.starts_with("build/") && !std::filesystem::is_directory(tree.root / name)) {
        return fmt::format("names `{}`, which is no folder", name);
      }
      open = line.find('`', close + 1);
    }
    return std::nullopt;
  };
  ForEachLine(*page, names_missing_folder, &violations);
  return violations;
}

Violations CheckLengths(const Tree& tree) {
  constexpr size_t kLinesMax = 600;
  Violations violations;
  for (const TextFile& file : tree.files) {
    if (!IsCpp(file.path) && !file.path.ends_with(".py") && !IsScript(file)) continue;
    const size_t num_lines = SplitLines(file.text).size();
    if (num_lines > kLinesMax) {
      violations.push_back(
          fmt::format("{}: {} lines; {} are the most", file.path, num_lines, kLinesMax));
    }
  }
  return violations;
}

Violations CheckLeftovers(const Tree& tree) {
  Violations violations;
  for (const TextFile& file : tree.files) {
    if (!file.path.ends_with(".md")) ForEachLine(file, LeftoverOf, &violations);
    const bool is_included_once = IsHeader(file.path) && !file.path.ends_with("_body.h");
    if (is_included_once && file.text.find("#pragma once\n") == std::string::npos) {
      violations.push_back(fmt::format("{}: a header without #pragma once", file.path));
    }
  }
  return violations;
}

Violations CheckNames(const Tree& tree) {
  static const std::set<string_view> vague = {"util", "utils",   "helper",  "helpers",
                                              "misc", "manager", "managers"};
  std::set<std::string> violations;
  for (const TextFile& file : tree.files) {
    for (size_t begin = 0; begin < file.path.size();) {
      const size_t end = std::min(file.path.find_first_of("/_.-", begin), file.path.size());
      if (vague.count(string_view(file.path).substr(begin, end - begin)) > 0) {
        violations.insert(fmt::format("{}: a name that says nothing", file.path));
      }
      begin = end + 1;
    }
  }
  return {violations.begin(), violations.end()};
}

Violations CheckRegistryHosts(const Tree& tree) {
  static constexpr std::array<string_view, 12> hosts = {
      "pypi"
      ".org",
      "pythonhosted"
      ".org",
      "npmjs"
      ".org",
      "npmjs"
      ".com",
      "crates"
      ".io",
      "deb.debian"
      ".org",
      "archive.ubuntu"
      ".com",
      "docker"
      ".io",
      "ghcr"
      ".io",
      "quay"
      ".io",
      "proxy.golang"
      ".org",
      "repo.maven.apache"
      ".org"};
  Violations violations;
  const auto names_host = [](string_view line) -> std::optional<std::string> {
    for (string_view host : hosts) {
      if (line.find(host) != string_view::npos) return "names the host of a package registry";
    }
    return std::nullopt;
  };
  for (const TextFile& file : tree.files) ForEachLine(file, names_host, &violations);
  return violations;
}

}  // namespace atl::testing
