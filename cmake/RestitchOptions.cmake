# Flags every target of ours gets, through the interface target restitch_options.
set(RESTITCH_SANITIZE "" CACHE STRING "Sanitizers for all targets, as -fsanitize takes them")
option(RESTITCH_BENCH "Configure the benchmark programs" OFF)
option(RESTITCH_FUZZ "Configure the fuzz targets" OFF)

add_library(restitch_options INTERFACE)
target_include_directories(restitch_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(restitch_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -fvisibility=hidden -fpch-preprocess)
target_compile_definitions(restitch_options INTERFACE
  RESTITCH_VERSION="${PROJECT_VERSION}" _GLIBCXX_ASSERTIONS BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_HAS_CO_AWAIT)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False positives of g++ 12 in coroutines and in std::variant at -O2.
  target_compile_options(restitch_options INTERFACE
    -Wno-maybe-uninitialized -Wno-restrict -Wno-mismatched-new-delete -Wno-dangling-pointer
    -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  string(REPLACE "-O2 -g" "-O2 -g1" CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")
  target_compile_options(restitch_options INTERFACE -fstack-protector-strong -fno-plt)
  target_link_options(restitch_options INTERFACE -Wl,-z,relro,-z,now)
  if(NOT RESTITCH_FUZZ)
    target_compile_definitions(restitch_options INTERFACE _FORTIFY_SOURCE=2)
  endif()
endif()

if(RESTITCH_SANITIZE)
  # Lines for the stacks of reports; all of -g takes half as long again to compile.
  string(REPLACE "-g" "-g1" CMAKE_CXX_FLAGS_DEBUG "${CMAKE_CXX_FLAGS_DEBUG}")
  target_compile_options(restitch_options INTERFACE
    -fsanitize=${RESTITCH_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined -O1)
  target_link_options(restitch_options INTERFACE -fsanitize=${RESTITCH_SANITIZE})
  if(RESTITCH_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Asio's fences, which the sanitizer does not model.
    target_compile_options(restitch_options INTERFACE -Wno-tsan)
  endif()
endif()

find_program(RESTITCH_MOLD mold)
if(RESTITCH_MOLD)
  target_link_options(restitch_options INTERFACE -fuse-ld=mold)
endif()
