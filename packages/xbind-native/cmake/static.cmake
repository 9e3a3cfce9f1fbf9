# libxsocket.a, for static programs, into which nothing can be preloaded: one object, in which every name
# but xsocket() is local, so that a program may have functions named like ours. A partial link has to see
# machine code, hence no link time optimization; and no sanitizer goes into a static program.
get_target_property(XSOCKET_CORE_SOURCES core SOURCES)
add_library(xsocket_parts OBJECT ${XSOCKET_CORE_SOURCES} src/xsocket/xsocket.c)
target_include_directories(xsocket_parts PRIVATE src include)
target_link_libraries(xsocket_parts PRIVATE xsocket_flags)
target_compile_options(xsocket_parts PRIVATE -fno-lto)

set(XSOCKET_OBJECT ${CMAKE_CURRENT_BINARY_DIR}/xsocket.o)
add_custom_command(OUTPUT ${XSOCKET_OBJECT}
                   COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o ${XSOCKET_OBJECT}
                           $<TARGET_OBJECTS:xsocket_parts>
                   COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${XSOCKET_OBJECT}
                   DEPENDS $<TARGET_OBJECTS:xsocket_parts>
                   COMMAND_EXPAND_LISTS VERBATIM)
add_library(xsocket_static STATIC ${XSOCKET_OBJECT})
target_include_directories(xsocket_static
                           INTERFACE $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
                                     $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(xsocket_static PROPERTIES OUTPUT_NAME xsocket EXPORT_NAME static
                                                LINKER_LANGUAGE C)
add_library(xsocket::static ALIAS xsocket_static)
install(TARGETS xsocket_static EXPORT xsocketTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
