# 32-bit x86, by Debian's cross compiler (installing gcc-multilib would remove those for other targets).
# Its programs run on the machine itself, with the libraries of the cross compiler.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR i686)
set(CMAKE_C_COMPILER i686-linux-gnu-gcc)
set(LIBRARIES /usr/i686-linux-gnu/lib)
set(CMAKE_EXE_LINKER_FLAGS_INIT
    "-Wl,--dynamic-linker=${LIBRARIES}/ld-linux.so.2 -Wl,-rpath=${LIBRARIES}")
