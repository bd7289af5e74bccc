/** The screens in README.md: fenced blocks called `NAME-screen`, which nobody writes by hand. */
const BLOCK = /^```([a-z]+)-screen\n[\s\S]*?^```$/gm;

/**
 * The text with every such block as it should be.
 * @throws where a block has no screen, or a screen no block
 */
export function withScreens(text: string, screens: ReadonlyMap<string, string>): string {
  const shown = new Set<string>();
  const next = text.replace(BLOCK, (_, name: string) => {
    const screen = screens.get(name);
    if (screen === undefined) throw new Error(`nothing makes the screen ${name}`);
    shown.add(name);
    return `\`\`\`${name}-screen\n${screen.replace(/\n*$/, "")}\n\`\`\``;
  });
  const missing = [...screens.keys()].filter((name) => !shown.has(name));
  if (missing.length > 0) throw new Error(`README.md does not show ${missing.join(", ")}`);
  return next;
}
