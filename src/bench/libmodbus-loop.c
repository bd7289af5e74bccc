/*
 * What a good C programmer would write: libmodbus in a loop, t3.5 kept by the clock of the kernel.
 *
 *     libmodbus-loop TTY BAUD DEVICES REGISTERS      8E1; until it is killed
 */
#define _GNU_SOURCE
#include <errno.h>
#include <modbus/modbus.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

enum { REGISTERS_MAX = 125, RESPONSE_TIMEOUT_US = 300000, SILENCE_FIXED_ABOVE_BAUD = 19200 };

static const int64_t NS_PER_S = 1000000000;
static const int64_t SILENCE_FIXED_NS = 1750000;

static void sleep_from_now(int64_t ns) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  int64_t at_ns = t.tv_sec * NS_PER_S + t.tv_nsec + ns;
  t = (struct timespec){at_ns / NS_PER_S, at_ns % NS_PER_S};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) continue;
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fputs("usage: libmodbus-loop TTY BAUD DEVICES REGISTERS\n", stderr);
    return 64;
  }
  int baud = atoi(argv[2]), devices = atoi(argv[3]), registers = atoi(argv[4]);
  uint16_t values[REGISTERS_MAX];
  int64_t silence_ns = baud > SILENCE_FIXED_ABOVE_BAUD ? SILENCE_FIXED_NS : 11 * NS_PER_S * 7 / 2 / baud;
  modbus_t *context = modbus_new_rtu(argv[1], baud, 'E', 8, 1);
  if (context == NULL || modbus_set_response_timeout(context, 0, RESPONSE_TIMEOUT_US) == -1 ||
      modbus_connect(context) == -1) {
    fprintf(stderr, "%s\n", modbus_strerror(errno));
    return EXIT_FAILURE;
  }
  prctl(PR_SET_TIMERSLACK, 1UL);
  for (int unit = 1;; unit = unit % devices + 1) {
    modbus_set_slave(context, unit);
    modbus_read_registers(context, 0, registers, values);
    sleep_from_now(silence_ns);
  }
}
