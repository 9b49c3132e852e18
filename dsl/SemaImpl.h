// The checker's state, shared by Sema.cpp (declarations and statements), SemaExpr.cpp (expressions),
// SemaCalls.cpp and SemaForeign.cpp (the names of other frameworks).
#ifndef VERNIER_DSL_SEMAIMPL_H
#define VERNIER_DSL_SEMAIMPL_H

#include "dsl/Foreign.h"
#include "dsl/Ops.h"
#include "dsl/Sema.h"

#include <unordered_map>

namespace vernier::dsl {

class Sema {
public:
  Sema(Program &program, Diagnostics &diagnostics) : program_(program), diagnostics_(diagnostics) {}

  void run();
  void constant(Expr &expr, const Type &type, std::string_view what);

private:
  // The names that one block or network, or one model's arguments, can see.
  struct Env {
    using Names = std::map<std::string, Type, std::less<>>;
    struct Change {
      std::string name;
      bool existed;
      Type before;
    };
    int file = 0;
    Names names;
    std::vector<Change> changes;

    void set(const std::string &name, Type type);
    // Undoes what happened since there were `mark` changes; returns the names it changed and their types.
    Names rollback(size_t mark);
    // After rollback: the name has its old type or this one.
    void merge(const std::string &name, const Type &type);
  };
  struct Result {
    bool finished = false;
    Type type;
  };

  // Declarations.
  void collect();
  static void takeInput(Declaration &network);
  void checkModels(File &file);
  Type resultOf(const Declaration &declaration);
  void checkParameters(Declaration &declaration, Env &env);
  void checkNetworkForm(const Declaration &declaration);
  void checkTargets(const Declaration &declaration, const Stmt *input);

  // Statements.
  void checkBody(Body &body, Env &env, Type *result);
  void checkStatement(Stmt &statement, Env &env, Type *result);
  void checkFor(ForStmt &loop, Env &env);
  void checkIf(IfStmt &branch, Env &env);
  void checkHoleLabel(const Label *label, Env &env);
  void checkLearned(LearnedStmt &learned, Env &env);
  void bind(const Pattern &pattern, const Type &type, Env &env);
  Type iterate(Expr &list, Env &env);

  // Expressions.
  Type infer(Expr &expr, Env &env);
  Type inferName(NameExpr &name, Env &env);
  std::optional<Type> blockNamed(NameExpr &name, const Env &env) const;
  Type inferBinary(BinaryExpr &binary, Env &env);
  Type inferIndex(IndexExpr &index, Env &env);
  Type inferMember(MemberExpr &member, Env &env);
  Type inferComprehension(ComprehensionExpr &loop, Env &env);
  Type inferString(StringExpr &string, Env &env);
  void require(Expr &expr, const Type &type, std::string_view what, Env &env);
  bool requireWords(const Expr &expr, const Type &type, std::string_view what);
  void checkWords(const BinaryExpr &comparison, const Type &left, const Type &right);
  std::string calledWithParentheses(Span span) const;
  DiagnosticBuilder mismatch(Span span, std::string_view what, std::string_view wanted, const Type &type,
                             const Type &found);

  // Calls. `piped` is the type that comes through `|>`.
  struct ParameterName {
    std::string name;
    bool required;
  };
  Type inferCall(CallExpr &call, Env &env, const Type *piped = nullptr);
  Type inferBlockCall(CallExpr &call, Env &env, const Type *piped);
  Type inferValueCall(CallExpr &call, const Type &callee, Env &env, const Type *piped);
  Type partialCall(const CallExpr &call, const Type &callee, const Type *piped);
  Type inferOpCall(CallExpr &call, Env &env, const Type *piped);
  Type inferFunctionCall(CallExpr &call, Env &env, const Type *piped);
  Type functionResult(Function function, const std::vector<Type> &types, const std::vector<Span> &spans);
  void checkOpArgument(const OpSignature &op, const OpParameter &parameter, Expr &argument, Env &env);
  bool unknownCallee(const CallExpr &call, const Env &env, bool piped);

  // Names of other frameworks: what they are called here, and the line as it should be.
  Type inferDotted(CallExpr &call, Env &env, bool piped);
  bool explainForeignCall(DiagnosticBuilder &report, const CallExpr &call, bool piped, Span written,
                          const std::string &before);
  bool explainForeignArgument(DiagnosticBuilder &report, const CallExpr &call, size_t index,
                              const std::vector<std::string> &names);
  bool foreignWord(const OpSignature &op, const OpParameter &parameter, const Expr &argument, const Env &env);
  bool foreignOwner(const MemberExpr &member, const Env &env);
  std::optional<std::string> ourCall(const CallExpr &call, const ForeignCall &entry, bool piped) const;
  std::optional<std::string> ourValue(const OpParameter &parameter, const Expr &value) const;
  std::string ourText(const Expr &value) const;
  bool bindArguments(CallExpr &call, const std::vector<ParameterName> &parameters, bool piped);
  bool bindArguments(CallExpr &call, std::span<const Parameter> parameters, bool piped);

  Program &program_;
  Diagnostics &diagnostics_;
  std::unordered_map<const Declaration *, Declaration *> mutable_; // the same, to be checked
  std::unordered_map<const Declaration *, int> fileOf_;
  std::unordered_map<const Declaration *, Result> results_;
  int depth_ = 0;
  uint32_t pipe_ = 0; // where what is piped into the call being checked ends
};

} // namespace vernier::dsl

#endif
