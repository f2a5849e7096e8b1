#include "os/dir_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "unit/os/support.h"

using namespace shipmate;
using namespace shipmate::os;
using shipmate::tests::Eventually;
using shipmate::tests::TempDir;
using shipmate::tests::TestChild;

namespace {

// Another process that holds the lock of `dir` until it is killed.
class Holder {
 public:
  explicit Holder(const std::string& dir) {
    int ends[2] = {-1, -1};
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      const auto lock = DirLock::Take(dir);
      const char answer = lock ? 'y' : 'n';
      if (::write(ends[1], &answer, 1) != 1) ::_exit(1);
      while (true) ::pause();
    }
    ::close(ends[1]);
    char answer = '?';
    const ssize_t got = ::read(ends[0], &answer, 1);
    ::close(ends[0]);
    REQUIRE(got == 1);
    REQUIRE(answer == 'y');
  }
  ~Holder() { Kill(); }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  pid_t Pid() const { return pid_; }
  void Kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
};

}  // namespace

TEST_CASE("DirLock: the second in another process is refused with the first one's pid, until that is killed") {
  const TempDir dir;
  Holder holder(dir.Path());
  const auto refused = DirLock::Take(dir.Path());
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::kBusy);
  CHECK(refused.error().what ==
        "state directory " + dir.Path() + " is in use by another shipmate (pid " + std::to_string(holder.Pid()) + ")");
  holder.Kill();
  const auto taken = DirLock::Take(dir.Path());
  CHECK(taken.has_value());
  CHECK(ReadFile(dir / "lock", 100).value() == std::to_string(::getpid()) + "\n");
}

TEST_CASE("DirLock: no child keeps it, and it is free when it is dropped") {
  const TempDir dir;
  std::optional<Result<DirLock>> lock(DirLock::Take(dir.Path()));
  REQUIRE(lock->has_value());
  const TestChild child({"/bin/sleep", "600"});
  CHECK(DirLock::Take(dir.Path()).error().code == Errc::kBusy);
  lock.reset();
  CHECK(DirLock::Take(dir.Path()).has_value());
}

TEST_CASE("DirLock: links, pipes and missing directories are refused with a reason") {
  const TempDir dir;
  CHECK(DirLock::Take(dir / "none").error().what ==
        "locking state directory " + dir / "none" + ": opening " + dir / "none/lock" + ": no such file or directory");
  std::filesystem::create_symlink("elsewhere", dir / "lock");
  CHECK(DirLock::Take(dir.Path()).error().what.starts_with("locking state directory " + dir.Path() + ": opening "));
  CHECK_FALSE(std::filesystem::exists(dir / "elsewhere"));
  std::filesystem::remove(dir / "lock");
  REQUIRE(::mkfifo((dir / "lock").c_str(), 0600) == 0);
  CHECK(DirLock::Take(dir.Path()).error().code == Errc::kInvalid);
}

TEST_CASE("DirLock: a lock is handed on over an exec, and taken over by its descriptor") {
  const TempDir dir;
  const TempDir other;
  auto lock = DirLock::Take(dir.Path());
  REQUIRE(lock);
  const auto fd = lock->HandOn();
  REQUIRE(fd);
  CHECK((::fcntl(*fd, F_GETFD) & FD_CLOEXEC) == 0);
  lock->Keep();
  CHECK((::fcntl(*fd, F_GETFD) & FD_CLOEXEC) != 0);

  // What the next program is left with: the number of a descriptor, of the same open file.
  const int inherited = ::dup(*fd);
  REQUIRE(inherited >= 0);
  CHECK_FALSE(DirLock::Inherit(other.Path(), inherited));
  CHECK_FALSE(DirLock::Inherit(dir.Path(), -1));
  CHECK_FALSE(DirLock::Inherit(dir.Path(), 0));
  {
    const auto taken = DirLock::Inherit(dir.Path(), inherited);
    REQUIRE(taken);
    CHECK((::fcntl(inherited, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK_FALSE(DirLock::Take(dir.Path()));
  }
}
