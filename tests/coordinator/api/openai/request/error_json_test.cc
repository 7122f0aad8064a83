#include "coordinator/api/openai/request/error_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace atl::coordinator {
namespace {

TEST(ApiErrorTest, MapsCodesAndHidesTheInside) {
  EXPECT_EQ(ToJson(ToApiError(ResourceExhausted("queue \"full\""))),
            R"({"error":{"message":"queue \"full\"","type":"rate_limit_error","param":null,)"
            R"("code":"rate_limit_exceeded"}})");
  EXPECT_EQ(ToApiError(ResourceExhausted("x")).status, 429);
  EXPECT_EQ(ToApiError(Unavailable("x")).status, 503);
  EXPECT_EQ(ToApiError(DeadlineExceeded("x")).status, 503);
  EXPECT_EQ(ToApiError(InvalidArgument("x")).status, 400);
  EXPECT_EQ(ToApiError(Unimplemented("x")).status, 400);
  const ApiError internal = ToApiError(Internal("/secret/path 0x7fff"));
  EXPECT_EQ(internal.status, 500);
  EXPECT_EQ(internal.message.find("secret"), std::string::npos);
}

TEST(ApiErrorTest, AnyTextMakesJson) {
  const std::string name = "\"\\\n\x01\xff" + std::string(5000, 'x');
  const ApiError error = ModelNotFound(name);
  EXPECT_EQ(error.status, 404);
  const auto json = nlohmann::json::parse(ToJson(error));
  EXPECT_EQ(json["error"]["code"], "model_not_found");
  EXPECT_EQ(json["error"]["param"], "model");
  EXPECT_LT(json["error"]["message"].get<std::string>().size(), 400u);
  EXPECT_EQ(nlohmann::json::parse(ToJson(BadRequest("\xff", "\xfe\"")))["error"]["param"],
            "\uFFFD\"");
}

}  // namespace
}  // namespace atl::coordinator
