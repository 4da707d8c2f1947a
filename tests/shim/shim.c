/* Between the daemon and its disk: counts what is written, flushed, renamed and removed below a folder, and at one of
 * these calls acts out a fault. Loaded by LD_PRELOAD, built by tests/shim/mod.rs. Only a process whose command is "run"
 * is touched.
 *
 *   SHIM_DIR     the folder
 *   SHIM_COUNT   a file of 8 bytes: the calls so far, shared by processes and restarts
 *   SHIM_AT      the call at which it happens, from 1; 0: never
 *   SHIM_DO      kill | torn | enospc | eio
 *   SHIM_FOR     so many calls from there on fail (enospc, eio)
 *   SHIM_WHILE   while this file exists whatever writes fails with "no space left"
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static char folder[PATH_MAX];
static size_t folder_length;
static _Atomic unsigned long *count;
static unsigned long fault_at, fault_for = 1;
static const char *fault_do = "", *full_while;

__attribute__((constructor)) static void begin(void) {
  char line[4096] = {0};
  int fd = open("/proc/self/cmdline", O_RDONLY);
  ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
  if (fd >= 0) close(fd);
  size_t first = strlen(line) + 1;
  if (n <= (ssize_t)first || strcmp(line + first, "run") != 0) return;
  const char *dir = getenv("SHIM_DIR"), *file = getenv("SHIM_COUNT"), *v;
  if (!dir || !file || !realpath(dir, folder)) return;
  if ((v = getenv("SHIM_AT"))) fault_at = strtoul(v, 0, 10);
  if ((v = getenv("SHIM_FOR"))) fault_for = strtoul(v, 0, 10);
  if ((v = getenv("SHIM_DO"))) fault_do = v;
  full_while = getenv("SHIM_WHILE");
  fd = open(file, O_RDWR);
  if (fd < 0) return;
  void *shared = mmap(0, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (shared == MAP_FAILED) return;
  count = shared;
  folder_length = strlen(folder);
}

static int below(const char *path) {
  return strncmp(path, folder, folder_length) == 0 && (path[folder_length] == '/' || path[folder_length] == 0);
}

static int fd_below(int fd) {
  char name[64], path[PATH_MAX];
  if (!folder_length) return 0;
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(name, path, sizeof path - 1);
  if (n <= 0) return 0;
  path[n] = 0;
  return below(path);
}

enum { GO, HALF, FAIL };

/* What this call is to do; `writes`: it takes space. */
static int judge(int writes) {
  unsigned long n = atomic_fetch_add(count, 1) + 1;
  if (full_while && writes && access(full_while, F_OK) == 0) {
    errno = ENOSPC;
    return FAIL;
  }
  if (!fault_at || n < fault_at || n >= fault_at + fault_for) return GO;
  if (strcmp(fault_do, "enospc") == 0) {
    if (!writes) return GO;
    errno = ENOSPC;
    return FAIL;
  }
  if (strcmp(fault_do, "eio") == 0) {
    errno = EIO;
    return FAIL;
  }
  if (n != fault_at) return GO;
  if (strcmp(fault_do, "torn") == 0 && writes) return HALF;
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

ssize_t write(int fd, const void *bytes, size_t n) {
  if (fd_below(fd)) switch (judge(1)) {
      case FAIL: return -1;
      case HALF: syscall(SYS_write, fd, bytes, n / 2); die();
    }
  return syscall(SYS_write, fd, bytes, n);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
  if (fd_below(fd)) switch (judge(1)) {
      case FAIL: return -1;
      case HALF: syscall(SYS_pwrite64, fd, bytes, n / 2, at); die();
    }
  return syscall(SYS_pwrite64, fd, bytes, n, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) { return pwrite64(fd, bytes, n, at); }

int fsync(int fd) { return fd_below(fd) && judge(0) == FAIL ? -1 : (int)syscall(SYS_fsync, fd); }

int fdatasync(int fd) { return fd_below(fd) && judge(0) == FAIL ? -1 : (int)syscall(SYS_fdatasync, fd); }

static int path_fails(const char *path) {
  char whole[PATH_MAX], *end;
  if (!folder_length) return 0;
  snprintf(whole, sizeof whole, "%s", path);
  if ((end = strrchr(whole, '/'))) *end = 0;
  char found[PATH_MAX];
  return realpath(end ? whole : ".", found) && below(found) && judge(0) == FAIL;
}

int rename(const char *from, const char *to) {
  static int (*real)(const char *, const char *);
  if (!real) real = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
  return path_fails(to) ? -1 : real(from, to);
}

int unlink(const char *path) {
  static int (*real)(const char *);
  if (!real) real = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
  return path_fails(path) ? -1 : real(path);
}
