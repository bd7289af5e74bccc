/*
 * A GPIO chip for one process: the kernel's character device as linux/gpio.h describes it, with lines that a test drives.
 * LD_PRELOAD it; SALLYPORT_GPIO_CHIP is the path that stands for the device, SALLYPORT_GPIO_LABEL its label,
 * SALLYPORT_GPIO_LEVELS a file with the levels, and SALLYPORT_GPIO_CONTROL a FIFO with orders, each a line:
 *
 *   level LINE                 tell the edge to its level, if it is another than was told last
 *   pulses LINE COUNT NS       COUNT times up and down, NS between two edges
 *   again LINE                 an edge to the level at which it is: what a kernel tells that came too late for the one before
 *   race LINE                  at the next look at its level it changes, right after the look
 *   drop LINE COUNT            so many edges that the kernel had no room for
 *   gone                       the chip is unplugged
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINES 8
#define CHIP_NAME "gpiochip0"

struct line {
  volatile int ours;
  /* The level that was told last: what is there when a line is opened is no edge. */
  int theirs, told, races;
  unsigned number;
};

static struct line lines[LINES];
static int chip = -1;
/* Of the file SALLYPORT_GPIO_LEVELS, a byte a line: a level is there before and after this process. */
static volatile unsigned char *levels;

static void event(struct line *line, unsigned offset, unsigned long long ns) {
  struct gpio_v2_line_event told;
  memset(&told, 0, sizeof told);
  told.timestamp_ns = ns;
  told.id = line->told ? GPIO_V2_LINE_EVENT_RISING_EDGE : GPIO_V2_LINE_EVENT_FALLING_EDGE;
  told.offset = offset;
  told.seqno = told.line_seqno = ++line->number;
  if (line->ours >= 0 && write(line->ours, &told, sizeof told) < 0) line->ours = -1;
}

static unsigned long long now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000000ull + at.tv_nsec;
}

static void obey(char *order) {
  unsigned offset;
  long count;
  unsigned long long ns, at = now();
  if (sscanf(order, "level %u", &offset) == 1 && lines[offset].told != levels[offset]) {
    lines[offset].told = levels[offset];
    event(&lines[offset], offset, at);
  } else if (sscanf(order, "again %u", &offset) == 1) {
    event(&lines[offset], offset, at);
  } else if (sscanf(order, "race %u", &offset) == 1) {
    lines[offset].races = 1;
  } else if (sscanf(order, "drop %u %ld", &offset, &count) == 2) {
    lines[offset].number += count;
  } else if (sscanf(order, "pulses %u %ld %llu", &offset, &count, &ns) == 3) {
    for (long edge = 0; edge < 2 * count; edge++, at += ns) {
      levels[offset] = lines[offset].told = !lines[offset].told;
      event(&lines[offset], offset, at);
    }
  } else if (strncmp(order, "gone", 4) == 0) {
    for (offset = 0; offset < LINES; offset++) {
      if (lines[offset].ours >= 0) shutdown(lines[offset].ours, SHUT_RDWR);
      lines[offset].ours = -1;
    }
  }
}

static void *steer(void *path) {
  char order[128];
  /* Also for writing: it shall not end with the first who writes. */
  FILE *orders = fdopen(open(path, O_RDWR), "r");
  while (orders && fgets(order, sizeof order, orders)) obey(order);
  return NULL;
}

__attribute__((constructor)) static void begin(void) {
  pthread_t thread;
  char *control = getenv("SALLYPORT_GPIO_CONTROL"), *path = getenv("SALLYPORT_GPIO_LEVELS");
  int file = path ? open(path, O_RDWR) : -1;
  levels = file < 0 ? MAP_FAILED : mmap(NULL, LINES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (levels == MAP_FAILED) abort();
  for (int i = 0; i < LINES; i++) lines[i].ours = -1;
  if (control) pthread_create(&thread, NULL, steer, control);
}

static int opened(const char *path, int fd) {
  const char *ours = getenv("SALLYPORT_GPIO_CHIP");
  if (ours && strcmp(path, ours) == 0) chip = fd;
  return fd;
}

#define OPEN(name)                                                 \
  int name(const char *path, int flags, ...) {                     \
    int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, #name); \
    va_list rest;                                                  \
    va_start(rest, flags);                                         \
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;      \
    va_end(rest);                                                  \
    return opened(path, next(path, flags, mode));                  \
  }
OPEN(open)
OPEN(open64)

static int get_line(struct gpio_v2_line_request *asked) {
  int ends[2];
  const unsigned long long edges = GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING;
  unsigned offset = asked->offsets[0];
  if (asked->num_lines != 1 || offset >= LINES || asked->event_buffer_size > 1024 ||
      asked->config.flags & ~(edges | GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_BIAS_PULL_UP)) {
    errno = EINVAL;
    return -1;
  }
  if (lines[offset].ours >= 0 && recv(lines[offset].ours, ends, 1, MSG_PEEK | MSG_DONTWAIT) != 0) {
    errno = EBUSY;
    return -1;
  }
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) return -1;
  if (asked->config.flags & GPIO_V2_LINE_FLAG_BIAS_PULL_UP) levels[offset] = 1;
  lines[offset].theirs = ends[1];
  lines[offset].number = 0;
  lines[offset].told = levels[offset];
  lines[offset].ours = ends[0];
  asked->fd = ends[1];
  return 0;
}

static int chip_call(unsigned long what, void *more) {
  if (what == GPIO_GET_CHIPINFO_IOCTL) {
    struct gpiochip_info *info = more;
    memset(info, 0, sizeof *info);
    strcpy(info->name, CHIP_NAME);
    strncpy(info->label, getenv("SALLYPORT_GPIO_LABEL"), sizeof info->label - 1);
    info->lines = LINES;
    return 0;
  }
  if (what == GPIO_V2_GET_LINE_IOCTL) return get_line(more);
  errno = ENOTTY;
  return -1;
}

int ioctl(int fd, unsigned long what, ...) {
  int (*next)(int, unsigned long, void *) = dlsym(RTLD_NEXT, "ioctl");
  int told = -2;
  va_list rest;
  va_start(rest, what);
  void *more = va_arg(rest, void *);
  va_end(rest);
  if (fd == chip && (what & 0xff00) == 0xb400) told = chip_call(what, more);
  for (int i = 0; told == -2 && what == GPIO_V2_LINE_GET_VALUES_IOCTL && i < LINES; i++) {
    struct gpio_v2_line_values *values = more;
    if (lines[i].ours < 0 || lines[i].theirs != fd) continue;
    values->bits = levels[i] & values->mask;
    told = 0;
    if (!lines[i].races) continue;
    lines[i].races = 0;
    levels[i] = lines[i].told = !lines[i].told;
    event(&lines[i], i, now());
  }
  return told == -2 ? next(fd, what, more) : told;
}
