/** Uplinks: what their keys must be to each other, and the uplinks that come of them. */
import { existsSync } from "node:fs";
import { type Claim, claimNames, createClaims } from "./claims.ts";
import type { Login, UplinkConfig } from "./config.ts";
import { DEFAULTS } from "./defaults.ts";
import type { Path } from "./document.ts";
import type { Complain, Draft, Inspection } from "./draft.ts";
import { besideFile, carryMistake, type FileKind, fileMistake, passwordPath } from "./files.ts";
import type { GatewayFile } from "./gateway-schema.ts";
import { checkPreset, presetId, presetKeepAliveMs, presetMqttVersion, presetTopic } from "./presets.ts";
import type { UplinkSection } from "./uplink-schema.ts";
import { durationText, sizeText } from "./values.ts";

type GatewayDraft = Draft<GatewayFile>;
type UplinkDraft = Draft<UplinkSection>;

const SPARKPLUG_KEYS = ["node", "primaryHost", "sparkplug"] as const;
const JSON_KEYS = ["topic", "id"] as const;

/** What an uplink is built with beside the file. */
export interface UplinkSurroundings {
  /** Where the service manager puts passwords; undefined: it does not. */
  readonly credentialsFolder: string | undefined;
  /** Key and certificate of the gateway need not be there yet. */
  readonly identityLater: boolean;
  /** What all its files must lie in; undefined: they stay where they are. */
  readonly siteFolder: string | undefined;
}

/** Everything that is wrong with uplinks beyond their single keys. */
export function checkUplinks(inspection: Inspection<GatewayFile>, around: UplinkSurroundings): void {
  const { draft, document, complain } = inspection;
  const uplinks = Object.entries(draft.uplinks ?? {});
  claimNames(
    inspection,
    uplinks.map(([name]) => ["uplinks", name]),
  );
  const claim = createClaims(inspection);
  for (const [name, uplink = {}] of uplinks) {
    const path = ["uplinks", name];
    checkFormat(uplink, path, complain);
    checkPreset(
      uplink.format ?? DEFAULTS.format,
      uplink,
      uplink.clientId ?? defaultClientId(name, draft.gateway),
      path,
      complain,
    );
    checkLimits(uplink, draft, path, complain);
    checkFiles(document.file, uplink, path, around, complain);
    claimIdentity(name, uplink, draft, claim);
  }
}

function checkFormat(uplink: UplinkDraft, path: Path, complain: Complain): void {
  const format = uplink.format ?? DEFAULTS.format;
  const foreign = format === "sparkplug" ? JSON_KEYS : SPARKPLUG_KEYS;
  for (const key of foreign) {
    if (uplink[key] === undefined) continue;
    complain([...path, key], `means nothing with format: ${format}`, "remove it, or mend format", "key");
  }
}

function checkLimits(uplink: UplinkDraft, draft: GatewayDraft, path: Path, complain: Complain): void {
  const spreadMs = uplink.reconnect?.spread ?? DEFAULTS.reconnectSpreadMs;
  const maxMs = uplink.reconnect?.max ?? DEFAULTS.reconnectMaxMs;
  if (spreadMs > maxMs) {
    const key = uplink.reconnect?.max === undefined ? "spread" : "max";
    complain(
      [...path, "reconnect", key],
      `the longest pause, ${durationText(maxMs)}, is shorter than the spread, ${durationText(spreadMs)}`,
      "raise max, or lower spread",
    );
  }
  if (typeof uplink.history !== "object") return;
  const { maxAge, maxSize } = uplink.history;
  const outboxMaxAgeMs = draft.outbox?.maxAge ?? DEFAULTS.outboxMaxAgeMs;
  const outboxMaxSizeBytes = draft.outbox?.maxSize ?? DEFAULTS.outboxMaxSizeBytes;
  if (maxAge !== undefined && maxAge > outboxMaxAgeMs) {
    const wrong = `${durationText(maxAge)} is more than the outbox keeps, ${durationText(outboxMaxAgeMs)}`;
    complain([...path, "history", "maxAge"], wrong, "lower it, or raise outbox.maxAge");
  }
  if (maxSize !== undefined && maxSize > outboxMaxSizeBytes) {
    const wrong = `${sizeText(maxSize)} is more than the outbox holds, ${sizeText(outboxMaxSizeBytes)}`;
    complain([...path, "history", "maxSize"], wrong, "lower it, or raise outbox.maxSize");
  }
}

function checkFiles(
  configFile: string,
  uplink: UplinkDraft,
  path: Path,
  { credentialsFolder, identityLater, siteFolder }: UplinkSurroundings,
  complain: Complain,
): void {
  const { tls = {}, login, proxy } = uplink;
  const place = (kind: FileKind, given: string) =>
    kind === "password" ? passwordPath(configFile, given, credentialsFolder) : besideFile(configFile, given);
  const needs = (kind: FileKind, given: string | undefined, key: readonly string[]) => {
    if (given === undefined) return;
    const file = place(kind, given);
    const mistake = (siteFolder === undefined ? undefined : carryMistake(siteFolder, file)) ?? fileMistake(file, kind);
    if (mistake !== undefined) complain([...path, ...key], mistake.wrong, mistake.remedy);
  };
  const own = (kind: FileKind, given: string | undefined, key: readonly string[]) => {
    const isToCome = identityLater && given !== undefined && !existsSync(besideFile(configFile, given));
    if (!isToCome) needs(kind, given, key);
  };
  needs("certificate", tls.ca, ["tls", "ca"]);
  own("certificate", tls.certificate, ["tls", "certificate"]);
  own("private key", tls.key, ["tls", "key"]);
  needs("CRL", tls.crl, ["tls", "crl"]);
  needs("password", login?.passwordFile, ["login", "passwordFile"]);
  needs("password", proxy?.passwordFile, ["proxy", "passwordFile"]);
  const half = (has: unknown, lacks: unknown, key: readonly string[], missing: string) => {
    if (has === undefined || lacks !== undefined) return;
    complain([...path, ...key], `needs ${missing} beside it`, `add ${missing}, or remove it`, "key");
  };
  half(tls.certificate, tls.key, ["tls", "certificate"], "key");
  half(tls.key, tls.certificate, ["tls", "key"], "certificate");
  half(proxy?.username, proxy?.passwordFile, ["proxy", "username"], "passwordFile");
  half(proxy?.passwordFile, proxy?.username, ["proxy", "passwordFile"], "username");
}

/** What two uplinks must not share: a Sparkplug node; a client id or a topic on the same server. */
function claimIdentity(name: string, uplink: UplinkDraft, { gateway }: GatewayDraft, claim: Claim): void {
  const path = ["uplinks", name];
  const format = uplink.format ?? DEFAULTS.format;
  const group = uplink.node?.group ?? gateway?.group;
  const node = uplink.node?.name ?? gateway?.name;
  if (format === "sparkplug" && group !== undefined && node !== undefined) {
    const wrong = `the Sparkplug node ${group}/${node} is that of`;
    claim(`node ${group}/${node}`.toLowerCase(), {
      name,
      path: [...path, "node"],
      wrong,
      remedy: "give this uplink its own node",
    });
  }
  const { clientId } = uplink;
  const topic =
    uplink.topic ??
    presetTopic(format, `${gateway?.group}`, `${gateway?.name}`, clientId ?? defaultClientId(name, gateway));
  for (const server of new Set(uplink.servers?.filter((url) => url !== undefined).map(serverKey))) {
    if (clientId !== undefined) {
      const wrong = "the same client id is used on the same server by";
      claim(`client ${server} ${clientId}`, { name, path: [...path, "clientId"], wrong, remedy: "give each its own" });
    }
    if (format !== "sparkplug") {
      const wrong = `the same topic, ${topic}, is used on the same server by`;
      claim(`topic ${server} ${topic}`, { name, path: [...path, "topic"], wrong, remedy: "give each its own topic" });
    }
  }
}

function serverKey(server: string): string {
  const url = new URL(server);
  return `${url.protocol}//${url.host}`.toLowerCase();
}

/** The uplinks with every default filled in. */
export function buildUplinks(file: GatewayFile, configFile: string, around: UplinkSurroundings): UplinkConfig[] {
  return Object.entries(file.uplinks).map(([name, uplink]) => buildUplink(name, uplink, file, configFile, around));
}

function buildUplink(
  name: string,
  uplink: UplinkSection,
  file: GatewayFile,
  configFile: string,
  { credentialsFolder }: UplinkSurroundings,
): UplinkConfig {
  const { gateway, outbox } = file;
  const { tls = {}, login, proxy, history } = uplink;
  const path = (given: string) => besideFile(configFile, given);
  const password = (given: string) => passwordPath(configFile, given, credentialsFolder);
  const format = uplink.format ?? DEFAULTS.format;
  const clientId = uplink.clientId ?? defaultClientId(name, gateway);
  const limits = typeof history === "object" ? history : {};
  return {
    name,
    servers: uplink.servers,
    format,
    node: { ...gateway, ...uplink.node },
    ...(uplink.primaryHost !== undefined && { primaryHost: uplink.primaryHost }),
    clientId,
    mqttVersion:
      uplink.mqttVersion === "auto" ? presetMqttVersion(format) : (uplink.mqttVersion ?? presetMqttVersion(format)),
    tls: {
      ...(tls.ca !== undefined && { ca: path(tls.ca) }),
      ...(tls.certificate !== undefined && { certificate: path(tls.certificate) }),
      ...(tls.key !== undefined && { key: path(tls.key) }),
      ...(tls.serverName !== undefined && { serverName: tls.serverName }),
      ...(tls.alpn !== undefined && { alpn: tls.alpn }),
      ...(tls.crl !== undefined && { crl: path(tls.crl) }),
    },
    ...(login !== undefined && { login: { username: login.username, passwordFile: password(login.passwordFile) } }),
    ...(proxy !== undefined && { proxy: buildProxy(proxy, password) }),
    keepAliveMs: uplink.keepAlive ?? presetKeepAliveMs(format),
    reconnect: {
      spreadMs: uplink.reconnect?.spread ?? DEFAULTS.reconnectSpreadMs,
      maxMs: uplink.reconnect?.max ?? DEFAULTS.reconnectMaxMs,
    },
    startAt: uplink.startAt ?? DEFAULTS.startAt,
    history: {
      enabled: history !== "off",
      maxAgeMs: limits.maxAge ?? outbox?.maxAge ?? DEFAULTS.outboxMaxAgeMs,
      maxSizeBytes: limits.maxSize ?? outbox?.maxSize ?? DEFAULTS.outboxMaxSizeBytes,
      rateBytesPerS: limits.rate ?? DEFAULTS.historyRateBytesPerS,
    },
    sparkplug: {
      aliases: uplink.sparkplug?.aliases ?? false,
      datatypeInData: uplink.sparkplug?.datatypeInData ?? false,
      barrier: uplink.sparkplug?.barrier ?? DEFAULTS.barrier,
    },
    topic: uplink.topic ?? presetTopic(format, gateway.group, gateway.name, clientId),
    id: uplink.id ?? presetId(format),
  };
}

function defaultClientId(name: string, gateway: GatewayDraft["gateway"]): string {
  return `${gateway?.group}-${gateway?.name}-${name}`;
}

function buildProxy(
  { url, username, passwordFile }: NonNullable<UplinkSection["proxy"]>,
  password: (given: string) => string,
): NonNullable<UplinkConfig["proxy"]> {
  if (username === undefined || passwordFile === undefined) return { url };
  const login: Login = { username, passwordFile: password(passwordFile) };
  return { url, login };
}
