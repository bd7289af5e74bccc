/** What is known of the time, and by whom: the words in which the clock speaks to tags and outbox. */

/** Who vouches for the time; `unsynced`: nobody. */
export type ClockState = "unsynced" | "holdover" | "ntp" | "rtc" | "host";

/** `waited`: the host's time was taken because nothing better came; what is stamped by it is uncertain. */
export type ClockTrust = "none" | "waited" | "good";

/** Wall minus monotonic time of a kernel boot, whole milliseconds. */
export interface BootOffset {
  readonly offsetMs: number;
  /** Else it is a guess: what it dates is no longer Good. */
  readonly isCertain: boolean;
}

/** What was seen of the time last, in whichever boot. */
export interface LastSeen {
  readonly ms: number;
  readonly boot: string;
  readonly monotonicMs: number;
}

export interface RememberedTime {
  readonly seen: LastSeen | undefined;
  /** By which this boot's undated samples were shown. */
  readonly knownOffsetMs: number | undefined;
  /** By which an earlier process of this boot dated them. */
  readonly fixed: BootOffset | undefined;
}

/** How far the time is known. Its `wallMs()` is the best-known time. */
export interface KnownTime {
  /** Id of the running kernel's boot. */
  readonly boot: string;
  /** Only rises. While it is none, stamps count from the boot. */
  trust(): ClockTrust;
  /** Best-known wall minus monotonic time, whole ms. Stands as long as trust is none. */
  offsetMs(): number;
  /** What the files know, before anything is stamped. */
  remember(past: RememberedTime): void;
}
