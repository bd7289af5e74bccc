import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { tagOf } from "../testing/settable-values.ts";
import {
  accrue,
  afterAck,
  afterSending,
  beginCut,
  endCut,
  FLIGHT_MESSAGES_MAX,
  type Flow,
  type FlowView,
  HISTORY_AT_LEAST_EVERY_MS,
  historyGate,
  historyRange,
  historySentTo,
  type Kind,
  LIVE_LAG_MIN_MS,
  LIVE_QUEUE_MAX_MS,
  LIVE_QUEUE_MIN_BYTES,
  LIVE_WINDOW_MAX,
  type Load,
  lags,
  liveRange,
  liveSentTo,
  MEASURE_EVERY_MS,
  MEASURING_MESSAGE_BYTES,
  MESSAGES_IN_FLIGHT_MAX,
  startFlow,
  withoutLooseEnd,
} from "./flow.ts";
import {
  HISTORY_MESSAGE_MAX_BYTES,
  HISTORY_MESSAGE_MIN_BYTES,
  HISTORY_WINDOW_MAX,
  type Pace,
  paceAfterAck,
} from "./pace.ts";

const UNLIMITED = Number.POSITIVE_INFINITY;
const idle: FlowView = {
  nowMs: 0,
  newest: 0,
  inFlight: 0,
  socketBytes: 0,
  upkeepDue: false,
  historyRateBytesPerS: UNLIMITED,
};

/** One message of so many bytes. */
function one(bytes: number): Load {
  return { bytes, messages: 1 };
}

/** A flow after its first snapshot. */
function flowAt(cut: number, changes: Partial<Flow> = {}): Flow {
  return { ...endCut(startFlow(0), cut, 0), ...changes };
}

function sampleTakenIn(takenInMs?: number) {
  const sample = { tag: tagOf("a", "b"), value: 1, status: "Good", sourceTimestampMs: 1, epoch: 1, number: 1 } as const;
  return takenInMs === undefined ? sample : { ...sample, takenInMs };
}

describe("live and history", () => {
  test("P3: before the first snapshot nothing is live", () => {
    assert.equal(liveRange(startFlow(0), { ...idle, newest: 100, nowMs: 0 }), undefined);
  });

  test("P3: what is numbered above the cut is live, the rest is history", () => {
    const flow = flowAt(10);
    assert.deepEqual(liveRange(flow, { ...idle, newest: 12, nowMs: 0 }), { from: 11, to: 12 });
    assert.deepEqual(historyRange(flow, Number.POSITIVE_INFINITY), { from: 1, to: 10 });
  });

  test("what was sent is not sent again in the session", () => {
    const flow = historySentTo(liveSentTo(flowAt(10), 12), 10);
    assert.equal(liveRange(flow, { ...idle, newest: 12, nowMs: 0 }), undefined);
    assert.equal(historyRange(flow, Number.POSITIVE_INFINITY), undefined);
  });

  test("P3: what waited through a new cut is history", () => {
    const flow = endCut(beginCut(liveSentTo(historySentTo(flowAt(10), 10), 12)), 50, 100);
    assert.deepEqual(historyRange(flow, Number.POSITIVE_INFINITY), { from: 11, to: 50 });
    assert.deepEqual(liveRange(flow, { ...idle, newest: 51, nowMs: 0 }), { from: 51, to: 51 });
  });

  test("P3: live values wait while a new snapshot is on its way", () => {
    assert.equal(liveRange(beginCut(flowAt(10)), { ...idle, newest: 12, nowMs: 0 }), undefined);
  });

  test("P3: a value first sent more than 5 s after being taken in is not live", () => {
    const flow = flowAt(0);
    assert.equal(lags(flow, sampleTakenIn(0), LIVE_LAG_MIN_MS), false);
    assert.equal(lags(flow, sampleTakenIn(0), LIVE_LAG_MIN_MS + 1), true);
    assert.equal(lags(flow, sampleTakenIn(), 0), true);
  });

  test("P3: on a link where a snapshot takes long, live may lag twice as long", () => {
    const flow = endCut(startFlow(0), 0, 30_000);
    assert.equal(lags(flow, sampleTakenIn(0), 60_000), false);
    assert.equal(lags(flow, sampleTakenIn(0), 60_001), true);
  });

  test("P7: live leaves part of the window to history", () => {
    let flow = flowAt(10);
    for (let i = 0; i < LIVE_WINDOW_MAX; i++) flow = afterSending(flow, "live", one(100), 0);
    assert.equal(liveRange(flow, { ...idle, newest: 12, nowMs: 0 }), undefined);
    assert.ok(LIVE_WINDOW_MAX < MESSAGES_IN_FLIGHT_MAX && HISTORY_WINDOW_MAX < MESSAGES_IN_FLIGHT_MAX);
  });

  test("P7: nothing goes out where events would find no room beside it", () => {
    const view = { ...idle, newest: 12, inFlight: MESSAGES_IN_FLIGHT_MAX - FLIGHT_MESSAGES_MAX };
    const full = { ...view, inFlight: view.inFlight + 1 };
    assert.deepEqual(liveRange(flowAt(10), view), { from: 11, to: 12 });
    assert.equal(historyGate(flowAt(10), view).open, true);
    assert.equal(liveRange(flowAt(10), full), undefined);
    assert.equal(historyGate(flowAt(10), full).open, false);
  });

  test("P3: live values wait when those on their way are late: more would only queue", () => {
    const flow = afterSending(flowAt(10), "live", one(LIVE_QUEUE_MIN_BYTES), 0);
    assert.deepEqual(liveRange(flow, { ...idle, newest: 12, nowMs: LIVE_QUEUE_MAX_MS }), { from: 11, to: 12 });
    assert.equal(liveRange(flow, { ...idle, newest: 12, nowMs: LIVE_QUEUE_MAX_MS + 1 }), undefined);
    const ack = { ackMs: 9_000, bytes: LIVE_QUEUE_MIN_BYTES, queuedBytes: 9_999, historyBytes: 0 };
    assert.deepEqual(liveRange(afterAck(flow, "live", ack, 1), { ...idle, newest: 12, nowMs: 9_000 }), {
      from: 11,
      to: 12,
    });
  });

  test("P6: a few live values go out behind a message of history, however long that takes", () => {
    const flow = afterSending(flowAt(10), "live", one(LIVE_QUEUE_MIN_BYTES - 1), 0);
    assert.deepEqual(liveRange(flow, { ...idle, newest: 12, nowMs: 60_000 }), { from: 11, to: 12 });
  });

  test("a read before a jump at the end of a batch waits for the jump", () => {
    const jump = sampleTakenIn(0);
    const batch = { covers: { from: 1, to: 9 }, samples: [jump, { ...jump, number: 2, readBefore: true as const }] };
    assert.deepEqual(withoutLooseEnd(batch), { covers: { from: 1, to: 1 }, samples: [jump] });
  });
});

describe("the gate of history", () => {
  test("P6: is shut while the socket has unsent bytes, live values are blocked or upkeep waits", () => {
    const blocked = flowAt(10, { messages: { live: LIVE_WINDOW_MAX, history: 0, upkeep: 0 } });
    assert.equal(historyGate(flowAt(10), idle).open, true);
    assert.equal(historyGate(flowAt(10), { ...idle, socketBytes: 1 }).open, false);
    assert.equal(historyGate(flowAt(10), { ...idle, upkeepDue: true }).open, false);
    assert.equal(historyGate(blocked, { ...idle, newest: 11 }).open, false);
    assert.equal(historyGate(beginCut(flowAt(10)), idle).open, false);
  });

  test("P6: on a link that one small message fills, the next waits until live values behind the last have gone", () => {
    const live = afterSending(flowAt(10), "live", one(200), 0);
    assert.equal(historyGate(live, idle).open, false);
    assert.equal(historyGate(live, { ...idle, nowMs: HISTORY_AT_LEAST_EVERY_MS }).open, true);
    const pace = { ...live.pace, budgetBytes: 2 * HISTORY_MESSAGE_MIN_BYTES };
    assert.equal(historyGate({ ...live, pace }, idle).open, true);
    const ack = { ackMs: 40, bytes: 200, queuedBytes: 200, historyBytes: 0 };
    assert.equal(historyGate(afterAck(live, "live", ack, 1), idle).open, true);
  });

  test("P6: opens once a second for the smallest message, however busy live values keep the link", () => {
    const busy: FlowView = { ...idle, socketBytes: 1e6, newest: 99 };
    assert.deepEqual(historyGate(flowAt(10), busy), { open: false, untilMs: HISTORY_AT_LEAST_EVERY_MS });
    assert.deepEqual(historyGate(flowAt(10), { ...busy, nowMs: HISTORY_AT_LEAST_EVERY_MS }), {
      open: true,
      maxBytes: HISTORY_MESSAGE_MIN_BYTES,
    });
  });

  test("P6: what finds the link empty is small enough to measure it, once in a while", () => {
    const view = { ...idle, nowMs: 0, newest: 0 };
    const flow = startFlow(0);
    const cut = endCut(flow, 100, 0);
    assert.deepEqual(historyGate(cut, view), { open: true, maxBytes: MEASURING_MESSAGE_BYTES });
    const sent = afterSending(cut, "history", one(MEASURING_MESSAGE_BYTES), 0);
    const ack = { ackMs: 600, bytes: MEASURING_MESSAGE_BYTES, queuedBytes: MEASURING_MESSAGE_BYTES, historyBytes: 0 };
    const measured = afterAck(sent, "history", ack, 1);
    assert.deepEqual(measured.pace.roundTripsMs, [600]);
    assert.deepEqual(historyGate(measured, { ...view, nowMs: 600 }), {
      open: true,
      maxBytes: HISTORY_MESSAGE_MIN_BYTES,
    });
    assert.deepEqual(historyGate(measured, { ...view, nowMs: MEASURE_EVERY_MS }), {
      open: true,
      maxBytes: MEASURING_MESSAGE_BYTES,
    });
  });

  test("P6: that one message is not followed by another before it is acknowledged", () => {
    const flow = afterSending(flowAt(10), "history", one(4_000), 1_000);
    assert.equal(historyGate(flow, { ...idle, socketBytes: 1, nowMs: 60_000 }).open, false);
  });

  test("a configured rate is kept, with at most a second's worth saved", () => {
    const rate = 8_000;
    const limited = { ...idle, historyRateBytesPerS: rate };
    let flow = accrue(flowAt(10), rate, 3_600_000);
    assert.equal(flow.creditBytes, rate);
    flow = afterSending(flow, "history", one(12_000), 3_600_000);
    assert.deepEqual(historyGate(flow, { ...limited, nowMs: 3_600_000 }), { open: false, untilMs: 3_600_500 });
    assert.equal(accrue(flow, rate, 3_600_500).creditBytes, 0);
  });
});

/** A link that carries bytes one after the other, as the far side of the pace. */
function onLink(bytesPerS: number, roundTripMs: number, messages: number) {
  let pace: Pace = { budgetBytes: HISTORY_MESSAGE_MIN_BYTES, roundTripsMs: [roundTripMs] };
  let worstQueueMs = 0;
  for (let i = 0; i < messages; i++) {
    const queuedBytes = Math.max(HISTORY_MESSAGE_MIN_BYTES, pace.budgetBytes);
    const queueMs = (queuedBytes / bytesPerS) * 1000;
    worstQueueMs = Math.max(worstQueueMs, queueMs);
    const bytes = Math.min(HISTORY_MESSAGE_MAX_BYTES, Math.max(HISTORY_MESSAGE_MIN_BYTES, queuedBytes / 4));
    pace = paceAfterAck(pace, { ackMs: roundTripMs + queueMs, bytes, queuedBytes, historyBytes: queuedBytes });
  }
  return { pace, worstQueueMs };
}

describe("the pace of history", () => {
  test("P6: on any link the queue before a live value stays below 250 ms or one message of 4 kB", () => {
    const link = fc.record({
      bytesPerS: fc.integer({ min: 1_000, max: 100_000_000 }),
      roundTripMs: fc.integer({ min: 1, max: 2_000 }),
    });
    fc.assert(
      fc.property(link, ({ bytesPerS, roundTripMs }) => {
        const { worstQueueMs } = onLink(bytesPerS, roundTripMs, 2_000);
        assert.ok(
          worstQueueMs <= Math.max(250, (HISTORY_MESSAGE_MIN_BYTES / bytesPerS) * 1000 + 1e-6),
          `${worstQueueMs}`,
        );
      }),
    );
  });

  test("P6: a fast link is used: history grows to what it carries", () => {
    const { pace } = onLink(1_250_000, 40, 2_000);
    assert.ok(pace.budgetBytes > 150_000, `${pace.budgetBytes}`);
    assert.equal(onLink(100_000_000, 1, 5_000).pace.budgetBytes, HISTORY_MESSAGE_MAX_BYTES * HISTORY_WINDOW_MAX);
  });

  test("P6: a link that turns slow is noticed with the first acknowledgement and given half", () => {
    const { pace } = onLink(1_250_000, 40, 2_000);
    const late = paceAfterAck(pace, { ackMs: 4_000, bytes: 30_000, queuedBytes: 150_000, historyBytes: 150_000 });
    assert.equal(late.budgetBytes, pace.budgetBytes / 2);
  });

  test("a live value that is late behind history slows history down, one on an empty link does not", () => {
    const pace: Pace = { budgetBytes: 100_000, roundTripsMs: [40] };
    const ack = { ackMs: 900, bytes: 200, queuedBytes: 100_200, historyBytes: 100_000 };
    assert.equal(paceAfterAck(pace, ack).budgetBytes, 50_000);
    assert.equal(paceAfterAck(pace, { ...ack, historyBytes: 0 }).budgetBytes, 100_000);
  });

  test("a small message alone on the link measures its round trip; the least of the last two counts", () => {
    let pace: Pace = { budgetBytes: HISTORY_MESSAGE_MIN_BYTES, roundTripsMs: [] };
    for (const ackMs of [10, 50, 60])
      pace = paceAfterAck(pace, { ackMs, bytes: 200, queuedBytes: 200, historyBytes: 0 });
    assert.deepEqual(pace.roundTripsMs, [50, 60]);
  });
});

test("P7: whatever is sent and acknowledged, the window, the bytes and the sizes keep to their limits", () => {
  const happening = fc.record({
    what: fc.constantFrom("live", "history", "upkeep", "ack", "wait"),
    bytes: fc.integer({ min: 100, max: 100_000 }),
    messages: fc.integer({ min: 1, max: FLIGHT_MESSAGES_MAX }),
    ackMs: fc.integer({ min: 1, max: 5_000 }),
    socketBytes: fc.constantFrom(0, 0, 0, 1_000),
  });
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 200, size: "max" }), (happenings) => {
      let flow = flowAt(1_000_000);
      let nowMs = 0;
      let newest = 1_000_000;
      const flights: (Load & { readonly kind: Kind })[] = [];
      const inFlight = (kind?: Kind) =>
        flights.filter((one) => one.kind === (kind ?? one.kind)).reduce((sum, { messages }) => sum + messages, 0);
      for (const { what, bytes, messages, ackMs, socketBytes } of happenings) {
        nowMs += ackMs;
        const view = () => ({ ...idle, nowMs, newest, socketBytes, inFlight: inFlight() });
        if (what === "live") {
          newest += 1;
          const range = liveRange(flow, view());
          if (range !== undefined) {
            flow = liveSentTo(afterSending(flow, "live", { bytes, messages }, nowMs), range.to);
            flights.push({ kind: "live", bytes, messages });
          }
        } else if (what === "history") {
          const gate = historyGate(flow, view());
          if (gate.open) {
            const isFull = gate.maxBytes >= HISTORY_MESSAGE_MIN_BYTES && gate.maxBytes <= HISTORY_MESSAGE_MAX_BYTES;
            assert.ok(isFull || (gate.maxBytes === MEASURING_MESSAGE_BYTES && flights.length === 0));
            flow = afterSending(flow, "history", { bytes: gate.maxBytes, messages }, nowMs);
            flights.push({ kind: "history", bytes: gate.maxBytes, messages });
            const more = flights.filter(({ kind }) => kind === "history").length > 1;
            assert.ok(!more || flow.bytes.history <= flow.pace.budgetBytes, "beyond the first, only within the budget");
          } else {
            assert.ok(gate.untilMs > nowMs, "a shut gate waits for something yet to come");
            assert.ok(flights.length > 0 || gate.untilMs < Number.POSITIVE_INFINITY, "a shut gate opens again");
          }
        } else if (what === "upkeep" && inFlight() < MESSAGES_IN_FLIGHT_MAX) {
          flow = afterSending(flow, "upkeep", one(bytes), nowMs);
          flights.push({ kind: "upkeep", ...one(bytes) });
        } else if (what === "ack") {
          const acked = flights.shift();
          if (acked === undefined) continue;
          const queuedBytes = flights.reduce((sum, flight) => sum + flight.bytes, acked.bytes);
          const ack = { ackMs, bytes: acked.bytes, queuedBytes, historyBytes: flow.bytes.history };
          flow = afterAck(flow, acked.kind, ack, acked.messages);
        }
        assert.ok(inFlight() <= MESSAGES_IN_FLIGHT_MAX);
        for (const kind of ["live", "history", "upkeep"] as const) assert.equal(flow.messages[kind], inFlight(kind));
        assert.ok(flow.messages.history <= HISTORY_WINDOW_MAX && flow.messages.live <= LIVE_WINDOW_MAX);
      }
    }),
  );
});
