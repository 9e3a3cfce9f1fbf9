# How all C of this project is compiled and linked. Only the presets make warnings errors: a new compiler
# with new warnings must not keep anybody from building. Not with link time optimization, by which
# functions of several files share one frame: with -fexceptions, as of Fedora, bind takes twice the stack.
add_library(xsocket_flags INTERFACE)
target_compile_definitions(xsocket_flags INTERFACE _GNU_SOURCE)
target_compile_options(
  xsocket_flags
  INTERFACE -fvisibility=hidden
            -fPIC
            -fno-lto
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
  # A level from CFLAGS stays. The compiler's own is undefined first, since it cannot be defined twice.
  if(NOT CMAKE_C_FLAGS MATCHES "_FORTIFY_SOURCE")
    target_compile_options(
      xsocket_flags INTERFACE $<$<CONFIG:Release>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>)
  endif()
  # Not with a sanitizer, whose runtime is in the program: in a library its symbols stay undefined.
  target_link_options(xsocket_flags INTERFACE -Wl,-z,defs)
endif()

# xsocket_link_former(TARGET LIBRARY): links TARGET with a library of glibc before 2.34, such as TARGET
# may meet in a container. Its functions are in libc since then, and it is empty or missing.
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
