/** Topics of the JSON formats, below the uplink's prefix. */
export interface Topics {
  readonly status: string;
  readonly data: string;
  readonly history: string;
  /** Part 1 has no suffix, further ones `/2`, `/3`. */
  tags(device: string, part: number): string;
  snapshot(device: string, part: number): string;
}

export function topicsBelow(prefix: string): Topics {
  const partOf = (topic: string, part: number) => (part === 1 ? topic : `${topic}/${part}`);
  return {
    status: `${prefix}/status`,
    data: `${prefix}/data`,
    history: `${prefix}/history`,
    tags: (device, part) => partOf(`${prefix}/tags/${device}`, part),
    snapshot: (device, part) => partOf(`${prefix}/snapshot/${device}`, part),
  };
}
