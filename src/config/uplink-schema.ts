/** The section `uplinks` of gateway.yaml. */
import * as v from "valibot";
import { LIMITS } from "./defaults.ts";
import { choice, list, mapOr, nameSchema, section } from "./section.ts";
import { duration, flagSchema, pathSchema, rateSchema, size, text } from "./values.ts";
import { not, says, shown } from "./wording.ts";

const TEMPLATE_PART = /\{[^{}]*\}|[{}]/g;
const TLS_SCHEMES: readonly string[] = ["mqtts:", "wss:"];
const TLS_OF_SCHEME: Readonly<Record<string, string>> = {
  "mqtt:": "mqtts:",
  "tcp:": "mqtts:",
  "ssl:": "mqtts:",
  "tls:": "mqtts:",
  "ws:": "wss:",
  "http:": "wss:",
  "https:": "wss:",
};
const PLAINTEXT_SCHEMES: readonly string[] = ["mqtt:", "tcp:", "ws:", "http:"];

/** What keeps a URL from being a server: TLS only, a host, no password. Undefined: nothing. */
function serverMistake(server: string): string | undefined {
  if (!server.includes("://")) {
    return says(`${shown(server)} is not a URL`, "write mqtts://host:8883 or wss://host/path");
  }
  if (!URL.canParse(server)) {
    return says(`${shown(server)} is not a URL`, "write mqtts://host:8883 or wss://host/path; the port is 1 to 65535");
  }
  const url = new URL(server);
  const scheme = TLS_OF_SCHEME[url.protocol];
  if (PLAINTEXT_SCHEMES.includes(url.protocol)) {
    return says(
      `${url.protocol}// sends everything in the clear`,
      `use TLS: ${scheme}//${url.hostname}${url.protocol === "ws:" ? "" : ":8883"}`,
    );
  }
  if (scheme !== undefined) return says(`${url.protocol}// is not a scheme of ours`, `write ${scheme}// instead`);
  if (!TLS_SCHEMES.includes(url.protocol)) {
    return says(`${shown(url.protocol)} is not a scheme of ours`, "write mqtts:// or wss://");
  }
  if (url.hostname === "") return says("the URL names no host", "write mqtts://host:8883");
  if (url.username !== "" || url.password !== "") {
    return says("a login never stands in a URL", "write login: { username: …, passwordFile: … }");
  }
  if (url.hash !== "") return says("a URL of a server has no # part", "remove it");
  if (url.protocol === "mqtts:" && (!["", "/"].includes(url.pathname) || url.search !== "")) {
    return says("an mqtts URL has no path", `write mqtts://${url.host}, and the topic under topic:`);
  }
  return undefined;
}

function proxyMistake(proxy: string): string | undefined {
  const url = URL.canParse(proxy) ? new URL(proxy) : undefined;
  if (url === undefined || url.protocol !== "http:" || url.hostname === "") {
    return says(`${shown(proxy)} is not the URL of a proxy`, "write http://host:3128");
  }
  if (url.username !== "" || url.password !== "") {
    return says("a login never stands in a URL", "write username and passwordFile beside url");
  }
  return undefined;
}

/** A check whose words depend on what is wrong. */
function free(mistake: (value: string) => string | undefined) {
  return v.check<string, (issue: v.CheckIssue<string>) => string>(
    (value) => mistake(value) === undefined,
    (issue) => mistake(issue.input) ?? "",
  );
}

function topicMistake(topic: string): string | undefined {
  if (/[+#]/.test(topic)) return says("a topic to publish to holds no + or #", "remove them");
  if (topic.startsWith("$")) return says("topics with $ in front belong to the broker", "begin with another letter");
  if (topic.split("/").includes("")) return says("the topic has an empty level", "no / in front, behind, or doubled");
  return undefined;
}

function idMistake(id: string): string | undefined {
  const parts: readonly string[] = id.match(TEMPLATE_PART) ?? [];
  const odd = parts.find((part) => part !== "{device}" && part !== "{tag}");
  if (odd !== undefined) return says(`${odd} means nothing in an id`, "use {device} and {tag}");
  if (parts.includes("{device}") && parts.includes("{tag}")) return undefined;
  return says("ids of different tags would be equal", 'use both {device} and {tag}, as "{device}/{tag}"');
}

/** For editors, which cannot look into a check: TLS only. */
const TLS_URL_PATTERN = "^ *(?:[mM][qQ][tT][tT][sS]|[wW][sS][sS])://";

const serverSchema = v.pipe(
  text("a URL", LIMITS.textChars),
  v.metadata({ pattern: TLS_URL_PATTERN }),
  free(serverMistake),
);

const tlsSchema = section("the TLS files", {
  ca: v.exactOptional(pathSchema),
  certificate: v.exactOptional(pathSchema),
  key: v.exactOptional(pathSchema),
  serverName: v.exactOptional(text("a host name", LIMITS.textChars)),
  alpn: v.exactOptional(
    list("a list of protocols", text("a protocol", LIMITS.nameChars), LIMITS.alpnProtocols, "write it as [mqtt]"),
  ),
  crl: v.exactOptional(pathSchema),
});

const username = text("a user name", LIMITS.textChars);

const loginSchema = section(
  "a login",
  { username, passwordFile: pathSchema },
  { username: "username: pump-house", passwordFile: "passwordFile: cloud.password" },
);

const proxySchema = section(
  "a proxy",
  {
    url: v.pipe(text("a URL", LIMITS.textChars), free(proxyMistake)),
    username: v.exactOptional(username),
    passwordFile: v.exactOptional(pathSchema),
  },
  { url: 'url: "http://10.0.0.1:3128"' },
);

const historySchema = mapOr(
  section("the limits of history", {
    maxAge: v.exactOptional(duration(LIMITS.storedAgeMs)),
    maxSize: v.exactOptional(size(LIMITS.storedSizeBytes)),
    rate: v.exactOptional(rateSchema),
  }),
  v.literal("off", not("history", "write off, or maxAge, maxSize and rate below it")),
);

const keepAliveSchema = v.pipe(
  duration(LIMITS.keepAliveMs),
  v.multipleOf(1_000, says("MQTT counts this in whole seconds", "write whole seconds, as 15s")),
);

/** `"5"` as text and 5 as a number mean the same. */
const mqttVersionSchema = v.pipe(
  v.union([v.string(), v.number()], not("a version of MQTT", "write auto, 5 or 3.1.1")),
  v.transform(String),
  choice(["auto", "5", "3.1.1"]),
);

export const uplinkSchema = section(
  "an uplink",
  {
    servers: list("a list of servers", serverSchema, LIMITS.servers, "write it as [ mqtts://host:8883 ]"),
    format: v.exactOptional(choice(["json", "sparkplug", "kepware", "aws-iot", "azure-iot-hub"])),
    node: v.exactOptional(section("a node", { group: v.exactOptional(nameSchema), name: v.exactOptional(nameSchema) })),
    primaryHost: v.exactOptional(nameSchema),
    clientId: v.exactOptional(text("a client id", LIMITS.clientIdChars)),
    mqttVersion: v.exactOptional(mqttVersionSchema),
    tls: v.exactOptional(tlsSchema),
    login: v.exactOptional(loginSchema),
    proxy: v.exactOptional(proxySchema),
    keepAlive: v.exactOptional(keepAliveSchema),
    reconnect: v.exactOptional(
      section("the pauses between attempts", {
        spread: v.exactOptional(duration(LIMITS.reconnectSpreadMs)),
        max: v.exactOptional(duration(LIMITS.reconnectMaxMs)),
      }),
    ),
    startAt: v.exactOptional(choice(["now", "oldest"])),
    history: v.exactOptional(historySchema),
    sparkplug: v.exactOptional(
      section("settings of Sparkplug", {
        aliases: v.exactOptional(flagSchema),
        datatypeInData: v.exactOptional(flagSchema),
        barrier: v.exactOptional(choice(["ping", "publish"])),
      }),
    ),
    topic: v.exactOptional(v.pipe(text("a topic", LIMITS.topicChars), free(topicMistake))),
    id: v.exactOptional(v.pipe(text("an id", LIMITS.textChars), free(idMistake))),
  },
  { servers: 'servers: [ "mqtts://broker.example.com:8883" ]' },
);

export type UplinkSection = v.InferOutput<typeof uplinkSchema>;
