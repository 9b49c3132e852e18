# Fails if a checked-in generated file differs from what its source generates now, and says how to repair it.
execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files --ignore-eol ${GENERATED} ${CHECKED_IN} RESULT_VARIABLE differs)
if(differs)
  message(FATAL_ERROR "${CHECKED_IN} is stale. Repair: ${REPAIR}")
endif()
