/** What `--json` prints. JSON has no whole numbers beyond 2^53 and no infinity: they go out as text. */
export function machineText(content: object): string {
  const plain = (_key: string, value: unknown) => {
    if (typeof value === "bigint") return String(value);
    return value === Number.POSITIVE_INFINITY ? "unlimited" : value;
  };
  return `${JSON.stringify(content, plain, 2)}\n`;
}
