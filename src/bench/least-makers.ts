/**
 * The least work by which messages can be made of samples whose values nobody knows beforehand: the bytes between the
 * values are ready, cut for each message, and need no looking up, no grouping and no limit; only values are written.
 * Whoever makes messages in this language takes as long at least.
 */
import { JsonWriter } from "../uplinks/json/json-writer.ts";
import { bufferOf } from "../uplinks/mqtt-packet-bytes.ts";
import { ProtobufReader } from "../uplinks/sparkplug/protobuf.ts";

/** Of a payload. */
const METRIC_FIELD = 2;
const DOUBLE_BYTES = 8;
const VALUE_OF_JSON = /(?<="v":)[^,]+/g;

/** Before each value, and behind the last. */
type Pieces = readonly Uint8Array[];

/** @param payloads of JSON whose values are numbers; each maker makes the same bytes */
export function leastJsonMakers(payloads: readonly Buffer[]): readonly (() => Buffer)[] {
  const out = new JsonWriter();
  return payloads.map((payload) => {
    const matches = [...payload.toString("latin1").matchAll(VALUE_OF_JSON)];
    const values = matches.map(([text]) => Number(text));
    const pieces = piecesOf(
      payload,
      matches.map(({ 0: text, index }) => [index, index + text.length]),
    );
    return () => {
      for (let index = 0; index < values.length; index++) {
        out.encoded(pieces[index] ?? payload);
        out.value(values[index] ?? 0, "float64");
      }
      out.encoded(pieces[values.length] ?? payload);
      return bufferOf(out.take());
    };
  });
}

/** @param payloads of Sparkplug in which each metric ends in its value, a double; each maker makes the same bytes */
export function leastSparkplugMakers(payloads: readonly Buffer[]): readonly (() => Buffer)[] {
  return payloads.map((payload) => {
    const ends = metricEnds(payload);
    const values = ends.map((end) => payload.readDoubleLE(end - DOUBLE_BYTES));
    const pieces = piecesOf(
      payload,
      ends.map((end) => [end - DOUBLE_BYTES, end]),
    );
    return () => {
      const out = Buffer.allocUnsafe(payload.length);
      let at = 0;
      for (let index = 0; index < values.length; index++) {
        const piece = pieces[index] ?? payload;
        out.set(piece, at);
        at = out.writeDoubleLE(values[index] ?? 0, at + piece.length);
      }
      out.set(pieces[values.length] ?? payload, at);
      return out;
    };
  });
}

function metricEnds(payload: Buffer): readonly number[] {
  const reader = new ProtobufReader(payload);
  const ends: number[] = [];
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field !== METRIC_FIELD) {
      reader.skip();
      continue;
    }
    const metric = reader.bytes();
    ends.push(metric.byteOffset + metric.length - payload.byteOffset);
  }
  return ends;
}

/** What stands between the places of the values. */
function piecesOf(payload: Buffer, places: readonly (readonly [from: number, to: number])[]): Pieces {
  const begins = [0, ...places.map(([, to]) => to)];
  const ends = [...places.map(([from]) => from), payload.length];
  return begins.map((begin, index) => payload.subarray(begin, ends[index]));
}
