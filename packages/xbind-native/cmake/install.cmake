# What `cmake --install` installs: libraries, header, pkg-config and CMake package files.
include(CMakePackageConfigHelpers)

install(TARGETS xsocket EXPORT xsocketTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS xbind LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/xsocket.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# Paths relative to xsocket.pc, so that the installed tree may be moved, but for directories that were
# given by absolute paths.
foreach(DIRECTORY LIBDIR INCLUDEDIR)
  set(XSOCKET_PC_${DIRECTORY} ${CMAKE_INSTALL_FULL_${DIRECTORY}})
  if(NOT IS_ABSOLUTE ${CMAKE_INSTALL_${DIRECTORY}})
    cmake_path(RELATIVE_PATH XSOCKET_PC_${DIRECTORY}
               BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
    string(PREPEND XSOCKET_PC_${DIRECTORY} "\${pcfiledir}/")
  endif()
endforeach()
configure_file(cmake/xsocket.pc.in xsocket.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/xsocket.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(XSOCKET_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/xsocket)
install(EXPORT xsocketTargets NAMESPACE xsocket:: DESTINATION ${XSOCKET_CMAKE_DIR})
configure_package_config_file(cmake/xsocketConfig.cmake.in xsocketConfig.cmake
                              INSTALL_DESTINATION ${XSOCKET_CMAKE_DIR}
                              PATH_VARS CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(xsocketConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/xsocketConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/xsocketConfigVersion.cmake
        DESTINATION ${XSOCKET_CMAKE_DIR})
