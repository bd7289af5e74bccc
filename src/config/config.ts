/**
 * The configuration as the gateway uses it: checked, frozen, every default filled in, every unit in the name.
 * Types only. What a key means stands in the design of gateway.yaml; load.ts makes this from a file.
 */
import type { Tag } from "../core/tag.ts";

export interface Config {
  /** The file it came from; relative paths in it were resolved against its folder. */
  readonly file: string;
  readonly gateway: { readonly group: string; readonly name: string };
  readonly uplinks: readonly UplinkConfig[];
  readonly lines: readonly LineConfig[];
  readonly inputs: readonly InputConfig[];
  readonly outbox: OutboxConfig;
  readonly clock: { readonly source: "auto" | "host"; readonly waitAtMostMs: number };
  /** Absent: nothing remote can write. */
  readonly commands?: { readonly authorizedKeys: readonly AuthorizedKey[] };
}

/** A key by which remote writes are signed. The file was read with the configuration. */
export interface AuthorizedKey {
  readonly file: string;
  readonly id: string;
  /** The 32 bytes of an Ed25519 public key, base64url. */
  readonly publicKey: string;
  /** `device/tag`, or `device/*`; absent: all tags that are writable. */
  readonly tags?: readonly string[];
}

export interface Login {
  readonly username: string;
  readonly passwordFile: string;
}

export interface UplinkConfig {
  readonly name: string;
  /** mqtts: or wss: URLs, tried in turn. */
  readonly servers: readonly string[];
  readonly format: "json" | "sparkplug" | "kepware" | "aws-iot" | "azure-iot-hub";
  readonly node: { readonly group: string; readonly name: string };
  readonly primaryHost?: string;
  readonly clientId: string;
  readonly mqttVersion: "auto" | "5" | "3.1.1";
  /** Absolute paths. The files are read anew for each connect: a connection that stands goes on with the old ones. */
  readonly tls: {
    readonly ca?: string;
    readonly certificate?: string;
    readonly key?: string;
    readonly serverName?: string;
    readonly alpn?: readonly string[];
    readonly crl?: string;
  };
  readonly login?: Login;
  readonly proxy?: { readonly url: string; readonly login?: Login };
  readonly keepAliveMs: number;
  readonly reconnect: { readonly spreadMs: number; readonly maxMs: number };
  readonly startAt: "now" | "oldest";
  /** rateBytesPerS Infinity: unlimited. enabled false: no history is sent, it is declared as lost. */
  readonly history: {
    readonly enabled: boolean;
    readonly maxAgeMs: number;
    readonly maxSizeBytes: number;
    readonly rateBytesPerS: number;
  };
  readonly sparkplug: {
    readonly aliases: boolean;
    readonly datatypeInData: boolean;
    readonly barrier: "ping" | "publish";
  };
  /** Topic prefix of the JSON formats, without a trailing slash. */
  readonly topic: string;
  /** Template of a value's id: `{device}` and `{tag}`. */
  readonly id: string;
}

export type Parity = "none" | "even" | "odd";

export interface SerialSettings {
  readonly baudRate: number;
  readonly dataBits: 7 | 8;
  readonly parity: Parity;
  readonly stopBits: 1 | 2;
}

export interface LineConfig {
  /** The board's label for the connector, or any name where a path is given. */
  readonly name: string;
  readonly path: string;
  readonly serial: SerialSettings;
  readonly rs485: "auto" | "rts" | "none";
  readonly responseTimeoutMs: number;
  readonly turnaroundDelayMs: number;
  readonly devices: readonly DeviceConfig[];
}

/** The four Modbus tables. Coils and discrete inputs are bits, the others 16-bit registers. */
export type RegisterTable = "coil" | "discreteInput" | "inputRegister" | "holdingRegister";

export type RegisterType =
  | "bool"
  | "int16"
  | "int32"
  | "int64"
  | "uint16"
  | "uint32"
  | "uint64"
  | "float32"
  | "float64"
  | "string"
  | "bcd16"
  | "bcd32";

/** ABCD as the standard says; BADC bytes swapped in each word; CDAB words reversed; DCBA both. Any length. */
export type ByteOrder = "ABCD" | "BADC" | "CDAB" | "DCBA";

/** Registers `from` to `to` of a table, 0-based, both inclusive. */
export interface RegisterRange {
  readonly table: RegisterTable;
  readonly from: number;
  readonly to: number;
}

export interface DeviceConfig {
  readonly name: string;
  /** 1–247. */
  readonly unitId: number;
  readonly enabled: boolean;
  readonly retries: number;
  /** Failed reads in a row, with no good one between, after which the device is lost. */
  readonly lostAfter: number;
  /** Registers worth reading through; absent: from the baud rate. */
  readonly maxGap?: number;
  readonly maxQuantity: number;
  readonly unreadable: readonly RegisterRange[];
  readonly maxLateMs: number;
  readonly tags: readonly RegisterTag[];
}

/** A tag and where its value is held. */
export interface RegisterTag extends Tag {
  readonly register: {
    readonly table: RegisterTable;
    /** 0-based, as on the wire. */
    readonly address: number;
    readonly type: RegisterType;
    /** Bytes of a string, even; absent for other types. */
    readonly lengthBytes?: number;
    readonly byteOrder: ByteOrder;
    /** Bit of the register, 0 the least; the value is then a bool. */
    readonly bit?: number;
  };
  /** value = raw × scale + offset; absent: 1 and 0. */
  readonly scale?: number;
  readonly offset?: number;
  /** A register that holds the decimal exponent of the scale, as in SunSpec. */
  readonly scaleFrom?: { readonly table: RegisterTable; readonly address: number };
  /** The device shows the tag's registers only while this holding register has that value: it is written before each read. */
  readonly writeFirst?: { readonly address: number; readonly value: number };
  /** The raw value by which the device says that it has none; for 64 bits exact. */
  readonly notAvailable?: number | bigint;
  /** The last of such values, where a device has a range of them; absent: there is only the one. */
  readonly notAvailableTo?: number | bigint;
  /** Limits of a remote write, engineering units. */
  readonly writeLimits?: { readonly min?: number; readonly max?: number };
  readonly unsigned: boolean;
}

export interface InputConfig extends Tag {
  /** As the kernel names it; a label of gateway.yaml was looked up in the board's file. */
  readonly pin: {
    readonly chip: string;
    readonly line: number;
    /** The resistor inside the chip; absent: as it is. */
    readonly bias?: "pull-up" | "pull-down" | "disabled";
  };
  readonly activeLow: boolean;
  readonly debounceMs: number;
  /** Absent: the level itself. */
  readonly counter?: { readonly edge: "rising" | "falling" | "both"; readonly start: number; readonly scale: number };
}

export interface OutboxConfig {
  /** Absolute, or relative to the state directory. */
  readonly path: string;
  readonly maxSizeBytes: number;
  /** Of the gateway's running time: while it is switched off nothing ages, and no step of the clock makes old. */
  readonly maxAgeMs: number;
  /** 0: committed before any uplink may send. */
  readonly commitIntervalMs: number;
  /** Holds while stored samples wait for a configured uplink. 0: committed as they come. */
  readonly outageCommitIntervalMs: number;
  /** Kept free on the partition; absent: a default that depends on its size. */
  readonly reserveBytes?: number;
}
