/**
 * `sallyport hw-test` inside a virtual board. Each step that such a board has must pass, each that it has not must be
 * skipped aloud, and the protocol must be kept. Its watchdog really resets it.
 */
import { hostClock, sleep } from "../../core/clock.ts";
import { Life, type LifeOptions } from "./life.ts";
import { CONSOLE_PASSWORD } from "./outside.ts";

type Verdicts = Readonly<Record<string, string>>;
type Tell = (line: string) => void;

const TEST_LIMIT_MS = 300_000;
const LOOK_MS = 1_000;
const PROTOCOL = "/var/lib/sallyport/hw-test.txt";
/** The line is wired to the devices of gateway.yaml. This board has no pins that can be joined, no light, and tells no heat. */
const EXPECTED: Verdicts = {
  line: "PASSED",
  pins: "SKIPPED",
  light: "SKIPPED",
  flash: "PASSED",
  clock: "PASSED",
  heat: "SKIPPED",
  listeners: "PASSED",
  watchdog: "SKIPPED",
};
/** The firewall lets nobody else out. */
const AS_SERVICE = "setpriv --reuid sallyport --regid sallyport --init-groups";
/** Its own folder is left to root, whose protocol it holds. */
const ELSEWHERE = "--data /tmp";
const NOT_PASSED = 1;

/** Returns what is wrong. */
export async function proveHwTest(options: LifeOptions, tell: Tell): Promise<readonly string[]> {
  const life = await Life.begin(options);
  try {
    await life.powerOn({ bites: true });
    await serviceMakesWay(life);
    const only = Object.keys(EXPECTED).map((step) => `--only ${step}`);
    const all = await hwTest(life, tell, `--known-line RS485-1 ${only.join(" ")}`);
    const broker = await hwTest(life, tell, `--only broker ${ELSEWHERE}`, AS_SERVICE);
    life.startsAgain();
    await life.machine.run("(sallyport hw-test --board virtual --only watchdog --watchdog >/dev/null 2>&1) & true");
    tell("its kernel crashes now");
    await serviceMakesWay(life);
    const bitten = await hwTest(life, tell, "--only watchdog");
    const kept = await life.machine.run(`grep -c "serial number [0-9a-f]\\{8\\}" ${PROTOCOL}`);
    return [
      ...differences("as root", all, { code: NOT_PASSED, verdicts: EXPECTED }),
      ...differences("as the service", broker, { code: 0, verdicts: { broker: "PASSED" } }),
      ...differences("after the crash", bitten, { code: 0, verdicts: { watchdog: "PASSED" } }),
      ...(Number(kept) >= 2 ? [] : [`the protocol holds ${kept.trim()} runs`]),
    ];
  } finally {
    await life.end();
  }
}

/** Once a sample is at the broker: then the network is there, and the clock is good. */
async function serviceMakesWay(life: Life): Promise<void> {
  await life.sampleArrives();
  await life.machine.logIn(CONSOLE_PASSWORD);
  await life.machine.run("systemctl stop sallyport");
}

interface Ended {
  readonly code: number;
  readonly verdicts: Verdicts;
}

/** In the board's background: a whole hw-test takes longer than a command at the console may. */
async function hwTest(life: Life, tell: Tell, args: string, as = ""): Promise<Ended> {
  const { machine } = life;
  const command = `${as} sallyport hw-test --board virtual ${args}`;
  await machine.run(`(${command} >/run/told 2>&1; echo ended $? >/run/code.new; mv /run/code.new /run/code) & true`);
  const sinceMs = hostClock.monotonicMs();
  // The kernel may talk on the same console.
  const codeIn = (shown: string) => /^ended (\d+)\r?$/m.exec(shown)?.[1];
  let code: string | undefined;
  for (; code === undefined; code = codeIn(await machine.run("cat /run/code 2>/dev/null"))) {
    if (hostClock.monotonicMs() - sinceMs > TEST_LIMIT_MS) throw new Error(`hw-test ${args} does not end`);
    await sleep(hostClock, LOOK_MS);
  }
  const told = await machine.run("cat /run/told; rm /run/code");
  const verdicts = verdictsOf(told, tell);
  if (Object.keys(verdicts).length === 0) throw new Error(`hw-test ${args} told no verdict: ${told}`);
  return { code: Number(code), verdicts };
}

/** Of the last protocol in a text. */
function verdictsOf(text: string, tell: Tell): Verdicts {
  const verdicts: Record<string, string> = {};
  const last = text.slice(text.lastIndexOf("serial number"));
  for (const [line, verdict = "", step = ""] of last.matchAll(/^ {2}(PASSED|FAILED|SKIPPED) +(\w+) .*$/gm)) {
    verdicts[step] = verdict;
    tell(line.trim());
  }
  return verdicts;
}

function differences(what: string, found: Ended, expected: Ended): readonly string[] {
  const names = [...new Set([...Object.keys(found.verdicts), ...Object.keys(expected.verdicts)])];
  const verdicts = names
    .filter((name) => found.verdicts[name] !== expected.verdicts[name])
    .map(
      (name) => `${what}: ${name} ${found.verdicts[name] ?? "is missing"}, not ${expected.verdicts[name] ?? "there"}`,
    );
  return found.code === expected.code ? verdicts : [...verdicts, `${what} it ended with ${found.code}`];
}
