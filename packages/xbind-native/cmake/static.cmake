# libxsocket.a, for static programs, which cannot preload anything. It is one object, in which every name
# but xsocket() is local, so that a program may have functions named like ours. The partial link needs
# machine code, hence no link time optimization; and no sanitizer goes into a static program. There
# is no group of sections: a linker drops one that the program has too, as on 32-bit x86, and its local names.
get_target_property(XSOCKET_CORE_SOURCES xsocket_core SOURCES)
add_library(xsocket_parts OBJECT ${XSOCKET_CORE_SOURCES} src/xsocket/xsocket.c)
target_include_directories(xsocket_parts PRIVATE src include)
target_link_libraries(xsocket_parts PRIVATE xsocket_flags)

# The compiler may need flags that name the machine here, too. A flag that brings a library would put
# that into the object in spite of -nostdlib, and one for the linker is meant for programs.
separate_arguments(XSOCKET_COMPILER UNIX_COMMAND "${CMAKE_C_COMPILER_ARG1} ${CMAKE_C_FLAGS} -fno-lto")
list(FILTER XSOCKET_COMPILER EXCLUDE REGEX "^(--?coverage$|-fprofile-|-fsanitize|-static-pie$|-Wl,)")
if(CMAKE_C_COMPILER_TARGET AND CMAKE_C_COMPILE_OPTIONS_TARGET)
  list(APPEND XSOCKET_COMPILER ${CMAKE_C_COMPILE_OPTIONS_TARGET}${CMAKE_C_COMPILER_TARGET})
endif()
list(PREPEND XSOCKET_COMPILER ${CMAKE_C_COMPILER})

set(XSOCKET_OBJECT ${CMAKE_CURRENT_BINARY_DIR}/xsocket.o)
add_custom_command(OUTPUT ${XSOCKET_OBJECT}
                   COMMAND ${XSOCKET_COMPILER} -r -nostdlib -o ${XSOCKET_OBJECT}
                           $<TARGET_OBJECTS:xsocket_parts>
                   COMMAND ${CMAKE_OBJCOPY} --localize-hidden -R .group ${XSOCKET_OBJECT}
                   DEPENDS $<TARGET_OBJECTS:xsocket_parts>
                   COMMAND_EXPAND_LISTS VERBATIM)
add_library(xsocket_static STATIC ${XSOCKET_OBJECT})
add_dependencies(xsocket_static xsocket_parts) # make(1) needs this besides the files
target_include_directories(xsocket_static
                           INTERFACE $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
                                     $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(xsocket_static PROPERTIES OUTPUT_NAME xsocket EXPORT_NAME static
                                                LINKER_LANGUAGE C)
add_library(xsocket::static ALIAS xsocket_static)
install(TARGETS xsocket_static EXPORT xsocketStatic ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT xsocketStatic NAMESPACE xsocket::
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/xsocket)
