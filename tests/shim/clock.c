/* A day at high speed for one program or several: every clock a process reads runs as a table says, and whatever it
 * waits for ends when the clock it sees says so. Loaded by LD_PRELOAD, built by tests/day.rs. Nothing in the program
 * knows of it: its loop, its threads, its log and its sound are those of every day. (libfaketime speeds up clocks too,
 * but not the waits that Rust makes through `syscall`.)
 *
 *   CLOCK_TABLE  lines "FROM SPEED": from so many milliseconds of shown time after the beginning the clocks run so many
 *                times as fast as the real one; the first line begins with 0
 *   CLOCK_WALL   the wall clock at the beginning, milliseconds since 1970
 *   CLOCK_BEGIN  a file of 8 bytes: when it began, shared by processes
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef int64_t ns;
enum { MOST = 4096 };
static struct { ns real, shown; double speed; } table[MOST];
static int rows;
static ns began, wall;
static long (*real_syscall)(long, ...);

static ns real_now(void) {
  struct timespec t;
  real_syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

__attribute__((constructor)) static void begin(void) {
  real_syscall = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  const char *name = getenv("CLOCK_TABLE"), *file = getenv("CLOCK_BEGIN"), *at = getenv("CLOCK_WALL");
  if (!name || !file || !at) return;
  wall = strtoll(at, 0, 10) * 1000000;
  int fd = open(file, O_RDWR);
  if (fd < 0) return;
  _Atomic ns *shared = mmap(0, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (shared == MAP_FAILED) return;
  ns none = 0;
  atomic_compare_exchange_strong(shared, &none, real_now());
  began = atomic_load(shared);
  FILE *f = fopen(name, "r");
  double from, speed;
  int n = 0;
  while (f && n < MOST && fscanf(f, "%lf %lf", &from, &speed) == 2) {
    ns shown = (ns)(from * 1e6);
    table[n].real = n ? table[n - 1].real + (ns)((double)(shown - table[n - 1].shown) / table[n - 1].speed) : 0;
    table[n].shown = shown;
    table[n++].speed = speed;
  }
  if (f) fclose(f);
  rows = n;
}

/* What is shown of the time since the beginning, and when something shown is real. */
static ns shown(ns real) {
  int i = rows - 1;
  while (i > 0 && table[i].real > real) i--;
  return table[i].shown + (ns)((double)(real - table[i].real) * table[i].speed);
}

static ns real_of(ns shown) {
  int i = rows - 1;
  while (i > 0 && table[i].shown > shown) i--;
  return table[i].real + (ns)((double)(shown - table[i].shown) / table[i].speed);
}

static ns now(void) { return shown(real_now() - began); }

/* So much of shown time from now, in real time; never less than nothing, and a little more rather than less. */
static ns wait_for(ns length) {
  ns at = now();
  ns until = length > LLONG_MAX / 2 - at ? LLONG_MAX / 2 : at + length;
  ns left = real_of(until) + began - real_now();
  return left < 0 ? 0 : left + 1000;
}

static struct timespec spec(ns t) { return (struct timespec){.tv_sec = t / 1000000000, .tv_nsec = t % 1000000000}; }
static ns of(const struct timespec *t) {
  return t->tv_sec > 4000000000LL ? LLONG_MAX / 4 : t->tv_sec * 1000000000LL + t->tv_nsec;
}

int clock_gettime(clockid_t id, struct timespec *t) {
  if (!rows) return (int)real_syscall(SYS_clock_gettime, id, t);
  switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE: *t = spec(wall + now()); return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME: *t = spec(began + now()); return 0;
  }
  return (int)real_syscall(SYS_clock_gettime, id, t);
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
  (void)zone;
  struct timespec s;
  clock_gettime(CLOCK_REALTIME, &s);
  t->tv_sec = s.tv_sec;
  t->tv_usec = s.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec s;
  clock_gettime(CLOCK_REALTIME, &s);
  if (out) *out = s.tv_sec;
  return s.tv_sec;
}

/* Rust waits here: absolute by the monotonic clock, or for so long. */
long syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long a[6];
  for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
  va_end(list);
  struct timespec t;
  if (number == SYS_futex && rows && a[3]) {
    int what = (int)a[1] & FUTEX_CMD_MASK;
    const struct timespec *asked = (const struct timespec *)a[3];
    if (what == FUTEX_WAIT_BITSET) {
      ns base = (int)a[1] & FUTEX_CLOCK_REALTIME ? wall : began;
      t = spec(real_now() + wait_for(of(asked) - base - now()));
      a[1] &= ~(long)FUTEX_CLOCK_REALTIME;
      a[3] = (long)&t;
    } else if (what == FUTEX_WAIT) {
      t = spec(wait_for(of(asked)));
      a[3] = (long)&t;
    }
  }
  return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int clock_nanosleep(clockid_t id, int flags, const struct timespec *asked, struct timespec *rest) {
  if (!rows) {
    long r = real_syscall(SYS_clock_nanosleep, id, flags, asked, rest);
    return r < 0 ? errno : 0;
  }
  ns length = of(asked);
  if (flags & TIMER_ABSTIME) length -= (id == CLOCK_REALTIME ? wall : began) + now();
  struct timespec t = spec(wait_for(length));
  long r = real_syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &t, rest);
  return r < 0 ? errno : 0;
}

int nanosleep(const struct timespec *asked, struct timespec *rest) {
  int failed = clock_nanosleep(CLOCK_MONOTONIC, 0, asked, rest);
  if (!failed) return 0;
  errno = failed;
  return -1;
}

int epoll_pwait(int fd, struct epoll_event *events, int most, int timeout, const sigset_t *mask) {
  struct timespec t = {0, 0};
  if (timeout > 0) t = spec(rows ? wait_for(timeout * 1000000LL) : timeout * 1000000LL);
  return (int)real_syscall(SYS_epoll_pwait2, fd, events, most, timeout < 0 ? 0 : &t, mask, 8);
}

int epoll_wait(int fd, struct epoll_event *events, int most, int timeout) {
  return epoll_pwait(fd, events, most, timeout, 0);
}

int poll(struct pollfd *fds, nfds_t n, int timeout) {
  struct timespec t = {0, 0};
  if (timeout > 0) t = spec(rows ? wait_for(timeout * 1000000LL) : timeout * 1000000LL);
  return (int)real_syscall(SYS_ppoll, fds, n, timeout < 0 ? 0 : &t, 0, 8);
}
