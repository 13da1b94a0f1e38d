/** Sends a job whose data is an object when it is large. */
export async function send(boss, claims, queue, data, options) {
  return boss.send(queue, await claims.value(data), options);
}

/** As `boss.work`: `handler` gets jobs with their data, and what it returns may be large too. */
export function work(boss, claims, queue, handler) {
  return boss.work(queue, async (jobs) => {
    const whole = await Promise.all(jobs.map(async (job) => ({ ...job, data: await claims.resolve(job.data) })));
    return claims.value(await handler(whole));
  });
}

/** What may hold references, for `claimReferences`: one statement, since jobs move to the archive. */
export async function* texts(pool, tables = ["pgboss.job", "pgboss.archive"]) {
  const values = tables.map((table) => `SELECT unnest(ARRAY[data::text, output::text]) AS text FROM ${table}`);
  const { rows } = await pool.query(
    `SELECT text FROM (${values.join(" UNION ALL ")}) AS t WHERE text LIKE '%$stowage%'`,
  );
  for (const { text } of rows) yield text;
}
