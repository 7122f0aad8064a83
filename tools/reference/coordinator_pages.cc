#include <fmt/format.h>

#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>

#include "common/base/status_macros.h"
#include "common/metrics/registry.h"
#include "coordinator/api/api.h"
#include "coordinator/engine/engine.h"
#include "coordinator/http/http_server.h"
#include "coordinator/prompt/served_model.h"
#include "coordinator/telemetry/build_info.h"
#include "coordinator/telemetry/engine_metrics.h"
#include "coordinator/telemetry/vllm_names.h"
#include "coordinator/telemetry/worker_roster.h"
#include "coordinator/worker_link/worker_link.h"
#include "tools/reference/pages.h"

namespace atl::tools {
namespace {

constexpr char kApiHead[] = R"(# Endpoints

Written by `scripts/reference` from the coordinator's router. A path that ends in `/` stands for
every path below it; HEAD is taken where GET is. *name* is the label `endpoint` in metrics and the
access log. Errors are OpenAI's: `{"error": {"message", "type", "param", "code"}}`.

| method | path | name | what it answers |
|---|---|---|---|
)";

constexpr char kMetricsHead[] = R"(# Metrics

Written by `scripts/reference` from the coordinator's own registry: every family of `/metrics`. A
histogram `x` has the series `x_bucket` (with the label `le`), `x_sum` and `x_count`. `worker` is a
rank, `layer` and `expert` are numbers. `atoll_moe_expert_rows_total` is shown with
`--metrics-expert-rows expert`, the names of vLLM with `--metrics-compat vllm`.

| name | type | labels | what it is |
|---|---|---|---|
)";

// Takes what the roster passes on.
class NoEvents : public coordinator::WorkerEvents {
 public:
  void OnHello(coordinator::WorkerId, WorkerHello) override {}
  void OnReady(coordinator::WorkerId, absl::StatusOr<WorkerReady>) override {}
  void OnResult(coordinator::WorkerId, StepResult) override {}
  void OnClosed(coordinator::WorkerId, absl::Status) override {}
};

// One of each event, so that every family has a series.
void Play(coordinator::EngineMetrics& engine) {
  engine.OnWorkerStep(0, {.rows = 1, .expert_rows = {{.layer = 0, .expert = 0, .rows = 1}}});
  engine.OnStep({.rows = 1});
  engine.OnGauges({.homes = {{.capacity = {.kv_blocks = 1}}}});
  engine.OnPreempted(0);
  engine.OnRequestEnd({});
  engine.OnWorkerLost(0);
  engine.Refresh();
}

struct Family {
  std::string type;
  std::string help;
  std::set<std::string> labels;
};

// The names of `{a="1",b="2"}`.
void AddLabels(const std::string& series, std::set<std::string>& labels) {
  const size_t open = series.find('{');
  if (open == std::string::npos) return;
  std::istringstream list(series.substr(open + 1, series.find('}') - open - 1));
  for (std::string label; std::getline(list, label, ',');) {
    const std::string name = label.substr(0, label.find('='));
    if (name != "le") labels.insert(name);
  }
}

// Reads the text format back: families by name, with the labels of their series.
std::map<std::string, Family> FamiliesOf(const std::string& page) {
  std::map<std::string, Family> families;
  std::istringstream lines(page);
  std::string family;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first, what, name;
    words >> first;
    if (first != "#") {
      AddLabels(first, families[family].labels);
      continue;
    }
    words >> what >> name;
    family = name;
    std::string rest;
    std::getline(words >> std::ws, rest);
    (what == "TYPE" ? families[name].type : families[name].help) = rest;
  }
  return families;
}

std::string ApiPage(const std::vector<coordinator::Route>& routes) {
  std::string page = kApiHead;
  for (const coordinator::Route& route : routes) {
    page += fmt::format("| {} | `{}` | `{}` | {} |\n", route.method, route.path, route.endpoint,
                        route.summary);
  }
  return page;
}

std::string MetricsPage(Registry& registry) {
  std::string page = kMetricsHead;
  for (const auto& [name, family] : FamiliesOf(registry.Render())) {
    std::string labels;
    for (const std::string& label : family.labels) {
      labels += (labels.empty() ? "`" : ", `") + label + "`";
    }
    page += fmt::format("| `{}` | {} | {} | {} |\n", name, family.type, labels, family.help);
  }
  return page;
}

}  // namespace

// A coordinator as main() composes it, of a model without texts, that nobody ever asks.
absl::StatusOr<CoordinatorPages> MakeCoordinatorPages() {
  const coordinator::ServedModel model{.name = "MODEL"};
  Registry registry;
  coordinator::ExportBuild(registry);
  coordinator::EngineMetrics metrics(registry, coordinator::ExpertRows::kByExpert);
  coordinator::AddVllmNames(model.name, registry);
  ATOLL_ASSIGN_OR_RETURN(const auto server, coordinator::HttpServer::Listen({}));
  const auto link = coordinator::WorkerLink::Create({});
  ATOLL_ASSIGN_OR_RETURN(auto engine, coordinator::Engine::Create(
                                          {.num_workers = 1, .max_model_len = 1}, *link, nullptr));
  NoEvents events;
  coordinator::WorkerRoster roster(events, registry);
  coordinator::Api api({model, *engine, *server, registry}, {});
  roster.OnHello(coordinator::WorkerId(1), {});
  Play(metrics);
  // Families whose series are made by their first event.
  api.router().OnRefused(400, "");
  CoordinatorPages pages{ApiPage(api.router().routes()), MetricsPage(registry)};
  engine.reset();
  return pages;
}

}  // namespace atl::tools
