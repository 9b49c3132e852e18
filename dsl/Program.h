// A file and everything it imports, parsed.
#ifndef VERNIER_DSL_PROGRAM_H
#define VERNIER_DSL_PROGRAM_H

#include "dsl/Ast.h"

#include <map>
#include <string>
#include <vector>

namespace vernier::dsl {

struct Program {
  SourceSet sources;
  std::vector<File> files; // the first one is the root; files[i].source == i
  // What each file can call: its own blocks and networks and those of the files it imports. Filled by
  // check().
  std::vector<std::map<std::string, const Declaration *, std::less<>>> scopes;
};

} // namespace vernier::dsl

#endif
