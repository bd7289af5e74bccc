/*
 * A Modbus RTU server on libmodbus, to hold the gateway against somebody else's reading of the standard.
 *
 *     server TTY UNIT        9600 8N1; prints READY; serves until it is killed or the terminal hangs up
 *
 * coil n is on where n % 3 == 0; discreteInput n where n % 5 == 1; n = 0 ... 1999.
 *
 * Registers, the same places in both tables, each value once in every byte order:
 * ABCD from address 0, BADC from 100, CDAB from 200, DCBA from 300. Within a hundred:
 *
 *     at  registers  type      holdingRegister         inputRegister
 *      0  1          int16     -12345                  -32768
 *      1  1          uint16    54321                   65535
 *      2  2          int32     -123456789              -2147483648
 *      4  2          uint32    3456789012              4294967295
 *      6  4          int64     -1234567890123456789    -9223372036854775808
 *     10  4          uint64    12345678901234567890    18446744073709551615
 *     14  2          float32   -1234.5677490234375     1.401298464324817e-45
 *     16  4          float64   3.141592653589793       -1.7976931348623157e308
 *     20  8          string    "Sally port v1"         "holds 16 bytes.."
 *     28  1          bcd16     1234                    9999
 *     29  2          bcd32     12345678                90000001
 *     31  1          bits      0xa5c3                  0x0001
 *
 * From 400 to 999 register n holds n in holdingRegister and 65535 - n in inputRegister.
 */
#include <errno.h>
#include <modbus/modbus.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BITS = 2000, REGISTERS = 1000, ORDERS = 4, BYTES_MAX = 16 };

struct values {
  int16_t i16;
  uint16_t u16;
  int32_t i32;
  uint32_t u32;
  int64_t i64;
  uint64_t u64;
  float f32;
  double f64;
  char text[17];
  uint16_t bcd16;
  uint32_t bcd32;
  uint16_t bits;
};

static const struct values HOLDING = {
    -12345, 54321, -123456789, 3456789012u, -1234567890123456789ll, 12345678901234567890ull, -1234.5677490234375f,
    3.141592653589793, "Sally port v1\0\0\0", 0x1234, 0x12345678, 0xa5c3};
static const struct values INPUT = {
    INT16_MIN, UINT16_MAX, INT32_MIN, UINT32_MAX, INT64_MIN, UINT64_MAX, 1.401298464324817e-45f,
    -1.7976931348623157e308, "holds 16 bytes..", 0x9999, 0x90000001, 0x0001};

/* `bytes` stand most significant first; order: 0 ABCD, 1 BADC, 2 CDAB, 3 DCBA. */
static void put(uint16_t *registers, const uint8_t *bytes, int count, int order) {
  int words = count / 2;
  for (int i = 0; i < words; i++) {
    int from = order & 2 ? words - 1 - i : i;
    uint8_t first = bytes[2 * from], second = bytes[2 * from + 1];
    registers[i] = order & 1 ? (uint16_t)(second << 8 | first) : (uint16_t)(first << 8 | second);
  }
}

static void put_number(uint16_t *registers, uint64_t raw, int count, int order) {
  uint8_t bytes[BYTES_MAX];
  for (int i = 0; i < count; i++) bytes[i] = (uint8_t)(raw >> 8 * (count - 1 - i));
  put(registers, bytes, count, order);
}

static uint64_t raw_float(float value) {
  uint32_t raw;
  memcpy(&raw, &value, sizeof raw);
  return raw;
}

static uint64_t raw_double(double value) {
  uint64_t raw;
  memcpy(&raw, &value, sizeof raw);
  return raw;
}

static void fill(uint16_t *table, const struct values *v) {
  for (int order = 0; order < ORDERS; order++) {
    uint16_t *at = table + 100 * order;
    put_number(at + 0, (uint64_t)v->i16, 2, order);
    put_number(at + 1, v->u16, 2, order);
    put_number(at + 2, (uint64_t)v->i32, 4, order);
    put_number(at + 4, v->u32, 4, order);
    put_number(at + 6, (uint64_t)v->i64, 8, order);
    put_number(at + 10, v->u64, 8, order);
    put_number(at + 14, raw_float(v->f32), 4, order);
    put_number(at + 16, raw_double(v->f64), 8, order);
    put(at + 20, (const uint8_t *)v->text, 16, order);
    put_number(at + 28, v->bcd16, 2, order);
    put_number(at + 29, v->bcd32, 4, order);
    put_number(at + 31, v->bits, 2, order);
  }
}

static modbus_mapping_t *make_tables(void) {
  modbus_mapping_t *tables = modbus_mapping_new(BITS, BITS, REGISTERS, REGISTERS);
  if (tables == NULL) return NULL;
  for (int n = 0; n < BITS; n++) {
    tables->tab_bits[n] = n % 3 == 0;
    tables->tab_input_bits[n] = n % 5 == 1;
  }
  for (int n = 100 * ORDERS; n < REGISTERS; n++) {
    tables->tab_registers[n] = (uint16_t)n;
    tables->tab_input_registers[n] = (uint16_t)(65535 - n);
  }
  fill(tables->tab_registers, &HOLDING);
  fill(tables->tab_input_registers, &INPUT);
  return tables;
}

static int fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, modbus_strerror(errno));
  return EXIT_FAILURE;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: server TTY UNIT\n");
    return 64;
  }
  modbus_t *context = modbus_new_rtu(argv[1], 9600, 'N', 8, 1);
  if (context == NULL) return fail("modbus_new_rtu");
  modbus_mapping_t *tables = make_tables();
  if (tables == NULL) return fail("modbus_mapping_new");
  if (modbus_set_slave(context, atoi(argv[2])) == -1) return fail("modbus_set_slave");
  if (modbus_connect(context) == -1) return fail("modbus_connect");
  puts("READY");
  fflush(stdout);
  for (;;) {
    uint8_t request[MODBUS_RTU_MAX_ADU_LENGTH];
    int length = modbus_receive(context, request);
    if (length > 0) modbus_reply(context, request, length, tables);
    /* A frame it cannot read is no reason to leave; a terminal that is gone is. */
    if (length == -1 && (errno == EIO || errno == EBADF || errno == ECONNRESET)) return fail("modbus_receive");
  }
}
