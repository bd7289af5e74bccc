/**
 * The feed of events: what happened to the gateway, again on a topic of its own, for whoever wants nothing else. The
 * samples stand among all others as well, so their acknowledgement waits for both.
 */
import type { Clock } from "../../core/clock.ts";
import type { CurrentValues, Message, NumberedSample, UnsyncedCopy } from "../../pipeline.ts";
import type { Topics } from "../topics.ts";
import { idsBy, writeSample } from "./json-payload.ts";
import { entriesOf, payloadOf } from "./packing.ts";

/** The tag of the gateway whose samples are events. */
const EVENTS_ID = "gateway/events";

export interface EventWords {
  readonly topics: Topics;
  /** Template of a value's id. */
  readonly id: string;
  readonly values: CurrentValues;
  readonly clock: Clock;
}

/** One message, or none where no sample is an event. */
export function eventsMessage(
  { topics, values, clock, id }: EventWords,
  session: number,
  samples: readonly (NumberedSample | UnsyncedCopy)[],
): readonly Message[] {
  const events = samples.filter(({ tag }) => tag.id === EVENTS_ID);
  if (events.length === 0) return [];
  const epoch = values.epoch();
  const idOf = idsBy(id);
  const mark = events[0]?.unsynced === true ? ',"clock":"unsynced"' : "";
  const head = `{"timestamp":${clock.wallMs()},"session":${session},"epoch":${epoch}${mark},"values":[`;
  const entries = entriesOf(events, (out, sample) => writeSample(out, idOf(sample.tag), sample, epoch, false));
  return [{ topic: topics.events, payload: payloadOf({ open: head, close: "]}" }, entries), qos: 1, retain: false }];
}
