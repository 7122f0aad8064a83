#include "worker/packed_weights/packed_store.h"

#include <thread>

#include "tests/worker/packed_weights/packed_model.h"
#include "worker/packed_weights/packed_memory.h"
#include "worker/packed_weights/weight_packer.h"

namespace atl::worker {
namespace {

constexpr uint64_t kDigest = 7;

class PackedStoreTest : public ::testing::Test {
 protected:
  PackedStore FileStore(const PackedModel& model, const PackedStoreOptions& options = {}) {
    auto file = PackedFile::Open(path_, kDigest, model.layout);
    EXPECT_OK(file);
    return {*model.checkpoint, model.layout, *std::move(file), options};
  }
  void ExpectAllPacked(const PackedModel& model) {
    ASSERT_OK_AND_ASSIGN(const auto file, PackedFile::Open(path_, kDigest, model.layout));
    for (const int unit : model.AllUnits()) {
      EXPECT_TRUE(file->IsComplete(unit)) << unit;
      EXPECT_TRUE(model.IsPacked(unit, file->data())) << unit;
    }
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.file("packed");
};

TEST_F(PackedStoreTest, MemoryHoldsEveryMatrixPacked) {
  PackedModel model;
  ASSERT_OK_AND_ASSIGN(auto memory, PackedMemory::Create(model.layout));
  const std::byte* const base = memory->data();
  PackedStore store(*model.checkpoint, model.layout, std::move(memory), {});
  store.Want(model.AllUnits());
  ASSERT_OK(PackAll(store, model.weights));
  EXPECT_EQ(store.ready_bytes(), store.wanted_bytes());
  for (const int unit : model.AllUnits()) EXPECT_TRUE(model.IsPacked(unit, base)) << unit;
  EXPECT_NE(model.weights.head.panels, nullptr);
  for (const LayerWeights& layer : model.weights.layers) {
    EXPECT_NE(layer.moe.shared_down_proj.panels, nullptr);
    for (const auto& expert : layer.moe.experts) EXPECT_NE(expert.down.panels, nullptr);
    EXPECT_EQ(layer.moe.shared_gate.panels, nullptr);  // one row
  }
}

TEST_F(PackedStoreTest, OnlyBf16MatricesOfEnoughRowsArePacked) {
  for (const char* folder : {"tests/golden/data/unfriendly", "tests/golden/data/half6"}) {
    SCOPED_TRACE(folder);
    const PackedModel model(folder);
    EXPECT_TRUE(model.AllUnits().empty());
  }
  const PackedModel fp8("tests/golden/data/fp8nested3");
  for (const int unit : fp8.AllUnits()) {
    for (const PackedMatrix& matrix : fp8.layout.unit(unit))
      EXPECT_EQ(matrix.values.dtype, kernels::DType::kBf16);
  }
}

TEST_F(PackedStoreTest, AFileIsMadeAndFoundAgain) {
  PackedModel model;
  {
    PackedStore store = FileStore(model);
    store.Want(model.AllUnits());
    EXPECT_FALSE(store.Adopt(model.weights));
    ASSERT_OK(PackAll(store, model.weights));
  }
  ExpectAllPacked(model);
  PackedModel again;
  PackedStore store = FileStore(again);
  store.Want(again.AllUnits());
  EXPECT_EQ(store.ready_bytes(), store.wanted_bytes());
  EXPECT_TRUE(store.Adopt(again.weights));
  EXPECT_NE(again.weights.head.panels, nullptr);
  EXPECT_FALSE(store.Adopt(again.weights));
}

TEST_F(PackedStoreTest, AUnitWithoutItsByteIsPackedAgain) {
  PackedModel model;
  const std::vector<int> units = model.AllUnits();
  {
    // Written over and over with something else, and never completed.
    ASSERT_OK_AND_ASSIGN(const auto file, PackedFile::Open(path_, kDigest, model.layout));
    const PackedMatrix& matrix = model.layout.unit(units[1])[0];
    const std::vector<std::byte> wrong(matrix.size_bytes(), std::byte{0x5a});
    ASSERT_TRUE(file->Claim(units[1]));
    ASSERT_OK(file->Write(matrix.offset, wrong));
  }
  PackedStore store = FileStore(model);
  store.Want(units);
  ASSERT_OK(PackAll(store, model.weights));
  ExpectAllPacked(model);
}

TEST_F(PackedStoreTest, TwoWorkersFillOneFileAtOnce) {
  PackedModel one, other;
  std::vector<std::thread> workers;
  for (PackedModel* model : {&one, &other}) {
    workers.emplace_back([this, model] {
      kernels::SetDenormalsToZero();
      PackedStore store = FileStore(*model, {.batch_bytes = 100'000});
      store.Want(model->AllUnits());
      EXPECT_OK(PackAll(store, model->weights));
      EXPECT_EQ(store.ready_bytes(), store.wanted_bytes());
      EXPECT_NE(model->weights.layers.back().moe.experts.back().down.panels, nullptr);
    });
  }
  for (std::thread& worker : workers) worker.join();
  ExpectAllPacked(one);
}

TEST_F(PackedStoreTest, AWorkerPacksItsOwnExpertsAndMoreWhenItGetsMore) {
  PackedModel model;
  std::vector<std::vector<int>> owned(model.weights.layers.size(), {0});
  PackedStore store = FileStore(model);
  store.Want(model.layout.UnitsOf(owned));
  ASSERT_OK(PackAll(store, model.weights));
  EXPECT_NE(model.weights.layers[1].moe.experts[0].down.panels, nullptr);
  EXPECT_EQ(model.weights.layers[1].moe.experts[1].down.panels, nullptr);
  for (std::vector<int>& layer : owned) layer = {0, 1};
  store.Want(model.layout.UnitsOf(owned));
  ASSERT_OK(PackAll(store, model.weights));
  EXPECT_NE(model.weights.layers[1].moe.experts[1].down.panels, nullptr);
}

TEST_F(PackedStoreTest, WhatEveryTokenReadsComesFirst) {
  const PackedModel model;
  const std::vector<int> units = model.AllUnits();
  const size_t num_layers = model.weights.layers.size();
  for (size_t i = 0; i <= num_layers; ++i) EXPECT_NE(model.layout.unit(units[i]).size(), 3u) << i;
  EXPECT_EQ(model.layout.unit(units[num_layers])[0].values.data, model.weights.head.values.data);
  EXPECT_EQ(model.layout.unit(units[num_layers + 1])[0].values.data,
            model.weights.layers[0].moe.experts[0].down.values.data);
}

TEST_F(PackedStoreTest, ReleasedPagesAreReadAgain) {
  PackedModel model;
  const auto* const source =
      static_cast<const unsigned char*>(model.weights.layers[0].moe.experts[0].down.values.data);
  const auto size = static_cast<size_t>(model.weights.layers[0].moe.experts[0].down.num_bytes());
  const std::vector<unsigned char> before(source, source + size);
  PackedStore store = FileStore(model, {.release = PageRelease::kForget});
  store.Want(model.AllUnits());
  ASSERT_OK(PackAll(store, model.weights));
  EXPECT_EQ(std::memcmp(source, before.data(), size), 0);
}

TEST_F(PackedStoreTest, AStoppedUnitIsNotDone) {
  PackedModel model;
  PackedStore store = FileStore(model);
  store.Want(model.AllUnits());
  std::stop_source stop;
  stop.request_stop();
  for (int i = 0; i < 3; ++i) ASSERT_OK(store.PackNext(stop.get_token()));
  EXPECT_EQ(store.ready_bytes(), 0u);
  ASSERT_OK(PackAll(store, model.weights));
  ExpectAllPacked(model);
}

TEST_F(PackedStoreTest, TheThreadPacksAllAndStopsAtOnce) {
  PackedModel model;
  PackedStore store = FileStore(model, {.batch_bytes = 200'000});
  store.Want(model.AllUnits());
  { const WeightPacker stopped(store); }
  const WeightPacker packer(store);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto& last = model.weights.layers.back().moe.experts.back().down;
  while (last.panels == nullptr && std::chrono::steady_clock::now() < deadline) {
    store.Adopt(model.weights);
    std::this_thread::yield();
  }
  EXPECT_NE(last.panels, nullptr);
}

}  // namespace
}  // namespace atl::worker
