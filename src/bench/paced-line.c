/*
 * An RS-485 line with its devices behind a pseudo-terminal, paced as the wire would pace it.
 *
 *     paced-line BAUD BITS_PER_CHARACTER TURNAROUND_US DEVICES WANTED_REGISTERS HELD_REGISTERS
 *
 * Prints the terminal's name. Units 1 ... DEVICES hold registers 0 ... HELD_REGISTERS - 1 in both tables and answer
 * functions 3 and 4; register r of unit u holds 256 u + r. A request is on the wire from the moment at which it is
 * written, a character time for each byte. The reply begins t3.5 and the turnaround after the request's last character;
 * what of it has passed becomes readable once a millisecond, and its end when its last bit has passed.
 *
 * Commands on stdin, a line each; it ends with stdin:
 *     begin      counts from the next request on
 *     end        prints one line of JSON: what was counted
 *     silence U  unit U does not answer any more
 *     count FILE registers tell where and when they were read, and each reply becomes a line of FILE:
 *                "TIME_NS UNIT ADDRESS QUANTITY", by the monotonic clock, when its values were taken
 *     late U EVERY MS
 *                unit U takes so much time for every EVERY-th request, and what it is asked meanwhile waits its turn
 *     flush      what nobody has read is gone, as where the last one closes a port
 *
 * A counting register r of unit u, read for the nth time, holds where it is in its upper byte, 20 (u - 1) + r for the
 * first ten and ten more for those from 100 on, and n in its lower one. Others than those are of no interest.
 *
 * A cycle is the time from the beginning of one request to that of the next. Its ideal is the wire time of the WANTED
 * registers: all characters, the turnaround and two times t3.5; it is 0 where the wanted registers were not delivered.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
  REQUEST_BYTES = 8,
  FRAME_MAX_BYTES = 256,
  REPLY_OVERHEAD_BYTES = 5,
  UNITS = 248,
  REGISTERS_MAX = 1024,
  COUNT_BITS = 8,
  BLOCK_REGISTERS = 10,
  SECOND_BLOCK = 100,
  WAITING_MAX = 8,
  SILENCE_FIXED_ABOVE_BAUD = 19200,
  REALTIME_PRIORITY = 10
};

static const int64_t NS_PER_S = 1000000000;
static const int64_t NS_PER_US = 1000;
static const int64_t NS_PER_MS = 1000000;
static const int64_t SILENCE_FIXED_NS = 1750000;
static const int64_t REQUEST_ENDS_AFTER_MS = 50;

static struct {
  int64_t character_ns, silence_ns, turnaround_ns;
  int wanted, held, devices;
  bool silent[UNITS];
} plant;

static struct {
  bool counts;
  int64_t begun_ns, last_ns, ideal_ns, cycle_ideal_ns;
  long requests, replies, exceptions, violations;
  int64_t shortest_gap_ns, late_ns;
} seen;

static struct {
  FILE *log;
  uint16_t reads[UNITS][REGISTERS_MAX];
} counting;

/* What the slow unit still has to say. A wire has no room for two: it speaks when nobody else does. */
static struct {
  int unit, every, count;
  long asked;
  int64_t late_ns;
  struct {
    uint8_t reply[FRAME_MAX_BYTES];
    int length;
    int64_t due_ns;
  } waiting[WAITING_MAX];
} slow;

static int master, terminal;
/* When the last character on the wire ends. */
static int64_t wire_ends_ns;
/* The next request was written while the wire was taken by a reply. */
static bool talked_over;
/* Wanted registers delivered since the beginning, counted by the reply. */
static long replies_ever;

static void die(const char *what) {
  perror(what);
  exit(EXIT_FAILURE);
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void sleep_until(int64_t at_ns) {
  struct timespec t = {at_ns / NS_PER_S, at_ns % NS_PER_S};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) continue;
}

static uint16_t crc16(const uint8_t *bytes, int count) {
  uint16_t crc = 0xffff;
  for (int i = 0; i < count; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  }
  return crc;
}

/* The terminal as a port: raw, and open as long as this program runs, whoever comes and goes. */
static void open_terminal(void) {
  master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (master == -1 || grantpt(master) == -1 || unlockpt(master) == -1) die("posix_openpt");
  terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
  struct termios settings;
  if (terminal == -1 || tcgetattr(terminal, &settings) == -1) die("terminal");
  cfmakeraw(&settings);
  if (tcsetattr(terminal, TCSANOW, &settings) == -1) die("tcsetattr");
  puts(ptsname(master));
  fflush(stdout);
}

/* Paces better where it may; without the right it does without. */
static void be_punctual(void) {
  struct sched_param parameters = {.sched_priority = REALTIME_PRIORITY};
  prctl(PR_SET_TIMERSLACK, 1UL);
  sched_setscheduler(0, SCHED_FIFO, &parameters);
}

static void tell(void) {
  printf(
      "{\"requests\":%ld,\"replies\":%ld,\"exceptions\":%ld,\"violations\":%ld,\"elapsedMs\":%.3f,\"idealMs\":%.3f,"
      "\"shortestGapMs\":%.3f,\"lateMs\":%.3f,\"repliesEver\":%ld}\n",
      seen.requests, seen.replies, seen.exceptions, seen.violations, (seen.last_ns - seen.begun_ns) / 1e6,
      seen.ideal_ns / 1e6, seen.shortest_gap_ns / 1e6, seen.replies ? seen.late_ns / 1e6 / seen.replies : 0, replies_ever);
  fflush(stdout);
}

static void obey(void) {
  static char line[512];
  char path[sizeof line];
  static size_t length;
  ssize_t got = read(STDIN_FILENO, line + length, sizeof line - 1 - length);
  if (got <= 0) exit(EXIT_SUCCESS);
  length += got;
  for (;;) {
    line[length] = 0;
    char *end = strchr(line, '\n');
    if (end == NULL) return;
    *end = 0;
    int unit;
    long milliseconds;
    if (strcmp(line, "begin") == 0) {
      memset(&seen, 0, sizeof seen);
      seen.counts = true;
      seen.shortest_gap_ns = INT64_MAX;
    } else if (strcmp(line, "end") == 0) {
      seen.counts = false;
      tell();
    } else if (sscanf(line, "silence %d", &unit) == 1 && unit > 0 && unit < UNITS) {
      plant.silent[unit] = true;
    } else if (sscanf(line, "count %511s", path) == 1) {
      counting.log = fopen(path, "w");
      if (counting.log == NULL) die(path);
      setvbuf(counting.log, NULL, _IOLBF, BUFSIZ);
    } else if (strcmp(line, "flush") == 0) {
      if (tcflush(terminal, TCIFLUSH) == -1) die("tcflush");
    } else if (sscanf(line, "late %d %d %ld", &unit, &slow.every, &milliseconds) == 3) {
      slow.unit = unit;
      slow.late_ns = milliseconds * NS_PER_MS;
    }
    length -= end + 1 - line;
    memmove(line, end + 1, length);
  }
}

static void request_began(int64_t at_ns) {
  int64_t gap_ns = talked_over ? 0 : at_ns - wire_ends_ns;
  talked_over = false;
  if (!seen.counts) return;
  if (seen.begun_ns == 0) {
    seen.begun_ns = seen.last_ns = at_ns;
    return;
  }
  seen.requests++;
  seen.ideal_ns += seen.cycle_ideal_ns;
  seen.last_ns = at_ns;
  if (gap_ns < seen.shortest_gap_ns) seen.shortest_gap_ns = gap_ns;
  if (gap_ns < plant.silence_ns) seen.violations++;
}

/* Takes a request from the terminal; its characters follow each other on the wire. Returns 0 where none came whole. */
static int take_request(uint8_t *request) {
  int length = 0;
  struct pollfd watched = {master, POLLIN, 0};
  while (length < REQUEST_BYTES) {
    if (length > 0 && poll(&watched, 1, REQUEST_ENDS_AFTER_MS) <= 0) return 0;
    ssize_t got = read(master, request + length, REQUEST_BYTES - length);
    if (got <= 0) return 0;
    int64_t at_ns = now_ns();
    if (length == 0) request_began(at_ns);
    wire_ends_ns = (at_ns > wire_ends_ns ? at_ns : wire_ends_ns) + got * plant.character_ns;
    length += got;
  }
  return length;
}

static uint16_t count_read(int unit, int address) {
  int block = 2 * (unit - 1) + (address >= SECOND_BLOCK);
  int place = BLOCK_REGISTERS * block + address % SECOND_BLOCK;
  uint16_t read = ++counting.reads[unit][address];
  return place << COUNT_BITS | (read & ((1 << COUNT_BITS) - 1));
}

static int make_reply(const uint8_t *request, uint8_t *reply) {
  int unit = request[0], function = request[1];
  int address = request[2] << 8 | request[3], quantity = request[4] << 8 | request[5];
  if (crc16(request, REQUEST_BYTES) != 0 || unit == 0 || unit > plant.devices || plant.silent[unit]) return 0;
  int length = 0;
  reply[length++] = unit;
  if ((function != 3 && function != 4) || quantity == 0 || quantity > 125 || address + quantity > plant.held) {
    reply[length++] = function | 0x80;
    reply[length++] = 2;
  } else {
    reply[length++] = function;
    reply[length++] = 2 * quantity;
    for (int i = 0; i < quantity; i++) {
      uint16_t value = counting.log == NULL ? unit << 8 | (uint8_t)(address + i) : count_read(unit, address + i);
      reply[length++] = value >> 8;
      reply[length++] = value;
    }
    if (counting.log != NULL)
      fprintf(counting.log, "%lld %d %d %d\n", (long long)now_ns(), unit, address, quantity);
  }
  uint16_t crc = crc16(reply, length);
  reply[length++] = crc;
  reply[length++] = crc >> 8;
  return length;
}

/* Bytes become readable when they have passed, those of a millisecond together. */
static void send_reply(const uint8_t *reply, int length) {
  int group = NS_PER_MS / plant.character_ns;
  if (group < 1) group = 1;
  int64_t begins_ns = wire_ends_ns + plant.silence_ns + plant.turnaround_ns;
  struct pollfd watched = {master, POLLIN, 0};
  for (int sent = 0; sent < length; sent += group) {
    int count = length - sent < group ? length - sent : group;
    int64_t passed_ns = begins_ns + (sent + count) * plant.character_ns;
    sleep_until(passed_ns);
    if (write(master, reply + sent, count) != count) die("write");
    wire_ends_ns = passed_ns;
    if (sent + count < length && poll(&watched, 1, 0) > 0) talked_over = true;
  }
  seen.late_ns += now_ns() - wire_ends_ns;
}

/* Takes over the replies of a slow unit; the first it waits for holds up those behind it. */
static bool takes_its_time(int unit, const uint8_t *reply, int length) {
  if (unit != slow.unit) return false;
  if (slow.count == 0 && ++slow.asked % slow.every != 0) return false;
  if (slow.count == WAITING_MAX) return true;
  int64_t due_ns = slow.count > 0 ? slow.waiting[slow.count - 1].due_ns : now_ns() + slow.late_ns;
  memcpy(slow.waiting[slow.count].reply, reply, length);
  slow.waiting[slow.count].length = length;
  slow.waiting[slow.count].due_ns = due_ns;
  slow.count++;
  return true;
}

static void send_waiting(void) {
  if (wire_ends_ns < now_ns()) wire_ends_ns = now_ns();
  send_reply(slow.waiting[0].reply, slow.waiting[0].length);
  slow.count--;
  memmove(&slow.waiting[0], &slow.waiting[1], slow.count * sizeof slow.waiting[0]);
}

/* Until the slow unit has something to say, for poll. */
static int patience_ms(void) {
  if (slow.count == 0) return -1;
  int64_t left_ns = slow.waiting[0].due_ns - now_ns();
  return left_ns <= 0 ? 0 : left_ns / NS_PER_MS + 1;
}

static void serve(void) {
  uint8_t request[REQUEST_BYTES], reply[FRAME_MAX_BYTES];
  int asked = take_request(request);
  seen.cycle_ideal_ns = 0;
  if (asked == 0) return;
  int length = make_reply(request, reply);
  if (length == 0 || takes_its_time(request[0], reply, length)) return;
  send_reply(reply, length);
  int wanted = REPLY_OVERHEAD_BYTES + 2 * plant.wanted;
  if (length < wanted) {
    seen.exceptions++;
    return;
  }
  seen.replies++;
  replies_ever++;
  seen.cycle_ideal_ns =
      (REQUEST_BYTES + wanted) * plant.character_ns + plant.turnaround_ns + 2 * plant.silence_ns;
}

int main(int argc, char **argv) {
  if (argc != 7) {
    fputs("usage: paced-line BAUD BITS_PER_CHARACTER TURNAROUND_US DEVICES WANTED_REGISTERS HELD_REGISTERS\n", stderr);
    return 64;
  }
  int baud = atoi(argv[1]);
  plant.character_ns = atoi(argv[2]) * NS_PER_S / baud;
  plant.silence_ns = baud > SILENCE_FIXED_ABOVE_BAUD ? SILENCE_FIXED_NS : plant.character_ns * 7 / 2;
  plant.turnaround_ns = atoi(argv[3]) * NS_PER_US;
  plant.devices = atoi(argv[4]);
  plant.wanted = atoi(argv[5]);
  plant.held = atoi(argv[6]);
  if (plant.held > REGISTERS_MAX) return 64;
  be_punctual();
  open_terminal();
  struct pollfd watched[] = {{master, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  for (;;) {
    if (poll(watched, 2, patience_ms()) == -1) continue;
    if (watched[0].revents & POLLIN) serve();
    else if (patience_ms() == 0) send_waiting();
    if (watched[1].revents) obey();
  }
}
