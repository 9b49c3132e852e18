# Generated code against the records, through the command line.
add_executable(golden-train GoldenTrain.cpp)
target_link_libraries(golden-train PRIVATE vernier_golden_tensors vernier_driver)

function(add_generated_test name record specification)
  add_test(NAME generated.${name}
           COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/run_generated.py ${CMAKE_CURRENT_SOURCE_DIR}/${record}.json
                   ${models}/networks/${specification} --bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${ARGN}
           ${when})
endfunction()

set(scalenet50 --config ${models}/configurations/scalenet50.toml)
add_generated_test(resnet50 resnet50 resnet.vn)
add_generated_test(resnext50_32x4d resnext50_32x4d resnet.vn)
add_generated_test(scalenet50 scalenet50 scalenet.vn ${scalenet50} --first)
add_generated_test(resnext50_elastic resnext50_elastic resnext_elastic.vn)
add_generated_test(dla60x_elastic dla60x_elastic dla_elastic.vn)
add_generated_test(res2net50_26w_4s res2net50_26w_4s res2net.vn)
add_generated_test(res2net50_48w_2s res2net50_48w_2s res2net.vn)
add_generated_test(dla60x_elastic.sse dla60x_elastic dla_elastic.vn --cpu sse)
add_generated_test(dla60x_elastic.avx2 dla60x_elastic dla_elastic.vn --cpu avx2)
add_generated_test(resnet50.train resnet50 resnet.vn --train)
add_generated_test(resnet50.bf16 resnet50 resnet.vn --precision bf16)
add_generated_test(res2net50_48w_2s.bf16 res2net50_48w_2s res2net.vn --precision bf16)
mark_long(generated.scalenet50 generated.dla60x_elastic.sse generated.dla60x_elastic.avx2 generated.resnet50.train
          generated.resnext50_elastic generated.res2net50_26w_4s)
# A minute each: ctest -C slow.
set(when CONFIGURATIONS slow)
add_generated_test(scalenet50.sse scalenet50 scalenet.vn ${scalenet50} --cpu sse --first)
add_generated_test(scalenet50.avx2 scalenet50 scalenet.vn ${scalenet50} --cpu avx2 --first)
add_generated_test(scalenet50.train scalenet50 scalenet.vn ${scalenet50} --train)
add_generated_test(scalenet50.all scalenet50 scalenet.vn ${scalenet50})
add_generated_test(resnext50_elastic.train resnext50_elastic resnext_elastic.vn --train)
add_generated_test(res2net50_26w_4s.train res2net50_26w_4s res2net.vn --train)
# Of the other records in bfloat16, and where its products are written out in float32.
add_generated_test(scalenet50.bf16 scalenet50 scalenet.vn ${scalenet50} --precision bf16)
add_generated_test(resnext50_32x4d.bf16 resnext50_32x4d resnet.vn --precision bf16)
add_generated_test(resnext50_elastic.bf16 resnext50_elastic resnext_elastic.vn --precision bf16)
add_generated_test(dla60x_elastic.bf16 dla60x_elastic dla_elastic.vn --precision bf16)
add_generated_test(res2net50_26w_4s.bf16 res2net50_26w_4s res2net.vn --precision bf16)
add_generated_test(resnet50.bf16.avx2 resnet50 resnet.vn --precision bf16 --cpu avx2 --first)

# The code for GPUs, run on the CPU, in float32, tf32 and bfloat16.
function(add_emulated_test record specification)
  add_test(NAME generated.${record}.emulated
           COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/run_emulated.py ${CMAKE_CURRENT_SOURCE_DIR}/${record}.json
                   ${models}/networks/${specification} --bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} ${ARGN}
           ${when})
  set_property(TEST generated.${record}.emulated APPEND PROPERTY LABELS cuda)
endfunction()

add_emulated_test(res2net50_26w_4s res2net.vn)
add_emulated_test(resnext50_elastic resnext_elastic.vn)
add_emulated_test(scalenet50 scalenet.vn ${scalenet50})
set(when)
add_emulated_test(resnet50 resnet.vn)
mark_longest(generated.resnet50.emulated)
