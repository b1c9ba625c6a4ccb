"""Processes whose clock is wrong: every way to ask for the time of day is off, and what measures durations is not.

libfaketime, which is made for this, turns the monotonic clock as well, or else breaks Python's sleep. A clock
that is really wrong does neither.
"""

import subprocess
from pathlib import Path

_SHIM = """
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long off(void) {
  static long seconds, known;
  if (!known) {
    const char *told = getenv("WRONG_BY_S");
    seconds = told ? atol(told) : 0;
    known = 1;
  }
  return seconds;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = (int)syscall(SYS_clock_gettime, clock, now);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += off();
  return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec precise;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *copy) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (copy) *copy = now.tv_sec;
  return now.tv_sec;
}
"""


def wrong_clock(directory: Path, days: int) -> dict[str, str]:
    """The variables that turn a process's clock by so many days; gcc has to be here."""
    shim = directory / "wrong_clock.so"
    if not shim.exists():
        build = ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-xc", "-", "-o", str(shim)]
        subprocess.run(build, input=_SHIM, text=True, check=True)
    return {"LD_PRELOAD": str(shim), "WRONG_BY_S": str(days * 86_400)}
