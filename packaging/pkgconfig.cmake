# Run by cpack for each package, before it packs the files. The tar.gz is used wherever it is unpacked, so its
# xsocket.pc gives paths from where that file lies. pkg-config does not see that such a path is /usr/include,
# and prints it; a compiler that gets it as -isystem no longer finds the headers of C++.
if(CPACK_GENERATOR STREQUAL "DEB")
  file(GLOB_RECURSE PC ${CPACK_TEMPORARY_DIRECTORY}/xsocket.pc)
  file(READ ${PC} TEXT)
  string(REGEX REPLACE "includedir=[^\n]*" "includedir=/usr/include" TEXT "${TEXT}")
  file(WRITE ${PC} "${TEXT}")
endif()
