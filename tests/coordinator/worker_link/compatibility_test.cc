#include "coordinator/worker_link/compatibility.h"

#include "tests/support/fake_channel.h"
#include "tests/support/status_matchers.h"

namespace atl::coordinator {
namespace {

TEST(CompatibilityTest, EqualWorkersServeTogether) {
  const WorkerHello first = testing::FakeHello(0);
  EXPECT_OK(CheckCompatible(first, nullptr));
  EXPECT_OK(CheckCompatible(testing::FakeHello(1), &first));
}

TEST(CompatibilityTest, OthersAreToldWhatDiffers) {
  const WorkerHello first = testing::FakeHello(0);
  const auto refused = [&](void (*change)(WorkerHello&), const char* reason) {
    WorkerHello hello = testing::FakeHello(1);
    change(hello);
    EXPECT_STATUS(CheckCompatible(hello, &first), absl::StatusCode::kFailedPrecondition, reason);
  };
  refused([](WorkerHello& hello) { hello.wire_version = kWireVersion + 1; }, "wire version 4");
  refused([](WorkerHello& hello) { hello.model_digest = "other"; }, "the same --model");
  refused([](WorkerHello& hello) { hello.num_experts = 6; }, "the same --model");
  refused([](WorkerHello& hello) { hello.num_layers = 3; }, "the same --model");
  refused([](WorkerHello& hello) { hello.vocab_size = 10; }, "the same --model");
  refused([](WorkerHello& hello) { hello.dtype = "bfloat16"; }, "the same --dtype");
}

TEST(CompatibilityTest, TheFirstMustSpeakTheWireVersionToo) {
  WorkerHello hello = testing::FakeHello(0);
  hello.wire_version = 0;
  EXPECT_STATUS(CheckCompatible(hello, nullptr), absl::StatusCode::kFailedPrecondition,
                "wire version 0");
}

}  // namespace
}  // namespace atl::coordinator
