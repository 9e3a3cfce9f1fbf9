# Whether libxbind hooks syscall(2) and dlsym(3). Each takes some assembler for each processor, and dlsym
# also the list of loaded objects that glibc keeps. With a sanitizer dlsym is not hooked: its runtime
# calls it before instrumented code can run. The compiler is asked for the processor, since a toolchain
# file need not name it.
include(CheckSymbolExists)
check_symbol_exists(LIBC_SO gnu/lib-names.h XSOCKET_IS_GLIBC)
foreach(PROCESSOR x86_64 i386 aarch64)
  check_symbol_exists(__${PROCESSOR}__ stddef.h XSOCKET_IS_${PROCESSOR})
  if(XSOCKET_IS_${PROCESSOR})
    set(XSOCKET_HOOKS_SYSCALL ON)
    enable_language(ASM)
  endif()
endforeach()
if(XSOCKET_HOOKS_SYSCALL
   AND XSOCKET_IS_GLIBC
   AND CMAKE_SIZEOF_VOID_P EQUAL 8
   AND NOT XSOCKET_SANITIZE)
  set(XSOCKET_HOOKS_DLSYM ON)
endif()
