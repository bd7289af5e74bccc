/** All that a boot makes of its site, below a folder that lives as long as the boot. Pure. */
import type { Passage } from "../config/network-plan.ts";
import type { SiteFile } from "../config/site-schema.ts";
import { hashPassword, shadowWith } from "./console-password.ts";
import { firewallRules } from "./firewall.ts";
import { type MadeFile, networkFiles } from "./network-files.ts";

/** Of ours, beside those whose place systemd chose. */
export const BOOT_FOLDER = "sallyport-boot";

/** Who may log in at the console, where a password was given. */
const CONSOLE_USER = "root";
const PUBLIC = 0o644;
const SHADOW = 0o640;

export interface SiteSecrets {
  readonly wifi?: string;
  readonly console?: string;
}

export interface BootSurroundings {
  readonly secrets: SiteSecrets;
  /** The image's own /etc/shadow; empty where there is none to be read. */
  readonly shadow: string;
  readonly salt: string;
  /** Whom the brokers' ports are let out for. */
  readonly user: string;
}

export function madeFiles(
  site: SiteFile,
  plan: readonly Passage[],
  { secrets, shadow, salt, user }: BootSurroundings,
): readonly MadeFile[] {
  const own = (name: string, text: string, mode = PUBLIC) => ({ path: `${BOOT_FOLDER}/${name}`, text, mode });
  return [
    own("hostname", `${site.hostname}\n`),
    own("environment", `SALLYPORT_BOARD=${site.board}\n`),
    own("firewall.nft", firewallRules(plan, user)),
    ...networkFiles(site, secrets.wifi),
    ...(secrets.console === undefined || shadow === ""
      ? []
      : [own("shadow", shadowWith(shadow, CONSOLE_USER, hashPassword(secrets.console, salt)), SHADOW)]),
  ];
}
