/** Adds a job whose data is an object of its own when it is large. */
export async function addJob(queue, claims, name, data, options) {
  return queue.add(name, await claims.value(data, { unique: true }), options);
}

/** The processor of a Worker: `work` gets the data, and what it returns may be large too. */
export function processor(claims, work) {
  return async (job) => claims.value(await work(await claims.resolve(job.data), job), { unique: true });
}

/** Deletes the objects of a job that is removed from the queue. */
export async function removeObjects(claims, { data, returnvalue }) {
  for (const value of [data, returnvalue]) {
    const claim = value && claims.reference(JSON.stringify(value));
    if (claim) await claims.remove(claim);
  }
}
