#include "common/config/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string_view>

namespace atl {
namespace {

// CLI11's sentence on one line.
std::string OneLine(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return text;
}

// Fit for a cell of a table.
std::string CellOf(const std::string& text) {
  std::string cell;
  for (char c : OneLine(text)) {
    if (c == '|') cell += '\\';
    cell += c;
  }
  return cell;
}

// What an option takes: "INT in [0 - 65535]", where CLI11 says "INT:INT in [0 - 65535]".
std::string ValuesOf(const CLI::Option& option) {
  if (option.get_expected_max() == 0) return "";
  const std::string type = option.get_type_name();
  const size_t colon = type.find(':');
  if (colon == std::string::npos) return type;
  const std::string checked = type.substr(colon + 1);
  return checked[0] == '{' || checked.starts_with(type.substr(0, colon)) ? checked : type;
}

void AddTable(const CLI::App& app, std::string& page) {
  page += "| flag | takes | default | what it is |\n|---|---|---|---|\n";
  for (const CLI::Option* option : app.get_options()) {
    if (option == app.get_help_ptr() || option == app.get_version_ptr()) continue;
    const std::string name = option->get_positional() ? option->get_name(true) : option->get_name();
    page += fmt::format("| `{}` | {} | {} | {} |\n", name, CellOf(ValuesOf(*option)),
                        option->get_required() ? "required" : CellOf(option->get_default_str()),
                        CellOf(option->get_description()));
  }
}

// The flags of `app` and its subcommands as a page of Markdown.
std::string MarkdownOf(const CLI::App& app) {
  std::string page = fmt::format("## {}\n\n{}\n\n", app.get_name(), app.get_description());
  if (app.get_subcommands({}).empty()) AddTable(app, page);
  for (const CLI::App* subcommand : app.get_subcommands({})) {
    page += fmt::format("### {} {}\n\n{}\n\n", app.get_name(), subcommand->get_name(),
                        subcommand->get_description());
    AddTable(*subcommand, page);
    if (!subcommand->get_footer().empty()) page += "\n" + subcommand->get_footer() + "\n";
  }
  if (!app.get_footer().empty()) page += "\n" + app.get_footer() + "\n";
  return page;
}

}  // namespace

std::string AtollVersion() { return ATOLL_VERSION; }

absl::Status ParseCommandLine(CLI::App& app, int argc, const char* const* argv) {
  app.set_version_flag("--version", app.get_name() + " " + AtollVersion());
  if (argc == 2 && std::string_view(argv[1]) == "--help-markdown") {
    return Cancelled("{}", MarkdownOf(app));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return Cancelled("{}", app.help());
  } catch (const CLI::CallForVersion&) {
    return Cancelled("{}\n", app.version());
  } catch (const CLI::Error& error) {
    return InvalidArgument("{} (--help lists the options)", OneLine(error.what()));
  }
  return absl::OkStatus();
}

int ExitCode(const std::string& program, const absl::Status& status) {
  if (status.ok()) return 0;
  if (status.code() == absl::StatusCode::kCancelled) {
    std::fputs(MessageOf(status).c_str(), stdout);
    return 0;
  }
  std::fprintf(stderr, "%s: %s\n", program.c_str(), MessageOf(status).c_str());
  return 1;
}

}  // namespace atl
