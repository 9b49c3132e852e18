// The elaborator's state: Elaborate.cpp holds models, blocks and statements, ElaborateExpr.cpp expressions,
// ElaborateFunctions.cpp the functions of the language, ElaborateOps.cpp the operations,
// ElaborateResampling.cpp those that resample maps, ElaborateLosses.cpp targets and losses, ShapeTrace.cpp
// what a mismatch of shapes is explained by.
#ifndef VERNIER_DSL_ELABORATOR_H
#define VERNIER_DSL_ELABORATOR_H

#include "dsl/Elaborate.h"
#include "dsl/Ops.h"
#include "dsl/Value.h"

#include <functional>
#include <map>
#include <unordered_map>
#include <utility>

namespace vernier::dsl {

constexpr int64_t maxSide = maxInputSide, maxChannels = 1 << 20, maxKernel = 1023;
constexpr int64_t maxElements = int64_t(1) << 31;
constexpr size_t maxText = 512, maxPlace = 1024;

// Channels of a map as a sum: a constant and elements of learned holes, each with its factor.
struct LearnedWidth {
  int64_t constant = 0;
  std::map<std::pair<int, int>, int64_t> terms;
  bool operator==(const LearnedWidth &) const = default;
};
using LearnedWidthPtr = std::shared_ptr<const LearnedWidth>; // null: constant

class Elaborator {
public:
  Elaborator(Program &program, const ModelDecl &model, const ElaborateOptions &options,
             Diagnostics &diagnostics)
      : program_(program), model_(model), options_(options), diagnostics_(diagnostics) {}

  std::optional<Graph> run();

private:
  // Where unlabelled operations are counted: one per block call that has a place of its own.
  struct PlaceScope {
    std::string path;
    std::unordered_map<std::string, int> counters;
  };
  // One activation of a block or network.
  struct Frame {
    const Declaration *declaration = nullptr;
    PlaceScope *place = nullptr;
    const Frame *caller = nullptr;
    const CallExpr *call = nullptr;
    int depth = 0;
    struct NetworkCall {
      Value input;
      std::vector<Value> outputs;
    } *network = nullptr;                              // that is called, unlike a model's
    std::unordered_map<std::string_view, Value> names; // keys live in the tree
  };
  // An evaluated call of an operation.
  struct OpCall {
    const CallExpr *call = nullptr;
    const OpSignature *op = nullptr;
    Frame *frame = nullptr;
    std::vector<Value> values;
    std::vector<Span> spans;
    std::vector<bool> given;
    ChoiceSet choices = 0; // of the arguments that are no tensors
    bool failed = false;

    std::string what(size_t i) const; // "`kernel` of `conv`"
    Span span(size_t i) const { return spans[i]; }
    std::string name() const { return std::string(op->name); }
  };
  // What trace() and the checks of learned widths need besides the node itself.
  struct NodeInfo {
    Span span;
    std::string operation;                   // as written: "max_pool", "+"
    std::shared_ptr<const std::string> loop; // "c = 5, s = 4"
    LearnedWidthPtr width;
    ChoiceSet scale = 0; // the `choose` holes that the map's size depends on
    int target = -1;     // a target that it is, or is computed from
  };

  // Models, blocks, statements.
  bool modelParameters(Frame &frame);
  bool execute(const Body &body, Frame &frame, Value *result);
  bool execute(const Stmt &statement, Frame &frame, Value *result);
  bool executeFor(const ForStmt &loop, Frame &frame);
  bool executeLearned(const LearnedStmt &learned, Frame &frame);
  bool executeChoose(const ChooseStmt &choose, Frame &frame);
  bool executeInput(const InputStmt &input, Frame &frame);
  bool executeTarget(const TargetStmt &target, Frame &frame);
  bool executeLoss(const LossStmt &loss, Frame &frame);
  std::optional<std::vector<int64_t>> sizes(const Value &list, const Expr &expr, const Identifier &name,
                                            std::string_view forms, const std::vector<size_t> &counts,
                                            Frame &frame);
  Value addNamed(Node node, const Identifier &name, std::string_view written, ChoiceSet choices,
                 Frame &frame);
  void checkArrayNames(Frame &frame);
  void warnOfTargets();
  bool namedOutput(const OutputStmt &output, Frame &frame);
  bool addOutput(const std::string &name, const Value &value, Span span, Frame &frame);
  bool budget(const LearnedStmt &learned, Hole &hole, Frame &frame);
  bool bind(const Pattern &pattern, const Value &value, Span span, Frame &frame);
  std::optional<std::string> holePlace(const Label *label, const Identifier &name, Frame &frame);
  bool executeRequire(const RequireStmt &requirement, Frame &frame);
  // The arguments of a call, in the order of the callee's parameters.
  using Arguments = std::vector<std::optional<BlockValue::Argument>>;
  Value callBlock(const CallExpr &call, Frame &frame, const Value *piped);
  // `frame` is the caller's; arguments that failed are among them. `path`: the block's place, if it is known.
  Value enterBlock(const Declaration &block, const CallExpr &call, Arguments arguments, Frame &frame,
                   const std::string *path = nullptr);
  Arguments evalArguments(const CallExpr &call, Frame &frame, const Value *piped);
  // A block or an operation as a value; what a call with `_` leaves open.
  Value blockNamed(const NameExpr &name) const;
  Value partialCall(const CallExpr &call, Frame &frame);
  Value callValue(const CallExpr &call, Frame &frame, const Value *piped);
  Value share(const AssignStmt &statement, const Value &value, Frame &frame);
  Value callShared(BlockValue block, const CallExpr &call, Frame &frame);
  Value leftOpen(BlockValue block, const CallExpr &call);
  bool fill(BlockValue &block, const CallExpr &call, bool bound, Frame &frame, const Value *piped);
  // Whether a value is of a type; makes ints floats where that is asked for.
  bool conform(Value &value, const Type &type, std::string_view what, Span span, Frame &frame);
  // Runs `body` for each element of `list` with the pattern bound to it.
  bool iterate(const Value &list, const Pattern &pattern, Span span, Frame &frame,
               const std::function<bool()> &body);

  // Expressions.
  Value eval(const Expr &expr, Frame &frame);
  Value evalInner(const Expr &expr, Frame &frame);
  Value evalName(const NameExpr &name, Frame &frame);
  Value evalString(const StringExpr &string, Frame &frame);
  Value evalUnary(const UnaryExpr &unary, Frame &frame);
  Value evalBinary(const BinaryExpr &binary, Frame &frame);
  Value arithmetic(const BinaryExpr &binary, const Value &left, const Value &right, Frame &frame);
  void refuseOperands(const BinaryExpr &binary, const Value &left, const Value &right, Frame &frame);
  Value lossArithmetic(const BinaryExpr &binary, const Value &left, const Value &right, Frame &frame);
  Value makeLoss(LossTerms terms, std::string_view written, Span span, Frame &frame);
  Value compare(const BinaryExpr &binary, const Value &left, const Value &right, Frame &frame);
  bool equal(const Value &left, const Value &right);
  Value evalIndex(const IndexExpr &index, Frame &frame);
  Value evalMember(const MemberExpr &member, Frame &frame);
  Value evalComprehension(const ComprehensionExpr &loop, Frame &frame);
  Value evalPipeline(const PipelineExpr &pipeline, Frame &frame);
  Value evalCall(const CallExpr &call, Frame &frame, const Value *piped);
  Value evalFunction(const CallExpr &call, Frame &frame, const Value *piped);
  Value functionOfList(const CallExpr &call, const Value &list, Span span, Frame &frame);
  Value zip(const CallExpr &call, const std::vector<Value> &lists, Frame &frame);
  Value range(const CallExpr &call, const std::vector<Value> &values, Frame &frame);
  Value even(const CallExpr &call, const std::vector<Value> &values, Frame &frame);
  Value rounded(const CallExpr &call, const Value &value, Span span, Frame &frame);
  Value extreme(const CallExpr &call, const std::vector<Value> &values, Frame &frame);
  Value sum(const CallExpr &call, const std::vector<Value> &values, Frame &frame);
  std::optional<bool> truth(const Expr &condition, std::string_view what, Frame &frame);
  std::optional<int64_t> integer(const Value &value, std::string_view what, Span span, Frame &frame);
  Value makeList(std::vector<Value> elements, Span span);

  // Operations.
  Value callOp(const OpSignature &signature, const CallExpr &call, const Arguments &arguments, Frame &frame);
  Value convolution(OpCall &op);
  Value transposedConvolution(OpCall &op);
  Value linear(OpCall &op);
  Value addLike(OpCall &op, Node node);
  Value batchNorm(OpCall &op);
  Value layerNorm(OpCall &op);
  Value groupNorm(OpCall &op);
  Value parameter(OpCall &op);
  Value prelu(OpCall &op);
  Value pixelShuffle(OpCall &op);
  Value softmax(OpCall &op);
  Value softmaxOf(OpCall &op);
  Value matmul(OpCall &op);
  Value dropout(OpCall &op);
  Value layerScale(OpCall &op);
  Value overChannels(OpCall &op);
  Value pool(OpCall &op);
  Value globalPool(OpCall &op);
  Value activate(OpCall &op);
  Value adaptivePool(OpCall &op);
  Value resize(OpCall &op);
  Value pad(OpCall &op);
  Value crop(OpCall &op);
  Value slice(OpCall &op);
  Value split(OpCall &op);
  Value channelShuffle(OpCall &op);
  Value concat(OpCall &op);
  std::vector<double> classWeights(OpCall &op, size_t i, int64_t classes);
  Value softmaxCrossEntropy(OpCall &op);
  Value pointwiseLoss(OpCall &op);
  Value addLoss(OpCall &op, Node node);
  bool sameShape(OpCall &op, const Value &a, const Value &b);
  Value tensorArithmetic(const BinaryExpr &binary, const Value &left, const Value &right, Frame &frame);
  Value scaleShift(const Value &x, double slope, double offset, ChoiceSet choices, std::string_view written,
                   Span span, Frame &frame);
  Value combine(OpKind kind, const Value &a, const Value &b, const CallExpr *call, std::string_view written,
                Span span, Frame &frame);
  int64_t intArgument(OpCall &op, size_t i, int64_t least, int64_t most, int64_t fallback);
  void pairArgument(OpCall &op, size_t i, int64_t least, int64_t most, int64_t (&out)[2],
                    int64_t fallback = 1);
  void windowPadding(OpCall &op, size_t kernel, size_t i, bool same, Node &node);
  void paddingArgument(OpCall &op, size_t i, int64_t (&out)[4]);
  bool listArgument(OpCall &op, size_t i, size_t count, int64_t least, int64_t most, int64_t *out);
  bool sizeArgument(OpCall &op, size_t like, size_t size, int64_t &height, int64_t &width);
  std::optional<ChoiceSet> newScale(const OpCall &op, size_t like, size_t size) const;
  bool boolArgument(OpCall &op, size_t i, bool fallback);
  double floatArgument(OpCall &op, size_t i, double fallback);
  std::string wordArgument(OpCall &op, size_t i, std::string_view fallback);
  void badValue(OpCall &op, size_t i, std::string_view wanted, const Value &found);
  LearnedWidthPtr channelsArgument(OpCall &op, size_t i, Node &node);
  bool layerFits(OpCall &op, const Node &node, size_t groups, int hole);
  bool constantWidth(OpCall &op, const Value &tensor);
  bool windowFits(OpCall &op, const Node &node, const Shape &input);

  // Nodes and places.
  Value addNode(Node node, const CallExpr *call, std::string_view base, std::string_view written, Span span,
                LearnedWidthPtr width, Frame &frame, const std::string &suffix = "",
                std::optional<ChoiceSet> scale = {}, ChoiceSet arguments = 0);
  Value addNode(OpCall &op, Node node, LearnedWidthPtr width, std::optional<ChoiceSet> scale = {}) {
    const ChoiceSet own = scale ? *scale : scaleOf(node) | op.choices;
    return addNode(std::move(node), op.call, op.op->place, op.op->name, op.call->callee.span,
                   std::move(width), *op.frame, "", own, op.choices);
  }
  // The `choose` holes that its operands' sizes depend on.
  ChoiceSet scaleOf(const Node &node) const;
  // Runs `body`, which `condition` has led to.
  template <class Body> auto under(ChoiceSet condition, const Body &body) {
    const ChoiceSet outer = std::exchange(control_, control_ | condition);
    auto result = body();
    control_ = outer;
    return result;
  }
  // "[0.5]": the choices of these holes.
  std::string variantOf(ChoiceSet scale) const;
  std::optional<std::string> labelText(const Label &label, Frame &frame);
  std::optional<std::string> placeOf(const CallExpr *call, std::string_view base, Frame &frame);
  // Whether training leaves alone what is being evaluated.
  bool isFrozen() const;
  // A name of a value that there is not here.
  void noValue(const Identifier &name, Frame &frame);
  DiagnosticBuilder notShared(std::string_view what, Span span, Frame &frame);
  // Names the parameters of a node in a shared block; refuses what cannot be shared.
  bool shareParameters(Node &node, std::string_view written, Span span, const LearnedWidthPtr &width,
                       Frame &frame);
  // Undoes what an entry of claimed_ stands for.
  void unclaim(const std::string &key);
  bool claim(char kind, const std::string &place, std::string_view plural, Span span, Frame &frame);
  Location locate(Span span);
  const Shape &shapeOf(const Value &tensor) const { return graph_.nodes[tensor.node()].shape; }
  const NodeInfo &infoOf(const Value &tensor) const { return info_[tensor.node()]; }
  LearnedWidthPtr widthOf(const Value &tensor) const { return info_[tensor.node()].width; }
  LearnedWidth formOf(const Value &tensor) const;

  // Errors.
  template <class... Args>
  DiagnosticBuilder error(const DiagnosticKind<Args...> &kind, Span span, Frame &frame,
                          const std::type_identity_t<Args> &...args) {
    failed_ = true;
    if (aborted_)
      return DiagnosticBuilder(nullptr);
    DiagnosticBuilder report = diagnostics_.report(kind, span, args...);
    if (report)
      explainCalls(report, frame);
    return report;
  }
  void explainCalls(DiagnosticBuilder &report, const Frame &frame);
  DiagnosticBuilder channelMismatch(const Value &a, const Value &b, std::string_view written, Span span,
                                    Frame &frame);
  DiagnosticBuilder sizeMismatch(const Shape &a, const Shape &b, std::string_view written, Span span,
                                 Frame &frame);
  void learnedMismatch(const LearnedWidthPtr &width, std::string_view written, Span span, Frame &frame);
  void learnedUse(const Value &value, std::string_view where, Span span, Frame &frame);
  bool step(int64_t count = 1);
  bool charge(int64_t bytes);
  void traceSizes(DiagnosticBuilder &report, const std::vector<Value> &operands);
  void traceSize(DiagnosticBuilder &report, const std::string &who, int node, int ancestor);
  void traceChannels(DiagnosticBuilder &report, const Value &tensor);
  int commonAncestor(const std::vector<int> &nodes) const;
  std::string sizeReason(const Node &node) const;

  Program &program_;
  const ModelDecl &model_;
  const ElaborateOptions &options_;
  Diagnostics &diagnostics_;
  Graph graph_;
  std::vector<NodeInfo> info_;
  std::vector<Scope> scopes_;
  struct SharedCall {
    std::string place, parametersOf; // where the call is, and its parameters
    bool frozen;
  };
  std::vector<SharedCall> shared_;                    // around what is being evaluated
  std::unordered_map<std::string, int> parametersAt_; // place -> the first node that has them, if shared
  std::vector<Span> holeSpans_;
  std::vector<int> chooseHoles_; // index into Graph::holes of each bit of a ChoiceSet
  ChoiceSet read_ = 0;           // `choose` holes that the expression being evaluated has read
  ChoiceSet control_ = 0; // `choose` holes that the conditions around what is being evaluated have read
  std::unordered_map<std::string, Span> places_;
  std::map<std::string, Span> lossNames_;
  std::optional<std::string> placeOfNext_;           // node, where a shared block says it
  std::unordered_map<std::string, int> sharedCalls_; // of shared blocks, by the place of their parameters
  // What a budget's expression built is undone: in order keys of places_, and, behind these letters, of the
  // two maps of shared blocks.
  static constexpr char kCall = 'c', kParameters = 'p';
  std::vector<std::string> claimed_;
  std::map<std::pair<int, uint32_t>, Location> locations_;
  std::shared_ptr<const std::string> loop_;
  std::vector<ExprPtr> overrides_;
  int64_t steps_ = 0, memory_ = 0;
  int evalDepth_ = 0;
  bool failed_ = false, aborted_ = false;
};

// Letters, digits and underscores, with single dots between them.
bool isPlace(std::string_view text);
// "56x56"
std::string formatSize(int64_t height, int64_t width);

} // namespace vernier::dsl

#endif
