/** Postgres for tests. */
import pg from "pg";
import { afterAll, beforeAll, describe } from "vitest";
import { type Postgres, startPostgres, whyNoPostgres } from "../servers/postgres.mjs";

export { type Postgres, startPostgres, whyNoPostgres } from "../servers/postgres.mjs";

/** A pool whose connections the server may end: while they are idle, or end themselves, that is no failure of a test. */
export function openPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString });
  pool.on("error", () => {});
  // The pool listens no more to a connection that it ends.
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}

/** A server of the tests of one `describe`; set when they run. */
export interface TestDatabase {
  url: string;
  pool: pg.Pool;
}

/** A `describe` with a server of its own. Without Postgres it is skipped with the reason, and fails in CI. */
export async function describeOnPostgres(title: string, tests: (database: TestDatabase) => void): Promise<void> {
  const reason = await whyNoPostgres();
  const name = reason === undefined ? title : `${title} [${reason}]`;
  describe.skipIf(reason !== undefined && !process.env.CI)(name, () => {
    const database = {} as TestDatabase;
    let postgres: Postgres | undefined;
    beforeAll(async () => {
      postgres = await startPostgres();
      database.url = postgres.url;
      database.pool = openPool(postgres.url);
    }, 120_000);
    afterAll(async () => {
      await database.pool?.end();
      await postgres?.stop();
    });
    tests(database);
  });
}
