# Flags that hold for every target of ours; dependencies come in as SYSTEM includes.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEV "-O1 -g1 -fno-omit-frame-pointer")

add_library(tarn_flags INTERFACE)
target_compile_options(tarn_flags INTERFACE -Wall -Wextra -Werror -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(tarn_flags INTERFACE -Wthread-safety)
else()
  # GCC 12 reports false positives of these from inlined library code.
  target_compile_options(tarn_flags INTERFACE -Wno-maybe-uninitialized -Wno-restrict -Wno-dangling-pointer
                                              -Wno-stringop-overflow -Wno-array-bounds -Wno-stringop-overread)
endif()
target_include_directories(tarn_flags INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)

if(TARN_SANITIZE)
  # vptr checks need the type information of libraries that hide theirs.
  add_compile_options(-fsanitize=${TARN_SANITIZE} -fno-sanitize=vptr -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TARN_SANITIZE} -fno-sanitize=vptr)
endif()
if(TARN_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(TARN_MOLD mold)
if(TARN_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
find_program(TARN_CCACHE ccache)
if(TARN_CCACHE)
  # Relative paths in the key let several checkouts share one cache.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${TARN_CCACHE})
endif()
