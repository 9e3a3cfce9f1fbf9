# Where libxbind stands in front of syscall(2) and dlsym(3): each takes a few instructions for each kind of
# processor, and dlsym the list that glibc keeps of what is loaded. A sanitizer's runtime calls dlsym() before
# instrumented code can run. The compiler says for which processor it is, a toolchain file need not.
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
