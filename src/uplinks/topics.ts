/** Topics of the JSON formats. */
export interface Topics {
  /** Whether what is told of the present may stay there for whoever comes late. */
  readonly retained: boolean;
  readonly status: string;
  readonly data: string;
  readonly history: string;
  readonly events: string;
  /** Parts count from 1. */
  tags(device: string, part: number): string;
  snapshot(device: string, part: number): string;
}

/** Below the uplink's prefix; part 1 has no suffix, further ones `/2`, `/3`. */
export function topicsBelow(prefix: string): Topics {
  const partOf = (topic: string, part: number) => (part === 1 ? topic : `${topic}/${part}`);
  return {
    retained: true,
    status: `${prefix}/status`,
    data: `${prefix}/data`,
    history: `${prefix}/history`,
    events: `${prefix}/events`,
    tags: (device, part) => partOf(`${prefix}/tags/${device}`, part),
    snapshot: (device, part) => partOf(`${prefix}/snapshot/${device}`, part),
  };
}

/**
 * Azure IoT Hub has one topic a device. What kind of message it is stands in the properties behind it, by which the
 * hub routes; its own two say that the body is JSON in UTF-8, so that it can be routed by as well.
 *
 * @param prefix `devices/<device id>/messages/events`
 */
export function azureTopics(prefix: string): Topics {
  const kind = (properties: string) => `${prefix}/$.ct=application%2Fjson&$.ce=utf-8&kind=${properties}`;
  const partOf = (name: string, device: string, part: number) =>
    kind(`${name}&device=${encodeURIComponent(device)}${part === 1 ? "" : `&part=${part}`}`);
  return {
    retained: false,
    status: kind("status"),
    data: kind("data"),
    history: kind("history"),
    events: kind("events"),
    tags: (device, part) => partOf("tags", device, part),
    snapshot: (device, part) => partOf("snapshot", device, part),
  };
}
