#include "dsl/Unused.h"

#include <map>
#include <set>

namespace vernier::dsl {

namespace {

class Unused {
public:
  Unused(const Program &program, Diagnostics &diagnostics) : program_(program), diagnostics_(diagnostics) {}

  void run() {
    const File &file = program_.files[0];
    for (auto &declaration : file.declarations)
      visit(*declaration);
    for (const ModelDecl &model : file.models) {
      Names none;
      called_.insert(model.declaration);
      read(*model.network, none);
    }
    for (const ImportDecl &import : file.imports)
      if (import.file > 0 && !isCalled(program_.files[import.file]))
        diagnostics_.report(diag::UnusedImport, import.span, pathOf(import)).help("leave it out");
  }

private:
  // Of each name, the bindings that may be what it means here.
  using Names = std::map<std::string, std::set<size_t>, std::less<>>;
  struct Binding {
    Identifier name;
    bool target = false, used = false;
  };

  bool isCalled(const File &file) const {
    for (auto &declaration : file.declarations)
      if (called_.count(declaration.get()))
        return true;
    return false;
  }

  static std::string pathOf(const ImportDecl &import) {
    std::string out;
    for (const Identifier &part : import.path)
      out += (out.empty() ? "" : ".") + part.text;
    return out;
  }

  static bool mayBeUnused(const Identifier &name) { return name.text.starts_with("_"); }

  void visit(const Declaration &declaration) {
    bindings_.clear();
    Names names;
    for (const Parameter &parameter : declaration.written()) {
      if (parameter.defaultValue)
        read(*parameter.defaultValue, names);
      bind(parameter.name, names);
    }
    const size_t parameters = bindings_.size();
    visit(declaration.body, names);
    for (size_t i = 0; i < bindings_.size(); ++i) {
      const Identifier &name = bindings_[i].name;
      if (bindings_[i].used || mayBeUnused(name))
        continue;
      if (i < parameters)
        diagnostics_.report(diag::UnusedParameter, name.span, name.text, declaration.name.text)
            .help("leave it out; if it must stay, begin its name with `_`");
      else
        diagnostics_.report(diag::UnusedValue, name.span, name.text)
            .help(bindings_[i].target ? std::string(unusedTarget)
                                      : "what is not used is not part of the network; if it must stay, begin "
                                        "its name with `_`");
    }
  }

  void bind(const Identifier &name, Names &names) {
    names[name.text] = {bindings_.size()};
    bindings_.push_back({name});
  }

  void bind(const Pattern &pattern, Names &names) {
    if (pattern.elements.empty())
      bind(pattern.name, names);
    for (const Pattern &element : pattern.elements)
      bind(element, names);
  }

  // A loop's variables, which nothing need read.
  static void hide(const Pattern &pattern, Names &names) {
    if (pattern.elements.empty())
      names[pattern.name.text] = {};
    for (const Pattern &element : pattern.elements)
      hide(element, names);
  }

  void visit(const Body &body, Names &names) {
    for (auto &statement : body.statements)
      visit(*statement, names);
  }

  void visit(const Stmt &statement, Names &names) {
    switch (statement.kind) {
    case Stmt::Kind::Assign: {
      auto &assign = static_cast<const AssignStmt &>(statement);
      read(*assign.value, names);
      bind(assign.target, names);
      break;
    }
    case Stmt::Kind::For:
      visitFor(static_cast<const ForStmt &>(statement), names);
      break;
    case Stmt::Kind::If: {
      auto &branch = static_cast<const IfStmt &>(statement);
      read(*branch.condition, names);
      Names otherwise = names;
      visit(branch.then, names);
      visit(branch.otherwise, otherwise);
      merge(names, otherwise);
      break;
    }
    case Stmt::Kind::Learned: {
      auto &learned = static_cast<const LearnedStmt &>(statement);
      readLabel(learned.label.get(), names);
      read(*learned.seed, names);
      read(*learned.budget, names);
      bind(learned.name, names);
      break;
    }
    case Stmt::Kind::Choose: {
      auto &choose = static_cast<const ChooseStmt &>(statement);
      readLabel(choose.label.get(), names);
      read(*choose.choices, names);
      bind(choose.name, names);
      break;
    }
    case Stmt::Kind::Require: {
      auto &requirement = static_cast<const RequireStmt &>(statement);
      read(*requirement.condition, names);
      read(*requirement.message, names);
      break;
    }
    case Stmt::Kind::Input: {
      auto &input = static_cast<const InputStmt &>(statement);
      read(*input.size, names);
      bind(input.name, names);
      break;
    }
    case Stmt::Kind::Target: {
      auto &target = static_cast<const TargetStmt &>(statement);
      read(*target.size, names);
      bind(target.name, names);
      bindings_.back().target = true;
      break;
    }
    case Stmt::Kind::Loss:
      read(*static_cast<const LossStmt &>(statement).value, names);
      break;
    case Stmt::Kind::Output: {
      auto &output = static_cast<const OutputStmt &>(statement);
      read(*output.value, names);
      if (output.text)
        read(*output.text, names);
      else
        names[output.name.text] = {};
      break;
    }
    case Stmt::Kind::Result:
      read(*static_cast<const ResultStmt &>(statement).value, names);
      break;
    }
  }

  // What an iteration binds, the next one may read.
  void visitFor(const ForStmt &loop, Names &names) {
    read(*loop.list, names);
    Names inside = names;
    hide(loop.pattern, inside);
    std::set<std::string, std::less<>> reads;
    std::swap(reads_, reads);
    visit(loop.body, inside);
    std::swap(reads_, reads);
    for (const std::string &name : reads)
      if (auto bound = inside.find(name); bound != inside.end())
        for (size_t binding : bound->second)
          bindings_[binding].used = true;
    reads_.merge(reads);
    // The loop's own variables end with it.
    Names own;
    hide(loop.pattern, own);
    for (auto &[name, none] : own)
      inside.erase(name);
    merge(names, inside);
  }

  static void merge(Names &names, const Names &others) {
    for (auto &[name, bindings] : others)
      names[name].insert(bindings.begin(), bindings.end());
  }

  void readLabel(const Label *label, const Names &names) {
    if (label)
      read(*label->text, names);
  }

  void readName(const std::string &name, const Names &names) {
    reads_.insert(name);
    if (auto found = names.find(name); found != names.end())
      for (size_t binding : found->second)
        bindings_[binding].used = true;
  }

  void read(const Expr &expr, const Names &names) {
    switch (expr.kind) {
    case Expr::Kind::Int:
    case Expr::Kind::Float:
    case Expr::Kind::Bool:
      break;
    case Expr::Kind::String:
      for (const StringPart &part : static_cast<const StringExpr &>(expr).parts)
        if (part.value)
          read(*part.value, names);
      break;
    case Expr::Kind::Name: {
      auto &name = static_cast<const NameExpr &>(expr);
      called_.insert(name.callee.block);
      readName(name.name.text, names);
      break;
    }
    case Expr::Kind::Call: {
      auto &call = static_cast<const CallExpr &>(expr);
      called_.insert(call.block);
      if (call.value)
        readName(call.callee.text, names);
      readLabel(call.label.get(), names);
      for (const Argument &argument : call.arguments)
        read(*argument.value, names);
      break;
    }
    case Expr::Kind::List:
      for (const ExprPtr &element : static_cast<const ListExpr &>(expr).elements)
        read(*element, names);
      break;
    case Expr::Kind::Index:
      read(*static_cast<const IndexExpr &>(expr).base, names);
      read(*static_cast<const IndexExpr &>(expr).index, names);
      break;
    case Expr::Kind::Member:
      read(*static_cast<const MemberExpr &>(expr).base, names);
      break;
    case Expr::Kind::Unary:
      read(*static_cast<const UnaryExpr &>(expr).operand, names);
      break;
    case Expr::Kind::Binary:
      read(*static_cast<const BinaryExpr &>(expr).left, names);
      read(*static_cast<const BinaryExpr &>(expr).right, names);
      break;
    case Expr::Kind::If: {
      auto &branch = static_cast<const IfExpr &>(expr);
      read(*branch.condition, names);
      read(*branch.then, names);
      read(*branch.otherwise, names);
      break;
    }
    case Expr::Kind::Comprehension: {
      auto &loop = static_cast<const ComprehensionExpr &>(expr);
      read(*loop.list, names);
      Names inside = names;
      hide(loop.pattern, inside);
      if (loop.filter)
        read(*loop.filter, inside);
      read(*loop.element, inside);
      break;
    }
    case Expr::Kind::Pipeline: {
      auto &pipeline = static_cast<const PipelineExpr &>(expr);
      read(*pipeline.head, names);
      for (auto &stage : pipeline.stages)
        read(*stage, names);
      break;
    }
    }
  }

  const Program &program_;
  Diagnostics &diagnostics_;
  std::vector<Binding> bindings_;            // of the declaration being visited
  std::set<std::string, std::less<>> reads_; // names read in the loop being visited
  std::set<const Declaration *> called_;
};

} // namespace

void warnOfUnused(const Program &program, Diagnostics &diagnostics) {
  if (!program.files.empty())
    Unused(program, diagnostics).run();
}

} // namespace vernier::dsl
