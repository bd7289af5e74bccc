import type { Reading } from "../../pipeline.ts";
import type { PollRead } from "./poll-plan.ts";
import { decodeBit, decodeRegisters } from "./register-codec.ts";
import { bitOf, isBitTable, quantityOf, registerBytes } from "./register-map.ts";

/** What one reply says about each tag of its read. */
export function readingsOf(read: PollRead, data: Uint8Array): readonly Reading[] {
  return read.tags.map((tag) => {
    const { address } = tag.register;
    if (isBitTable(read.table)) return { tag, ...decodeBit(bitOf(data, read.address, address)) };
    const bytes = registerBytes(data, read.address, address, quantityOf(tag.register));
    const scale = tag.scaleFrom && registerBytes(data, read.address, tag.scaleFrom.address, 1);
    return { tag, ...decodeRegisters(tag, bytes, scale) };
  });
}
