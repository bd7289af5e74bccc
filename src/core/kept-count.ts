/** What an input has counted, from a start that gateway.yaml gives. */
export interface KeptCount {
  readonly start: number;
  readonly edges: number;
  /** False once edges may be in no total: they came while the pin was gone, or a power cut took up to a minute of them. */
  readonly certain: boolean;
}

/** Where totals outlive the process. */
export interface CountKeeper {
  /** Where an input goes on counting; no edge where it never did, or from another start. */
  count(input: string, start: number): KeptCount;
  /** Costs nothing by itself: it is stored within a minute, and at the end. */
  keepCount(input: string, count: KeptCount): void;
}
