import type { Facts } from "./block-store.ts";
import { Dictionary } from "./dictionary.ts";
import { FACT, savedOutbox } from "./saved-facts.ts";
import { SqliteBlockStore } from "./sqlite-block-store.ts";

const WAL_BYTES = 1_048_576;

/**
 * Drops what an uplink still waits for that was configured no more when the gateway last ran. Nobody may work on the
 * file. The samples go with the first commit of the next start.
 *
 * @returns why not, or undefined when it is done
 * @throws StorageFailure
 */
export function forgetUplink(path: string, name: string, nowMs: number): string | undefined {
  const store = new SqliteBlockStore();
  try {
    const { facts, tags } = store.open({ path, nowMs, walBytes: WAL_BYTES });
    const { uplinks, losses } = savedOutbox(facts, new Dictionary(tags));
    if (!uplinks.has(name)) return `nothing is kept for an uplink ${name}`;
    if (uplinks.get(name)?.parkedRunMs === undefined) {
      return `${name} was configured when the gateway last ran; remove it from gateway.yaml, start the gateway, and ask again`;
    }
    const gone: Facts = [
      [FACT.uplink(name), null],
      ...(losses.get(name) ?? []).map(({ id }): [string, null] => [FACT.loss(name, id), null]),
    ];
    store.commit({ blocks: [], tags: [], facts: gone, released: [], dropped: [], forgotten: [], ages: [] });
    return undefined;
  } finally {
    store.close();
  }
}
