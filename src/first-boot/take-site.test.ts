import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type CheckedSite, checkSite } from "../config/site.ts";
import { seededRandom } from "../core/random.ts";
import { CardFiles, PowerCut } from "../testing/card-files.ts";
import { type BootFiles, hostFiles } from "./boot-files.ts";
import type { Places } from "./places.ts";
import { takeSite } from "./take-site.ts";

const SITE = `version: 1
board: raspberry-pi-4
hostname: pump-house-3
network: dhcp
wifi: { ssid: plant, passwordFile: wifi.password, country: DE }
console: { passwordFile: console.password }
`;
const GATEWAY = `version: 1
gateway: { group: plant-7, name: pump-house-3 }
uplinks:
  cloud: { servers: [ "mqtts://a.example.com:8883" ], login: { username: u, passwordFile: passwords/cloud } }
lines:
  UART0: { serial: 9600 8N1, devices: { meter-1: { unitId: 1, model: eastron-sdm630 } } }
`;
const KEY = "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----\n";
const CONTENT: Readonly<Record<string, string>> = {
  "site.yaml": SITE,
  "gateway.yaml": GATEWAY,
  "wifi.password": "plant-geheim\n",
  "console.password": "geheimnis\n",
  "passwords/cloud": "wolke-geheim\n",
  "tls/ca.pem": "a CA\n",
  "tls/gateway.key": KEY,
};

const NOW_MS = Date.UTC(2026, 10, 22);
const PLACES: Places = { site: "/fat/site", data: "/data", service: { uid: 990, gid: 991 } };

let root: string;
/** What the real check says of the site. */
let checked: CheckedSite;

function putSite(folder: string, content = CONTENT): void {
  for (const [path, text] of Object.entries(content)) {
    mkdirSync(join(folder, path, ".."), { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, path), text, { mode: 0o600 });
  }
}

before(() => {
  root = mkdtempSync(join(tmpdir(), "sallyport-first-boot-"));
  putSite(join(root, "model"));
  checked = checkSite(join(root, "model"));
});

after(() => rmSync(root, { recursive: true }));

/** Holds each site that is judged to be whole: half of one and half of another must be judged by nobody. */
function whole(card: CardFiles, ...sites: readonly Readonly<Record<string, string>>[]) {
  return (folder: string): CheckedSite => {
    const has = (site: Readonly<Record<string, string>>) =>
      Object.entries(site).every(([path, text]) => {
        const isTls = path.startsWith("tls/") && folder === "/data/site";
        return card.text(isTls ? `/data/sallyport/${path}` : join(folder, path)) === text;
      });
    assert.ok(sites.some(has), `${folder} holds a mixture`);
    return checked;
  };
}

function cardWith(content: Readonly<Record<string, string>>, seed: number): CardFiles {
  const card = new CardFiles(seededRandom(seed));
  for (const [path, text] of Object.entries(content)) card.put(`/fat/site/${path}`, text);
  card.put("/fat/site/flashed", "2026-11-22T08:00:00Z\n");
  card.put("/data/lost+found/nothing", "");
  return card;
}

function boot(card: CardFiles, check: (folder: string) => CheckedSite) {
  return takeSite({ files: card, places: PLACES, check, notBeforeMs: NOW_MS });
}

function assertTaken(card: CardFiles, content = CONTENT): void {
  for (const [path, text] of Object.entries(content)) {
    const place = path.startsWith("tls/") ? `/data/sallyport/${path}` : `/data/site/${path}`;
    assert.equal(card.text(place), text, place);
  }
  assert.deepEqual(
    card.filesBelow("/data/site.staged").concat(card.filesBelow("/data").filter((path) => path.endsWith(".new"))),
    [],
  );
  const left = card.filesBelow("/fat/site").map((path) => path.slice("/fat/site/".length));
  assert.deepEqual(left, ["flashed", "gateway.yaml", "site.yaml", "tls/ca.pem"]);
}

describe("the site of a card is taken over", () => {
  test("into the data partition, each file with its owner, and what is secret leaves the FAT", () => {
    const card = cardWith(CONTENT, 1);
    const { taken, problems } = boot(card, whole(card, CONTENT));
    assert.deepEqual([taken.toSorted(), problems], [Object.keys(CONTENT).toSorted(), []]);
    assertTaken(card);
    const root = { uid: 0, gid: 0 };
    const service = { uid: 990, gid: 991 };
    const access = (path: string) => {
      const { mode, owner } = card.access(path) ?? {};
      return { mode, owner };
    };
    assert.deepEqual(access("/data/site/gateway.yaml"), { mode: 0o640, owner: { uid: 0, gid: 991 } });
    assert.deepEqual(access("/data/site/console.password"), { mode: 0o600, owner: root });
    assert.deepEqual(access("/data/site/passwords"), { mode: 0o700, owner: root });
    assert.deepEqual(access("/data/site/passwords/cloud"), { mode: 0o600, owner: root });
    assert.deepEqual(access("/data/sallyport/tls/gateway.key"), { mode: 0o600, owner: service });
    assert.deepEqual(access("/data/sallyport/tls/ca.pem"), { mode: 0o640, owner: service });
  });

  test("P8: a power cut at any of its steps, and at any step of the boot after it, loses nothing", () => {
    let cuts = 0;
    for (let step = 1; ; step++) {
      const card = cardWith(CONTENT, step);
      if (!cutAt(card, step, whole(card, CONTENT))) break;
      cutAt(card, 1 + ((step * 7) % 40), whole(card, CONTENT));
      boot(card, whole(card, CONTENT));
      assertTaken(card);
      cuts += 1;
    }
    assert.ok(cuts > 50, `only ${cuts} steps were cut`);
  });

  test("P8: a cut while a new site replaces an old one leaves one of both in force, never a mixture", () => {
    const next = { ...CONTENT, "gateway.yaml": GATEWAY.replace("meter-1", "meter-2"), "tls/ca.pem": "another CA\n" };
    const { "gateway.yaml": gateway, "tls/ca.pem": ca } = next;
    for (let step = 1; ; step++) {
      const card = cardWith(CONTENT, step);
      boot(card, whole(card, CONTENT));
      card.put("/fat/site/gateway.yaml", gateway);
      card.put("/fat/site/tls/ca.pem", ca);
      const isCut = cutAt(card, step, whole(card, next));
      const { site } = boot(card, whole(card, next));
      assert.ok(site !== undefined);
      assertTaken(card, next);
      if (!isCut) break;
    }
  });

  test("a site that is there already costs no write and is not taken over again", () => {
    const card = cardWith(CONTENT, 1);
    boot(card, whole(card, CONTENT));
    assert.deepEqual(boot(card, whole(card, CONTENT)).taken, []);
  });

  test("P8: what a cut left half overwritten is no part of a site, and goes", () => {
    const card = cardWith(CONTENT, 1);
    boot(card, whole(card, CONTENT));
    const [sector, zeros] = ["k".repeat(512), "\0".repeat(512)];
    for (const [index, text] of [`\0\0${sector}`, `${sector}${zeros}rest`, `${sector}\0\0`].entries()) {
      card.put(`/fat/site/tls/old-${index}.key`, text);
    }
    assert.deepEqual(boot(card, whole(card, CONTENT)).taken, []);
    assertTaken(card);
  });

  test("what laptops leave behind, and what first boot itself wrote, is no part of a site", () => {
    const card = cardWith(CONTENT, 1);
    for (const name of [".DS_Store", "._site.yaml", "System Volume Information/x", "ERROR.txt", "gateway.csr"]) {
      card.put(`/fat/site/${name}`, "x");
    }
    assert.deepEqual(boot(card, whole(card, CONTENT)).taken.length, Object.keys(CONTENT).length);
  });
});

/** @returns whether the power went before the boot was done */
function cutAt(card: CardFiles, step: number, check: (folder: string) => CheckedSite): boolean {
  card.cutAfter(step);
  try {
    boot(card, check);
    return false;
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
    return true;
  } finally {
    card.restart();
  }
}

describe("on a real file system, judged by the very check of the command", () => {
  function place(name: string, content: Readonly<Record<string, string>>): Places {
    const places = { site: join(root, name, "fat", "site"), data: join(root, name, "data") };
    mkdirSync(places.data, { recursive: true });
    putSite(places.site, content);
    return places;
  }
  const take = (places: Places) => takeSite({ files: hostFiles, places, check: checkSite, notBeforeMs: NOW_MS });
  const sound = { ...CONTENT, "tls/gateway.key": "" };

  test("P9: files bear the time of the card's writing, which the clock's judge goes by", () => {
    const places = place("sound", sound);
    const { site, problems } = take(places);
    assert.deepEqual([site?.site.hostname, problems], ["pump-house-3", []]);
    assert.equal(statSync(join(places.data, "site", "gateway.yaml")).mtimeMs, NOW_MS);
    assert.equal(readFileSync(join(places.data, "site", "tls", "ca.pem"), "utf8"), "a CA\n");
    for (const name of ["wifi.password", "console.password", "passwords/cloud"]) {
      assert.equal(statSync(join(places.site, name), { throwIfNoEntry: false }), undefined, name);
    }
  });

  test("P8: mistakes are told as somebody sees them in a laptop, and the site before them stays in force", () => {
    const places = place("faulty", sound);
    take(places);
    writeFileSync(join(places.site, "gateway.yaml"), GATEWAY.replace("unitId: 1", "unitId: 300"));
    const { site, taken, problems } = take(places);
    assert.equal(site?.gateway.config.lines[0]?.devices[0]?.unitId, 1);
    assert.deepEqual([taken, problems.length], [[], 1]);
    assert.equal(problems[0]?.file, "site/gateway.yaml");
    assert.equal(readFileSync(join(places.data, "site", "gateway.yaml"), "utf8"), GATEWAY);
  });

  test("what is no text is told as a mistake and stays on the card: a CA in DER form, a password in UTF-16", () => {
    const places = place("binary", sound);
    take(places);
    const gateway = GATEWAY.replace('a.example.com:8883" ]', 'a.example.com:8883" ], tls: { ca: tls/plant.cer }');
    writeFileSync(join(places.site, "gateway.yaml"), gateway);
    writeFileSync(join(places.site, "tls", "plant.cer"), Buffer.from([0x30, 0x82, 0x01, 0x00, 0x02, 0xff]));
    writeFileSync(join(places.site, "wifi.password"), Buffer.from("\uFEFFplant-geheim\r\n", "utf16le"));
    const told = take(places).problems.map(({ wrong }) => wrong);
    assert.deepEqual(told, [
      "site/wifi.password is not UTF-8 text",
      "site/tls/plant.cer holds no certificate in PEM form",
    ]);
    for (const path of ["tls/plant.cer", "wifi.password"]) assert.ok(statSync(join(places.site, path)).size > 0, path);
  });

  test("P8: a request that the card has no room for is told as that", () => {
    const { "tls/gateway.key": _, ...keyless } = sound;
    const places = place("full", keyless);
    writeFileSync(join(places.site, "key-on-board"), "");
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { syscall: "write" });
    const files: BootFiles = {
      ...hostFiles,
      write(path, content, file) {
        if (path.startsWith(places.site)) throw full;
        hostFiles.write(path, content, file);
      },
    };
    const { site, problems } = takeSite({ files, places, check: checkSite, notBeforeMs: NOW_MS });
    assert.equal(site?.site.hostname, "pump-house-3");
    assert.match(problems[0]?.wrong ?? "", /^the request for a certificate is not on it: ENOSPC/);
  });

  test("P8: a FAT that cannot be read leaves the site in force, and is told", () => {
    const places = place("damaged", sound);
    take(places);
    const damaged: BootFiles = {
      ...hostFiles,
      entries(folder) {
        if (folder.startsWith(places.site)) {
          throw Object.assign(new Error("EIO: i/o error, scandir"), { syscall: "scandir" });
        }
        return hostFiles.entries(folder);
      },
    };
    const { site, problems } = takeSite({ files: damaged, places, check: checkSite, notBeforeMs: NOW_MS });
    assert.equal(site?.site.hostname, "pump-house-3");
    assert.deepEqual(
      problems.map(({ wrong }) => wrong),
      ["the site cannot be taken over: EIO: i/o error, scandir"],
    );
  });

  test("P8: a data partition that takes nothing more leaves the site in force, and a changed one is told", () => {
    const places = place("full-data", sound);
    take(places);
    writeFileSync(join(places.site, "gateway.yaml"), GATEWAY.replace("meter-1", "meter-2"));
    const full: BootFiles = {
      ...hostFiles,
      write() {
        throw Object.assign(new Error("ENOSPC: no space left on device, write"), { syscall: "write" });
      },
    };
    const { site, problems } = takeSite({ files: full, places, check: checkSite, notBeforeMs: NOW_MS });
    assert.equal(site?.gateway.config.lines[0]?.devices[0]?.name, "meter-1");
    assert.match(problems[0]?.wrong ?? "", /^the site cannot be taken over: ENOSPC/);
  });

  test("P8: a site that is in force costs no write: its card may take none any more", () => {
    const places = place("worn", sound);
    take(places);
    const folders = ["site", "sallyport", "sallyport/tls"].map((name) => join(places.data, name));
    const changes = () => folders.map((folder) => statSync(folder).ctimeMs);
    const before = changes();
    take(places);
    assert.deepEqual(changes(), before);
  });

  test("P8: a key that is none keeps no site from being in force", () => {
    const places = place("no-key", { ...sound, "tls/gateway.key": "none\n", "key-on-board": "" });
    const { site, problems } = take(places);
    assert.equal(site?.site.hostname, "pump-house-3");
    assert.match(
      problems[0]?.wrong ?? "",
      /^the request .* is not on it: tls\/gateway\.key is no key to make one with/,
    );
  });

  test("P8: without any site nothing is in force, and it is said what to do", () => {
    const { site, problems } = take(place("empty", {}));
    assert.equal(site, undefined);
    assert.match(problems[0]?.remedy ?? "", /put site\.yaml and gateway\.yaml into the folder site/);
  });

  test("P7: a folder that is no site is refused before it is read", () => {
    const places = place("large", { ...sound, "photo.jpg": "x".repeat(5 * 1_048_576) });
    assert.match(take(places).problems[0]?.wrong ?? "", /more than 256 files or 4 MB/);
  });
});
