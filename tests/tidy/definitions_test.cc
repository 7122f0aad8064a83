// No name is defined twice in a namespace; a tree in which one is, is told.
#include "tests/tidy/definitions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tidy/planted_tree.h"

namespace atl::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(HouseTest, NamesAreDefinedOnce) { EXPECT_THAT(CheckDefinitions(tree_), IsEmpty()); }

TEST(DefinitionsTest, TypesFunctionsAndVariables) {
  EXPECT_THAT(DefinitionsOf(R"(
#define NOT_THIS struct Macro { \
  int x; };
namespace atl {
class Declared;
struct Point { int x = 0; int Sum() const { return x; } };
enum class Color : int { kRed };
template <typename T, int N = 2>
class Box final : public Point {};
using Points = std::vector<Point>;
int Declared(int);
inline int Add(int a, const Point& b = {}) { return a; }
constexpr int kMax = 3, kOther = 4;
inline constexpr std::array<int, 2> kPair{1, 2};
constexpr char kText[] = "struct Not { };";  // struct Nor {};
Point::Point(int a) : x{a}, y{b} { Run(); }
bool operator==(Point a, Point b) { return true; }
namespace worker { void Run() { if (true) { } } }
namespace { struct Hidden {}; int HiddenToo() { return 1'000; } }
}
)"),
              ElementsAre("atl::Point", "atl::Color", "atl::Box", "atl::Points",
                          "atl::Add(int,constPoint&)", "atl::kMax", "atl::kPair", "atl::kText",
                          "atl::worker::Run()"));
}

TEST_F(PlantedTest, NamesDefinedTwice) {
  Plant("common/log/a.h",
        "#pragma once\nnamespace atl { constexpr int kMax = 1; struct Row {}; }\n");
  Plant("worker/moe/b.h", "#pragma once\nnamespace atl {\ninline constexpr long kMax = 2;\n}\n");
  Plant("worker/moe/c.cc",
        "namespace atl { class Row { int x; }; int Sum(int a) { return a; } }\n");
  Plant("worker/moe/d.cc", "namespace atl { int Sum(int b) { return b; } void Sum(long b) {} }\n");
  Plant("worker/moe/e.cc",
        "namespace atl::worker { struct Row {}; namespace { int Sum(int c) { } } }\n");
  Plant("tests/worker/f.cc", "namespace atl { struct Row {}; }\n");
  EXPECT_THAT(
      CheckDefinitions(Read()),
      ElementsAre(HasSubstr("atl::Row: defined in common/log/a.h and worker/moe/c.cc"),
                  HasSubstr("atl::Sum(int): defined in worker/moe/c.cc and worker/moe/d.cc"),
                  HasSubstr("atl::kMax: defined in common/log/a.h and worker/moe/b.h")));
}

}  // namespace
}  // namespace atl::testing
