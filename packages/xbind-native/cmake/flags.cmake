# How all C of this project is compiled and linked. The presets make warnings errors; a compiler that
# nobody has seen here yet must not keep anybody from building.
add_library(xsocket_flags INTERFACE)
target_compile_definitions(xsocket_flags INTERFACE _GNU_SOURCE)
target_compile_options(
  xsocket_flags
  INTERFACE -fvisibility=hidden
            -fPIC
            -Wall
            -Wextra
            -Wshadow
            -Wvla
            -Walloca
            -Wmissing-prototypes
            -Wstrict-prototypes
            -Wsign-compare
            -Wconversion
            -Wpointer-arith
            -Wwrite-strings
            -Wcast-align
            -Wimplicit-fallthrough)
target_link_options(xsocket_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)

if(XSOCKET_SANITIZE)
  target_compile_options(xsocket_flags INTERFACE -fsanitize=${XSOCKET_SANITIZE}
                                                 -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(xsocket_flags INTERFACE -fsanitize=${XSOCKET_SANITIZE})
else()
  target_compile_options(xsocket_flags INTERFACE $<$<CONFIG:Release>:-fstack-protector-strong>)
  # A level that came with CFLAGS stays, and one that the compiler has by itself makes room: defined
  # twice it would be an error.
  if(NOT CMAKE_C_FLAGS MATCHES "_FORTIFY_SOURCE")
    target_compile_options(
      xsocket_flags INTERFACE $<$<CONFIG:Release>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>)
  endif()
  # A sanitizer's runtime is in the program, not in a library, so only without one this holds.
  target_link_options(xsocket_flags INTERFACE -Wl,-z,defs)
endif()

# xsocket_link_former(TARGET LIBRARY): with a library in which a glibc older than 2.34, as TARGET may meet in a
# container, has functions that are in libc since; in a newer one it is empty, if it is there at all.
include(CheckLinkerFlag)
function(xsocket_link_former TARGET LIBRARY)
  set(FLAG -Wl,--no-as-needed,-l:${LIBRARY},--as-needed)
  check_linker_flag(C ${FLAG} XSOCKET_HAS_${LIBRARY})
  if(XSOCKET_IS_GLIBC AND XSOCKET_HAS_${LIBRARY})
    target_link_options(${TARGET} PRIVATE ${FLAG})
  endif()
endfunction()

# A library exports what its map lists, and is linked again when the map changes.
# -Wl would split its path at a comma.
function(xsocket_export_list TARGET MAP)
  target_link_options(${TARGET} PRIVATE
                      -Xlinker --version-script=${CMAKE_CURRENT_SOURCE_DIR}/${MAP})
  set_property(TARGET ${TARGET} APPEND PROPERTY LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${MAP})
endfunction()
