# What the tests need to run under qemu-user, and what they cannot have there.
if(CMAKE_CROSSCOMPILING_EMULATOR)
  list(JOIN CMAKE_CROSSCOMPILING_EMULATOR " " WORDS)
  set_tests_properties(${TESTS} PROPERTIES ENVIRONMENT "TEST_EMULATOR=${WORDS}")

  # ctest lists these as "Not Run (Disabled)".
  foreach(NAME ${TESTS})
    # A process with a second thread, which qemu has, may not unshare its user namespace; and qemu knows
    # only some of the options and families (it neither reads a filter nor renames a device, nor tells
    # the port by IP_PROTOCOL), and ends itself on bind(fd, NULL, 129).
    if(NAME MATCHES "[.]user$|^options_|^bind_args|^test_again|^test_safety|^test_verify$")
      set_tests_properties(${NAME} PROPERTIES DISABLED TRUE)
    endif()
  endforeach()
endif()
