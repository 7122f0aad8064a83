#include "coordinator/api/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "tests/coordinator/http/http_client.h"
#include "tests/support/fake_clock.h"

namespace atl::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A table of two rows that no other part of the coordinator knows.
class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    auto server = HttpServer::Listen({});
    CHECK_OK(server.status());
    server_ = std::move(*server);
    responder_ = std::make_unique<Responder>(ResponderParts{
        .server = *server_,
        .metrics = metrics_,
        .access_log = nullptr,
        .clock = clock_,
        .spell_error = [](const ApiError& error) {
          return HttpResponse{.status = error.status, .body = "[" + error.message + "]"};
        }});
    const auto echo = [this](Call call) {
      names_.push_back(call.name);
      const std::string body = call.record.endpoint + " " + call.request.path;
      responder_->RespondUnlogged(call, {.body = body});
    };
    router_ =
        std::make_unique<Router>(std::vector<Route>{{"GET", "/one", "one", "One.", echo},
                                                    {"POST", "/many/", "many", "Many.", echo}},
                                 std::vector<OpenCalls*>{}, *responder_);
    server_->Start(*router_);
  }
  ~RouterTest() override { server_->Stop(std::chrono::milliseconds(0)); }

  testing::FakeClock clock_;
  Registry registry_;
  RequestMetrics metrics_{registry_};
  std::vector<std::string> names_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<Responder> responder_;
  std::unique_ptr<Router> router_;
};

TEST_F(RouterTest, TheRowOfThePathTakesTheCall) {
  HttpClient client(server_->port());
  EXPECT_EQ(client.Get("/one").body, "one /one");
  EXPECT_EQ(client.Post("/many/a/b", "{}").body, "many /many/a/b");
  const std::string request_id = client.Get("/one").headers["x-request-id"];
  EXPECT_EQ(request_id, "req-" + names_.back());
  EXPECT_NE(names_.front(), names_.back());
}

TEST_F(RouterTest, OtherPathsAndMethodsAreRefusedInTheDialectsWords) {
  HttpClient client(server_->port());
  EXPECT_EQ(client.Get("/one/more").status, 404);
  EXPECT_THAT(client.Get("/many").body, HasSubstr("[There is nothing at /many;"));
  const ClientResponse wrong = client.Get("/many/a");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.body, "[/many/ takes POST, not GET.]");
  EXPECT_EQ(wrong.headers.at("allow"), "POST");
  EXPECT_EQ(client.Post("/one", "{}").headers["allow"], "GET, HEAD");
  EXPECT_THAT(names_, ElementsAre());
}

}  // namespace
}  // namespace atl::coordinator
