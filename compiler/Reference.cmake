# docs/reference/*.md, generated from the .td files: built with everything else, checked in by `--target docs`, and compared
# by a test.
set(VN_REFERENCE_PAGES)
function(add_reference_page page source)
  set(generated ${PROJECT_BINARY_DIR}/docs/${page}.md)
  file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/docs)
  file(GLOB definitions CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/ir/*.td ${CMAKE_CURRENT_SOURCE_DIR}/passes/*.td)
  add_custom_command(OUTPUT ${generated}
    COMMAND ${MLIR_TABLEGEN_EXE} ${ARGN} -I ${PROJECT_SOURCE_DIR} -I ${MLIR_INCLUDE_DIRS} ${source} -o ${generated}
    DEPENDS ${definitions} VERBATIM)
  set(VN_REFERENCE_PAGES ${VN_REFERENCE_PAGES} ${generated} PARENT_SCOPE)
endfunction()

add_reference_page(ops ${CMAKE_CURRENT_SOURCE_DIR}/ir/VnOps.td --gen-dialect-doc --dialect=vn)
add_reference_page(passes ${CMAKE_CURRENT_SOURCE_DIR}/passes/Passes.td --gen-pass-doc)
add_custom_target(vernier_reference ALL DEPENDS ${VN_REFERENCE_PAGES})
add_custom_target(docs
  COMMAND ${CMAKE_COMMAND} -E copy ${VN_REFERENCE_PAGES} ${PROJECT_SOURCE_DIR}/docs/reference
  DEPENDS ${VN_REFERENCE_PAGES})
