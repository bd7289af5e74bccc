/** state.db: facts that must survive, apart from the outbox and its load. Synchronous; runs on the storage thread. */
import type { Facts, OpenRequest, SetAside, StorageFailure } from "./block-store.ts";
import { KNOWN, withBlindLife } from "./fact-text.ts";
import { wholeFacts, withSums } from "./row-sums.ts";
import {
  type Database,
  type DatabaseOptions,
  openDatabase,
  type SqliteWatch,
  STATE_FILE_ID,
  storageFailure,
} from "./sqlite.ts";
import { FACTS_TABLE, factWriter } from "./sqlite-facts.ts";

const MIGRATIONS: readonly string[] = [FACTS_TABLE, withSums("fact")];

export interface OpenedState {
  readonly setAside: SetAside | undefined;
  readonly facts: Facts;
}

export class SqliteState {
  readonly #watch: SqliteWatch | undefined;
  #database: Database | undefined;
  /** Why the file could not be opened, and how it was asked for. */
  #refused: { readonly failure: StorageFailure; readonly options: DatabaseOptions } | undefined;
  #hasTrace = false;

  constructor(watch?: SqliteWatch) {
    this.#watch = watch;
  }

  open(request: OpenRequest): OpenedState {
    const options = { ...request, fileId: STATE_FILE_ID, migrations: MIGRATIONS, exclusive: true, watch: this.#watch };
    try {
      const opened = openDatabase(options, wholeFacts);
      this.#database = opened.database;
      return { setAside: opened.setAside, facts: opened.content };
    } catch (thrown) {
      const failure = storageFailure(thrown);
      this.#refused = { failure, options };
      throw failure;
    }
  }

  save(facts: Facts): void {
    const database = this.#database;
    if (this.#refused !== undefined) {
      this.#leaveTrace(this.#refused.options);
      throw this.#refused.failure;
    }
    if (database === undefined) return;
    try {
      database.transaction(factWriter(database)).immediate(facts);
    } catch (thrown) {
      throw storageFailure(thrown);
    }
  }

  /**
   * What the file knows must not be turned back by a life that never read it. That there was such a life is all that is
   * written, as soon as the card takes it: else the next start would tell no gap.
   */
  #leaveTrace(options: DatabaseOptions): void {
    if (this.#hasTrace) return;
    try {
      const { database, content } = openDatabase(options, wholeFacts);
      try {
        database.transaction(factWriter(database)).immediate([[KNOWN, withBlindLife(content)]]);
      } finally {
        database.close();
      }
      this.#hasTrace = true;
    } catch {
      // The card still takes nothing; whoever saved hears so.
    }
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
  }
}
