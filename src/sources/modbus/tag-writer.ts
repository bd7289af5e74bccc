/** Writes tags through the command queue of their line, and reads back what the device holds then. */
import type { DeviceConfig, LineConfig, RegisterTag } from "../../config/config.ts";
import { assert } from "../../core/errors.ts";
import type { TagWriter, WriteOutcome } from "../../core/remote-write.ts";
import type { Value } from "../../core/tag.ts";
import type { BusRequest, ReadRequest } from "./bus-request.ts";
import type { CommandOutcome } from "./command-queue.ts";
import type { ModbusSource } from "./modbus-source.ts";
import { decodeBit, decodeRegisters } from "./register-codec.ts";
import { ADDRESS_MAX, bitOf, paddingStep } from "./register-map.ts";
import { bytesOf, type Encoded, encodeTag } from "./tag-encoder.ts";

/** A line as it is configured, and as it runs. */
export interface WritableLine {
  readonly config: LineConfig;
  readonly source: Pick<ModbusSource, "execute" | "isClear">;
}

/**
 * Registers, or eights of coils, beyond the tag's own: more lengths than polls have in use at once. Not two: the request
 * for 17 to 24 coils has the form of its own reply, where an adapter hears itself.
 */
const LONGER_STEPS = [1, 3, 4, 5, 6, 7, 8];

/** Some devices know only the function for several registers or coils. */
const ILLEGAL_FUNCTION = 1;

interface Target {
  readonly tag: RegisterTag;
  readonly device: DeviceConfig;
  readonly source: WritableLine["source"];
}

export function createTagWriter(lines: () => readonly WritableLine[]): TagWriter {
  const targetOf = (id: string): Target => {
    for (const { config, source } of lines()) {
      for (const device of config.devices) {
        const tag = device.tags.find((each) => each.id === id);
        if (tag !== undefined) return { tag, device, source };
      }
    }
    assert(false, `a write to ${id}, which is no tag of a line`);
  };
  return {
    obstacle(id, value) {
      const { tag, device } = targetOf(id);
      if (!device.enabled) return "the device is switched off";
      const encoded = encodeTag(tag, value);
      return encoded.kind === "unfit" ? encoded.reason : undefined;
    },
    async write(id, value, onWritten) {
      const target = targetOf(id);
      const encoded = encodeTag(target.tag, value);
      return encoded.kind === "unfit" ? { kind: "failed", reason: encoded.reason } : change(target, encoded, onWritten);
    },
  };
}

async function change(target: Target, encoded: Encoded, onWritten: () => void): Promise<WriteOutcome> {
  const [request, several] = requestsFor(target, encoded);
  const { source } = target;
  let outcome = await source.execute(request);
  const isUnknown = outcome.kind === "exception" && outcome.certain && outcome.exceptionCode === ILLEGAL_FUNCTION;
  if (isUnknown && several !== undefined) outcome = await source.execute(several);
  if (outcome.kind !== "written") return { kind: "failed", reason: failureText(outcome) };
  onWritten();
  return readBack(target, encoded);
}

async function readBack(target: Target, encoded: Encoded): Promise<WriteOutcome> {
  const { tag, source } = target;
  const { address } = tag.register;
  const exact = readFor(target, encoded, 0);
  // Polls use the length of the tag all the time, so it would have to wait; a longer read can be told from theirs.
  const longer = LONGER_STEPS.map((steps) => readFor(target, encoded, steps));
  const quick = [exact, ...longer].find((read) => isReadable(read, target) && source.isClear(read)) ?? exact;
  let outcome = await source.execute(quick);
  if (outcome.kind !== "data") outcome = await source.execute(exact);
  if (outcome.kind === "silence" || outcome.kind === "copy") outcome = await source.execute(exact);
  if (outcome.kind !== "data")
    return { kind: "unconfirmed", reason: `it cannot be read back: ${failureText(outcome)}` };
  const data = encoded.kind === "coil" ? outcome.data : outcome.data.subarray(0, encoded.words.length * 2);
  if (isHeld(data, encoded, address)) return { kind: "confirmed" };
  return { kind: "unconfirmed", reason: `the device holds ${valueText(data, tag)} then` };
}

function readFor({ tag, device }: Target, encoded: Encoded, steps: number): ReadRequest {
  const { table, address } = tag.register;
  const quantity = (encoded.kind === "coil" ? 1 : encoded.words.length) + steps * paddingStep(table);
  return { kind: "read", unitId: device.unitId, table, address, quantity };
}

function isReadable({ table, address, quantity }: ReadRequest, { device }: Target): boolean {
  const last = address + quantity - 1;
  const isBlocked = device.unreadable.some(
    (range) => range.table === table && range.from <= last && range.to >= address,
  );
  return !isBlocked && last <= ADDRESS_MAX && quantity <= device.maxQuantity;
}

function requestsFor({ tag, device }: Target, encoded: Encoded): readonly [BusRequest, BusRequest?] {
  const at = { unitId: device.unitId, address: tag.register.address };
  if (encoded.kind === "coil") {
    return [
      { kind: "writeCoil", ...at, value: encoded.on },
      { kind: "writeCoils", ...at, values: [encoded.on] },
    ];
  }
  const { words } = encoded;
  const [only = 0, ...more] = words;
  const several: BusRequest = { kind: "writeRegisters", ...at, values: words };
  return more.length > 0 ? [several] : [{ kind: "writeRegister", ...at, value: only }, several];
}

function isHeld(data: Uint8Array, encoded: Encoded, address: number): boolean {
  return encoded.kind === "coil"
    ? bitOf(data, address, address) === encoded.on
    : Buffer.compare(data, bytesOf(encoded.words)) === 0;
}

function valueText(data: Uint8Array, tag: RegisterTag): string {
  const { table, address } = tag.register;
  const { value }: { value: Value } =
    table === "coil" ? decodeBit(bitOf(data, address, address)) : decodeRegisters(tag, data);
  return value === null ? "no value" : String(value);
}

function failureText(outcome: CommandOutcome): string {
  switch (outcome.kind) {
    case "exception":
      return outcome.certain
        ? `the device refuses with exception ${outcome.exceptionCode}`
        : `exception ${outcome.exceptionCode} came, perhaps for an earlier request: it may have been written all the same`;
    case "silence":
      return "the device does not answer: it may have been written all the same";
    // It may have been asked already.
    case "closed":
      return `${outcome.reason}; it may have been written all the same`;
    case "crowded":
      return outcome.reason;
    default:
      return "the answer is to something else";
  }
}
