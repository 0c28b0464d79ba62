# The package "tarn", which other projects find with find_package(tarn) and link as tarn::delta:
#   cmake --install build/release --component delta --prefix PREFIX
# puts the rooms up to delta there as static libraries, their public headers (src/delta/public_headers.txt) with what
# those include, and the pinned Arrow where it is the one that was built with.
include(CMakePackageConfigHelpers)

# tarn_headers_behind(RESULT HEADER ...): the headers and all of ours that they include, relative to src.
function(tarn_headers_behind result)
  set(waiting ${ARGN})
  set(found "")
  while(waiting)
    list(POP_FRONT waiting header)
    if(header IN_LIST found)
      continue()
    endif()
    list(APPEND found ${header})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${header})
    file(STRINGS ${CMAKE_SOURCE_DIR}/src/${header} includes REGEX "^#include \"")
    foreach(line ${includes})
      string(REGEX REPLACE "^#include \"(.*)\".*" "\\1" included "${line}")
      list(APPEND waiting ${included})
    endforeach()
  endwhile()
  set(${result} ${found} PARENT_SCOPE)
endfunction()

# tarn_package(ROOM ...): what the package holds, the lowest room last.
function(tarn_package)
  set(targets "")
  foreach(room ${ARGN})
    set_target_properties(tarn_${room} PROPERTIES EXPORT_NAME ${room})
    list(APPEND targets tarn_${room})
  endforeach()
  install(TARGETS ${targets} EXPORT tarn ARCHIVE DESTINATION lib COMPONENT delta INCLUDES DESTINATION include)
  install(EXPORT tarn NAMESPACE tarn:: FILE tarn-targets.cmake DESTINATION lib/cmake/tarn COMPONENT delta)

  file(STRINGS ${CMAKE_SOURCE_DIR}/src/delta/public_headers.txt public REGEX "^[^#]")
  tarn_headers_behind(headers ${public})
  string(REPLACE ";" "|" rooms "${ARGN}")
  foreach(header ${headers})
    # Inside the tree a header is named by its room; outside of it by the project, too.
    file(READ ${CMAKE_SOURCE_DIR}/src/${header} text)
    string(REGEX REPLACE "#include \"(${rooms})/" "#include \"tarn/\\1/" text "${text}")
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/package/tarn/${header} CONTENT "${text}" @ONLY NEWLINE_STYLE UNIX)
    get_filename_component(folder ${header} DIRECTORY)
    install(FILES ${CMAKE_BINARY_DIR}/package/tarn/${header} DESTINATION include/tarn/${folder} COMPONENT delta)
  endforeach()

  if(TARN_TOOLCHAIN)
    install(DIRECTORY ${TARN_TOOLCHAIN}/arrow/include/ DESTINATION lib/tarn/arrow/include COMPONENT delta)
    foreach(library arrow parquet)
      get_target_property(file tarn_dep::${library} IMPORTED_LOCATION)
      install(FILES ${file} DESTINATION lib/tarn/arrow/lib COMPONENT delta)
    endforeach()
    install(FILES ${TARN_TOOLCHAIN}/LICENSES.txt DESTINATION lib/tarn COMPONENT delta)
  endif()
  configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/tarn-config.cmake.in ${CMAKE_BINARY_DIR}/package/tarn-config.cmake
                                INSTALL_DESTINATION lib/cmake/tarn)
  write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/tarn-config-version.cmake
                                   COMPATIBILITY SameMinorVersion)
  install(FILES ${CMAKE_BINARY_DIR}/package/tarn-config.cmake ${CMAKE_BINARY_DIR}/package/tarn-config-version.cmake
          DESTINATION lib/cmake/tarn COMPONENT delta)
endfunction()
