# tarn_program(NAME SOURCE ROOM): a program in the build folder itself, with the pinned libraries and everyone's licences in
# lib/ beside it. It looks for them there only, so that the two together can be moved to another folder or machine.
function(tarn_program name source room)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE ${room})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR} BUILD_WITH_INSTALL_RPATH ON
                                           INSTALL_RPATH "$ORIGIN/lib")
  set(copies "")
  foreach(library ${tarn_pinned})
    get_target_property(file ${library} IMPORTED_LOCATION)
    get_target_property(soname ${library} IMPORTED_SONAME)
    set(copy ${CMAKE_BINARY_DIR}/lib/${soname})
    add_custom_command(OUTPUT ${copy} COMMAND ${CMAKE_COMMAND} -E copy ${file} ${copy} DEPENDS ${file}
                       COMMENT "Copying ${soname} beside ${name}")
    list(APPEND copies ${copy})
  endforeach()
  if(TARN_TOOLCHAIN)
    set(licences ${CMAKE_BINARY_DIR}/lib/LICENSES.txt)
    add_custom_command(OUTPUT ${licences} COMMAND ${CMAKE_COMMAND} -E copy ${TARN_TOOLCHAIN}/LICENSES.txt ${licences}
                       DEPENDS ${TARN_TOOLCHAIN}/LICENSES.txt COMMENT "Copying the licences beside ${name}")
    list(APPEND copies ${licences})
  endif()
  add_custom_target(${name}_libraries DEPENDS ${copies})
  add_dependencies(${name} ${name}_libraries)
endfunction()
