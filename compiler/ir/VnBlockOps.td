// Parts of a program that run several times.
#ifndef VERNIER_COMPILER_IR_VNBLOCKOPS_TD
#define VERNIER_COMPILER_IR_VNBLOCKOPS_TD

include "compiler/ir/VnOpBase.td"

def Vn_ImageBlocksOp : Vn_Op<"image_blocks", [SingleBlockImplicitTerminator<"YieldOp">, RecursiveMemoryEffects]> {
  let summary = "runs a part of the network for a few images of the batch at a time";
  let description = [{
    The body sees `images` images of each input and yields the results of these images; it runs for the first
    `images` images, then for the next ones, until the batch is done. What lies between is then as small as
    one run needs, and stays in the caches. Values defined outside that the body uses otherwise are the same in
    every run: parameters and what follows from them. Made by `--vn-block-images`.

    - (C1) there is at least one input; all inputs and results have the same batch, a multiple of `images`.
    - (C2) the body's arguments are the inputs with a batch of `images`.
    - (C3) what the body yields are the results with a batch of `images`.

    Example:
    ```mlir
    %y = vn.image_blocks of 1 (%x) : (tensor<4x8x8x16xf32>) -> tensor<4x1x1x16xf32> {
      ^bb0(%image: tensor<1x8x8x16xf32>):
      %a = vn.activate relu %image : tensor<1x8x8x16xf32>
      %p = vn.global_avg_pool %a : (tensor<1x8x8x16xf32>) -> tensor<1x1x1x16xf32>
      vn.yield %p : tensor<1x1x1x16xf32>
      }
    ```
  }];
  let arguments = (ins Variadic<Vn_Map>:$inputs, Vn_Count:$images);
  let results = (outs Variadic<Vn_Map>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "`of` $images `(` $inputs `)` attr-dict `:` functional-type(operands, results) $body";
  let hasVerifier = 1; // C1, C2, C3
}

def Vn_YieldOp : Vn_Op<"yield", [Pure, Terminator, HasParent<"ImageBlocksOp">]> {
  let summary = "ends the body of an op and gives its results";
  let description = [{
    Example:
    ```mlir
    %y = vn.image_blocks of 1 (%x) : (tensor<4x8x8x16xf32>) -> tensor<4x8x8x16xf32> {
      ^bb0(%image: tensor<1x8x8x16xf32>):
      vn.yield %image : tensor<1x8x8x16xf32>
      }
    ```
  }];
  let arguments = (ins Variadic<Vn_Map>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
  let builders = [OpBuilder<(ins), [{ }]>];
}

#endif
