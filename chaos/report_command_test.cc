// What `chaos report` leaves behind, above all when something goes wrong.

#include "chaos/report_command.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "chaos/testdata.h"
#include "chaos/wholefile.h"

using namespace gort::chaos;
namespace fs = std::filesystem;

namespace {

// An empty folder of this name.
std::string Folder(const std::string& name) {
  const std::string folder = Scratch() + "/" + name;
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

std::size_t FilesIn(const std::string& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

std::string Read(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

void Write(const std::string& file, const std::string& text) { std::ofstream(file) << text; }

int Report(const std::string& file, const std::string& output, const std::string& chrome = "") {
  ReportOptions options;
  options.file = file;
  options.output = output;
  options.chrome = chrome;
  return ReportCommand(options);
}

// Files may not grow beyond this size while it lives, as on a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t size) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small = {size, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before_); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_;
};

}  // namespace

TEST_CASE("where the page goes if nobody says") {
  CHECK(DefaultOutput("a/run.events") == "a/run.html");
  CHECK(DefaultOutput("a.b/run") == "a.b/run.html");
  CHECK(DefaultOutput("run.html") == "run.html.html");
  CHECK(DefaultOutput(".events") == ".events.html");
}

TEST_CASE("the page and the Chrome trace") {
  const std::string folder = Folder("both");
  fs::copy_file(TestFile("race.events"), folder + "/run.events");
  CHECK(Report(folder + "/run.events", "", folder + "/run.json") == 0);
  CHECK(Read(folder + "/run.html").ends_with("</html>\n"));
  CHECK(Read(folder + "/run.json").ends_with("]\n"));
  CHECK(FilesIn(folder) == 3);
}

TEST_CASE("files that are no events") {
  const std::string folder = Folder("wrong");
  CHECK(Report("nowhere", folder + "/p.html") == 2);
  Write(folder + "/f", "{\"gort_events\":7}\n");
  CHECK(Report(folder + "/f", folder + "/p.html") == 2);
  CHECK(FilesIn(folder) == 1);
}

TEST_CASE("a file that was cut off is drawn") {
  const std::string folder = Folder("half");
  const std::string whole = Read(TestFile("deadlock.events"));
  Write(folder + "/f", whole.substr(0, whole.size() / 2));
  CHECK(Report(folder + "/f", "") == 0);
  CHECK(Read(folder + "/f.html").find("was cut off in the middle of line") != std::string::npos);
}

TEST_CASE("nothing half-written stays on a full disk") {
  const std::string folder = Folder("full");
  Write(folder + "/p.html", "the page of yesterday");
  {
    const FullDisk full(10000);
    CHECK(Report(TestFile("race.events"), folder + "/p.html") == 3);
    CHECK(WriteWhole(folder + "/q.html", std::string(20000, 'x')) ==
          folder + "/q.html: cannot be written: File too large");
  }
  CHECK(Read(folder + "/p.html") == "the page of yesterday");
  CHECK(FilesIn(folder) == 1);
  CHECK(Report(TestFile("race.events"), folder + "/p.html") == 0);
  CHECK(Read(folder + "/p.html").ends_with("</html>\n"));
  CHECK(FilesIn(folder) == 1);
}

TEST_CASE("outputs that cannot be written") {
  const std::string folder = Folder("unwritable");
  CHECK(Report(TestFile("race.events"), folder + "/none/p.html") == 3);
  CHECK(Report(TestFile("race.events"), folder) == 3);
  CHECK(WriteWhole(folder, "x") == folder + ": cannot be written: Is a directory");
  CHECK(WriteWhole("/dev/full", "x") == "/dev/full: cannot be written: No space left on device");
  struct stat is;
  CHECK(stat("/dev/full", &is) == 0);
  CHECK(S_ISCHR(is.st_mode));  // it was written to, not replaced
  CHECK(FilesIn(folder) == 0);
  CHECK(WriteWhole("/dev/null", "x").empty());
}

TEST_CASE("the events are never overwritten") {
  const std::string folder = Folder("same");
  const std::string file = folder + "/f.events";
  fs::copy_file(TestFile("race.events"), file);
  fs::create_symlink("f.events", folder + "/link");
  CHECK(Report(file, file) == 2);
  CHECK(Report(file, folder + "/link") == 2);
  CHECK(Report(file, folder + "/p.html", file) == 2);
  CHECK(Report(file, folder + "/p.html", folder + "/p.html") == 2);
  CHECK(Read(file) == Read(TestFile("race.events")));
  CHECK(FilesIn(folder) == 2);
}

TEST_CASE("a link stays a link, and a file keeps its rights") {
  const std::string folder = Folder("link");
  Write(folder + "/old.html", "old");
  fs::permissions(folder + "/old.html", fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("old.html", folder + "/p.html");
  CHECK(WriteWhole(folder + "/p.html", "new").empty());
  CHECK(fs::is_symlink(folder + "/p.html"));
  CHECK(Read(folder + "/old.html") == "new");
  CHECK(fs::status(folder + "/old.html").permissions() ==
        (fs::perms::owner_read | fs::perms::owner_write));
}
