/** The process of broker-process.ts: takes its files as one JSON argument, tells its port by IPC. */
import { readFileSync } from "node:fs";
import { createServer } from "node:tls";
import { Aedes } from "aedes";

export interface BrokerFiles {
  readonly port: number;
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

export type BrokerReport = { readonly port: number } | { readonly failure: string };

async function serve(files: BrokerFiles): Promise<void> {
  const broker = await Aedes.createBroker();
  const server = createServer(
    {
      ca: readFileSync(files.ca),
      cert: readFileSync(files.certificate),
      key: readFileSync(files.key),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
    },
    (socket) => broker.handle(socket.setNoDelay(true)),
  );
  server.on("error", (error) => tell({ failure: error.message }));
  server.listen(files.port, "127.0.0.1", () => {
    const address = server.address();
    tell(address === null || typeof address === "string" ? { failure: "no port" } : { port: address.port });
  });
  process.on("SIGTERM", () => broker.close(() => process.exit(0)));
}

function tell(report: BrokerReport): void {
  process.send?.(report);
}

// An orphan would keep the port.
process.on("disconnect", () => process.exit(0));
const [, , json] = process.argv;
if (json === undefined) throw new Error("broker-process.ts gives the files as an argument");
await serve(JSON.parse(json) as BrokerFiles);
