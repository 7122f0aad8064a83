// model.safetensors, its shards and their index.
#include <sys/stat.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "common/base/status_macros.h"
#include "tests/hostile/hostile_case.h"
#include "tests/support/safetensors_bytes.h"
#include "worker/weights/checkpoint.h"
#include "worker/weights/model_weights.h"

namespace atl::testing {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr char kModel[] = "model.safetensors";
constexpr char kIndex[] = "model.safetensors.index.json";

absl::Status OpenFile(const std::string& folder) {
  return worker::SafetensorsFile::Open(folder + "/" + kModel).status();
}

absl::Status OpenCheckpoint(const std::string& folder) {
  ATOLL_ASSIGN_OR_RETURN(const ModelConfig config, LoadModelConfig(folder));
  ATOLL_ASSIGN_OR_RETURN(const auto checkpoint, worker::Checkpoint::Open(folder));
  return worker::LoadModelWeights(*checkpoint, config).status();
}

HostileCase Header(const std::string& name, const std::string& header, size_t data_bytes,
                   std::vector<std::string> says) {
  says.push_back(kModel);
  return {name,
          [=](const HostileFolder& f) { f.Write(kModel, SafetensorsBytes(header, data_bytes)); },
          OpenFile, says};
}

// 60 MiB of `text` between two ends: what a tree of nodes would multiply.
HostileCase Large(const std::string& name, const std::string& begin, const std::string& text,
                  const std::vector<std::string>& says) {
  return {name,
          [=](const HostileFolder& f) {
            f.Write(kModel, SafetensorsBytes(begin + Repeated(text, 60 * kMiB), 0));
          },
          OpenFile, says};
}

std::string ManyEntries() {
  std::string header = "{";
  for (int i = 0; i < 300'000; ++i) {
    header += "\"" + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)";
  }
  header.back() = '}';
  return header;
}

HostileCase Path(const std::string& name, std::function<void(const HostileFolder&)> make,
                 const std::vector<std::string>& says) {
  return {name, std::move(make), OpenFile, says};
}

// One tensor of one byte, and an index that says where it is.
HostileCase Index(const std::string& name, const std::string& index,
                  const std::vector<std::string>& says) {
  return {name,
          [=](const HostileFolder& f) {
            f.Link("config.json");
            f.Write("a.safetensors",
                    SafetensorsBytes(
                        R"({"norm.weight":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1));
            f.Write(kIndex, index);
          },
          OpenCheckpoint, says};
}

std::string Nano() {
  std::ifstream file(std::string("tools/nano/checkpoint/") + kModel, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The embedded model with its file changed.
HostileCase Changed(const std::string& name, const std::function<void(std::string&)>& change,
                    const std::vector<std::string>& says) {
  return {name,
          [=](const HostileFolder& f) {
            f.Link("config.json");
            std::string bytes = Nano();
            change(bytes);
            f.Write(kModel, bytes);
          },
          OpenCheckpoint, says};
}

void Replace(std::string& bytes, std::string_view from, std::string_view to) {
  bytes.replace(bytes.find(from), from.size(), to);
}

const std::string kEntry = R"("dtype":"F32","shape":[1],"data_offsets":)";

INSTANTIATE_TEST_SUITE_P(
    Headers, HostileTest,
    ::testing::Values(
        Header("Overlap", R"({"a":{)" + kEntry + R"([0,4]},"b":{)" + kEntry + "[2,6]}}", 6,
               {"tensor b", "overlaps", "make the file anew"}),
        Header("Gap", R"({"a":{)" + kEntry + R"([0,4]},"b":{)" + kEntry + "[8,12]}}", 12,
               {"tensor b", "belong to no tensor", "make the file anew"}),
        Header("PastTheEnd", R"({"a":{)" + kEntry + "[0,4]}}", 3,
               {"tensor a", "ends at byte 4 of 3", "copy the file again"}),
        Header("DataBehindTheLast", R"({"a":{)" + kEntry + "[0,4]}}", 5,
               {"1 bytes after the last tensor", "copy"}),
        Header("SizeOf2To63",
               R"({"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,0]}})", 0,
               {"tensor a", "a dimension is 9223372036854775808"}),
        Header("OffsetsOf2To64",
               R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,18446744073709551616]}})", 0,
               {"tensor a", "data_offsets"}),
        Header(
            "ProductBeyond64Bits",
            R"({"a":{"dtype":"F64","shape":[1099511627776,1099511627776],"data_offsets":[0,0]}})",
            0, {"tensor a", "2^48"}),
        Header("NamedTwice", R"({"a":{)" + kEntry + R"([0,4]},"a":{)" + kEntry + "[0,4]}}", 4,
               {"tensor a", "named twice"}),
        Header("TypeTooSmallForTheShape",
               R"({"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,4]}})", 4,
               {"tensor a", "4 bytes for a shape and dtype that need 2"}),
        Header("ZeroSizeWithBytes", R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,4]}})", 4,
               {"tensor a", "that need 0"}),
        Header("BadUtf8", "{\"a\xc0\x80\":{}}", 0, {"not a JSON object", "copy"}),
        Header("NameOfControls", R"({"a\nb\u001b[31m":1})", 0, {"tensor a\\x0ab\\x1b[31m"}),
        Header("NumberTooLarge", R"({"a":{"dtype":"F32","shape":[1e999],"data_offsets":[0,4]}})", 4,
               {"not a JSON object", "copy"}),
        Header("Empty", "", 100, {"its header is empty", "copy"}),
        Header("TenMegabytesOfNesting", std::string(10 * kMiB, '['), 0, {"nested deeper than 8"}),
        Header("ManyTensors", ManyEntries(), 0, {"more than 262144 tensors", "split"})),
    NameOfCase);

INSTANTIATE_TEST_SUITE_P(
    LargeHeaders, HostileTest,
    ::testing::Values(Large("EmptyLists", "[", "[],", {kModel, "values"}),
                      Large("ListsInAField", R"({"a":{"x":[)", "[],", {kModel, "values"}),
                      Large("EmptyObjects", R"({"a":[)", "{},", {kModel, "values"}),
                      Large("Numbers", R"({"a":{"shape":[)", "1,", {kModel, "values"}),
                      Large("OneText", "{\"", "x", {kModel, "longer than 8388608 bytes"}),
                      Large("OneNumber", "{\"a\":", "1", {kModel, "longer than 8388608 bytes"}),
                      Large("Metadata", R"({"__metadata__":{)", R"("a":"",)", {kModel, "values"}),
                      Large("Escapes", R"({"__metadata__":{"a":")", "\\u0001",
                            {kModel, "longer than"}),
                      Large("Zeros", "", std::string(1, 0), {kModel, "longer than"})),
    NameOfCase);

INSTANTIATE_TEST_SUITE_P(
    Paths, HostileTest,
    ::testing::Values(
        Path("NoFile", [](const HostileFolder&) {}, {kModel, "no such file", "check"}),
        Path("EmptyFile", [](const HostileFolder& f) { f.Write(kModel, ""); },
             {kModel, "too short", "copy"}),
        Path("HeaderBeyondTheFile",
             [](const HostileFolder& f) { f.Write(kModel, "\xff\xff\xff\xff\xff\xff\xff\x7f{}"); },
             {kModel, "its header claims 9223372036854775807 bytes", "copy"}),
        Path("Pipe",
             [](const HostileFolder& f) { ASSERT_EQ(mkfifo(f.path(kModel).c_str(), 0600), 0); },
             {kModel, "not a regular file", "put"}),
        Path("Device",
             [](const HostileFolder& f) {
               std::filesystem::create_symlink("/dev/zero", f.path(kModel));
             },
             {kModel, "not a regular file"}),
        Path("Folder",
             [](const HostileFolder& f) { std::filesystem::create_directory(f.path(kModel)); },
             {kModel, "not a regular file"}),
        Path("LinkToItself",
             [](const HostileFolder& f) {
               std::filesystem::create_symlink(kModel, f.path(kModel));
             },
             {kModel, "cannot be opened", "check the link"}),
        Path("LinksInACircle",
             [](const HostileFolder& f) {
               std::filesystem::create_symlink("b", f.path(kModel));
               std::filesystem::create_symlink(kModel, f.path("b"));
             },
             {kModel, "cannot be opened"})),
    NameOfCase);

INSTANTIATE_TEST_SUITE_P(
    Indexes, HostileTest,
    ::testing::Values(
        Index("ShardMissing", R"({"weight_map":{"norm.weight":"b.safetensors"}})",
              {"b.safetensors", "no such file", "check"}),
        Index("ShardAbove", R"({"weight_map":{"norm.weight":"../a.safetensors"}})",
              {kIndex, "norm.weight", "a name in the same folder"}),
        Index("ShardAbsolute", R"({"weight_map":{"norm.weight":"/etc/passwd"}})",
              {kIndex, "norm.weight", "a name in the same folder"}),
        Index("ShardIsTheFolder", R"({"weight_map":{"norm.weight":".."}})",
              {kIndex, "norm.weight", "a name in the same folder"}),
        Index("TensorTwice",
              R"({"weight_map":{"norm.weight":"a.safetensors","norm.weight":"b.safetensors"}})",
              {kIndex, "norm.weight", "stands twice"}),
        Index("TensorNotInItsShard",
              R"({"weight_map":{"norm.weight":"a.safetensors","lm_head.weight":"a.safetensors"}})",
              {"a.safetensors", "lm_head.weight", "copy both again"}),
        Index("TensorInNoIndex", R"({"weight_map":{"lm_head.weight":"a.safetensors"}})",
              {"a.safetensors", "norm.weight", "copy both again"}),
        Index("NoIndex", "[]", {kIndex, "weight_map", "copy"}),
        Index("NestedIndex", std::string(10 * kMiB, '{'), {kIndex, "nested deeper than 8"}),
        Index("LargeIndex", R"({"weight_map":{)" + Repeated(R"("":"",)", 60 * kMiB),
              {kIndex, "values"}),
        Index("IndexOf100Megabytes", std::string(100 * kMiB, ' '), {kIndex, "more than"})),
    NameOfCase);

INSTANTIATE_TEST_SUITE_P(
    Checkpoints, HostileTest,
    ::testing::Values(
        Changed("CutInTwo", [](std::string& bytes) { bytes.resize(bytes.size() / 2); },
                {kModel, "tensor ", "truncated", "copy"}),
        Changed("CutInTheHeader", [](std::string& bytes) { bytes.resize(1000); },
                {kModel, "truncated", "copy"}),
        Changed("OneByteMore", [](std::string& bytes) { bytes += 'x'; },
                {kModel, "1 bytes after the last tensor"}),
        Changed("AnotherType", [](std::string& bytes) { Replace(bytes, "BF16", "I16 "); },
                {kModel, "unknown dtype I16 "}),
        Changed("AnotherName",
                [](std::string& bytes) { Replace(bytes, "lm_head.weight", "lm_tail.weight"); },
                {kModel, "lm_tail.weight"})),
    NameOfCase);

}  // namespace
}  // namespace atl::testing
