/** What MQTT packets become on the network: TLS, TCP and IP, both ways, as whoever sells the data counts them. Pure. */

/** A PUBLISH of so many bytes, and what is asked behind it to have it confirmed; absent: it is confirmed by itself. */
export interface Packet {
  readonly bytes: number;
  readonly question?: Question | undefined;
}

export type Question = "ping" | { readonly bytes: number };

/** A record of TLS 1.3: head, type and tag around at most so many bytes (RFC 8446, section 5.2). */
const RECORD_BYTES = 5 + 1 + 16;
const RECORD_MAX_BYTES = 16_384;
/** IPv4 and TCP with timestamps; IPv6 takes 20 more. */
const SEGMENT_BYTES = 20 + 32;
/** Data of a segment, at an MTU of 1,500. */
const SEGMENT_MAX_BYTES = 1_448;
/** PUBACK; PINGREQ and PINGRESP. */
const PUBACK_BYTES = 4;
const PING_BYTES = 2;

/** Bytes that TCP carries from the gateway, and all that the network carries, both ways. */
export interface Traffic {
  readonly sentBytes: number;
  readonly networkBytes: number;
}

export const NO_TRAFFIC: Traffic = { sentBytes: 0, networkBytes: 0 };

/** A message, and the broker's answer. Without QoS it answers a question, which goes in one record with the message. */
export function trafficOf({ bytes, question }: Packet): Traffic {
  if (question === undefined) return plus(segmentsOf(bytes), answer(PUBACK_BYTES));
  if (question === "ping") return plus(segmentsOf(bytes + PING_BYTES), answer(PING_BYTES));
  return plus(segmentsOf(bytes + question.bytes), answer(PUBACK_BYTES));
}

/** A question whether the broker is there, where nothing else was said. */
export function pingTraffic(): Traffic {
  return plus(segmentsOf(PING_BYTES), answer(PING_BYTES));
}

export function plus(a: Traffic, b: Traffic): Traffic {
  return { sentBytes: a.sentBytes + b.sentBytes, networkBytes: a.networkBytes + b.networkBytes };
}

export function times(traffic: Traffic, factor: number): Traffic {
  return { sentBytes: traffic.sentBytes * factor, networkBytes: traffic.networkBytes * factor };
}

/** From the broker, and the bare acknowledgement of TCP to it. */
function answer(bytes: number): Traffic {
  return { sentBytes: 0, networkBytes: segmentsOf(bytes).networkBytes + SEGMENT_BYTES };
}

function segmentsOf(bytes: number): Traffic {
  const sentBytes = bytes + RECORD_BYTES * Math.ceil(bytes / RECORD_MAX_BYTES);
  return { sentBytes, networkBytes: sentBytes + SEGMENT_BYTES * Math.ceil(sentBytes / SEGMENT_MAX_BYTES) };
}
