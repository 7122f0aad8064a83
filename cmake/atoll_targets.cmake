# cc_library(NAME common_base SRCS a.cc HDRS a.h DEPS absl::status ...)  one library a room, linked as atoll::common_base
function(cc_library)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;HDRS;DEPS;PRIVATE_DEPS" ${ARGN})
  if(ARG_SRCS)
    add_library(atoll_${ARG_NAME} STATIC ${ARG_SRCS} ${ARG_HDRS})
    target_include_directories(atoll_${ARG_NAME} PUBLIC ${CMAKE_SOURCE_DIR})
    target_link_libraries(atoll_${ARG_NAME} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
  else()
    add_library(atoll_${ARG_NAME} INTERFACE)
    target_include_directories(atoll_${ARG_NAME} INTERFACE ${CMAKE_SOURCE_DIR})
    target_link_libraries(atoll_${ARG_NAME} INTERFACE ${ARG_DEPS})
  endif()
  add_library(atoll::${ARG_NAME} ALIAS atoll_${ARG_NAME})
endfunction()

# kernel_library: the same; its *_isa.cc pages may not be vectorised by the compiler, or the scalar oracle would not be scalar.
function(kernel_library)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;HDRS;DEPS" ${ARGN})
  cc_library(NAME ${ARG_NAME} SRCS ${ARG_SRCS} HDRS ${ARG_HDRS} DEPS ${ARG_DEPS})
  foreach(src ${ARG_SRCS})
    if(src MATCHES "_isa\\.cc$")
      # GCC 12's AVX-512 header trips -Wuninitialized on its own undefined vectors.
      set_source_files_properties(${src} PROPERTIES COMPILE_OPTIONS
        "-O3;-fno-tree-vectorize;-fno-tree-slp-vectorize;-Wno-uninitialized;-Wno-maybe-uninitialized")
    endif()
  endforeach()
endfunction()

# cc_binary(NAME atoll-worker SRCS main.cc DEPS ...)  lands in <build>/bin
function(cc_binary)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;DEPS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_include_directories(${ARG_NAME} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_DEPS})
endfunction()

# cc_test(NAME scheduler_test SRCS ... DEPS ... LABELS unit [TIMEOUT s])  run from the repository root
function(cc_test)
  cmake_parse_arguments(ARG "" "NAME;TIMEOUT" "SRCS;DEPS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${ARG_NAME} ${ARG_SRCS})
  set_target_properties(${ARG_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_include_directories(${ARG_NAME} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_DEPS} GTest::gmock_main)
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
endfunction()
