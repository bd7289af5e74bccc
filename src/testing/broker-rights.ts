/** What the README lets a gateway do at a broker, and what a gateway with these rights hears there. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { message, type TransportFixture } from "./transport-fixture.ts";

const README = new URL("../../README.md", import.meta.url);

/** The fenced block of that language, which the README holds once, for the users whose certificates tests have. */
export async function readmeBlock(language: string): Promise<string> {
  const blocks = (await readFile(README, "utf8")).match(new RegExp(`(?<=\`\`\`${language}\n)[^\`]*`, "g")) ?? [];
  assert.equal(blocks.length, 1, `one block of ${language}`);
  return (blocks[0] ?? "").replace("user pump-house-3", "user client").replace("user operator", "user historian");
}

/** Topics that reach a gateway that asks for all of them, and for everything, once somebody wrote to each. */
export async function heardBy(
  fixture: TransportFixture,
  server: string,
  topics: readonly string[],
): Promise<readonly string[]> {
  const heard = new Set<string>();
  const gateway = await fixture.connect(server);
  gateway.onMessage(({ topic }) => heard.add(topic));
  await gateway.subscribe(Object.fromEntries([...topics, "#"].map((topic) => [topic, 1])));
  const { certificate, key } = fixture.certificates.historian;
  const transport = fixture.transport(server, { tls: { certificate, key } });
  const operator = await fixture.connectBy(transport, { server, clientId: "operator" });
  for (const writer of [operator, gateway]) {
    for (const topic of topics) await writer.publish(message(topic)).catch(() => undefined);
  }
  // The broker answers in order: what it had for this gateway came before.
  await gateway.ping();
  return topics.filter((topic) => heard.has(topic));
}
