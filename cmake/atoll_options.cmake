# Compiler settings that hold for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
# CHECKs hold in every build; DCHECKs and the libraries' asserts in all but the release, which is what is served.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")

# The canonical arithmetic (docs/arithmetic.md 2): the compiler may not fuse or reorder.
add_compile_options(-ffp-contract=off -fno-fast-math)
# Designated initialisers name what differs from the defaults; the rest is not forgotten.
add_compile_options(-Wall -Wextra -Wpedantic -Wno-missing-field-initializers)
if(ATOLL_WERROR)
  add_compile_options(-Werror)
endif()
if(ATOLL_SANITIZE OR ATOLL_QUICK)
  set(CMAKE_CXX_FLAGS_RELEASE "-O1")
endif()
if(ATOLL_SANITIZE)
  add_compile_options(-fsanitize=${ATOLL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${ATOLL_SANITIZE})
  # For files with vectors of 64 bytes, which GCC misaligns in the frames that ASan keeps to find uses after return
  # (GCC bug 110027).
  set(ATOLL_ISA_FRAMES "$<$<CXX_COMPILER_ID:GNU>:--param=asan-use-after-return=0>")
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
# The table of rooms allows more than each program uses: no shared library is loaded for nothing.
add_link_options(-Wl,--as-needed)
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM AND (CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 12.1))
  add_link_options(-fuse-ld=mold)
endif()
