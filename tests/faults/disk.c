/* A disk that keeps one waiting, or fails: laid between the server and its files by LD_PRELOAD. What it does is said by files
   in the folder of FAULTY_DISK (tests/src/faults.rs tells what each is for). Only the store's own files are meant. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char *word(const char *name, char *path, size_t size) {
  const char *folder = getenv("FAULTY_DISK");
  snprintf(path, size, "%s/%s", folder ? folder : "/nowhere", name);
  return path;
}

static int is_said(const char *name) {
  char path[4096];
  return access(word(name, path, sizeof path), F_OK) == 0;
}

static int ends_with(int file, const char *ending) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  size_t wanted = strlen(ending);
  return length >= (ssize_t)wanted && memcmp(path + length - wanted, ending, wanted) == 0;
}

static int fails(void) {
  errno = EIO;
  return -1;
}

/* What a flush of the log meets with first: that of commits, which has a thread of its own, and not that of copying back. */
static int meets(int file) {
  char path[4096], thread[16] = "";
  prctl(PR_GET_NAME, thread);
  if (strcmp(thread, "maepyo-flusher") || !ends_with(file, "maepyo.db-wal")) return 0;
  if (is_said("hold-flush")) {
    int held = open(word("held", path, sizeof path), O_CREAT | O_WRONLY, 0600);
    if (held >= 0) close(held);
    while (is_said("hold-flush")) usleep(2000);
  }
  /* Once: the next one succeeds, as a real disk's does, though what the first was about is lost. */
  return unlink(word("fail-flush", path, sizeof path)) == 0 ? fails() : 0;
}

static int may_be_written(int file) {
  return !(is_said("fail-log") && ends_with(file, "maepyo.db-wal")) && !(is_said("fail-pages") && ends_with(file, "maepyo.db"));
}

int fdatasync(int file) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  return meets(file) ? -1 : real(file);
}

int fsync(int file) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  return meets(file) ? -1 : real(file);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
  ssize_t (*real)(int, const void *, size_t, off64_t) = (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
  return may_be_written(file) ? real(file, bytes, count, at) : fails();
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
  return pwrite64(file, bytes, count, at);
}
