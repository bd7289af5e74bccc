/**
 * What one seed stands for, as plain data: a site, its load, and what goes wrong when. A plan can be printed, kept and
 * cut down; the run takes everything from it and draws nothing else.
 *
 *     seed ──draw──► Plan ──simulate──► Story, Breach? ──shrink──► the smallest plan that still breaks
 */
import type { RegisterTable, RegisterType } from "../../config/config.ts";
import type { Priority } from "../../core/tag.ts";
import type { OutboxLimits } from "../../store/outbox-limits.ts";
import type { Damage } from "../simulated-disk.ts";

export interface Plan {
  readonly seed: number;
  readonly site: SitePlan;
  readonly brokers: readonly BrokerPlan[];
  readonly faults: readonly Fault[];
  /** Nothing goes wrong any more from here on. */
  readonly calmFromMs: number;
}

export interface SitePlan {
  readonly lines: readonly LinePlan[];
  readonly inputs: readonly InputPlan[];
  readonly uplinks: readonly UplinkPlan[];
  readonly outbox: {
    readonly commitIntervalMs: number;
    readonly outageCommitIntervalMs: number;
    readonly maxSizeBytes: number;
    readonly maxAgeMs: number;
    readonly limits: Partial<OutboxLimits>;
  };
  /** Absent: the host's time is good. */
  readonly board?: BoardPlan;
}

/** `clock.source: auto`, on a board that does not know the time when it boots. */
export interface BoardPlan {
  readonly waitAtMostMs: number;
  /** It is certainly later, says the card. UTC ms. */
  readonly notBeforeMs: number;
  /** One after the other, and again from the first. */
  readonly boots: readonly BootPlan[];
}

export interface BootPlan {
  /** What the board takes for the time, less what it is. */
  readonly offMs: number;
  /** From the boot until the time service vouches for the time. */
  readonly goodAfterMs: number | "never";
}

export interface LinePlan {
  readonly name: string;
  readonly baudRate: number;
  readonly responseTimeoutMs: number;
  readonly devices: readonly DevicePlan[];
}

export interface DevicePlan {
  readonly name: string;
  readonly unitId: number;
  readonly retries: number;
  readonly lostAfter: number;
  /** From request to reply while all is well. */
  readonly answersAfterMs: number;
  readonly tags: readonly TagPlan[];
}

export interface TagPlan {
  readonly name: string;
  readonly table: RegisterTable;
  readonly address: number;
  readonly type: RegisterType;
  readonly scanRateMs: number;
  readonly deadband: number;
  readonly priority: Priority;
  readonly staleMs: number;
  readonly maxIntervalMs: number;
  readonly scale?: number;
}

export interface InputPlan {
  readonly name: string;
  /** Line of the only chip. */
  readonly pin: number;
  readonly activeLow: boolean;
  readonly debounceMs: number;
  readonly scanRateMs: number;
  readonly counts: boolean;
  /** The level changes about this often. */
  readonly changesEveryMs: number;
}

export interface UplinkPlan {
  readonly name: string;
  /** Indices of brokers, tried in turn. */
  readonly brokers: readonly number[];
  readonly keepAliveMs: number;
  readonly spreadMs: number;
  readonly maxMs: number;
  readonly historyRateBytesPerS: number;
  readonly history: boolean;
  readonly startAt: "now" | "oldest";
  /** Absent: JSON. */
  readonly sparkplug?: SparkplugPlan;
}

export interface SparkplugPlan {
  readonly aliases: boolean;
  readonly datatypeInData: boolean;
  readonly barrier: "ping" | "publish";
  /** It waits for a host that is now here, now away. */
  readonly hasPrimaryHost: boolean;
}

export interface BrokerPlan {
  readonly latencyMs: number;
  readonly bytesPerS: number;
  readonly ackDelayMs: number;
  readonly kernelBufferBytes: number;
}

export type DeviceTrouble =
  | { readonly how: "silent" }
  | { readonly how: "slow"; readonly delayMs: number }
  /** After responseTimeout, within maxLate. */
  | { readonly how: "late"; readonly delayMs: number }
  | { readonly how: "twice"; readonly afterMs: number }
  | { readonly how: "wrong unit"; readonly unitId: number }
  | { readonly how: "cut short" }
  | { readonly how: "a bit flipped" }
  | { readonly how: "noise before" }
  | { readonly how: "echo" }
  | { readonly how: "exception"; readonly exceptionCode: number };

/** A changed gateway.yaml. */
export type Change =
  | { readonly what: "add uplink"; readonly uplink: UplinkPlan }
  | { readonly what: "remove uplink"; readonly name: string }
  /** One that was removed comes back and goes on where it was. */
  | { readonly what: "bring back uplink"; readonly uplink: UplinkPlan }
  | { readonly what: "rename uplink"; readonly name: string; readonly to: string }
  | { readonly what: "move uplink"; readonly name: string; readonly brokers: readonly number[] }
  | { readonly what: "remove device"; readonly name: string }
  | { readonly what: "rename device"; readonly name: string; readonly to: string }
  | { readonly what: "remove tag"; readonly device: string; readonly name: string }
  | { readonly what: "change priority"; readonly device: string; readonly name: string; readonly to: Priority };

export type Trouble =
  /** `share` of the requests meet it. */
  | { readonly kind: "device"; readonly device: string; readonly share: number; readonly trouble: DeviceTrouble }
  | { readonly kind: "adapter gone"; readonly line: string }
  /** Unheard: nobody is told, the next look finds it. */
  | { readonly kind: "pin gone"; readonly pin: number; readonly unheard: boolean }
  /** Its level changes without an edge, as by pulses that the kernel missed. */
  | { readonly kind: "pin deaf"; readonly pin: number }
  | { readonly kind: "pin chatters"; readonly pin: number }
  | { readonly kind: "broker gone"; readonly broker: number }
  | { readonly kind: "broker frozen"; readonly broker: number }
  /** It starts anew with nothing retained. */
  | { readonly kind: "broker forgets"; readonly broker: number }
  | { readonly kind: "connections cut"; readonly broker: number }
  /** Every connection is cut again and again, however far it has come. */
  | { readonly kind: "flapping"; readonly broker: number; readonly everyMs: number }
  /** The link breaks amid a message, again and again: it is reset, or it hangs for a while and goes on. */
  | {
      readonly kind: "breaks at a byte";
      readonly broker: number;
      readonly everyBytes: number;
      readonly hangsMs: number;
    }
  /** Connections hold, and what Sparkplug nodes publish is silently thrown away. */
  | { readonly kind: "not routed"; readonly broker: number }
  /** The primary host has died; its broker notices after a while, and its STATE says so. */
  | { readonly kind: "host away"; readonly broker: number; readonly silentMs: number }
  /** A Sparkplug host asks for births, so many times in a row. */
  | { readonly kind: "rebirth"; readonly uplink: string; readonly times: number; readonly everyMs: number }
  | { readonly kind: "slow to acknowledge"; readonly broker: number; readonly delayMs: number }
  | { readonly kind: "slow link"; readonly broker: number; readonly bytesPerS: number }
  | { readonly kind: "taken over"; readonly uplink: string }
  | { readonly kind: "clock step"; readonly byMs: number }
  | { readonly kind: "disk full" }
  | { readonly kind: "disk failing" }
  | { readonly kind: "disk slow"; readonly delayMs: number }
  /** After so many calls and statements of the store, or at once where there are not so many. */
  | { readonly kind: "power cut"; readonly points: number }
  /** A power cut, after which the file is not what it was. */
  | {
      readonly kind: "file damaged";
      readonly file: "outbox.db" | "state.db";
      readonly damage: Damage;
    }
  | { readonly kind: "restart" }
  /** Live: taken over by the running gateway, else by a stop and a start. */
  | { readonly kind: "reload"; readonly change: Change; readonly live: boolean };

/** What happens to brokers, and to the way to them. */
export type BrokerTrouble = Extract<Trouble, { broker: number }>;

/** What is over in the moment it happens, or when the next life begins. */
export type EndsByItself = Extract<
  Trouble,
  {
    kind:
      | "broker forgets"
      | "connections cut"
      | "taken over"
      | "rebirth"
      | "clock step"
      | "power cut"
      | "file damaged"
      | "restart"
      | "reload";
  }
>;

export interface Fault {
  /** Also the seed of its own chance, so that leaving one out changes no other. */
  readonly id: number;
  readonly atMs: number;
  /** 0 for what happens in a moment. The time without power of a power cut, a restart, a reload. */
  readonly forMs: number;
  readonly trouble: Trouble;
}
