# 64-bit ARM with musl, by Debian's cross compiler and the musl of Debian's arm64 packages, which
# scripts/musl-arm64.sh unpacks into the directory XSOCKET_MUSL_ARM64 of the environment.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(MUSL $ENV{XSOCKET_MUSL_ARM64})
if(NOT MUSL)
  message(FATAL_ERROR "XSOCKET_MUSL_ARM64 names no directory: run \". scripts/musl-arm64.sh\" before")
endif()

set(KERNEL_HEADERS ${CMAKE_BINARY_DIR}/kernel-headers)
file(MAKE_DIRECTORY ${KERNEL_HEADERS})
foreach(NAME linux asm-generic asm)
  file(CREATE_LINK /usr/aarch64-linux-gnu/include/${NAME} ${KERNEL_HEADERS}/${NAME} SYMBOLIC)
endforeach()
execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=include OUTPUT_VARIABLE GCC_HEADERS
                OUTPUT_STRIP_TRAILING_WHITESPACE)

set(CMAKE_C_FLAGS_INIT
    "-nostdinc -isystem \"${MUSL}/usr/include/aarch64-linux-musl\" -isystem ${GCC_HEADERS} \
-idirafter \"${KERNEL_HEADERS}\" -Wno-sign-conversion -mno-outline-atomics")
set(LIB ${MUSL}/usr/lib/aarch64-linux-musl)
set(LINK "-nostdlib -L\"${LIB}\"")
set(CMAKE_SHARED_LINKER_FLAGS_INIT "${LINK}")
set(CMAKE_MODULE_LINKER_FLAGS_INIT "${LINK}")
set(CMAKE_EXE_LINKER_FLAGS_INIT
    "${LINK} -Wl,--dynamic-linker=/lib/ld-musl-aarch64.so.1 \"${LIB}/Scrt1.o\" \"${LIB}/crti.o\" \"${LIB}/crtn.o\"")
set(CMAKE_C_STANDARD_LIBRARIES_INIT "-lc -lgcc")
set(CMAKE_CROSSCOMPILING_EMULATOR "qemu-aarch64;-L;${MUSL}")
