// What the tests of the house's rules share: this repository, and a small tree on disk in which a
// rule is broken.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/status_matchers.h"
#include "tests/tidy/layers.h"
#include "tests/tidy/tree.h"

namespace atl::testing {

inline std::string TextOf(const Tree& tree, const std::string& path) {
  for (const TextFile& file : tree.files) {
    if (file.path == path) return file.text;
  }
  return "";
}

// This repository: tests run from its root.
class HouseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    tree_ = ReadTree(std::filesystem::current_path());
    ASSERT_OK_AND_ASSIGN(layers_, Layers::Parse(TextOf(tree_, "cmake/layers.cmake")));
  }
  Tree tree_;
  Layers layers_;
};

// A small tree on disk, gone at the end.
class PlantedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = (std::filesystem::temp_directory_path() / "atoll_tidy.XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    root_ = folder;
    Plant("common/base/status.h", "#pragma once\n");
    Plant("common/log/log.h", "#pragma once\n");
    Plant("kernels/tensor/tensor_view.h", "#pragma once\n#include \"common/base/status.h\"\n");
    Plant("worker/moe/router.h", "#pragma once\n#include \"kernels/tensor/tensor_view.h\"\n");
    Plant("worker/main.cc", "#include \"worker/moe/router.h\"\n");
    ParseTable(
        "function(room path)\nendfunction()\n"
        "room(common/base DOOR status.h)\nroom(common/log)\nroom(kernels/tensor DOOR "
        "tensor_view.h)\n"
        "room(worker/moe DOOR router.h MAY kernels  # covers kernels/tensor\n)\n"
        "room(worker NEEDS grpc ucx MAY worker)\n");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void ParseTable(const std::string& text) { ASSERT_OK_AND_ASSIGN(layers_, Layers::Parse(text)); }

  void Plant(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  Tree Read() const { return ReadTree(root_); }

  std::filesystem::path root_;
  Layers layers_;
};

}  // namespace atl::testing
