import type { Session, Story } from "./story.ts";

/** Devices that did not answer when this entry was written, or had just begun to. */
export function silentDevices(story: Story, index: number): Set<string> {
  const silent = new Set<string>();
  for (const { mark, index: at } of story.marks) {
    if (at > index) break;
    if (mark.what === "device fell silent") silent.add(mark.device);
    // It answers again, but the gateway has yet to ask: it stays excused until the node is born anew.
  }
  for (const { mark, index: at } of story.marks) {
    if (at <= index && mark.what === "device answers again" && answered(story, mark.device, at, index)) {
      silent.delete(mark.device);
    }
  }
  return silent;
}

/** Whether the device was born between its return and this entry. */
function answered(story: Story, device: string, from: number, to: number): boolean {
  return story.sessions.some(({ sent }) =>
    sent.some((m) => m.type === "DBIRTH" && m.device === device && m.index > from && m.index < to),
  );
}

/** Devices that this session has told as dead, and not as born again. */
export function deadDevices({ sent }: Session, index: number): Set<string> {
  const dead = new Set<string>();
  for (const { type, device = "", index: at } of sent) {
    if (at >= index) break;
    if (type === "DDEATH") dead.add(device);
    if (type === "DBIRTH") dead.delete(device);
  }
  return dead;
}
