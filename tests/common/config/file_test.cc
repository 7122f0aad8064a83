#include "common/config/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/status_matchers.h"

namespace atl {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class InputFileTest : public ::testing::Test {
 protected:
  InputFileTest()
      : path_((std::filesystem::temp_directory_path() / ("atoll_file_" + std::to_string(getpid())))
                  .string()) {}
  ~InputFileTest() override { std::filesystem::remove_all(path_); }
  void Write(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }

  std::string path_;
};

TEST_F(InputFileTest, ReadsWhole) {
  Write("abc");
  ASSERT_OK_AND_ASSIGN(const std::string text, ReadTextFile(path_, 3));
  EXPECT_EQ(text, "abc");
  EXPECT_STATUS(ReadTextFile(path_, 2), kInvalid, "3 bytes, more than the 2");
}

TEST_F(InputFileTest, AFileCutShortMeanwhile) {
  Write("abcdef");
  ASSERT_OK_AND_ASSIGN(const InputFile file, InputFile::Open(path_));
  EXPECT_OK(file.CheckSize());
  std::filesystem::resize_file(path_, 2);
  EXPECT_STATUS(file.Read(0, 6), absl::StatusCode::kDataLoss, "size changed");
  EXPECT_STATUS(file.CheckSize(), absl::StatusCode::kDataLoss, "size changed");
}

TEST_F(InputFileTest, WhatIsNoPlainFile) {
  EXPECT_STATUS(InputFile::Open(path_), absl::StatusCode::kNotFound, "no such file");
  EXPECT_STATUS(InputFile::Open("/dev/null/x"), absl::StatusCode::kNotFound, "no such file");
  EXPECT_STATUS(InputFile::Open("/dev/null"), kInvalid, "not a regular file");
  EXPECT_STATUS(InputFile::Open("/"), kInvalid, "not a regular file");
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_STATUS(InputFile::Open(path_), kInvalid, "not a regular file");
  ASSERT_EQ(unlink(path_.c_str()), 0);
  std::filesystem::create_symlink(path_, path_);
  EXPECT_STATUS(InputFile::Open(path_), kInvalid, "cannot be opened");
}

}  // namespace
}  // namespace atl
