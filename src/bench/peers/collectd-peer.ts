/** collectd with its plugins modbus and mqtt, from Debian. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { NOTHING, type Peer, type PeerSite } from "./peer.ts";
import { BAUD_RATE, BLOCK_REGISTERS, BLOCKS, DEVICES } from "./plan.ts";

const PROGRAM = "/usr/sbin/collectd";
const PACKAGES = ["collectd-core", "libmodbus5", "libmosquitto1"] as const;
// biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query fills these in.
const FIELDS = "${Package} ${Version}\\n";
const PREFIX = "collectd";
const REGISTERS = BLOCKS.flatMap((first) => Array.from({ length: BLOCK_REGISTERS }, (_, i) => first + i));

export async function collectdPeer(): Promise<Peer> {
  const query = ["--show", "--showformat", FIELDS, ...PACKAGES];
  const { stdout } = await promisify(execFile)("dpkg-query", query).catch((thrown: unknown) => {
    throw new Error("collectd is not there; `bash scripts/parts.sh collectd` installs it", { cause: thrown });
  });
  return {
    key: "collectd",
    title: "collectd",
    versions: stdout.trim().split("\n"),
    async configure(site) {
      const config = join(site.folder, "collectd.conf");
      await writeFile(config, configText(site));
      return { program: PROGRAM, args: ["-f", "-C", config], cwd: site.folder, environment: {} };
    },
    parse(topic, payload) {
      const [, line, unit, register] = /^collectd\/line-(\d+)\/modbus-unit-(\d+)\/gauge-r(\d+)$/.exec(topic) ?? [];
      if (register === undefined) return NOTHING;
      // Time and value, ended by a zero byte.
      const value = Number.parseFloat(payload.split(":")[1] ?? "");
      const place = { line: Number(line), unit: Number(unit), register: Number(register) };
      return { readings: Number.isNaN(value) ? [] : [{ ...place, value }], losses: [] };
    },
  };
}

/** A failed read doubles its interval, up to a day: MaxReadInterval keeps it as it is. */
function configText({ folder, linePaths, brokerPort, certificates, scanMs }: PeerSite): string {
  const intervalS = scanMs / 1_000;
  const data = REGISTERS.map(
    (register) => `  <Data "r${register}">
    RegisterBase ${register}
    RegisterType Uint16
    RegisterCmd ReadHolding
    Type gauge
    Instance "r${register}"
  </Data>
`,
  );
  const { ca, client } = certificates;
  return `BaseDir "${folder}"
PIDFile "${join(folder, "collectd.pid")}"
TypesDB "/usr/share/collectd/types.db"
FQDNLookup false
Hostname "peer"
Interval ${intervalS}
MaxReadInterval ${intervalS}
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File STDERR
</Plugin>
LoadPlugin modbus
LoadPlugin mqtt
<Plugin modbus>
${data.join("")}${linePaths.map((path, at) => hostText(at + 1, path, intervalS)).join("")}</Plugin>
<Plugin mqtt>
  <Publish "broker">
    Host "localhost"
    Port ${brokerPort}
    ClientId "collectd"
    QoS 1
    Prefix "${PREFIX}"
    StoreRates false
    CACert "${ca}"
    CertificateFile "${client.certificate}"
    CertificateKeyFile "${client.key}"
  </Publish>
</Plugin>
`;
}

function hostText(line: number, path: string, intervalS: number): string {
  const collected = REGISTERS.map((register) => `      Collect "r${register}"\n`).join("");
  const units = Array.from(
    { length: DEVICES },
    (_, i) => `    <Slave ${i + 1}>
      Instance "unit-${i + 1}"
${collected}    </Slave>
`,
  );
  return `  <Host "line-${line}">
    Device "${path}"
    Baudrate ${BAUD_RATE}
    Interval ${intervalS}
${units.join("")}  </Host>
`;
}
