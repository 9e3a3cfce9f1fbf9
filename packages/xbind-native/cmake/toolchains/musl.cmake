# musl, by Debian's musl-tools: a wrapper of gcc that sees musl's headers and library alone.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER musl-gcc)

# The kernel's headers go with any libc, but lie among those of glibc.
set(KERNEL_HEADERS ${CMAKE_BINARY_DIR}/kernel-headers)
file(MAKE_DIRECTORY ${KERNEL_HEADERS})
foreach(DIRECTORY linux asm-generic x86_64-linux-gnu/asm)
  cmake_path(GET DIRECTORY FILENAME NAME)
  file(CREATE_LINK /usr/include/${DIRECTORY} ${KERNEL_HEADERS}/${NAME} SYMBOLIC)
endforeach()

# musl's own CMSG_NXTHDR converts signs.
set(CMAKE_C_FLAGS_INIT "-idirafter \"${KERNEL_HEADERS}\" -Wno-sign-conversion")
