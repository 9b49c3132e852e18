// What training draws by chance.
#ifndef VERNIER_COMPILER_IR_VNRANDOMOPS_TD
#define VERNIER_COMPILER_IR_VNRANDOMOPS_TD

include "compiler/ir/VnOpBase.td"

def Vn_DropoutOp : Vn_Op<"dropout", [Pure, SameOperandsAndResultType, Vn_Shape, Vn_Bytes, Vn_Pointwise]> {
  let summary = "drops parts of a map by chance, in training";
  let description = [{
    The input. In training, which `--vn-training-form` builds with `vn.keep_mask`, each part is 0 with
    probability `rate`, else the input divided by 1 - `rate`. A part is an element, a channel of an image or an
    image. Ops of different `stream` draw different numbers.

    - (C1) `rate` is at least 0 and below 1.
    - (C2) `result` has the type of `input`.

    Example:
    ```mlir
    %y = vn.dropout element rate 2.0e-1 stream 7 %x : tensor<8x1x1x1280xf32>
    ```
  }];
  let arguments = (ins Vn_DroppedPartAttr:$part, F64Attr:$rate, Vn_Integer:$stream, Vn_Map:$input);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$part `rate` $rate `stream` $stream $input attr-dict `:` type($result)";
  let hasVerifier = 1; // C1
}

def Vn_RandomStateOp : Vn_Op<"random_state", [Pure, Vn_Bytes]> {
  let summary = "what the random numbers of a training step follow from";
  let description = [{
    A number of 64 bits, the low half first. `--vn-differentiate` makes it an argument of @train_step, "random".

    Example:
    ```mlir
    %state = vn.random_state : tensor<2xi32>
    ```
  }];
  let results = (outs Vn_Labels:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

def Vn_KeepMaskOp : Vn_Op<"keep_mask", [Pure, Vn_Bytes]> {
  let summary = "0 with some probability, else 1";
  let description = [{
    With Philox4x32-10 (Salmon et al., 2011) under the key `state` and 32-bit numbers throughout, element (n, h, w, c),
    p = h * W + w, is 0 where word p mod 4 for the counter (c, p / 4, n, `stream`) is below `rate` * 2^32. With
    `image` all elements of an image are as its first.

    - (C1) `state` has two numbers.
    - (C2) `rate` is at least 0 and below 1.

    Example:
    ```mlir
    %mask = vn.keep_mask %state rate 2.0e-1 stream 7 : tensor<2xi32> -> tensor<8x1x1x1280xf32>
    ```
  }];
  let arguments = (ins Vn_Labels:$state, F64Attr:$rate, Vn_Integer:$stream, UnitAttr:$image);
  let results = (outs Vn_Map:$result);
  let assemblyFormat =
      "$state `rate` $rate `stream` $stream (`image` $image^)? attr-dict `:` type($state) `->` type($result)";
  let hasVerifier = 1; // C1, C2
}

#endif
