/** state.db: facts that must survive, apart from the outbox and its load. Synchronous; runs on the storage thread. */
import type { Facts, OpenRequest, SetAside, StorageFailure } from "./block-store.ts";
import { wholeFacts, withSums } from "./row-sums.ts";
import { type Database, openDatabase, type SqliteWatch, STATE_FILE_ID, storageFailure } from "./sqlite.ts";
import { FACTS_TABLE, factWriter } from "./sqlite-facts.ts";

const MIGRATIONS: readonly string[] = [FACTS_TABLE, withSums("fact")];

export interface OpenedState {
  readonly setAside: SetAside | undefined;
  readonly facts: Facts;
}

export class SqliteState {
  readonly #watch: SqliteWatch | undefined;
  #database: Database | undefined;
  /** Why the file could not be opened. */
  #failure: StorageFailure | undefined;

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
      this.#failure = storageFailure(thrown);
      throw this.#failure;
    }
  }

  save(facts: Facts): void {
    const database = this.#database;
    if (this.#failure !== undefined) throw this.#failure;
    if (database === undefined) return;
    try {
      database.transaction(factWriter(database)).immediate(facts);
    } catch (thrown) {
      throw storageFailure(thrown);
    }
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
  }
}
