#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "functions/dependencies/manifest.h"
#include "functions/dependencies/store.h"

namespace restitch::functions {
namespace {

namespace fs = std::filesystem;

struct Entry {
  std::string path;
  std::string content;
  int type = AE_IFREG;
  std::string link = {};
};

void write_archive(const fs::path& file, const std::vector<Entry>& entries) {
  ::archive* writer = ::archive_write_new();
  if (file.extension() == ".zip") {
    ::archive_write_set_format_zip(writer);
  } else {
    ::archive_write_set_format_pax_restricted(writer);
    if (file.extension() != ".tar") ::archive_write_add_filter_gzip(writer);
  }
  ASSERT_EQ(::archive_write_open_filename(writer, file.c_str()), ARCHIVE_OK);
  for (const Entry& entry : entries) {
    ::archive_entry* header = ::archive_entry_new();
    ::archive_entry_set_pathname(header, entry.path.c_str());
    ::archive_entry_set_filetype(header, static_cast<unsigned>(entry.type));
    ::archive_entry_set_perm(header, 0777);
    if (!entry.link.empty()) ::archive_entry_set_symlink(header, entry.link.c_str());
    ::archive_entry_set_size(header, static_cast<la_int64_t>(entry.content.size()));
    ASSERT_EQ(::archive_write_header(writer, header), ARCHIVE_OK);
    ::archive_write_data(writer, entry.content.data(), entry.content.size());
    ::archive_entry_free(header);
  }
  ::archive_write_free(writer);
}

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class DependenciesTest : public testing::Test {
 protected:
  DependenciesTest() {
    std::string name = fs::temp_directory_path() / "restitch-dependencies-XXXXXX";
    root_ = ::mkdtemp(name.data());
    functions_ = root_ / "functions";
    fs::create_directories(functions_);
    settings_.directory = (root_ / "store").string();
  }
  ~DependenciesTest() override { fs::remove_all(root_); }

  Result<std::string> provide() {
    problem_ = {};
    return provide_dependencies(settings_, "60a1b2c3d4e5f60718293a40", functions_.string(),
                                problem_);
  }
  void put(const std::string& name, const std::string& text) {
    std::ofstream(functions_ / name) << text;
  }
  // The refusal of an archive with these entries.
  std::string refusal(const std::vector<Entry>& entries, const char* name = "node_modules.zip") {
    write_archive(functions_ / name, entries);
    const auto provided = provide();
    EXPECT_FALSE(fs::exists(root_ / "evil"));
    EXPECT_EQ(count_entries(), 0);
    fs::remove(functions_ / name);
    return provided ? "accepted" : problem_.file + ": " + problem_.message;
  }
  std::ptrdiff_t count_entries() const {
    const fs::path place = root_ / "store" / "60a1b2c3d4e5f60718293a40";
    return fs::exists(place) ? std::distance(fs::directory_iterator(place), {}) : 0;
  }

  fs::path root_;
  fs::path functions_;
  DependencySettings settings_;
  DependencyProblem problem_;
};

TEST_F(DependenciesTest, nothing_beside_the_functions_means_no_packages) {
  EXPECT_EQ(provide().value(), "");
}

TEST_F(DependenciesTest, archives_of_every_format_are_unpacked) {
  for (const char* name :
       {"node_modules.zip", "node_modules.tar", "node_modules.tgz", "node_modules.tar.gz"}) {
    write_archive(functions_ / name, {{"node_modules", "", AE_IFDIR},
                                      {"./node_modules/a/index.js", std::string("// ") + name},
                                      {"node_modules/.bin/a", "", AE_IFLNK, "../a/index.js"},
                                      {"__MACOSX/node_modules/._a", "x"}});
    const auto path = provide();
    ASSERT_TRUE(path) << name << ": " << problem_.message;
    EXPECT_EQ(text_of(fs::path(*path) / "a/index.js"), std::string("// ") + name);
    EXPECT_EQ(std::distance(fs::recursive_directory_iterator(*path), {}), 2);
    EXPECT_EQ(fs::status(fs::path(*path) / "a/index.js").permissions() & fs::perms::owner_exec,
              fs::perms::none);
    fs::remove(functions_ / name);
  }
}

TEST_F(DependenciesTest, equal_archives_are_unpacked_once_and_old_ones_go) {
  std::string first;
  for (int i = 0; i < 5; ++i) {
    write_archive(functions_ / "node_modules.zip", {{"node_modules/a.js", std::to_string(i)}});
    const std::string path = provide().value();
    EXPECT_EQ(provide().value(), path);
    if (i == 0) first = path;
  }
  EXPECT_EQ(count_entries(), 3);
  EXPECT_FALSE(fs::exists(first));
}

TEST_F(DependenciesTest, entries_that_leave_the_folder_refuse_the_archive) {
  for (const char* path : {"node_modules/../../evil", "../evil", "/tmp/evil",
                           "node_modules/a/../../../../evil", "node_modules\\..\\..\\evil"}) {
    EXPECT_EQ(refusal({{"node_modules/a.js", "1"}, {path, "x"}}, "node_modules.tar"),
              "node_modules.tar: the archive entry '" + std::string(path) + "' is unsafe");
  }
}

TEST_F(DependenciesTest, symbolic_links_are_left_out) {
  write_archive(functions_ / "node_modules.tar",
                {{"node_modules/a.js", "1"},
                 {"node_modules/node_modules", "", AE_IFLNK, "../node_modules"},
                 {"node_modules/b", "", AE_IFLNK, "/etc"}});
  const auto path = provide();
  ASSERT_TRUE(path) << problem_.message;
  EXPECT_EQ(std::distance(fs::directory_iterator(*path), {}), 1);
}

TEST_F(DependenciesTest, devices_refuse_the_archive) {
  const std::string text =
      "node_modules.tar: the archive entry 'node_modules/a' is not a regular file";
  EXPECT_EQ(refusal({{"node_modules/a", "", AE_IFIFO}}, "node_modules.tar"), text);
}

TEST_F(DependenciesTest, bombs_are_refused) {
  settings_.limits = {1 << 20, 2 << 20, 10};
  EXPECT_EQ(refusal({{"node_modules/a", std::string(3 << 20, 'x')}}),
            "node_modules.zip: the unpacked packages are larger than 2 MiB");
  std::vector<Entry> many(11, Entry{"node_modules/a", "x"});
  EXPECT_EQ(refusal(many), "node_modules.zip: the archive has more than 10 files");
  std::string noise(2 << 20, ' ');
  for (std::size_t i = 0; i < noise.size(); ++i)
    noise[i] = static_cast<char>((i * 2654435761U) >> 13U);
  std::ofstream(functions_ / "node_modules.zip") << noise;
  EXPECT_FALSE(provide());
  EXPECT_EQ(problem_.message, "is larger than 1 MiB");
}

TEST_F(DependenciesTest, what_is_no_archive_is_refused) {
  put("node_modules.zip", "PK\3\4 and then nothing");
  EXPECT_FALSE(provide());
  EXPECT_EQ(problem_.file, "node_modules.zip");
  fs::remove(functions_ / "node_modules.zip");
  EXPECT_EQ(refusal({{"a.js", "1"}}), "node_modules.zip: the archive has no folder node_modules");
  put("node_modules.7z", "7z");
  EXPECT_FALSE(provide());
  EXPECT_EQ(problem_.message, "file format must be one of [.zip, .tar, .tgz, .tar.gz]");
}

TEST_F(DependenciesTest, folder_is_used_where_it_lies) {
  fs::create_directories(functions_ / "node_modules/a");
  EXPECT_EQ(provide().value(), fs::canonical(functions_ / "node_modules").string());
}

TEST_F(DependenciesTest, check_without_a_store_installs_nothing) {
  settings_.directory.clear();
  put("package.json", R"({"dependencies":{"a":"1"}})");
  EXPECT_EQ(provide().value(), "");
  put("package.json", R"({"dependencies":{"a":"file:../../etc"}})");
  EXPECT_FALSE(provide());
}

// An npm that installs what it is told in the environment of the test.
TEST_F(DependenciesTest, npm_runs_without_scripts_and_its_complaint_is_told) {
  const fs::path npm = root_ / "npm";
  std::ofstream(npm) << "#!/bin/sh\necho \"$@\" > said; [ -e said ] || exit 9\nmkdir node_modules; "
                        "cp said node_modules/\n";
  fs::permissions(npm, fs::perms::owner_all);
  settings_.npm.program = npm.string();
  put("package.json",
      R"({"scripts":{"preinstall":"touch /tmp/evil"},"dependencies":{"a":"^1.0.0"}})");
  const auto path = provide();
  ASSERT_TRUE(path) << problem_.message;
  const std::string said = text_of(fs::path(*path) / "said");
  EXPECT_EQ(said.find("install --ignore-scripts --omit=dev"), 0U) << said;
  EXPECT_EQ(text_of(fs::path(*path) / "../package.json").find("preinstall"), std::string::npos);

  std::ofstream(npm) << "#!/bin/sh\necho 'npm error code E404' >&2\necho 'npm error 404 Not Found "
                        "- a' >&2\nexit 1\n";
  put("package.json", R"({"dependencies":{"a":"^2.0.0"}})");
  EXPECT_FALSE(provide());
  EXPECT_EQ(problem_.file + ": " + problem_.message,
            "package.json: npm cannot install it: 404 Not Found - a");

  std::ofstream(npm) << "#!/bin/sh\nsleep 30\n";
  settings_.npm.time = std::chrono::seconds(1);
  EXPECT_FALSE(provide());
  EXPECT_EQ(problem_.message, "npm took longer than 1 s");
  settings_.npm.program = "/nonexistent/npm";
  EXPECT_FALSE(provide());
  EXPECT_EQ(problem_.message,
            "'/nonexistent/npm' cannot be started: No such file or directory; install npm, or "
            "upload node_modules");
}

std::string manifest_error(std::string_view package, std::string_view lock = "") {
  const auto manifest = read_package_manifest(package, lock);
  return manifest ? "accepted" : manifest.error().message();
}

TEST(PackageManifest, versions_of_a_registry_are_accepted) {
  EXPECT_EQ(
      manifest_error(
          R"({"dependencies":{"a":"1.2.3","@s/b":"^1 || >2 <3","c":"latest","d":"npm:@s/e@~1.0",
      "f":"","g":"*"},"overrides":{"a":{"b":"1"},"c":"$c"}})"),
      "accepted");
}

TEST(PackageManifest, everything_else_is_refused) {
  for (const char* wanted :
       {"file:../x", "link:../x", "git+ssh://git@host/x", "github:a/b", "a/b", "../x", "/etc",
        "~/x", "https://host/x.tgz", "x.tgz", "npm:../x", "workspace:*"}) {
    EXPECT_EQ(manifest_error(R"({"dependencies":{"a":")" + std::string(wanted) + R"("}})"),
              "'a': '" + std::string(wanted) + "' is not a version of a package registry");
  }
  EXPECT_EQ(manifest_error(R"({"dependencies":{"../a":"1"}})"),
            "'../a' is not the name of a package");
  EXPECT_EQ(manifest_error(R"({"dependencies":{"a":1}})"), "the version of 'a' must be a string");
  EXPECT_EQ(manifest_error(R"({"dependencies":[]})"), "'dependencies' must be an object");
  EXPECT_EQ(manifest_error(R"({"overrides":{"a":{".":"file:x"}}})"),
            "'overrides': 'file:x' is not a version of a package registry");
  EXPECT_EQ(manifest_error("{", ""), manifest_error("{"));
}

TEST(PackageManifest, lock_that_names_other_places_is_refused) {
  const char* const package = R"({"dependencies":{"a":"1"}})";
  EXPECT_EQ(manifest_error(
                package, R"({"packages":{"":{},"node_modules/a":{"resolved":"https://r/a.tgz"}}})"),
            "accepted");
  EXPECT_EQ(manifest_error(package, R"({"packages":{"node_modules/a":{"resolved":"file:../a"}}})"),
            "package-lock.json: 'node_modules/a' does not come from a package registry");
  EXPECT_EQ(manifest_error(package, R"({"packages":{"node_modules/a":{"link":true}}})"),
            "package-lock.json: 'node_modules/a' does not come from a package registry");
  EXPECT_EQ(manifest_error(package, R"({"dependencies":{}})"),
            "package-lock.json must be of lockfileVersion 2 or 3");
}

}  // namespace
}  // namespace restitch::functions
