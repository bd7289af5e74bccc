/** Puts a request on the wire, by modbus-serial's PDUs where it has them. */
import { type BusRequest, FUNCTION_CODES } from "./bus-request.ts";
import { CRC_BYTES, crc16 } from "./crc16.ts";
import { MEI_IDENTIFICATION } from "./expectation.ts";
import type { ModbusPort } from "./modbus-port.ts";
import { functionCodeOf } from "./register-map.ts";

/** Called with what was wrong with the frame, or nothing. */
export type Done = (thrown: unknown) => void;

type WriteRead = (unitId: number, address: number, quantity: number, done: Done) => void;

/** What modbus-serial is to the bus. */
export interface PduWriter {
  readonly writeFC1: WriteRead;
  readonly writeFC2: WriteRead;
  readonly writeFC3: WriteRead;
  readonly writeFC4: WriteRead;
  writeFC5(unitId: number, address: number, value: boolean, done: Done): void;
  writeFC6(unitId: number, address: number, value: number, done: Done): void;
  writeFC15(unitId: number, address: number, values: boolean[], done: Done): void;
  writeFC16(unitId: number, address: number, values: number[], done: Done): void;
  writeFC22(unitId: number, address: number, andMask: number, orMask: number, done: Done): void;
  writeFC23(
    unitId: number,
    readAddress: number,
    quantity: number,
    address: number,
    count: number,
    values: number[],
    done: Done,
  ): void;
}

const READ_METHODS = { 1: "writeFC1", 2: "writeFC2", 3: "writeFC3", 4: "writeFC4" } as const;

/** Writes the request to the port, once. `done` is told of an exception, and of a frame that modbus-serial refuses. */
export function writeRequest(client: PduWriter, port: ModbusPort, request: BusRequest, done: Done): void {
  const { unitId } = request;
  switch (request.kind) {
    case "read":
      client[READ_METHODS[functionCodeOf(request.table)]](unitId, request.address, request.quantity, done);
      break;
    case "writeCoil":
      client.writeFC5(unitId, request.address, request.value, done);
      break;
    case "writeRegister":
      client.writeFC6(unitId, request.address, request.value, done);
      break;
    case "writeCoils":
      client.writeFC15(unitId, request.address, [...request.values], done);
      break;
    case "writeRegisters":
      client.writeFC16(unitId, request.address, [...request.values], done);
      break;
    case "maskRegister":
      client.writeFC22(unitId, request.address, request.andMask, request.orMask, done);
      break;
    case "writeThenRead": {
      const { readAddress, quantity, address, values } = request;
      client.writeFC23(unitId, readAddress, quantity, address, values.length, [...values], done);
      break;
    }
    // modbus-serial cuts the first of these answers down, and to the second one asks on by itself.
    case "serverId":
      writeOwn(port, [unitId, FUNCTION_CODES.serverId]);
      break;
    case "identification": {
      const { code, objectId } = request;
      writeOwn(port, [unitId, FUNCTION_CODES.identification, MEI_IDENTIFICATION, code, objectId]);
      break;
    }
  }
}

function writeOwn(port: ModbusPort, bytes: readonly number[]): void {
  const frame = new Uint8Array(bytes.length + CRC_BYTES);
  frame.set(bytes);
  const crc = crc16(frame.subarray(0, bytes.length));
  frame.set([crc & 0xff, crc >> 8], bytes.length);
  port.write(frame);
}
