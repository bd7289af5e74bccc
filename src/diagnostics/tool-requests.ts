import type { Outbox } from "../pipeline.ts";
import type { EventRecord } from "./event-record.ts";
import type { LineLending } from "./line-lending.ts";
import type { RequestHandler } from "./request-desk.ts";

/** What tools on this machine may ask of the running gateway. */
export function answerer(outbox: Outbox, lending: LineLending, events: EventRecord): RequestHandler {
  return async (request) => {
    if (request.ask === "lend") {
      const answer = await lending.lend(request.path, request.lease);
      if (answer.done) events.note({ kind: "bench", text: answer.text });
      return answer;
    }
    // The desk writes each request into the log.
    if (request.ask === "note") {
      events.note({ kind: "bench", text: request.text });
      return { done: true, text: "noted" };
    }
    const forgotten = await outbox.forget(request.uplink);
    if ("refused" in forgotten) return { done: false, text: forgotten.refused };
    const text = `forgot ${forgotten.samples} samples that waited for ${request.uplink}`;
    events.note({ kind: "loss", text });
    return { done: true, text };
  };
}
