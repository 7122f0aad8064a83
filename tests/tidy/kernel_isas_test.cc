// Disassembles every ISA of every kernel: the scalar ISA is scalar, the AVX2 ISA stays within
// AVX2, the AVX-512 ISA uses its registers, and nothing outside the ISAs was compiled for more
// than the baseline (a linker may keep any copy of a shared inline function). CPU-independent.
#include <gtest/gtest.h>

#include <cctype>
#include <cstdio>
#include <fstream>
#include <map>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace atl::testing {
namespace {

enum class Isa { kNone, kRef, kAvx2, kAvx512 };

// What the functions of one object say about its ISAs.
struct IsaFacts {
  int scalar_fma_ref = 0;
  int ymm_fma_avx2 = 0;
  int zmm_fma_avx512 = 0;
  std::vector<std::string> faults;
};

Isa IsaOf(const std::string& mangled) {
  static const std::regex kInIsa("^_ZZ*NK?3atl7kernels(3ref|4avx2|6avx512)");
  std::smatch match;
  if (!std::regex_search(mangled, match, kInIsa)) return Isa::kNone;
  return match[1] == "3ref" ? Isa::kRef : match[1] == "4avx2" ? Isa::kAvx2 : Isa::kAvx512;
}

bool Has(std::string_view text, std::string_view what) {
  return text.find(what) != std::string_view::npos;
}

// An instruction that exists only with AVX-512: zmm, mask registers, the upper sixteen registers.
bool NeedsAvx512(std::string_view line) {
  if (Has(line, "%zmm") || Has(line, "%k")) return true;
  for (const char* file : {"%xmm", "%ymm"}) {
    for (size_t at = line.find(file); at != std::string_view::npos; at = line.find(file, at + 4)) {
      const std::string number(line.substr(at + 4, 2));
      if (number.size() == 2 && isdigit(number[0]) && isdigit(number[1]) && number >= "16")
        return true;
    }
  }
  return false;
}

// Reads one line of objdump: a function's name, an instruction, or neither.
class Reader {
 public:
  void Read(const std::string& line) {
    if (line.size() > 2 && line.ends_with(">:")) {
      name_ = line.substr(line.find('<') + 1);
      name_.resize(name_.size() - 2);
      isa_ = IsaOf(name_);
      return;
    }
    const size_t tab = line.find('\t');
    if (tab == std::string::npos) return;
    const std::string_view instruction = std::string_view(line).substr(tab + 1);
    const bool fma = instruction.starts_with("vfmadd") || instruction.starts_with("vfmsub") ||
                     instruction.starts_with("vfnmadd") || instruction.starts_with("vfnmsub");
    const std::string_view mnemonic = instruction.substr(0, instruction.find(' '));
    const bool packed = fma && (mnemonic.ends_with("ps") || mnemonic.ends_with("pd"));
    switch (isa_) {
      case Isa::kNone:
        if (instruction.starts_with("v")) Fault("code outside the ISAs needs AVX", instruction);
        break;
      case Isa::kRef:
        if (packed) Fault("the scalar ISA has a packed FMA", instruction);
        if (NeedsAvx512(instruction)) Fault("the scalar ISA needs AVX-512", instruction);
        facts_.scalar_fma_ref += fma && !packed;
        break;
      case Isa::kAvx2:
        if (NeedsAvx512(instruction)) Fault("the AVX2 ISA needs AVX-512", instruction);
        facts_.ymm_fma_avx2 += packed && Has(instruction, "%ymm");
        break;
      case Isa::kAvx512:
        facts_.zmm_fma_avx512 += packed && Has(instruction, "%zmm");
        break;
    }
  }
  const IsaFacts& facts() const { return facts_; }

 private:
  void Fault(const char* what, std::string_view instruction) {
    if (facts_.faults.size() < 5)
      facts_.faults.push_back(std::string(what) + ": " + name_ + ": " + std::string(instruction));
  }

  std::string name_;
  Isa isa_ = Isa::kNone;
  IsaFacts facts_;
};

// Facts by object file; only those whose name ends in _isa.cc.o have ISAs.
std::map<std::string, IsaFacts> Disassemble(const std::string& archive) {
  std::map<std::string, IsaFacts> result;
  const std::string command = "objdump -d -w --no-show-raw-insn '" + archive + "'";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return result;
  std::string object, line;
  Reader reader;
  const auto finish = [&] {
    if (object.ends_with("_isa.cc.o")) result[object] = reader.facts();
    reader = Reader();
  };
  for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    if (const size_t colon = line.find(":     file format"); colon != std::string::npos) {
      finish();
      object = line.substr(0, colon);
    } else {
      reader.Read(line);
    }
    line.clear();
  }
  finish();
  EXPECT_EQ(pclose(pipe), 0) << command << " failed: is binutils installed?";
  return result;
}

TEST(KernelIsasTest, EveryIsaIsWhatItsNameSays) {
  std::ifstream list(ATOLL_KERNEL_ARCHIVES);
  ASSERT_TRUE(list) << ATOLL_KERNEL_ARCHIVES;
  int with_three_pages = 0;
  for (std::string archive; std::getline(list, archive);) {
    for (const auto& [object, facts] : Disassemble(archive)) {
      for (const std::string& fault : facts.faults) ADD_FAILURE() << object << ": " << fault;
      const bool vectors = facts.ymm_fma_avx2 > 0 || facts.zmm_fma_avx512 > 0;
      EXPECT_EQ(facts.ymm_fma_avx2 > 0, facts.zmm_fma_avx512 > 0)
          << object << ": " << facts.ymm_fma_avx2 << " FMAs with ymm for AVX2, "
          << facts.zmm_fma_avx512 << " with zmm for AVX-512";
      if (vectors) {
        EXPECT_GT(facts.scalar_fma_ref, 0) << object << ": no FMA on the scalar ISA";
      }
      with_three_pages += vectors ? 1 : 0;
    }
  }
  // gemm, grouped_gemm, rms_norm, router_topk and permute at the least.
  EXPECT_GE(with_three_pages, 6);
}

IsaFacts FactsOf(const std::string& name, const std::string& instruction) {
  Reader reader;
  reader.Read("0000000000000040 <" + name + ">:");
  reader.Read("  40:\t" + instruction);
  return reader.facts();
}

// The reader itself tells good from bad.
TEST(KernelIsasTest, FaultsAreSeen) {
  const std::string ref = "_ZN3atl7kernels3ref7AddRowsEv", avx2 = "_ZN3atl7kernels4avx27AddRowsEv",
                    avx512 = "_ZN3atl7kernels6avx5127AddRowsEv",
                    shared = "_ZN3atl7kernels7ToFloatEv";
  EXPECT_EQ(FactsOf(ref, "vfmadd231ss %xmm0,%xmm1,%xmm2").scalar_fma_ref, 1);
  EXPECT_EQ(FactsOf(avx2, "vfmadd231ps %ymm0,%ymm1,%ymm2").ymm_fma_avx2, 1);
  EXPECT_EQ(FactsOf(avx512, "vfmadd231ps (%rax){1to16},%zmm1,%zmm2").zmm_fma_avx512, 1);
  for (const auto& [name, instruction] :
       std::vector<std::pair<std::string, std::string>>{{ref, "vfmadd231ps %ymm0,%ymm1,%ymm2"},
                                                        {ref, "vfmadd231ps %xmm0,%xmm1,%xmm2"},
                                                        {avx2, "vaddps %zmm0,%zmm1,%zmm2"},
                                                        {avx2, "vaddps %ymm0,%ymm16,%ymm2"},
                                                        {avx2, "kmovw %eax,%k1"},
                                                        {shared, "vmovss (%rax),%xmm0"}})
    EXPECT_EQ(FactsOf(name, instruction).faults.size(), 1u) << name << " " << instruction;
  for (const auto& [name, instruction] :
       std::vector<std::pair<std::string, std::string>>{{ref, "vmulss %xmm0,%xmm1,%xmm15"},
                                                        {avx2, "vaddps %ymm0,%ymm15,%ymm2"},
                                                        {shared, "mulss %xmm0,%xmm1"}})
    EXPECT_TRUE(FactsOf(name, instruction).faults.empty()) << name << " " << instruction;
}

}  // namespace
}  // namespace atl::testing
