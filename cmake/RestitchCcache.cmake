# Compile through ccache where it is installed. The sloppiness lets it cache users of precompiled headers; without the
# directory in the hash, another checkout shares the cache.
find_program(RESTITCH_CCACHE ccache)
if(RESTITCH_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      CCACHE_NOHASHDIR=true
      ${RESTITCH_CCACHE})
endif()
