// Writing files, names in JSON, locks.
#include "tests/runtime/Support.h"

#include "runtime/io/File.h"
#include "runtime/io/Text.h"
#include "runtime/process/Children.h"
#include "runtime/process/FolderLock.h"

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

using namespace vernier::runtime;
using namespace vernier::test;

namespace fs = std::filesystem;

BOOST_AUTO_TEST_SUITE(files)

BOOST_AUTO_TEST_CASE(text_is_utf8_and_tells_names_apart) {
  BOOST_TEST(utf8Text("caf\xc3\xa9 \xe2\x98\x95 \xf0\x9f\x98\x80 a\\b\t\"") ==
             "caf\xc3\xa9 \xe2\x98\x95 \xf0\x9f\x98\x80 a\\b\t\"");
  BOOST_TEST(utf8Text("caf\xe9") == "caf\\xE9");
  BOOST_TEST(utf8Text("a\\b\xff") == "a\\\\b\\xFF");
  BOOST_TEST(utf8Text("\xc3(") == "\\xC3(");                          // cut off
  BOOST_TEST(utf8Text("\xe2\x98") == "\\xE2\\x98");                   // cut off by the end
  BOOST_TEST(utf8Text("\xc0\xaf") == "\\xC0\\xAF");                   // longer than need be
  BOOST_TEST(utf8Text("\xed\xa0\x80") == "\\xED\\xA0\\x80");          // a surrogate
  BOOST_TEST(utf8Text("\xf4\x90\x80\x80") == "\\xF4\\x90\\x80\\x80"); // beyond Unicode
  BOOST_TEST(utf8Text("") == "");
}

BOOST_AUTO_TEST_CASE(an_output_is_replaced_whole_or_not_at_all) {
  TemporaryFolder folder;
  writeText(folder / "out", "old");
  {
    AtomicFile file(folder / "out");
    file.write("new", 3);
    BOOST_TEST(filesIn(folder.text()).size() == 2u);
  }
  BOOST_TEST(readText(folder / "out") == "old");
  BOOST_TEST(filesIn(folder.text()).size() == 1u);
  writeFileAtomically(folder / "out", "new");
  BOOST_TEST(readText(folder / "out") == "new");
  BOOST_TEST(filesIn(folder.text()).size() == 1u);
  expectError(VN_ERROR_FILE, "Is a directory", [&] { AtomicFile(folder.text()); });
  expectError(VN_ERROR_FILE, "No such file or directory", [&] { AtomicFile(""); });
  fs::create_symlink("loop", folder / "loop");
  expectError(VN_ERROR_FILE, "Too many levels of symbolic links", [&] { AtomicFile(folder / "loop"); });
}

BOOST_AUTO_TEST_CASE(a_result_moves_behind_a_link) {
  TemporaryFolder folder;
  fs::create_directory(folder / "d");
  writeText(folder / "d/target", "old");
  fs::permissions(folder / "d/target", fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("d/target", folder / "link");
  writeText(folder / "new", "new");
  moveIntoPlace(folder / "new", folder / "link");
  BOOST_TEST(fs::is_symlink(folder / "link"));
  BOOST_TEST(readText(folder / "d/target") == "new");
  BOOST_TEST(
      (fs::status(folder / "d/target").permissions() == (fs::perms::owner_read | fs::perms::owner_write)));
  BOOST_TEST(!fs::exists(folder / "new"));
  writeText(folder / "new", "new");
  moveIntoPlace(folder / "new", "/dev/null");
  BOOST_TEST(fs::is_character_file("/dev/null"));
}

BOOST_AUTO_TEST_CASE(a_lock_names_its_holder_and_ends_with_it) {
  TemporaryFolder folder;
  {
    const FolderLock lock(folder.text(), "--out");
    expectError(VN_ERROR_STATE, "process " + std::to_string(getpid()) + " on ",
                [&] { FolderLock(folder.text(), "--out"); });
  }
  BOOST_TEST(filesIn(folder.text()).empty());
  int ready[2];
  BOOST_REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const FolderLock lock(folder.text(), "--out");
    (void)!write(ready[1], "x", 1);
    pause();
    _exit(0);
  }
  char byte;
  BOOST_REQUIRE(read(ready[0], &byte, 1) == 1);
  close(ready[0]), close(ready[1]);
  expectError(VN_ERROR_STATE, "process " + std::to_string(child) + " on ",
              [&] { FolderLock(folder.text(), "--out"); });
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  const FolderLock lock(folder.text(), "--out");
}

BOOST_AUTO_TEST_CASE(programs_end_as_they_ended) {
  BOOST_TEST(captureChild({"sh", "-c", "echo out; echo err >&2"}, Capture::Output).output == "out\n");
  BOOST_TEST(captureChild({"sh", "-c", "echo out; echo err >&2"}, Capture::OutputAndErrors).output ==
             "out\nerr\n");
  const ChildEnd failed = captureChild({"sh", "-c", "exit 3"}, Capture::Output);
  BOOST_TEST(failed.status == 3);
  BOOST_TEST(failed.cause == "");
  const ChildEnd killed = captureChild({"sh", "-c", "kill -9 $$"}, Capture::Output);
  BOOST_TEST(killed.status == 128 + 9);
  BOOST_TEST(killed.cause == "sh was ended by signal 9 (Killed)");
  BOOST_TEST(captureChild({"/no/such/program"}, Capture::Output).cause ==
             "cannot run /no/such/program: No such file or directory");
}

BOOST_AUTO_TEST_CASE(one_that_fails_ends_the_others) {
  TemporaryFolder folder;
  const std::string ended = "trap 'touch " + folder / "ended" + "; exit 1' TERM; ";
  const std::string wait = "touch " + folder / "ready" + "; while :; do sleep 0.05; done";
  const std::vector<Command> commands = {
      {"sh", "-c", ended + wait},
      {"sh", "-c", "while [ ! -e " + folder / "ready" + " ]; do sleep 0.05; done; exit 7"}};
  BOOST_TEST(runChildren(commands).status == 7);
  BOOST_TEST(fs::exists(folder / "ended"));
  const std::vector<Command> missing = {{"sleep", "60"}, {"/no/such/program"}};
  BOOST_TEST(runChildren(missing).cause == "cannot run /no/such/program: No such file or directory");
}

BOOST_AUTO_TEST_SUITE_END()
