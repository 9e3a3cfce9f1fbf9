# Run by cpack for each package, before it packs the files. The tar.gz is used wherever it is unpacked, so its
# xsocket.pc gives paths from where that file lies. pkg-config does not see that such a path is the compiler's own, and
# prints it: -isystem /usr/include hides the headers of C++, and -L takes the system's libraries before another -L's.
if(CPACK_GENERATOR STREQUAL "DEB")
  set(ROOT ${CPACK_TEMPORARY_DIRECTORY})
  file(GLOB_RECURSE PC RELATIVE ${ROOT} ${ROOT}/xsocket.pc)
  file(READ ${ROOT}/${PC} TEXT)
  string(REPLACE "/pkgconfig/xsocket.pc" "" LIBDIR "/${PC}")
  string(REGEX REPLACE "libdir=[^\n]*" "libdir=${LIBDIR}" TEXT "${TEXT}")
  string(REGEX REPLACE "includedir=[^\n]*" "includedir=/usr/include" TEXT "${TEXT}")
  file(WRITE ${ROOT}/${PC} "${TEXT}")
endif()
