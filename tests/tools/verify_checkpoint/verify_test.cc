// The nano model has nothing wrong; copies with one thing broken are told apart, by tensor and
// file.
#include "tools/verify_checkpoint/verify.h"

#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/status_matchers.h"
#include "tests/tools/small_model.h"

namespace atl::tools {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kNano[] = "tools/nano/checkpoint";
constexpr char kUpProj[] = "model.language_model.layers.5.mlp.shared_expert.up_proj.weight";

struct Verified {
  absl::Status status;
  int num_findings = 0;
  std::string text;
};
Verified Verify(const std::string& folder, VerifyDepth depth = VerifyDepth::kFull) {
  std::ostringstream out;
  Report report(out);
  Verified verified = {VerifyCheckpoint(
      {.folder = folder, .data = "tests/data", .depth = depth, .num_threads = 2}, report)};
  report.EndSection();
  verified.num_findings = report.num_findings();
  verified.text = out.str();
  return verified;
}

// A copy of the nano model whose file of weights can be changed.
class NanoCopy {
 public:
  NanoCopy() {
    fs::create_directories(folder_.path());
    for (const char* file : {"config.json", "tokenizer.json", "tokenizer_config.json",
                             "generation_config.json", "chat_template.jinja"}) {
      fs::copy_file(fs::path(kNano) / file, fs::path(folder_.path()) / file);
    }
    std::ifstream in(fs::path(kNano) / "model.safetensors", std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(in), {});
    uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, bytes_.data(), sizeof header_bytes);
    header_ = Json::parse(bytes_.substr(8, header_bytes));
    data_ = bytes_.substr(8 + header_bytes);
  }

  Json& header() { return header_; }
  char* DataOf(const std::string& tensor) {
    return data_.data() + header_[tensor]["data_offsets"][0].get<uint64_t>();
  }
  std::string path() const { return folder_.path(); }

  void Write(size_t cut_bytes = 0) const {
    std::string header = header_.dump();
    header.append((8 - header.size() % 8) % 8, ' ');
    const uint64_t header_bytes = header.size();
    std::string prefix(8, '\0');
    std::memcpy(prefix.data(), &header_bytes, sizeof header_bytes);
    std::ofstream(path() + "/model.safetensors", std::ios::binary)
        << prefix << header << data_.substr(0, data_.size() - cut_bytes);
  }

 private:
  const NewFolder folder_;
  std::string bytes_, data_;
  Json header_;
};

TEST(VerifyTest, FindsNothingInTheNanoModel) {
  const Verified verified = Verify(kNano);
  EXPECT_OK(verified.status);
  EXPECT_EQ(verified.num_findings, 0) << verified.text;
  EXPECT_THAT(verified.text, HasSubstr("160 tensors in 1 files, 32713216 bytes"));
  EXPECT_THAT(verified.text, HasSubstr("not the published checkpoint: skipped"));
  EXPECT_THAT(verified.text, HasSubstr("perplexity of the bundled text: "));
}

TEST(VerifyTest, NamesWhatIsMissingAndWhatIsTooMuch) {
  NanoCopy nano;
  nano.header()["model.language_model.layers.5.other.weight"] = nano.header()[kUpProj];
  nano.header().erase(kUpProj);
  nano.Write();
  const Verified verified = Verify(nano.path());
  EXPECT_EQ(verified.num_findings, 2) << verified.text;
  EXPECT_THAT(verified.text,
              HasSubstr(fmt::format("missing tensors: 1\n    {} [32, 128]", kUpProj)));
  EXPECT_THAT(
      verified.text,
      HasSubstr("unexpected tensors: 1\n    model.language_model.layers.5.other.weight in "));
  EXPECT_THAT(verified.text, HasSubstr("not run: see what was found above"));
}

TEST(VerifyTest, ShowsTenOfManyAndCountsAll) {
  NanoCopy nano;
  Json& header = nano.header();
  for (auto& [name, tensor] : header.items()) {
    if (!name.ends_with("layernorm.weight")) continue;
    tensor["shape"] = {64, 2};
  }
  nano.Write();
  const Verified verified = Verify(nano.path(), VerifyDepth::kQuick);
  EXPECT_EQ(verified.num_findings, 18);  // two a layer, and the MTP layer's
  EXPECT_THAT(verified.text, HasSubstr("tensors of another shape: 18\n"));
  EXPECT_THAT(verified.text, HasSubstr("and 8 more\n"));
  EXPECT_THAT(verified.text, HasSubstr("[64, 2] in "));
}

TEST(VerifyTest, NamesATensorOfAnotherType) {
  NanoCopy nano;
  nano.header()[kUpProj]["dtype"] = "F16";
  nano.Write();
  const Verified verified = Verify(nano.path(), VerifyDepth::kQuick);
  EXPECT_EQ(verified.num_findings, 1) << verified.text;
  EXPECT_THAT(verified.text, HasSubstr(fmt::format("{}: F16 in ", kUpProj)));
}

TEST(VerifyTest, NamesTensorsThatAreNotFiniteOrAllZeros) {
  NanoCopy nano;
  constexpr uint16_t kNan = 0x7fc0, kInfinity = 0xff80;
  const std::string norm = "model.language_model.norm.weight";
  std::memcpy(nano.DataOf(norm), &kNan, sizeof kNan);
  std::memcpy(nano.DataOf(norm) + 100, &kInfinity, sizeof kInfinity);
  std::memset(nano.DataOf(kUpProj), 0, 32 * 128 * 2);
  nano.Write();
  const Verified verified = Verify(nano.path());
  EXPECT_EQ(verified.num_findings, 2) << verified.text;
  EXPECT_THAT(verified.text, HasSubstr(norm + " in " + nano.path() + "/model.safetensors: 2 of"));
  EXPECT_THAT(verified.text,
              HasSubstr(fmt::format("matrices that are all zeros: 1\n    {}", kUpProj)));
}

TEST(VerifyTest, AFolderWithoutAReadableFileIsAnError) {
  NanoCopy nano;
  EXPECT_STATUS(Verify(nano.path()).status, absl::StatusCode::kNotFound, "has neither");
  nano.Write(/*cut_bytes=*/1);
  const Verified verified = Verify(nano.path());
  EXPECT_STATUS(verified.status, absl::StatusCode::kDataLoss, "none of its files can be read");
  EXPECT_THAT(verified.text, HasSubstr("/model.safetensors: tensor "));
  EXPECT_STATUS(Verify("/nowhere").status, absl::StatusCode::kNotFound, "/nowhere/config.json");
}

TEST(VerifyTest, NamesATokenizerThatDoesNotFit) {
  NanoCopy nano;
  nano.Write();
  fs::remove(nano.path() + "/chat_template.jinja");
  std::ofstream(nano.path() + "/generation_config.json") << R"({"eos_token_id": [4065, 5000]})";
  const Verified verified = Verify(nano.path(), VerifyDepth::kQuick);
  EXPECT_EQ(verified.num_findings, 2) << verified.text;
  EXPECT_THAT(verified.text, HasSubstr("chat_template.jinja: no such file"));
  EXPECT_THAT(verified.text, HasSubstr("5000 is no id of a vocabulary of 4096"));
}

// Two files of weights and an index; no tokenizer and no stop ids, which are two findings.
class ShardedTest : public ::testing::Test {
 protected:
  void Write(ReleaseType type) {
    RandomCheckpointOptions options = SmallModel(folder_.path(), type);
    options.shard_bytes_max = 4'000'000;
    ASSERT_OK_AND_ASSIGN(const RandomCheckpointSummary summary, WriteRandomCheckpoint(options));
    ASSERT_GT(summary.num_shards, 1u);
    last_ = fmt::format("model-{0:05}-of-{0:05}.safetensors", summary.num_shards);
  }
  Json Read(const std::string& file) const { return Json::parse(folder_.Text(file)); }
  void Replace(const std::string& file, const Json& json) const {
    std::ofstream(folder_.path() + "/" + file) << json.dump();
  }
  Verified Run() const { return Verify(folder_.path(), VerifyDepth::kQuick); }

  static constexpr char kIndex[] = "model.safetensors.index.json";
  const NewFolder folder_;
  std::string last_;
};

TEST_F(ShardedTest, RunsEachStoredForm) {
  Write(ReleaseType::kFp8);
  const Verified verified = Run();
  EXPECT_EQ(verified.num_findings, 2) << verified.text;
  EXPECT_THAT(verified.text, HasSubstr("experts one by one, linear layers F8_E4M3 with scales"));
  EXPECT_THAT(verified.text, HasSubstr("perplexity of random ids: "));
}

TEST_F(ShardedTest, NamesAFileThatIsCutShortAndNotItsTensors) {
  Write(ReleaseType::kBf16);
  const std::string path = folder_.path() + "/" + last_;
  fs::resize_file(path, fs::file_size(path) - 10);
  const Verified verified = Run();
  EXPECT_EQ(verified.num_findings, 2 + 1) << verified.text;
  EXPECT_THAT(verified.text, HasSubstr(fmt::format("files that cannot be read: 1\n    {}", path)));
  EXPECT_THAT(verified.text, Not(HasSubstr("missing tensors")));
  fs::remove(path);
  EXPECT_THAT(Run().text, HasSubstr(path + ": no such file"));
}

TEST_F(ShardedTest, HoldsTheIndexToTheFiles) {
  Write(ReleaseType::kBf16);
  Json index = Read(kIndex);
  index["metadata"]["total_size"] = 17;
  index["weight_map"].erase("lm_head.weight");
  index["weight_map"]["ghost.weight"] = last_;
  Replace(kIndex, index);
  const Verified verified = Run();
  EXPECT_EQ(verified.num_findings, 2 + 3) << verified.text;
  EXPECT_THAT(verified.text, HasSubstr("the index's total_size is 17, the tensors have "));
  EXPECT_THAT(verified.text, HasSubstr("tensors that the index does not know: 1\n    lm_head"));
  EXPECT_THAT(verified.text, HasSubstr("ghost.weight: " + last_ + " does not have it"));
}

TEST_F(ShardedTest, HoldsTheQuantisationToTheFiles) {
  Write(ReleaseType::kFp8);
  const Json config = Read("config.json");
  Json changed = config;
  const std::string module = "model.language_model.layers.3.self_attn.q_proj";
  changed["quantization_config"]["modules_to_not_convert"].push_back(module);
  Replace("config.json", changed);
  EXPECT_THAT(Run().text, HasSubstr(fmt::format("{0}.weight is F8_E4M3 though "
                                                "modules_to_not_convert lists {0}",
                                                module)));
  changed = config;
  changed.erase("quantization_config");
  Replace("config.json", changed);
  EXPECT_THAT(Run().text, HasSubstr("config.json has no quantization_config, a tensor is F8_E4M3"));
}

}  // namespace
}  // namespace atl::tools
