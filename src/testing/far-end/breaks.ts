/** One link of the chain at a time breaks and is mended; how long until each consumer knows, and has the right picture. */
import { hostClock, sleep } from "../../core/clock.ts";
import type { BridgedSite, Observer } from "./bridged-site.ts";
import { TAGS } from "./bridged-site.ts";

export interface Break {
  readonly name: string;
  /** What these return is waited for. */
  before?(site: BridgedSite): unknown;
  begin(site: BridgedSite): unknown;
  mend(site: BridgedSite): unknown;
  /** How long it stays broken once everybody knows. */
  readonly holdMs: number;
  /** Who is cut off from the plant by it; absent: everybody. */
  readonly place?: Observer["place"];
  /** Which connection has to be made anew. */
  readonly connection?: "gateway" | "bridge";
  /** What the meter answers meanwhile must arrive later. */
  readonly losesNothing: boolean;
  /** The gateway's own words when it has noticed, one for each uplink. */
  readonly notice?: RegExp;
}

/** What one consumer saw of one break, in ms. */
export interface Seen {
  readonly observer: Observer;
  readonly untilKnownMs: number;
  /** From the repair. */
  readonly untilRightMs: number;
  /** From the moment at which the broker accepted the connection that was made anew. */
  readonly sinceConnackMs?: number;
}

export interface Outcome {
  readonly seen: readonly Seen[];
  /** Until the gateway itself had noticed, on its last uplink. */
  readonly noticedMs?: number;
  /** Everything that must not be, in words. */
  readonly faults: readonly string[];
}

const LEARNING_ANSWERS = 20;

export const BREAKS: readonly Break[] = [
  {
    name: "device dead",
    // Until lengths of replies have been learnt, a read that fails may be one that decides nothing.
    before: ({ pump }) => pump.answers(LEARNING_ANSWERS),
    begin: ({ pump }) => pump.silence("pump", true),
    mend: ({ pump }) => pump.silence("pump", false),
    // A device that is lost is asked every 10 s only.
    holdMs: 0,
    losesNothing: false,
  },
  {
    name: "adapter gone",
    begin: ({ pump }) => pump.adapter.vanish(),
    mend: ({ pump }) => pump.adapter.comeBack(),
    holdMs: 500,
    losesNothing: false,
  },
  {
    name: "bridge cut",
    begin: ({ bridge }) => bridge.refuse(true),
    mend: ({ bridge }) => bridge.refuse(false),
    holdMs: 1_500,
    place: "cloud",
    connection: "bridge",
    losesNothing: true,
  },
  {
    name: "link cut",
    begin: ({ link }) => link.refuse(true),
    mend: ({ link }) => link.refuse(false),
    holdMs: 1_500,
    connection: "gateway",
    losesNothing: true,
  },
  {
    name: "link frozen",
    begin: ({ link }) => link.freeze(),
    mend: ({ link }) => link.thaw(),
    holdMs: 500,
    connection: "gateway",
    losesNothing: true,
    notice: /the link is frozen/g,
  },
  {
    name: "gateway killed",
    begin: (site) => site.killGateway(),
    mend: (site) => site.startGateway(),
    holdMs: 500,
    connection: "gateway",
    losesNothing: false,
  },
];

const LIMIT_MS = 60_000;
const LOOK_MS = 20;
const WATCHED = "pump/r0";
const UPLINKS = 2;

/** @param phase of the pump's scan at which it breaks, 0 to 1 */
export async function breakAndMend(
  site: BridgedSite,
  spec: Break,
  scanRateMs: number,
  phase: number,
): Promise<Outcome> {
  const affected = site.observers.filter(({ place }) => spec.place === undefined || place === spec.place);
  await Promise.all(site.observers.map((observer) => right(site, observer)));
  await spec.before?.(site);
  await sleep(hostClock, Math.round(phase * scanRateMs));
  const faults: string[] = [];
  const logged = countOf(site, spec.notice);

  const brokenAtMs = hostClock.wallMs();
  const told = affected.map((observer) => known(site, observer));
  const [, noticedMs, ...knownMs] = await Promise.all([
    spec.begin(site),
    spec.notice && noticed(site, spec.notice, logged + UPLINKS),
    ...told,
  ]);
  await sleep(hostClock, spec.holdMs);
  for (const { consumer, place, format } of affected) {
    if (isGood(consumer)) faults.push(`${spec.name}: believed again before the repair: ${format} in the ${place}`);
  }

  const mendedAtMs = hostClock.wallMs();
  const [, ...rightMs] = await Promise.all([spec.mend(site), ...affected.map((observer) => right(site, observer))]);
  const seen = affected.map((observer, i): Seen => {
    const rightAtMs = rightMs[i] ?? Number.POSITIVE_INFINITY;
    const connackMs = spec.connection && site.acceptedAfter(observer, mendedAtMs, spec.connection);
    return {
      observer,
      untilKnownMs: (knownMs[i] ?? Number.POSITIVE_INFINITY) - brokenAtMs,
      untilRightMs: rightAtMs - mendedAtMs,
      ...(connackMs !== undefined && { sinceConnackMs: rightAtMs - connackMs }),
    };
  });
  if (spec.losesNothing) faults.push(...(await missing(site, brokenAtMs, mendedAtMs)).map((w) => `${spec.name}: ${w}`));
  return { seen, faults, ...(noticedMs !== undefined && { noticedMs: noticedMs - brokenAtMs }) };
}

function isGood(consumer: Observer["consumer"]): boolean {
  return consumer.belief(WATCHED).isGood;
}

/** The moment at which the consumer does not believe the pump any more. */
async function known(site: BridgedSite, { consumer }: Observer): Promise<number> {
  const unbelieved = () => !consumer.belief(WATCHED).isGood;
  await consumer.until("the break is known", unbelieved, LIMIT_MS, () => site.log());
  return hostClock.wallMs();
}

/** The moment at which it believes all tags, with values that were read after now. */
async function right(site: BridgedSite, { consumer }: Observer): Promise<number> {
  const served = site.served();
  const isRight = () =>
    TAGS.every((id) => {
      const { isGood, shown } = consumer.belief(id);
      return isGood && Number(shown?.value) > (served.get(id)?.count ?? 0);
    });
  const seen = () => `${TAGS.map((id) => consumer.belief(id).reason)} ${site.log()}`;
  await consumer.until("the picture is right", isRight, LIMIT_MS, seen);
  return hostClock.wallMs();
}

async function noticed(site: BridgedSite, notice: RegExp, times: number): Promise<number> {
  const untilMs = hostClock.monotonicMs() + LIMIT_MS;
  while (countOf(site, notice) < times) {
    if (hostClock.monotonicMs() > untilMs) throw new Error(`the gateway did not notice: ${site.log()}`);
    await sleep(hostClock, LOOK_MS);
  }
  return hostClock.wallMs();
}

function countOf(site: BridgedSite, words: RegExp | undefined): number {
  return words === undefined ? 0 : [...site.log().matchAll(words)].length;
}

/** What was answered meanwhile and does not arrive anywhere where it should. */
async function missing(site: BridgedSite, fromMs: number, toMs: number): Promise<readonly string[]> {
  const lost = () =>
    site.observers.flatMap(({ place, format, book }) =>
      [...site.meter.served].flatMap(([device, replies]) => {
        const counts = book.missing(`${device}/r0`, replies, fromMs, toMs);
        return counts.map((count) => `${device} ${count} never arrived by ${format} in the ${place}`);
      }),
    );
  const untilMs = hostClock.monotonicMs() + LIMIT_MS;
  while (lost().length > 0 && hostClock.monotonicMs() < untilMs) await sleep(hostClock, LOOK_MS);
  return lost();
}
