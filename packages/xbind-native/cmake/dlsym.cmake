# Where libxbind stands in front of dlsym(3): it takes a few instructions for each kind of processor, and
# dlvsym(3), which musl has not. A sanitizer's runtime calls dlsym() before instrumented code can run.
include(CheckSymbolExists)
check_symbol_exists(LIBC_SO gnu/lib-names.h XSOCKET_IS_GLIBC)
if(XSOCKET_IS_GLIBC AND CMAKE_SIZEOF_VOID_P EQUAL 8 AND NOT XSOCKET_SANITIZE
   AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|aarch64|arm64)$")
  set(XSOCKET_HOOKS_DLSYM ON)
  enable_language(ASM)
endif()
