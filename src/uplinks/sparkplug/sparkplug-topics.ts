/** Topics of one edge node (Sparkplug 3.0, chapter 4). */
export interface SparkplugTopics {
  readonly nbirth: string;
  readonly ndata: string;
  readonly ndeath: string;
  dbirth(device: string): string;
  ddata(device: string): string;
  ddeath(device: string): string;
  /** What the node listens to. */
  readonly ncmd: string;
  readonly dcmd: string;
  state(host: string): string;
  /** Outside of Sparkplug's namespace: whoever listens to Sparkplug sees nothing of it. */
  readonly barrier: string;
}

export const NAMESPACE = "spBv1.0";

export function sparkplugTopics({ group, name }: { readonly group: string; readonly name: string }): SparkplugTopics {
  const node = (type: string) => `${NAMESPACE}/${group}/${type}/${name}`;
  const device = (type: string) => (id: string) => `${node(type)}/${id}`;
  return {
    nbirth: node("NBIRTH"),
    ndata: node("NDATA"),
    ndeath: node("NDEATH"),
    dbirth: device("DBIRTH"),
    ddata: device("DDATA"),
    ddeath: device("DDEATH"),
    ncmd: node("NCMD"),
    dcmd: device("DCMD")("+"),
    state: (host) => `${NAMESPACE}/STATE/${host}`,
    barrier: `sallyport/${group}/${name}/barrier`,
  };
}

/** `NBIRTH`, `DDATA`, …; undefined where it is none of Sparkplug's. */
export function messageType(topic: string): string | undefined {
  const [namespace, , type] = topic.split("/", 3);
  return namespace === NAMESPACE ? type : undefined;
}
