#include "dsl/Foreign.h"

#include "dsl/Ops.h"
#include "dsl/Types.h"

#include <cctype>

namespace vernier::dsl {

namespace {

constexpr std::string_view activations = "the activations are `relu`, `relu6`, `leaky_relu`, `sigmoid`, "
                                         "`hard_sigmoid`, `tanh`, `silu`, `hard_swish`, "
                                         "`gelu`, `gelu_tanh` and `prelu`";
constexpr std::string_view normalisations = "the normalisations are `batch_norm`, `group_norm` and, of each "
                                            "pixel over its channels, `layer_norm`";
constexpr std::string_view attention =
    "attention is a block: `matmul(q, k, transpose_b = true) |> channel_softmax |> matmul(v)`";
constexpr std::string_view instances =
    "an instance norm with a weight and a bias is `group_norm(groups = x.channels)`";
constexpr std::string_view blockType = "the type of a block says what it is called with: `block(x, int)`";
constexpr std::string_view wordType = "a string of a fixed set has the type `\"max\" | \"average\"`";
constexpr std::string_view leaveOpen = "a call with `_` makes a block of what is left open: `f(_, 8)`";
constexpr std::string_view leaveOutShape = "the number of input channels follows from the map: leave it out";
constexpr std::string_view logProbabilities =
    "`softmax_cross_entropy(x, labels)` takes the logits: leave out the `log_softmax` before it";
constexpr std::string_view divergence = "a divergence is a block of `channel_softmax`, `channel_log_softmax` "
                                        "and `mean`: models/blocks/distillation.vn";
constexpr std::string_view probabilities =
    "`binary_cross_entropy` here takes logits, not probabilities: leave out the `sigmoid` before it";
constexpr std::string_view overAll = "the mean over all elements";
constexpr std::string_view meanOfAll = "a loss is the mean over all elements: leave it out";
constexpr std::string_view lossStatement =
    "losses are operations, and what training minimises is said by statements: `loss squared_error(x, y)`";
constexpr std::string_view declareBlock = "a block is declared by `block name(x, channels: int) { ... }`";

const std::vector<ForeignName> values = {
    {"True", "true", ""},
    {"False", "false", ""},
    {"TRUE", "true", ""},
    {"FALSE", "false", ""},
    {"None", "none", "what may be left out has a type such as `tensor | none`"},
    {"null", "none", "what may be left out has a type such as `tensor | none`"},
    {"nullptr", "none", "what may be left out has a type such as `tensor | none`"},
    {"self", "",
     "blocks and networks have no `self`: they see their own parameters and values, by their names"},
    {"this", "",
     "blocks and networks have no `this`: they see their own parameters and values, by their names"},
    {"inf", "", "floats are finite"},
    {"nan", "", "floats are finite"},
    {"pi", "3.141592653589793", ""},
};

const std::vector<ForeignName> typeNames = {
    {"Tensor", "tensor", ""},    {"Int", "int", ""},
    {"integer", "int", ""},      {"long", "int", ""},
    {"int64", "int", ""},        {"int32", "int", ""},
    {"size_t", "int", ""},       {"double", "float", ""},
    {"float32", "float", ""},    {"Float", "float", ""},
    {"boolean", "bool", ""},     {"Bool", "bool", ""},
    {"str", "string", ""},       {"String", "string", ""},
    {"list", "[int]", ""},       {"List", "[int]", ""},
    {"tuple", "[int]", ""},      {"Tuple", "[int]", ""},
    {"Sequence", "[int]", ""},   {"Optional", "", "what may be left out has a type such as `tensor | none`"},
    {"Any", "", typesHelp},      {"Module", "", blockType},
    {"Callable", "", blockType}, {"Literal", "", wordType},
    {"Enum", "", wordType},      {"enum", "", wordType},
};

const std::vector<ForeignName> arguments = {
    {"in_channels", "", leaveOutShape, true},
    {"in_planes", "", leaveOutShape, true},
    {"inplanes", "", leaveOutShape, true},
    {"input_channels", "", leaveOutShape, true},
    {"num_features", "", leaveOutShape, true},
    {"normalized_shape", "", leaveOutShape, true},
    {"num_parameters", "", "one slope for each channel is `per_channel = true`, else there is one for all"},
    {"init", "initial", ""},
    {"upscale_factor", "factor", ""},
    {"downscale_factor", "factor", ""},
    {"init_values", "initial", ""},
    {"in_features", "", leaveOutShape, true},
    {"input_shape", "", "the size of a map follows from the network's input: leave it out", true},
    {"out_channels", "channels", ""},
    {"output_channels", "channels", ""},
    {"out_planes", "channels", ""},
    {"num_filters", "channels", ""},
    {"filters", "channels", ""},
    {"out_features", "features", ""},
    {"units", "features", ""},
    {"num_classes", "features", ""},
    {"kernel_size", "kernel", ""},
    {"kernel_shape", "kernel", ""},
    {"pool_size", "kernel", ""},
    {"ksize", "kernel", ""},
    {"size", "kernel", ""},
    {"strides", "stride", ""},
    {"pad", "padding", ""},
    {"pads", "padding", ""},
    {"dilations", "dilation", ""},
    {"dilation_rate", "dilation", ""},
    {"group", "groups", ""},
    {"num_groups", "groups", ""},
    {"use_bias", "bias", ""},
    {"eps", "epsilon", ""},
    {"scale_factor", "scale", ""},
    {"scales", "scale", ""},
    {"output_size", "size", ""},
    {"ceil_mode", "ceil", ""},
    {"count_include_pad", "count_padding", ""},
    {"interpolation", "mode", ""},
    {"split_size", "parts", ""},
    {"chunks", "parts", ""},
    {"other", "b", ""},
    {"ignore_index", "ignore", ""},
    {"label_smoothing", "smoothing", ""},
    {"reduction", "", meanOfAll, true},
    {"pos_weight", "positive", "one number for all channels"},
    {"input", "x", ""},
    {"inputs", "x", ""},
    {"logits", "x", ""},
    {"target", "labels", ""},
    {"targets", "target", ""},
    {"p", "rate", ""},
    {"drop_prob", "rate", ""},
    {"training", "", "what is dropped, and normalised by a batch, is so in training alone: leave it out",
     true},
    {"inplace", "", "values never change: leave it out", true},
    {"negative_slope", "slope", ""},
    {"approximate", "",
     "the approximation by a hyperbolic tangent is an operation of its own: `|> gelu_tanh`"},
    {"affine", "", "a batch norm always has a weight and a bias: leave it out", true},
    {"elementwise_affine", "", "a layer norm always has a weight and a bias: leave it out", true},
    {"track_running_stats", "", "a batch norm always has running statistics: leave it out", true},
    {"dim", "", "maps are joined and split along their channels: leave it out", true},
    {"axis", "", "maps are joined and split along their channels: leave it out", true},
    {"keepdim", "", "a mean of a map is a map of one pixel: leave it out", true},
    {"keepdims", "", "a mean of a map is a map of one pixel: leave it out", true},
    {"padding_mode", "", "`conv` pads with zeros; another padding is `pad(1, mode = replicate)` before it"},
    {"output_padding", "", "only `conv_transpose` has it"},
    {"return_indices", "", "pools have one result: leave it out", true},
    {"recompute_scale_factor", "", "leave it out", true},
    {"dtype", "", "the precision belongs to the build, not to the network: leave it out", true},
    {"device", "", "the target belongs to the build, not to the network: leave it out", true},
    {"data_format", "", "the order of a map's elements belongs to the build: leave it out", true},
    {"activation", "", "an activation is an operation of its own: `|> relu`"},
    {"kernel_initializer", "", "the initial weights belong to training, not to the network: leave it out",
     true},
    {"name", "", "a name is a label before the call: `stem: conv(...)`"},
};

const std::vector<ForeignName> words = {
    {"nearest-exact", "nearest_exact", ""},
    {"linear", "bilinear", ""},
    {"trilinear", "bilinear", "maps have height and width: `bilinear`"},
    {"cubic", "bicubic", ""},
    {"lanczos", "", "the modes are `nearest`, `nearest_exact`, `bilinear` and `bicubic`"},
    {"area", "", "means of areas are what `adaptive_avg_pool` computes"},
    {"zeros", "zero", ""},
    {"constant", "zero", ""},
    {"border", "replicate", ""},
    {"edge", "replicate", ""},
    {"reflect", "", "the modes are `zero` and `replicate`"},
    {"reflection", "", "the modes are `zero` and `replicate`"},
    {"symmetric", "", "the modes are `zero` and `replicate`"},
    {"circular", "", "the modes are `zero` and `replicate`"},
    {"SAME", "same_upper", ""},
    {"valid", "0", "without padding is `padding = 0`"},
    {"VALID", "0", "without padding is `padding = 0`"},
};

constexpr std::string_view threeProperties = "a tensor has `channels`, `height` and `width`";
const std::vector<ForeignName> properties = {
    {"shape", "", threeProperties},
    {"size", "", threeProperties},
    {"ndim", "", threeProperties},
    {"dtype", "", threeProperties},
    {"device", "", threeProperties},
    {"c", "channels", ""},
    {"C", "channels", ""},
    {"h", "height", ""},
    {"H", "height", ""},
    {"w", "width", ""},
    {"W", "width", ""},
    {"out_channels", "channels", ""},
    {"in_channels", "channels", ""},
    {"num_channels", "channels", ""},
};

const std::vector<ForeignName> statements = {
    {"return", "", "the last line of a block is its result", true},
    {"let", "", "a value is bound by `name = expression`", true},
    {"var", "", "a value is bound by `name = expression`; it never changes, but the name may be bound again",
     true},
    {"const", "", "a value is bound by `name = expression`", true},
    {"val", "", "a value is bound by `name = expression`", true},
    {"auto", "", "a value is bound by `name = expression`", true},
    {"def", "block", declareBlock},
    {"fn", "block", declareBlock},
    {"func", "block", declareBlock},
    {"function", "block", declareBlock},
    {"lambda", "", leaveOpen},
    {"class", "",
     "a network is declared by `network name(width: int) { ... }`, what networks share by `block`"},
    {"struct", "",
     "a network is declared by `network name(width: int) { ... }`, what networks share by `block`"},
    {"while", "", "loops go through a list: `for i in range(n) { ... }`"},
    {"elif", "else if", "write `else if`, and braces around what depends on it"},
    {"pass", "", "a body may be empty: `{ }`"},
    {"break", "", "loops run to their end; `if` decides what they do"},
    {"continue", "", "loops run to their end; `if` decides what they do"},
    {"assert", "require", "what must hold is said by `require condition, \"message\"`"},
    {"print", "", "nothing is printed: `vernier describe` shows the network"},
    {"del", "", "values end with their block: leave the line out"},
    {"with", "", "leave the line out"},
    {"raise", "", "what must hold is said by `require condition, \"message\"`"},
    {"try", "", "there are no exceptions: leave the line out"},
    {"yield", "", "a list is made by `for x in list: expression`"},
    {"global", "", "blocks see their own parameters and values only"},
    {"nonlocal", "", "blocks see their own parameters and values only"},
    {"include", "import", "a file is included by `import folder.file`"},
    {"use", "import", "a file is included by `import folder.file`"},
    {"using", "import", "a file is included by `import folder.file`"},
};

constexpr std::string_view noModules = "operations are called by their own names, without a module";
constexpr std::string_view noSelf = "blocks are called by their own names, without `self`";
const std::vector<ForeignName> modules = {
    {"self", "", noSelf},           {"this", "", noSelf},      {"super", "", noSelf},
    {"nn", "", noModules},          {"F", "", noModules},      {"torch", "", noModules},
    {"functional", "", noModules},  {"tf", "", noModules},     {"tensorflow", "", noModules},
    {"keras", "", noModules},       {"layers", "", noModules}, {"np", "", noModules},
    {"numpy", "", noModules},       {"jnp", "", noModules},    {"jax", "", noModules},
    {"flax", "", noModules},        {"paddle", "", noModules}, {"mx", "", noModules},
    {"torchvision", "", noModules}, {"timm", "", noModules},   {"math", "", noModules},
    {"ops", "", noModules},
};

const std::vector<ForeignName> characters = {
    {";", "", "a statement ends with its line"},
    {"'", "", "strings are written with double quotes"},
    {"|", "|>", "a pipeline is written `|>`"},
    {"||", "or", "the logical operators are `and`, `or` and `not`"},
    {"&", "and", "the logical operators are `and`, `or` and `not`"},
    {"&&", "and", "the logical operators are `and`, `or` and `not`"},
    {"!", "not", "the logical operators are `and`, `or` and `not`"},
    {"#", "//", "a comment begins with `//`"},
    {"^", "", "powers do not exist: write the product, `x * x`"},
    {"?", "", "a conditional is written `if condition then a else b`"},
    {"@", "", "a product of maps is `matmul(a, b)`; there are no decorators"},
    {"\\", "", "a statement goes on after an operator or a comma, within brackets and before `|>`"},
    {"~", "", "the logical operators are `and`, `or` and `not`"},
    {"$", "", "a value in a string is written `\"{name}\"`"},
    {"`", "", "strings are written with double quotes"},
};

const std::vector<ForeignCall> calls = {
    // Layers.
    {"conv2d",
     "conv",
     leaveOutShape,
     {"in_channels", "channels", "kernel", "stride", "padding", "dilation", "groups", "bias"},
     {{"padding", "0"}, {"bias", "true"}}},
    {"convolution", "conv", ""},
    {"convolution2d", "conv", ""},
    {"conv1x1", "conv", "a 1x1 convolution is `conv(channels, 1)`"},
    {"conv3x3", "conv", "a 3x3 convolution is `conv(channels, 3)`"},
    {"conv1d", "conv", "maps have height and width: `conv` with a kernel of [1, k]"},
    {"conv3d", "conv", "maps have height and width, no depth"},
    {"convtranspose2d",
     "conv_transpose",
     leaveOutShape,
     {"in_channels", "channels", "kernel", "stride", "padding", "output_padding", "groups", "bias",
      "dilation"},
     {{"bias", "true"}}},
    {"conv2dtranspose", "conv_transpose", ""},
    {"convtranspose1d", "conv_transpose", "maps have height and width: a kernel of [1, k]"},
    {"convtranspose3d", "conv_transpose", "maps have height and width, no depth"},
    {"transposedconv", "conv_transpose", ""},
    {"transposedconv2d", "conv_transpose", ""},
    {"transposedconvolution", "conv_transpose", ""},
    {"deconv", "conv_transpose", ""},
    {"deconv2d", "conv_transpose", ""},
    {"deconvolution", "conv_transpose", ""},
    {"upconv", "conv_transpose", ""},
    {"depthwiseconv2d", "conv", "a depthwise convolution is `conv(x.channels, 3, groups = x.channels)`"},
    {"depthwiseconv", "conv", "a depthwise convolution is `conv(x.channels, 3, groups = x.channels)`"},
    {"dwconv", "conv", "a depthwise convolution is `conv(x.channels, 3, groups = x.channels)`"},
    {"separableconv2d", "conv",
     "a separable convolution is `conv(x.channels, 3, groups = x.channels) |> conv(channels, 1)`"},
    {"linear", "linear", leaveOutShape, {"in_features", "features", "bias"}},
    {"dense", "linear", "", {"features"}},
    {"fc", "linear", ""},
    {"fullyconnected", "linear", ""},
    {"bmm", "matmul", "of maps, whose rows are pixels and whose columns are channels"},
    {"einsum", "matmul", "of maps, whose rows are pixels and whose columns are channels"},
    {"embedding", "", "a network's input is an image"},
    // Normalisation.
    {"batchnorm2d", "batch_norm", leaveOutShape, {"num_features", "epsilon", "momentum"}},
    {"batchnorm", "batch_norm", "", {"num_features", "epsilon", "momentum"}},
    {"batchnormalization", "batch_norm", ""},
    {"syncbatchnorm", "batch_norm", ""},
    {"bn", "batch_norm", ""},
    {"groupnorm", "group_norm", leaveOutShape, {"groups", "num_features", "epsilon"}},
    {"layernorm", "layer_norm", leaveOutShape, {"num_features", "epsilon"}},
    {"layernorm2d", "layer_norm", leaveOutShape, {"num_features", "epsilon"}},
    {"layerscale", "layer_scale", leaveOutShape, {"num_features", "initial"}},
    {"layerscale2d", "layer_scale", leaveOutShape, {"num_features", "initial"}},
    {"instancenorm", "", instances},
    {"instancenorm2d", "", instances},
    {"localresponsenorm", "", normalisations},
    {"rmsnorm", "", normalisations},
    {"parameter", "parameter", "a learned number for each channel: `parameter(channels, initial = 1.0)`"},
    // Activations.
    {"relu", "relu", "", {"inplace"}},
    {"relu6", "relu6", "", {"inplace"}},
    {"sigmoid", "sigmoid", ""},
    {"silu", "silu", "", {"inplace"}},
    {"swish", "silu", ""},
    {"gelu", "gelu", ""},
    {"hardswish", "hard_swish", "", {"inplace"}},
    {"hardsigmoid", "hard_sigmoid", "", {"inplace"}},
    {"hardtanh", "", activations},
    {"leakyrelu", "leaky_relu", "", {"slope", "inplace"}},
    {"prelu", "prelu", "", {"num_parameters=1", "initial"}},
    {"rrelu", "", activations},
    {"elu", "", activations},
    {"selu", "", activations},
    {"celu", "", activations},
    {"mish", "", activations},
    {"softplus", "", activations},
    {"softsign", "", activations},
    {"tanh", "tanh", ""},
    {"glu", "", activations},
    {"activation", "", activations},
    {"clamp", "", "`relu` bounds below by 0, `relu6` above by 6 too"},
    {"clip", "", "`relu` bounds below by 0, `relu6` above by 6 too"},
    {"softmax",
     "channel_softmax",
     "of pixels it is `spatial_softmax`, of a list of maps `softmax`",
     {"dim=channels"}},
    {"softmax2d", "channel_softmax", ""},
    {"logsoftmax",
     "channel_log_softmax",
     "before labels it is left out: `softmax_cross_entropy` takes logits",
     {"dim=channels"}},
    // Losses; of binary_cross_entropy only the name is the same.
    {"crossentropy",
     "softmax_cross_entropy",
     "the mean over all labels but those that `ignore` names",
     {"labels", "weights", "size_average", "ignore", "reduce", "reduction=mean", "smoothing"}},
    {"crossentropyloss", "softmax_cross_entropy", lossStatement},
    {"sparsecategoricalcrossentropy", "softmax_cross_entropy", "of logits and a target `of int`"},
    {"nllloss", "", logProbabilities},
    {"binarycrossentropywithlogits",
     "binary_cross_entropy",
     overAll,
     {"target", "weight", "size_average", "reduce", "reduction=mean", "positive"}},
    {"bcewithlogitsloss", "binary_cross_entropy", lossStatement},
    {"bceloss", "", probabilities},
    {"binarycrossentropy", "", probabilities},
    {"sigmoidfocalloss", "focal_loss", overAll, {"target", "alpha", "gamma", "reduction=mean"}},
    {"focalloss", "focal_loss", "of logits, with `gamma` and `alpha`"},
    {"mse", "squared_error", ""},
    {"mseloss", "squared_error", overAll, {"target", "size_average", "reduce", "reduction=mean"}},
    {"l1loss", "absolute_error", overAll, {"target", "size_average", "reduce", "reduction=mean"}},
    {"mae", "absolute_error", ""},
    {"smoothl1loss", "smooth_l1", overAll, {"target", "size_average", "reduce", "reduction=mean", "beta"}},
    {"huberloss",
     "smooth_l1",
     "times `delta`: `d * smooth_l1(x, y, beta = d)`",
     {"target", "reduction=mean", "delta=1"}},
    {"kldiv", "", divergence},
    {"kldivloss", "", divergence},
    {"diceloss", "", "a dice loss is a block of `sigmoid`, products, `global_avg_pool` and `mean`"},
    {"criterion", "", lossStatement},
    {"lossfn", "", lossStatement},
    {"lossfunction", "", lossStatement},
    {"backward", "", "gradients are what training computes: leave the line out"},
    // Regularisation.
    {"dropout", "dropout", "", {"rate", "training", "inplace"}},
    {"dropout2d", "channel_dropout", "", {"rate", "training", "inplace"}},
    {"featuredropout", "channel_dropout", "", {"rate", "training", "inplace"}},
    {"spatialdropout2d", "channel_dropout", "", {"rate"}},
    {"droppath", "drop_path", "", {"rate", "training"}},
    {"stochasticdepth", "drop_path", "", {"rate", "mode=row", "training"}},
    {"dropblock",
     "",
     "`dropout`, `channel_dropout` and `drop_path` drop elements, channels and images",
     {},
     {},
     true},
    {"identity", "", "an operation that does nothing is left out", {}, {}, true},
    // Pools.
    {"maxpool2d", "max_pool", "", {"kernel", "stride", "padding", "dilation=1", "return_indices", "ceil"}},
    {"maxpooling2d", "max_pool", "", {"kernel", "stride"}},
    {"maxpooling", "max_pool", ""},
    {"avgpool2d", "avg_pool", "", {"kernel", "stride", "padding", "ceil", "count_padding"}},
    {"averagepooling2d", "avg_pool", "", {"kernel", "stride"}},
    {"averagepool", "avg_pool", ""},
    {"avgpooling", "avg_pool", ""},
    {"meanpool", "avg_pool", ""},
    {"pool", "", "pools are `max_pool`, `avg_pool`, `global_max_pool` and `global_avg_pool`"},
    {"adaptiveavgpool2d", "adaptive_avg_pool", "", {"size"}},
    {"globalaveragepooling2d", "global_avg_pool", ""},
    {"globalaveragepool", "global_avg_pool", ""},
    {"globalpool", "global_avg_pool", ""},
    {"gap", "global_avg_pool", ""},
    {"mean", "global_avg_pool", meansOfSides, {"dim=space"}},
    {"globalmaxpool", "global_max_pool", ""},
    {"globalmaxpool2d", "global_max_pool", ""},
    {"globalmaxpooling2d", "global_max_pool", ""},
    {"adaptivemaxpool2d",
     "global_max_pool",
     "for one pixel; larger ones come from `max_pool`, whose kernel is the map's size divided by theirs",
     {"output_size=1"}},
    {"amax",
     "global_max_pool",
     "for height and width; maxima over channels are `channel_max`",
     {"dim=space"}},
    // Sizes.
    {"flatten",
     "",
     "maps keep their three sides: `linear` takes a 1x1 map, which `global_avg_pool` makes",
     {},
     {},
     true},
    {"view", "", "maps keep their three sides: `linear` takes a 1x1 map, which `global_avg_pool` makes"},
    {"reshape", "", "maps keep their three sides: `linear` takes a 1x1 map, which `global_avg_pool` makes"},
    {"squeeze", "", "maps keep their three sides: leave it out", {}, {}, true},
    {"unsqueeze", "", "maps keep their three sides: leave it out"},
    {"permute", "", "maps keep the order of their sides; `channel_shuffle` exchanges channels"},
    {"transpose", "", "maps keep the order of their sides; `channel_shuffle` exchanges channels"},
    {"contiguous", "", "leave it out", {}, {}, true},
    {"detach", "", "leave it out", {}, {}, true},
    {"clone", "", "values never change: leave it out", {}, {}, true},
    {"upsample", "resize", "", {"size", "scale", "mode", "align_corners"}, {{"mode", "nearest"}}},
    {"interpolate", "resize", "", {"size", "scale", "mode", "align_corners"}, {{"mode", "nearest"}}},
    {"upsampling2d", "resize", "", {"scale"}, {{"mode", "nearest"}}},
    {"upsamplingnearest2d", "resize", "", {"size", "scale"}, {{"mode", "nearest"}}},
    {"upsamplingbilinear2d",
     "resize",
     "",
     {"size", "scale"},
     {{"mode", "bilinear"}, {"align_corners", "true"}}},
    {"downsample", "resize", "`max_pool`, `avg_pool`, a stride of `conv` and `resize` make a map smaller"},
    {"rescale", "resize", ""},
    {"zeropad2d", "pad", "its four numbers are [top, bottom, left, right]"},
    {"padding", "pad", ""},
    {"reflectionpad2d", "", "`pad` has the modes `zero` and `replicate`"},
    {"replicationpad2d", "pad", "`pad(1, mode = replicate)`"},
    {"pixelshuffle", "pixel_shuffle", "", {"factor"}},
    {"pixelunshuffle", "pixel_unshuffle", "", {"factor"}},
    {"depthtospace", "pixel_shuffle", "", {"factor"}},
    {"spacetodepth", "pixel_unshuffle", "", {"factor"}},
    // Joining and cutting.
    {"cat", "concat", "", {"dim=channels"}},
    {"concatenate", "concat", "", {"axis=channels"}},
    {"stack", "", "maps have three sides and get no fourth; `concat` joins their channels"},
    {"merge", "concat", ""},
    {"route", "concat", ""},
    {"chunk", "split", "", {"parts", "dim=channels"}},
    {"narrow", "slice", ""},
    {"shuffle", "channel_shuffle", ""},
    {"mul", "multiply", ""},
    {"sub", "subtract", ""},
    {"div", "divide", ""},
    {"attention", "", attention},
    {"multiheadattention", "", attention},
    {"selfattention", "", attention},
    {"scaleddotproductattention", "", attention},
    {"sequential", "", "operations are joined by `|>`: `x |> conv(8, 3) |> relu`"},
    {"modulelist", "", "a list of maps is `for c in widths: x |> conv(c, 3)`"},
    // Functions.
    {"partial", "", leaveOpen},
    {"reversed", "reverse", ""},
    {"sorted", "", "lists keep their order; `reverse` turns it round"},
    {"length", "len", ""},
    {"count", "len", ""},
    {"prod", "", "a product is made in a loop: `for s in sizes { total = total * s }`"},
    {"pow", "", "powers do not exist: write the product, `x * x`"},
    {"sqrt", "", "functions of numbers are `floor`, `ceil`, `round`, `int`, `min` and `max`"},
    {"log", "", "functions of numbers are `floor`, `ceil`, `round`, `int`, `min` and `max`"},
    {"log2", "", "functions of numbers are `floor`, `ceil`, `round`, `int`, `min` and `max`"},
    {"abs", "", "`max(v, -v)` is the absolute value of `v`"},
    {"float", "", "an int is accepted where a float is asked for; `1.0 * v` makes one"},
    {"str", "", "a value in a string is written `\"{name}\"`"},
    {"format", "", "a value in a string is written `\"{name}\"`"},
    {"list", "", "`range`, `zip`, `enumerate` and `reverse` give lists: leave it out"},
    {"tuple", "", "a list is written `[a, b]`"},
    {"map", "", "a list is made by `for x in list: expression`"},
    {"filter", "", "a list is made by `for x in list if condition: expression`"},
    {"append", "", "lists never change: `list = list + [x]`"},
    {"extend", "", "lists never change: `list = list + other`"},
    {"insert", "", "lists never change: `list = [x] + list`"},
    {"print", "", "nothing is printed: `vernier describe` shows the network"},
    {"return", "", "the last line of a block is its result, without `return`"},
};

} // namespace

const std::vector<ForeignName> &foreignNames(Foreign kind) {
  switch (kind) {
  case Foreign::Value:
    return values;
  case Foreign::Type:
    return typeNames;
  case Foreign::Argument:
    return arguments;
  case Foreign::Word:
    return words;
  case Foreign::Property:
    return properties;
  case Foreign::Statement:
    return statements;
  case Foreign::Module:
    return modules;
  case Foreign::Character:
    return characters;
  }
  return values;
}

const std::vector<ForeignCall> &foreignCalls() { return calls; }

const ForeignName *findForeign(Foreign kind, std::string_view name) {
  for (const ForeignName &entry : foreignNames(kind))
    if (entry.name == name)
      return &entry;
  return nullptr;
}

std::string foldedName(std::string_view name) {
  std::string out;
  for (char c : name)
    if (c != '_')
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

const ForeignCall *findForeignCall(std::string_view name) {
  const std::string folded = foldedName(name);
  for (const ForeignCall &entry : calls)
    if (entry.name == folded)
      return &entry;
  return nullptr;
}

std::string helpOf(const ForeignName &name) {
  if (!name.help.empty())
    return std::string(name.help);
  return "`" + std::string(name.name) + "` is written `" + std::string(name.ours) + "` here";
}

std::string helpOf(const ForeignCall &call, std::string_view written) {
  if (call.ours.empty())
    return std::string(call.help);
  return "`" + std::string(written) + "` is called `" + std::string(call.ours) + "` here" +
         (call.help.empty() ? "" : "; " + std::string(call.help));
}

} // namespace vernier::dsl
