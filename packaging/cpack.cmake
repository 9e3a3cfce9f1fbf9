# The Debian package and the tar.gz, by cpack.
set(CPACK_PACKAGE_CONTACT "xsocket maintainers <maintainers@users.noreply.github.com>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "sockets of another network namespace")
set(CPACK_PACKAGE_DESCRIPTION
    "A program in one network namespace gets a socket that lives in another,
without setns and without privilege: a small server there makes it and
passes the descriptor on. For C there is a library, for programs that
know nothing of it a library to preload, and a command serves both.")
set(CPACK_STRIP_FILES ON) # the libraries; the command's runtime is installed as it is
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=") # a later one has the same functions
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_SOURCE_DIR}/debian/postinst
                                       ${CMAKE_CURRENT_SOURCE_DIR}/debian/prerm
                                       ${CMAKE_CURRENT_SOURCE_DIR}/debian/postrm
                                       ${CMAKE_CURRENT_SOURCE_DIR}/debian/triggers)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS acl) # setfacl, which lets a user in to the control socket
set(CPACK_DEBIAN_PACKAGE_SUGGESTS python3)
set(CPACK_DEBIAN_PACKAGE_PROVIDES "libxsocket1, libxsocket-dev")
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_SOURCE_DIR}/pkgconfig.cmake)
set(CPACK_GENERATOR "DEB;TGZ")
include(CPack)
