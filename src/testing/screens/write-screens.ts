/** `npm run screens`: puts what the commands show now into README.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { withScreens } from "./readme-screens.ts";
import { screens } from "./screens.ts";

const README = new URL("../../../README.md", import.meta.url);

const before = readFileSync(README, "utf8");
const after = withScreens(before, await screens());
if (after !== before) writeFileSync(README, after);
process.stdout.write(
  after === before ? "README.md shows what the commands show\n" : "README.md was brought up to date\n",
);
