/** MariaDB for tests, where Airflow has MySQL. */
import mysql from "mysql2/promise";
import { afterAll, beforeAll, describe } from "vitest";
import { type MariaDb, startMariaDb, whyNoMariaDb } from "../servers/mariadb.mjs";

/** A server of the tests of one `describe`; set when they run. */
export interface TestMariaDb {
  url: string;
  pool: mysql.Pool;
  server: MariaDb;
}

/** A `describe` with a server of its own. Without MariaDB it is skipped with the reason, and fails in CI. */
export function describeOnMariaDb(title: string, tests: (database: TestMariaDb) => void): void {
  const reason = whyNoMariaDb();
  const name = reason === undefined ? title : `${title} [${reason}]`;
  describe.skipIf(reason !== undefined && !process.env.CI)(name, () => {
    const database = {} as TestMariaDb;
    beforeAll(async () => {
      database.server = await startMariaDb();
      database.url = database.server.url;
      database.pool = mysql.createPool({ uri: database.url, multipleStatements: true });
    }, 120_000);
    afterAll(async () => {
      await database.pool?.end();
      await database.server?.stop();
    });
    tests(database);
  });
}
