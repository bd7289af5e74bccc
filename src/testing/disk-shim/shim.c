/*
 * A card that fails, for a process that does not know it: preloaded, it stands between the process and the C library
 * for every file whose path contains $SALLYPORT_DISK_MATCH. What it does stands in the file $SALLYPORT_DISK_CONTROL,
 * which disk-shim.ts writes while the process runs:
 *
 *     openError readError writeError syncError   0, or the error number that such calls end with
 *     growError                                  the same for writes that make a file longer
 *     syncDelayMs                                what fsync and fdatasync take
 *     writes writtenBytes syncs                  counted: of outbox.db*, of state.db*, of all other files
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { OUTBOX, STATE, OTHER, KINDS };
enum { MAX_FILES = 65536, NOT_OURS = 0, MILLION = 1000000 };

struct control {
  int32_t open_error, read_error, write_error, sync_error, grow_error, sync_delay_ms;
  uint64_t counts[KINDS][3];
};

static struct control *control;
static const char *match;
/* Of each descriptor NOT_OURS, or 1 + its kind. */
static unsigned char kinds[MAX_FILES];

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("SALLYPORT_DISK_CONTROL");
  match = getenv("SALLYPORT_DISK_MATCH");
  int fd = path == NULL ? -1 : REAL(open)(path, O_RDWR);
  if (fd < 0) return;
  void *map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map != MAP_FAILED) control = map;
  REAL(close)(fd);
}

static int is_ours(const char *path) {
  return control != NULL && match != NULL && path != NULL && strstr(path, match) != NULL;
}

static int kind_of(int fd) {
  return fd >= 0 && fd < MAX_FILES ? kinds[fd] : NOT_OURS;
}

static int opened(const char *path, int fd) {
  if (fd < 0 || fd >= MAX_FILES) return fd;
  kinds[fd] = NOT_OURS;
  if (is_ours(path)) kinds[fd] = 1 + (strstr(path, "outbox.db") ? OUTBOX : strstr(path, "state.db") ? STATE : OTHER);
  return fd;
}

static int fails(int32_t error) {
  if (error == 0) return 0;
  errno = error;
  return 1;
}

/* A read-only file system still lets files be read; any other refusal hits every open. */
static int open_fails(const char *path, int flags) {
  if (!is_ours(path)) return 0;
  if (control->open_error == EROFS && (flags & O_ACCMODE) == O_RDONLY && (flags & O_CREAT) == 0) return 0;
  return fails(control->open_error);
}

#define OPEN(name)                                             \
  int name(const char *path, int flags, ...) {                 \
    va_list rest;                                              \
    va_start(rest, flags);                                     \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                              \
    if (open_fails(path, flags)) return -1;                    \
    return opened(path, REAL(name)(path, flags, mode));        \
  }
OPEN(open)
OPEN(open64)

int close(int fd) {
  if (fd >= 0 && fd < MAX_FILES) kinds[fd] = NOT_OURS;
  return REAL(close)(fd);
}

static int write_fails(int fd, off_t end) {
  if (kind_of(fd) == NOT_OURS) return 0;
  if (fails(control->write_error)) return 1;
  struct stat now;
  return control->grow_error != 0 && fstat(fd, &now) == 0 && end > now.st_size && fails(control->grow_error);
}

static ssize_t wrote(int fd, ssize_t bytes) {
  int kind = kind_of(fd);
  if (kind == NOT_OURS || bytes < 0) return bytes;
  __atomic_add_fetch(&control->counts[kind - 1][0], 1, __ATOMIC_RELAXED);
  __atomic_add_fetch(&control->counts[kind - 1][1], (uint64_t)bytes, __ATOMIC_RELAXED);
  return bytes;
}

ssize_t write(int fd, const void *data, size_t length) {
  off_t at = kind_of(fd) == NOT_OURS ? 0 : lseek(fd, 0, SEEK_CUR);
  return write_fails(fd, at + (off_t)length) ? -1 : wrote(fd, REAL(write)(fd, data, length));
}

#define PWRITE(name, offset)                                                                            \
  ssize_t name(int fd, const void *data, size_t length, offset at) {                                    \
    return write_fails(fd, (off_t)at + (off_t)length) ? -1 : wrote(fd, REAL(name)(fd, data, length, at)); \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define FTRUNCATE(name, offset)                                            \
  int name(int fd, offset length) {                                        \
    return write_fails(fd, (off_t)length) ? -1 : REAL(name)(fd, length);   \
  }
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

static int read_fails(int fd) {
  return kind_of(fd) != NOT_OURS && fails(control->read_error);
}

ssize_t read(int fd, void *data, size_t length) {
  return read_fails(fd) ? -1 : REAL(read)(fd, data, length);
}

#define PREAD(name, offset)                                                 \
  ssize_t name(int fd, void *data, size_t length, offset at) {              \
    return read_fails(fd) ? -1 : REAL(name)(fd, data, length, at);          \
  }
PREAD(pread, off_t)
PREAD(pread64, off64_t)

static int sync_fails(int fd) {
  int kind = kind_of(fd);
  if (kind == NOT_OURS) return 0;
  __atomic_add_fetch(&control->counts[kind - 1][2], 1, __ATOMIC_RELAXED);
  long delay_ms = control->sync_delay_ms;
  struct timespec delay = {delay_ms / 1000, delay_ms % 1000 * MILLION};
  if (delay_ms > 0) nanosleep(&delay, NULL);
  return fails(control->sync_error);
}

int fsync(int fd) {
  return sync_fails(fd) ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd) {
  return sync_fails(fd) ? -1 : REAL(fdatasync)(fd);
}
