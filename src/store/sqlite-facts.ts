/** Small facts by name, in one table, so that a commit touches one page for all of them. */
import type { Facts } from "./block-store.ts";
import { factSum } from "./row-sums.ts";
import type { Database } from "./sqlite.ts";

export const FACTS_TABLE = "CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;";

/** To be called inside a transaction. */
export function factWriter(database: Database): (facts: Facts) => void {
  const put = database.prepare<[string, string, number]>(
    `INSERT INTO fact (name, value, sum) VALUES (?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET value = excluded.value, sum = excluded.sum`,
  );
  const remove = database.prepare<[string]>("DELETE FROM fact WHERE name = ?");
  return (facts) => {
    for (const [name, value] of facts) {
      if (value === null) remove.run(name);
      else put.run(name, value, factSum(name, value));
    }
  };
}
