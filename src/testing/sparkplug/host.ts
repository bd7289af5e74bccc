/** A host application as far as a gateway can see it: its STATE, and its commands, encoded by `protoc`. */
import { readFile } from "node:fs/promises";
import mqtt from "mqtt";
import type { Certificates } from "../certificates.ts";
import { runProtoc } from "./protoc.ts";

export interface Host {
  state(id: string, online: boolean, timestampMs: number): Promise<void>;
  /** Whatever this is, where its STATE belongs. */
  stateText(id: string, text: string): Promise<void>;
  /** A command whose payload is this in protobuf's text format. */
  command(topic: string, payloadText: string, retain?: boolean): Promise<void>;
  close(): Promise<void>;
}

export async function connectHost(url: string, certificates: Certificates): Promise<Host> {
  const client = await mqtt.connectAsync(url, {
    ca: await readFile(certificates.ca),
    cert: await readFile(certificates.client.certificate),
    key: await readFile(certificates.client.key),
    protocolVersion: 5,
    clientId: "host",
  });
  client.on("error", () => undefined);
  const stateText = async (id: string, text: string) => {
    await client.publishAsync(`spBv1.0/STATE/${id}`, text, { qos: 1, retain: true });
  };
  return {
    async state(id, online, timestamp) {
      await stateText(id, JSON.stringify({ online, timestamp }));
    },
    stateText,
    async command(topic, payloadText, retain = false) {
      await client.publishAsync(topic, await encodePayload(payloadText), { qos: 0, retain });
    },
    close: () => client.endAsync(true),
  };
}

async function encodePayload(payloadText: string): Promise<Buffer> {
  const bytes = await runProtoc("encode", "Payload", payloadText);
  if (bytes === undefined) throw new Error(`no payload: ${payloadText}`);
  return bytes;
}
