#include "worker/packed_weights/packed_file.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <functional>

#include "tests/worker/packed_weights/packed_model.h"

namespace atl::worker {
namespace {

constexpr uint64_t kDigest = 0x1234;
const std::byte kSeven{7};

class PackedFileTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<PackedFile>> Open() {
    return PackedFile::Open(path_, kDigest, model_.layout);
  }
  // A file with unit 0 complete.
  void MakeFile() {
    ASSERT_OK_AND_ASSIGN(const auto file, Open());
    ASSERT_TRUE(file->Claim(0));
    ASSERT_OK(file->Write(FirstByte(), {&kSeven, 1}));
    ASSERT_OK(file->Complete(std::vector<int>{0}));
    ASSERT_TRUE(file->IsComplete(0));
  }
  uint64_t FirstByte() const { return model_.layout.unit(0)[0].offset; }

  PackedModel model_;
  TemporaryFolder folder_;
  std::string path_ = folder_.file("packed");
};

TEST_F(PackedFileTest, IsSparseAndKeepsWhatIsComplete) {
  MakeFile();
  EXPECT_EQ(std::filesystem::file_size(path_), model_.layout.size_bytes());
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_LT(static_cast<uint64_t>(info.st_blocks) * 512, model_.layout.size_bytes() / 4);
  ASSERT_OK_AND_ASSIGN(const auto file, Open());
  EXPECT_TRUE(file->IsComplete(0));
  EXPECT_FALSE(file->IsComplete(1));
  EXPECT_EQ(file->data()[FirstByte()], kSeven);
}

TEST_F(PackedFileTest, MatricesStandOnPagesOfTheirOwnWithinTheFile) {
  uint64_t end = PackedLayout::StateOffset(model_.layout.num_units());
  for (int unit = 0; unit < model_.layout.num_units(); ++unit) {
    for (const PackedMatrix& matrix : model_.layout.unit(unit)) {
      EXPECT_EQ(matrix.offset % 4096, 0u);
      EXPECT_GE(matrix.offset, end);
      end = matrix.offset + matrix.size_bytes();
    }
  }
  EXPECT_LE(end, model_.layout.size_bytes());
}

TEST_F(PackedFileTest, WhatWasWrittenAndNotCompletedDoesNotCount) {
  {
    ASSERT_OK_AND_ASSIGN(const auto file, Open());
    ASSERT_TRUE(file->Claim(0));
    ASSERT_OK(file->Write(FirstByte(), {&kSeven, 1}));
  }
  ASSERT_OK_AND_ASSIGN(const auto file, Open());
  EXPECT_FALSE(file->IsComplete(0));
  EXPECT_TRUE(file->Claim(0));  // the claim ended with its owner
}

TEST_F(PackedFileTest, AUnitIsClaimedOnceAtATime) {
  ASSERT_OK_AND_ASSIGN(const auto one, Open());
  ASSERT_OK_AND_ASSIGN(auto other, Open());
  EXPECT_TRUE(one->Claim(3));
  EXPECT_TRUE(one->Claim(3));
  EXPECT_FALSE(other->Claim(3));
  EXPECT_TRUE(other->Claim(4));
  ASSERT_OK(one->Complete(std::vector<int>{3}));
  EXPECT_TRUE(other->IsComplete(3));
  EXPECT_FALSE(one->Claim(4));
  other.reset();
  EXPECT_TRUE(one->Claim(4));
}

// Every byte of the head, changed: what was complete is not believed, and the file is made anew.
TEST_F(PackedFileTest, ABrokenHeadIsReplaced) {
  for (size_t at = 0; at < sizeof(PackedHead); ++at) {
    SCOPED_TRACE(at);
    std::filesystem::remove(path_);
    MakeFile();
    ASSERT_OK_AND_ASSIGN(const auto before, Open());
    std::string bytes = ReadBytes(path_);
    bytes[at] ^= 0x10;
    WriteBytes(path_, bytes);
    ASSERT_OK_AND_ASSIGN(const auto file, Open());
    EXPECT_FALSE(file->IsComplete(0));
    EXPECT_EQ(file->data()[FirstByte()], std::byte{0});
  }
}

TEST_F(PackedFileTest, BrokenSizesAndUnitBytesAreReplaced) {
  for (const auto& spoil : std::vector<std::function<void(std::string&)>>{
           [](std::string& bytes) { bytes.pop_back(); }, [](std::string& bytes) { bytes += 'x'; },
           [](std::string& bytes) { bytes.resize(3); },
           [](std::string& bytes) { bytes[PackedLayout::StateOffset(2)] = '\2'; },
           [](std::string& bytes) { bytes.assign(bytes.size(), '\0'); }}) {
    std::filesystem::remove(path_);
    MakeFile();
    std::string bytes = ReadBytes(path_);
    spoil(bytes);
    WriteBytes(path_, bytes);
    ASSERT_OK_AND_ASSIGN(const auto file, Open());
    EXPECT_FALSE(file->IsComplete(0));
    EXPECT_EQ(std::filesystem::file_size(path_), model_.layout.size_bytes());
  }
}

TEST_F(PackedFileTest, WhoMapsTheReplacedFileKeepsIt) {
  MakeFile();
  ASSERT_OK_AND_ASSIGN(const auto before, Open());
  ASSERT_OK_AND_ASSIGN(const auto another, PackedFile::Open(path_, kDigest + 1, model_.layout));
  EXPECT_TRUE(before->IsComplete(0));
  EXPECT_EQ(before->data()[FirstByte()], kSeven);
  EXPECT_FALSE(another->IsComplete(0));
}

TEST_F(PackedFileTest, WhatIsNoPlainFileIsRefused) {
  std::filesystem::create_directory(path_);
  EXPECT_STATUS(Open(), absl::StatusCode::kDataLoss, "not a plain file");
  std::filesystem::remove(path_);
  std::filesystem::create_symlink(folder_.file("elsewhere"), path_);
  EXPECT_STATUS(Open(), absl::StatusCode::kDataLoss, "not a plain file");
}

TEST_F(PackedFileTest, AFolderThatTakesNoFilesIsSaidToBe) {
  EXPECT_STATUS(PackedFile::Open("/proc/packed", kDigest, model_.layout),
                absl::StatusCode::kNotFound, "--packed-weights-dir");
}

// As an unprivileged user sees what an administrator packed.
TEST_F(PackedFileTest, AFileThatMayOnlyBeReadIsReadButNotFilled) {
  MakeFile();
  std::filesystem::permissions(path_, std::filesystem::perms(0444));
  const bool is_root = geteuid() == 0;
  constexpr uid_t kNobody = 65534;
  ASSERT_EQ(is_root ? seteuid(kNobody) : 0, 0);
  const auto file = Open();
  const auto another = PackedFile::Open(path_, kDigest + 1, model_.layout);
  ASSERT_EQ(is_root ? seteuid(0) : 0, 0);
  ASSERT_OK(file);
  EXPECT_FALSE((*file)->is_writable());
  EXPECT_TRUE((*file)->IsComplete(0));
  EXPECT_FALSE((*file)->Claim(1));
  EXPECT_STATUS(another, absl::StatusCode::kDataLoss, "its head is not");
}

class FileSizeLimit {
 public:
  explicit FileSizeLimit(uint64_t size_bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit = {.rlim_cur = size_bytes, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(PackedFileTest, NoSpaceForTheFileIsSaidAndLeavesNothing) {
  {
    const FileSizeLimit limit(model_.layout.size_bytes() - 1);
    EXPECT_STATUS(Open(), absl::StatusCode::kResourceExhausted, "no room for packed weights");
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(PackedFileTest, NoSpaceForAUnitLeavesThoseBefore) {
  ASSERT_OK_AND_ASSIGN(auto space, Open());
  const PackedFile& file = *space;
  PackedStore store(*model_.checkpoint, model_.layout, std::move(space), {.batch_bytes = 1});
  const std::vector<int> units = model_.AllUnits();
  store.Want(units);
  const FileSizeLimit limit(model_.layout.unit(units[2])[0].offset + 100);
  absl::Status status;
  for (int i = 0; i < 3; ++i) {
    status = store.PackNext({}).status();
    EXPECT_EQ(status.ok(), i < 2);
  }
  EXPECT_STATUS(status, absl::StatusCode::kResourceExhausted, "no room for packed weights");
  EXPECT_TRUE(store.Adopt(model_.weights));
  EXPECT_TRUE(file.IsComplete(units[0]) && file.IsComplete(units[1]));
  EXPECT_FALSE(file.IsComplete(units[2]));
}

}  // namespace
}  // namespace atl::worker
