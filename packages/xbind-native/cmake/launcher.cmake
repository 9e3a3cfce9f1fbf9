# The native part of the `xsocket` command. The path is that of its script, relative to an installed
# bin/.
set(XSOCKET_SCRIPT_FROM_BIN "../lib/xsocket/main.js")
string(JSON XSOCKET_BUN_VERSION GET "${PACKAGE_JSON}" packageManager)
string(REPLACE "bun@" "" XSOCKET_BUN_VERSION ${XSOCKET_BUN_VERSION})

add_executable(xsocket-launch src/launch/bun.c src/launch/children.c src/launch/environment.c
                              src/launch/main.c src/launch/plan.c src/launch/words.c)
target_include_directories(xsocket-launch PRIVATE src)
target_link_libraries(xsocket-launch PRIVATE xsocket_flags)
target_compile_definitions(
  xsocket-launch PRIVATE XSOCKET_SCRIPT_FROM_BIN="${XSOCKET_SCRIPT_FROM_BIN}"
                         XSOCKET_BUN_VERSION="${XSOCKET_BUN_VERSION}")

# The build tree has the script at the same path. It is a relative link, so that it also works where the
# tree is mounted a second time.
cmake_path(SET XSOCKET_SCRIPT_LINK NORMALIZE
           ${CMAKE_CURRENT_BINARY_DIR}/${XSOCKET_SCRIPT_FROM_BIN})
cmake_path(GET XSOCKET_SCRIPT_LINK PARENT_PATH XSOCKET_SCRIPT_DIR)
file(MAKE_DIRECTORY ${XSOCKET_SCRIPT_DIR})
file(REAL_PATH ${XSOCKET_SCRIPT_DIR} XSOCKET_SCRIPT_DIR)
file(REAL_PATH ${PROJECT_SOURCE_DIR}/packages/cli/src/tree.ts XSOCKET_SCRIPT)
file(RELATIVE_PATH XSOCKET_SCRIPT ${XSOCKET_SCRIPT_DIR} ${XSOCKET_SCRIPT})
file(CREATE_LINK ${XSOCKET_SCRIPT} ${XSOCKET_SCRIPT_LINK} SYMBOLIC)
# cmake does not strip it on installation, since it is installed under another name.
target_link_options(xsocket-launch PRIVATE $<$<CONFIG:Release>:-s>)
# With musl it is static, and so runs on every Linux, whatever its libc.
if(NOT XSOCKET_IS_GLIBC)
  target_link_options(xsocket-launch PRIVATE -static)
endif()
